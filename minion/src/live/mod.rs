//! The real system: one reader and one writer per address family. Nothing else in the agent changes the host.
//!
//! | file | family |
//! |---|---|
//! | [`path`] | files, directories, links |
//! | [`command`] | the one place that starts programs |
//! | [`grains`] | what a host says of itself |
//! | [`package`] | dpkg's and apt's packages |
//! | [`mod@unit`] | systemd's units |
//! | [`account`] | users and groups |
//! | [`sysctl`] | kernel settings |
//! | [`checkout`] | git work trees |
//! | [`mysql`] | database servers |
//! | [`mount`] | mounted file systems and swap |
//! | [`firewall`] | nftables' rule set |
//! | [`fetch`], [`unpack`] | downloads and archives, into the object store |

pub mod account;
mod beside;
pub mod checkout;
pub mod command;
pub(crate) mod database;
mod doors;
pub mod fetch;
pub mod firewall;
pub mod grains;
pub mod mount;
pub mod mysql;
pub mod package;
pub mod path;
mod problem;
pub mod sysctl;
#[cfg(test)]
pub(crate) mod testing;
pub mod unit;
pub mod unpack;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proto::{Act, Address, Answer, Change, Fidelity, Output, Performed, PreImage, Problem, Question, Value};
use serde_json::Value as Json;

