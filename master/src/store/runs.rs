//! Run files: the master's truth. One file per run, only ever appended to, each record durable when written.
//!
//! `DIR/<RUN>.jsonl`, 0600. A file appears with its header complete, or not at all. A tail that was cut by a crash is
//! reported and left out; a record that was changed ends what is believed of the file. Reading needs no lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use super::RunId;

mod line;
mod record;

use line::Chain;
pub use record::{FORMAT, Host, Mode, RunHeader, RunRecord, Summary, Told};

/// The directory of run files.
#[derive(Debug, Clone)]
pub struct Runs {
    dir: PathBuf,
}

/// A run as read from its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Who asked for what.
    pub header: RunHeader,
    /// Everything after the header that can be believed, in order.
    pub records: Vec<RunRecord>,
    /// What is behind that.
    pub tail: Tail,
    /// Length of the file.
    pub bytes: u64,
}

/// What follows the last record that can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Whole,
    /// The beginning of a record that a crash cut off, or that is being written now.
    Torn {
        /// Its length in bytes.
        bytes: u64,
    },
    /// Lines that are not what was written.
    Damaged {
        /// The number of the first such record.
        seq: u64,
    },
}

/// Why a run file cannot be written or read.
#[derive(Debug, Error)]
pub enum RunError {
    /// The file system refuses.
    #[error("cannot access {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Nothing in the file can be believed.
    #[error("the run file {} is damaged from its beginning", .0.display())]
    Damaged(PathBuf),
    /// A newer program wrote the file.
    #[error("the run file {} has format {format}; this program reads {FORMAT}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: String,
    },
    /// A record that cannot be written as JSON.
    #[error("cannot write a record")]
    Record(#[source] serde_json::Error),
    /// No run begins so.
    #[error("there is no run `{0}`: `salt-rs log` lists them")]
    NotFound(String),
    /// Several runs begin so.
    #[error("`{typed}` stands for several runs: {}", .runs.join(", "))]
    Ambiguous {
        /// What was typed.
        typed: String,
        /// The newest of them.
        runs: Vec<String>,
    },
}

impl Run {
    /// Whether the run came to its end.
    pub fn is_closed(&self) -> bool {
        self.records
            .iter()
            .any(|record| matches!(record, RunRecord::Close { .. }))
    }

    /// How each host ended, in the order they did.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.records.iter().filter_map(|record| match record {
            RunRecord::Host(host) => Some(host),
            _ => None,
        })
    }

    /// What hosts were told.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        self.records.iter().filter_map(|record| match record {
            RunRecord::Told(told) => Some(told),
            _ => None,
        })
    }

    /// The counts as recorded, or counted from the hosts when the run did not come to its end.
    pub fn summary(&self) -> Summary {
        let closed = self.records.iter().find_map(|record| match record {
            RunRecord::Close { summary, .. } => Some(*summary),
            _ => None,
        });
        closed.unwrap_or_else(|| Summary::of(self.hosts().map(|host| host.outcome)))
    }
}

impl Runs {
    /// The run files of a state directory; nothing is made or read yet.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.join("runs"),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An id for a run that begins now; greater than all there are.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn next_id(&self) -> Result<RunId, RunError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Ok(RunId::new(millis, rand::random(), self.ids()?.first()))
    }

    /// Begins a run file with what each host will be told.
    ///
    /// # Errors
    /// The file is there already, or cannot be written durably.
    pub fn create(&self, header: RunHeader, told: &[Told]) -> Result<RunWriter, RunError> {
        RunWriter::create(&self.dir, header, told)
    }

    /// All ids, newest first. Files that are no run files are passed over: a host's own journal may lie beside them.
    ///
    /// # Errors
    /// The directory cannot be read; one that is not there is empty.
    pub fn ids(&self) -> Result<Vec<RunId>, RunError> {
        let fail = |error| RunError::Io(self.dir.clone(), error);
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name();
            let id = name
                .to_str()
                .and_then(|name| name.strip_suffix(".jsonl"))
                .and_then(RunId::parse);
            // Only the canonical spelling is one of ours.
            ids.extend(id.filter(|id| name.to_str() == Some(&file_name(id))));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// The run somebody means by an id or its unambiguous beginning.
    ///
    /// # Errors
    /// None or several begin so, or the directory cannot be read.
    pub fn find(&self, typed: &str) -> Result<RunId, RunError> {
        let mut ids = self.ids()?;
        ids.retain(|id| !typed.trim().is_empty() && id.begins_with(typed));
        match ids.as_slice() {
            [] => Err(RunError::NotFound(typed.to_owned())),
            [only] => Ok(only.clone()),
            several => Err(RunError::Ambiguous {
                typed: typed.to_owned(),
                runs: several.iter().take(5).map(ToString::to_string).collect(),
            }),
        }
    }

    /// Reads one run.
    ///
    /// # Errors
    /// It cannot be read, not even its header can be believed, or its format is another.
    pub fn read(&self, id: &RunId) -> Result<Run, RunError> {
        let path = self.dir.join(file_name(id));
        let bytes = fs::read(&path).map_err(|error| RunError::Io(path.clone(), error))?;
        read(&path, &bytes)
    }

    /// All runs, newest first, each read when it is asked for.
    ///
    /// # Errors
    /// The directory cannot be read; a file that cannot be read is an item.
    pub fn newest_first(&self) -> Result<impl Iterator<Item = Result<Run, RunError>>, RunError> {
        Ok(self.ids()?.into_iter().map(|id| self.read(&id)))
    }
}

