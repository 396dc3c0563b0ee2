//! The real system: one reader and one writer per address family. Nothing else in the agent changes the host.
//!
//! | file | family |
//! |---|---|
//! | [`path`] | files, directories, links |
//! | [`command`] | the one place that starts programs |
//! | [`grains`] | what a host says of itself |

pub mod command;
mod database;
pub mod grains;
pub mod path;
mod problem;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proto::{Act, Address, Answer, Change, Digest, Performed, PreImage, Problem, Question, Value};
use serde_json::Value as Json;

use crate::journal::objects::Objects;
use crate::system::{Botched, System};
pub(crate) use problem::{failed, locked, moved, refused};

/// The host this process runs on.
#[derive(Debug)]
pub struct Live {
    pub(crate) objects: Objects,
    /// `/`, or a directory that stands for it: a whole system in a scratch directory, programs run by `chroot`.
    pub(crate) root: PathBuf,
    digests: path::read::Digests,
    /// Modification times of directories that were put back, kept while entries below them are put back too.
    times: BTreeMap<String, (i64, u32)>,
    grains: BTreeMap<usize, grains::Grains>,
}

impl Live {
    /// The running host; contents are kept in `objects`.
    pub fn open(objects: Objects) -> Self {
        Self::at(objects, Path::new("/"))
    }

    /// A host that lies under `root`.
    pub fn at(objects: Objects, root: &Path) -> Self {
        // Programs and package scripts expect the usual mask; every file of our own is made with an explicit mode.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        Self {
            objects,
            root: root.to_owned(),
            digests: path::read::Digests::default(),
            times: BTreeMap::new(),
            grains: BTreeMap::new(),
        }
    }

    /// The object store.
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// An absolute path of the host as this process reaches it.
    pub(crate) fn real(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A text file of the host; `None` when it is missing or unreadable.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        std::fs::read(self.real(path))
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What is at an address.
    ///
    /// # Errors
    /// It cannot be told, with the reason.
    pub fn read(&mut self, at: &Address) -> Result<Value, Problem> {
        match at {
            Address::Path(path) => self.read_path(path),
            other => Err(refused(format!(
                "{other}: this kind of address cannot be read yet"
            ))),
        }
    }

    fn one(&mut self, question: &Question) -> Answer {
        let answer = match question {
            Question::Read(at) => self.read(at).map(Answer::Value),
            Question::Follow(path) => self.follow_path(path).map(Answer::Value),
            Question::Bytes(path) => self.path_bytes(path).map(Answer::Bytes),
            Question::List(path) => self.list_path(path).map(Answer::Tree),
            Question::Command(command) => self.run(command).map(Answer::Output),
            Question::Grains => Ok(Answer::Json(Json::Object(self.all_grains()))),
            Question::Grain(key) => Ok(self.grain(key).map_or(Answer::Missing, Answer::Json)),
            other => Ok(Answer::Failed(format!("this agent cannot answer {other:?} yet"))),
        };
        answer.unwrap_or_else(|problem| Answer::Failed(problem.text))
    }

    fn observe_one(&mut self, act: &Act) -> Result<Vec<PreImage>, Problem> {
        match act {
            Act::Assign {
                at: Address::Path(path),
                expect,
                to,
                ..
            } => self.observe_path(path, expect, to),
            Act::Assign { at, .. } => Err(refused(format!(
                "{at}: this kind of address cannot be written yet"
            ))),
            Act::Run { touches, .. } => self.observe_touched(touches),
            Act::Poke { .. } | Act::Refresh => Ok(Vec::new()),
        }
    }

    fn perform_one(&mut self, act: &Act, before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        match act {
            Act::Assign {
                at: Address::Path(path),
                expect,
                to,
                check,
            } => self.assign_path(path, expect, to, check.as_ref(), before),
            Act::Assign { at, .. } => {
                Err(refused(format!("{at}: this kind of address cannot be written yet")).into())
            }
            Act::Run { command, touches, .. } => self.run_touching(command, touches, before),
            Act::Poke { .. } | Act::Refresh => Err(refused("not possible yet").into()),
        }
    }

    /// Runs a command and tells what it changed in the trees it said it touches.
    fn run_touching(
        &mut self,
        command: &proto::Command,
        touches: &[String],
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let output = self.run(command);
        let changes = self.touched_since(touches, before);
        let (output, changes) = match (output, changes) {
            (Ok(output), Ok(changes)) => (output, changes),
            (Ok(output), Err(why)) => return Err(botched(why, Vec::new(), Some(output))),
            (Err(why), changes) => return Err(botched(why, changes.unwrap_or_default(), None)),
        };
        if output.success(command) {
            return Ok(Performed {
                changes,
                output: Some(output),
            });
        }
        let why = failed(format!(
            "{} ended with {}",
            command::shown(command),
            command::ending(&output)
        ));
        Err(botched(why, changes, Some(output)))
    }
}

/// A failed transaction with what it changed and said.
pub(crate) fn botched(why: Problem, changes: Vec<Change>, output: Option<proto::Output>) -> Box<Botched> {
    let performed = Performed {
        changes: changes.clone(),
        output,
    };
    Box::new(Botched {
        why,
        changes,
        performed,
    })
}

impl System for Live {
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer> {
        ask.iter().map(|question| self.one(question)).collect()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem> {
        path::room_for(&self.objects, bytes.len() as u64)?;
        self.objects.put(bytes).map_err(|error| {
            refused(format!(
                "cannot keep {} bytes in the object store: {error}",
                bytes.len()
            ))
        })
    }

    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem> {
        let mut before = Vec::new();
        for act in acts {
            before.extend(self.observe_one(act)?);
        }
        Ok(before)
    }

    fn perform(&mut self, acts: &[Act], before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        let mut all = Performed::default();
        for act in acts {
            match self.perform_one(act, before) {
                Ok(performed) => {
                    all.changes.extend(performed.changes);
                    all.output = performed.output.or(all.output);
                }
                Err(botched) => {
                    all.changes.extend(botched.changes);
                    all.output = botched.performed.output.or(all.output);
                    return Err(self::botched(botched.why, all.changes, all.output));
                }
            }
        }
        Ok(all)
    }

    fn forget(&mut self) {
        self.grains.clear();
    }
}