use crate::journal::objects::Objects;
use crate::meets::meets;
use crate::system::Botched;
use package::Wanted;
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
    packages: package::Packages,
    /// What scripts of packages had made and went with them.
    cleared: BTreeSet<String>,
    /// Units looked up together for the questions of one batch.
    units: BTreeMap<String, proto::Unit>,
    /// What was fetched in this session, by URL and wanted hash.
    downloads: BTreeMap<(String, Option<String>), Answer>,
    databases: mysql::Databases,
    /// The last text file that was there and could not be read.
    unread: std::cell::RefCell<Option<String>>,
    /// A plan asks: what an act would need kept is looked at, and not kept.
    foreseeing: bool,
    /// What a command that ran on another thread came to, until its act is performed.
    came_to: Option<Result<Output, Problem>>,
    /// Where is told what a run waits for.
    voice: voice::Voice,
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
            packages: package::Packages::default(),
            cleared: BTreeSet::new(),
            units: BTreeMap::new(),
            downloads: BTreeMap::new(),
            databases: mysql::Databases::default(),
            unread: std::cell::RefCell::default(),
            foreseeing: false,
            came_to: None,
            voice: voice::Voice::default(),
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
        match std::fs::read(self.real(path)) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    self.unread.replace(Some(format!("cannot read {path}: {error}")));
                }
                None
            }
        }
    }

    /// What `ask` finds, unless a file it looked into is there and cannot be read: then nobody is absent for that.
    pub(crate) fn readable<T>(
        &mut self,
        ask: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.unread.replace(None);
        let found = ask(self)?;
        match self.unread.take() {
            Some(why) => Err(refused(why)),
            None => Ok(found),
        }
    }

    /// What is at an address.
    ///
    /// # Errors
    /// It cannot be told, with the reason.
    pub fn read(&mut self, at: &Address) -> Result<Value, Problem> {
        match at {
            Address::Path(path) => self.read_path(path),
            Address::Package(name) => self.read_package(name),
            Address::Unit(name) => self.read_unit(name),
            Address::User(name) => self.readable(|live| live.read_user(name)),
            Address::Group(name) => self.readable(|live| live.read_group(name)),
            Address::Sysctl(key) => self.read_sysctl(key),
            Address::Checkout(path) => self.read_checkout(path),
            Address::Mysql(at) => self.read_mysql(at),
            Address::Mount(path) => self.read_mount(path),
            Address::Firewall => self.read_firewall(),
            Address::Swap(path) => self.read_swap(path),
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
            Question::Candidate(name) => self
                .offer(name)
                .map(|offer| offer.candidate.map_or(Answer::Missing, Answer::Text)),
            Question::Versions(name) => self.versions(name).map(Answer::Json),
            Question::Fetch { url, hash } => self.fetch(url, hash.as_deref()),
            Question::Unpack(ask) => self.unpack(ask),
            Question::Login(login) => {
                self.introduce(login);
                Ok(Answer::Missing)
            }
            Question::Call(call) => Ok(match crate::functions::call(self, call) {
                None => Answer::Missing,
                Some(Ok(value)) => Answer::Json(value),
                Some(Err(why)) => Answer::Failed(format!("{}: {why}", call.fun)),
            }),
        };
        answer.unwrap_or_else(|problem| Answer::Failed(problem.text))
    }

    /// Looks up together what the questions of one batch ask of one program.
    fn learn(&mut self, ask: &[Question]) {
        let units: Vec<&str> = ask
            .iter()
            .filter_map(|question| match question {
                Question::Read(Address::Unit(name)) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let packages: Vec<&str> = ask
            .iter()
            .filter_map(|question| match question {
                Question::Candidate(name) | Question::Versions(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        // Where it fails here, it fails again, and is told, with the question itself.
        self.learn_units(&units).ok();
        self.learn_mysql(ask);
        if !packages.is_empty() {
            self.learn_offers(&packages).ok();
        }
    }

    /// Takes back what of a group of files was done before one of them failed; what could not be.
    fn all_back(&mut self, acts: &[Act], changes: Vec<Change>) -> Vec<Change> {
        if acts.len() < 2 {
            return changes;
        }
        let mut left = Vec::new();
        for change in changes.into_iter().rev() {
            let Address::Path(path) = &change.at else {
                continue;
            };
            let there = PreImage {
                at: change.at.clone(),
                was: change.after.clone(),
                fidelity: Fidelity::Exact,
            };
            let back = self.assign_path(path, &change.after, &change.before, None, &[there]);
            if back.is_err() {
                left.push(change);
            }
        }
        left
    }

    fn observe_one(&mut self, act: &Act) -> Result<Vec<PreImage>, Problem> {
        match act {
            Act::Assign { at, expect, to, .. } => match at {
                Address::Path(path) => self.observe_path(path, expect, to),
                Address::Package(name) => self.observe_packages(&[Wanted { name, expect, to }]),
                Address::Unit(name) => self.observe_unit(name, expect, to),
                Address::User(_) | Address::Group(_) => self.observe_person(at, expect, to),
                Address::Sysctl(key) => self.observe_sysctl(key, expect, to),
                Address::Checkout(path) => self.observe_checkout(path, expect, to),
                Address::Mysql(at) => self.observe_mysql(at, expect, to),
                Address::Mount(_) | Address::Swap(_) => self.observe_mounted(at, expect, to),
                Address::Firewall => self.observe_firewall(expect, to),
            },
            Act::Run { touches, .. } => self.observe_touched(touches),
            Act::Poke { unit, .. } => self.observe_poke(unit),
            Act::Refresh => Ok(Vec::new()),
        }
    }

    fn perform_one(&mut self, act: &Act, before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        match act {
            Act::Assign {
                at,
                expect,
                to,
                check,
            } => match at {
                Address::Path(path) => self.assign_path(path, expect, to, check.as_ref(), before),
                Address::Package(name) => self.assign_packages(&[Wanted { name, expect, to }], before),
                Address::Unit(name) => self.assign_unit(name, expect, to),
                Address::User(_) | Address::Group(_) => self.assign_person(at, expect, to, before),
                Address::Sysctl(key) => self.assign_sysctl(key, expect, to),
                Address::Checkout(path) => self.assign_checkout(path, expect, to),
                Address::Mysql(at) => self.assign_mysql(at, expect, to, before),
                Address::Mount(_) | Address::Swap(_) => self.assign_mounted(at, expect, to),
                Address::Firewall => self.assign_firewall(expect, to),
            },
            Act::Run { command, touches, .. } => self.run_touching(command, touches, before),
            Act::Poke { unit, how } => self.poke(unit, *how),
            Act::Refresh => Ok(Performed {
                changes: Vec::new(),
                output: Some(self.refresh()?),
            }),
        }
    }

    /// Runs a command and tells what it changed in the trees it said it touches.
    fn run_touching(
        &mut self,
        command: &proto::Command,
        touches: &[String],
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let output = self.came_to.take().unwrap_or_else(|| self.run(command));
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

/// The assignments of a transaction of packages, if that is what the acts are.
fn transaction(acts: &[Act]) -> Option<Vec<Wanted<'_>>> {
    acts.iter()
        .map(|act| match act {
            Act::Assign {
                at: Address::Package(name),
                expect,
                to,
                ..
            } => Some(Wanted { name, expect, to }),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .filter(|wanted| !wanted.is_empty())
}

/// Refuses when what is there is neither what was expected nor what is wanted already.
pub(crate) fn as_expected(what: &str, live: &Value, expect: &Value, to: &Value) -> Result<(), Problem> {
    if live.same(expect) || meets(to, live) {
        return Ok(());
    }
    Err(moved(format!(
        "{what} is not what it was when this was planned: expected {}, found {}",
        path::told(expect),
        path::told(live)
    )))
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