fn file_name(id: &RunId) -> String {
    format!("{id}.jsonl")
}

fn read(path: &Path, bytes: &[u8]) -> Result<Run, RunError> {
    let damaged = || RunError::Damaged(path.to_owned());
    let mut chain = Chain::default();
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, behind) = (&rest[..end], &rest[end + 1..]);
        let mut next = chain.clone();
        let Some(record) = next
            .read(line)
            .and_then(|record| serde_json::from_slice(record).ok())
        else {
            break;
        };
        records.push(record);
        chain = next;
        rest = behind;
    }
    // A crash leaves a piece of a line, or a hole of zeros; whole lines that do not fit were changed.
    let torn = !rest.contains(&b'\n') || rest.iter().all(|byte| *byte == 0);
    let tail = match rest {
        [] => Tail::Whole,
        _ if torn => Tail::Torn {
            bytes: rest.len() as u64,
        },
        _ => Tail::Damaged { seq: chain.seq() },
    };
    let mut records = records.into_iter();
    let Some(RunRecord::Header(header)) = records.next() else {
        return Err(damaged());
    };
    if header.format.split('.').next() != FORMAT.split('.').next() {
        return Err(RunError::Format {
            path: path.to_owned(),
            format: header.format,
        });
    }
    Ok(Run {
        header,
        records: records.collect(),
        tail,
        bytes: bytes.len() as u64,
    })
}

/// A run file that is being written.
#[derive(Debug)]
pub struct RunWriter {
    path: PathBuf,
    file: File,
    chain: Chain,
}

impl RunWriter {
    /// Makes the file with its header and what each host will be told; all of it is there durably when this returns,
    /// or nothing is there.
    ///
    /// # Errors
    /// The file is there already, or cannot be written durably.
    #[expect(
        clippy::disallowed_methods,
        reason = "the master's own state directory, not a managed host"
    )]
    pub fn create(dir: &Path, header: RunHeader, told: &[Told]) -> Result<Self, RunError> {
        let path = dir.join(file_name(&header.run));
        let fail = |error| RunError::Io(path.clone(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(fail)?;
        let fresh = dir.join(format!(".{}.new", header.run));
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(fail)?;
        let mut chain = Chain::default();
        let mut lines = chain.write(&json(&RunRecord::Header(header))?);
        for told in told {
            lines.extend(chain.write(&json(&RunRecord::Told(told.clone()))?));
        }
        file.write_all(&lines)
            .and_then(|()| file.sync_all())
            .map_err(fail)?;
        // A link fails when the name is taken; a rename would replace a run.
        fs::hard_link(&fresh, &path).map_err(fail)?;
        fs::remove_file(&fresh).map_err(fail)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail)?;
        Ok(Self { path, file, chain })
    }

    /// Opens a whole run file again, to add what a host told of that run later.
    ///
    /// # Errors
    /// The file cannot be read or written, or does not end with a whole record.
    #[expect(
        clippy::disallowed_methods,
        reason = "the master's own state directory, not a managed host"
    )]
    pub fn reopen(dir: &Path, id: &RunId) -> Result<Self, RunError> {
        let path = dir.join(file_name(id));
        let fail = |error| RunError::Io(path.clone(), error);
        let bytes = fs::read(&path).map_err(fail)?;
        let mut chain = Chain::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\n").and_then(|line| chain.read(line));
            whole.ok_or_else(|| RunError::Damaged(path.clone()))?;
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(fail)?;
        Ok(Self { path, file, chain })
    }

    /// Appends records; they are durable when this returns.
    ///
    /// # Errors
    /// They cannot be written; nothing may be appended after that, since the file's end is not known.
    pub fn append(&mut self, records: &[RunRecord]) -> Result<(), RunError> {
        let mut lines = Vec::new();
        for record in records {
            lines.extend(self.chain.write(&json(record)?));
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        written.map_err(|error| RunError::Io(self.path.clone(), error))
    }

    /// Appends what came of the run and its end.
    ///
    /// # Errors
    /// As for `append`.
    pub fn finish(
        mut self,
        mut records: Vec<RunRecord>,
        ended: String,
        summary: Summary,
    ) -> Result<(), RunError> {
        records.push(RunRecord::Close { ended, summary });
        self.append(&records)
    }
}

fn json(record: &RunRecord) -> Result<String, RunError> {
    serde_json::to_string(record).map_err(RunError::Record)
}

#[cfg(test)]
pub(super) mod tests;
