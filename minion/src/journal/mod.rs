//! What a host keeps of its runs. Files only: one damaged run must not cost the others, and `cat` reads it.
//!
//! ```text
//! objects/   bytes by digest                      runs/7/entries   one run, chained JSON lines
//! head/12    the generation the host is at        epoch            the fence (T8)
//! lock       the run lock                         last             when something last ran, and its report
//! ```
//!
//! Whoever writes here holds the [`lock::Lock`]; whoever reads need not. What a run's entries mean for going back is
//! [`crate::undo`]'s affair. docs/journal.md has the format and the crash table.

pub mod base;
pub mod chain;
pub mod entries;
mod files;
pub mod head;
pub mod ledger;
pub(crate) mod limits;
pub mod lock;
pub mod objects;
mod open;
pub mod owed;
pub mod recover;
pub mod sweep;
pub mod told;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proto::journal::FORMAT;
use proto::{Act, Change, Entry, Generation, Outcome, Problem, ProblemKind, Report, RunHeader};
use serde::{Deserialize, Serialize};

use crate::guard::Outside;
use entries::Entries;
use files::{Durable, stage};
pub(crate) use files::{make_dir, place, sync_dir};
use lock::{Holder, Lock};
use objects::Objects;
pub use open::OpenRun;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("journal {path}: {cause}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Another run holds the lock.
    #[error("another run is going on: {0}")]
    Busy(Holder),
    /// A record is damaged; it is never used (J1).
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// No such run or generation.
    #[error("{0}")]
    Unknown(String),
}

impl JournalError {
    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            cause,
        }
    }
}

impl From<JournalError> for Problem {
    /// No journal, no change (J3).
    fn from(error: JournalError) -> Self {
        Self::new(ProblemKind::Refused, error.to_string())
    }
}

/// Takes a run's entries as they happen.
pub trait Record {
    /// Keeps an entry. For [`Entry::Intent`], `Done`, `Failed`, `Recovered` and `Close` it is durable on return.
    ///
    /// # Errors
    /// It could not be kept: an act whose intent was refused must not be done.
    fn append(&mut self, entry: &Entry) -> Result<(), Problem>;
}

/// A host's journal.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
    objects: Objects,
    /// What guards runs that must be confirmed.
    outside: Option<Outside>,
}

/// A run as it was read.
#[derive(Debug)]
pub struct RunRecord {
    /// The number of its directory.
    pub number: u64,
    /// Its header.
    pub header: RunHeader,
    /// Entries after the header, `Close` left out.
    pub entries: Vec<Entry>,
    /// How it ended; `None` while it goes on or when it was cut off.
    pub close: Option<(Outcome, Option<Report>)>,
    /// Damaged records.
    pub damage: Vec<String>,
}

impl RunRecord {
    /// The generation this run made, if it changed something.
    pub fn generation(&self) -> Option<u64> {
        let back = self.header.restores.is_some() && matches!(self.close, Some((Outcome::RolledBack, _)));
        (back || worth(&self.entries)).then(|| self.header.parent + 1)
    }

    /// All changes in the order in which they happened.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.entries.iter().flat_map(|entry| match entry {
            Entry::Done { changes, .. }
            | Entry::Failed { changes, .. }
            | Entry::Recovered { changes, .. } => changes.as_slice(),
            _ => &[],
        })
    }
}

/// Whether these entries changed something that a generation should count: an address, or a command that ran.
fn worth(entries: &[Entry]) -> bool {
    let ran = |number: u64| {
        entries.iter().any(|entry| match entry {
            Entry::Intent { act_num, acts, .. } => {
                *act_num == number && acts.iter().any(|act| matches!(act, Act::Run { .. }))
            }
            _ => false,
        })
    };
    entries.iter().any(|entry| match entry {
        Entry::Done { act_num, changes } => !changes.is_empty() || ran(*act_num),
        Entry::Failed {
            act_num,
            why,
            changes,
        } => !changes.is_empty() || (why.kind == ProblemKind::Failed && ran(*act_num)),
        Entry::Recovered {
            act_num,
            how,
            changes,
        } => !changes.is_empty() || (how == "unknown" && ran(*act_num)),
        _ => false,
    })
}

/// When something last ran here, whether or not it changed anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Last {
    /// Seconds since 1970.
    pub ended: u64,
    /// The master's id of the run.
    pub run: String,
    /// Its report, where a master may still ask for it.
    pub report: Option<Report>,
}

impl Journal {
    /// Opens, and makes where missing, the journal under `dir` (0700).
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        for folder in [dir.to_owned(), dir.join("runs"), dir.join("head")] {
            make_dir(&folder)?;
        }
        let objects = Objects::open(&dir.join("objects")).map_err(|cause| JournalError::io(dir, cause))?;
        Ok(Self {
            dir: dir.to_owned(),
            objects,
            outside: None,
        })
    }

    /// With a guard for runs that must be confirmed.
    #[must_use]
    pub fn guarded(mut self, outside: Outside) -> Self {
        self.outside = Some(outside);
        self
    }

    pub(crate) const fn outside(&self) -> Option<Outside> {
        self.outside
    }

    /// The directory it lies in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The object store.
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The generation the host is at; 0 before the first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn generation(&self) -> Result<u64, JournalError> {
        head::current(&self.dir.join("head"))
    }

    /// Numbers of the runs that are kept, oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn runs(&self) -> Result<Vec<u64>, JournalError> {
        head::numbers(&self.dir.join("runs"))
    }

    /// The entries file of a run.
    pub fn entries_path(&self, number: u64) -> PathBuf {
        self.dir.join("runs").join(number.to_string()).join("entries")
    }

    /// Reads a run; `None` when not even its header became durable.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn run(&self, number: u64) -> Result<Option<RunRecord>, JournalError> {
        let path = self.entries_path(number);
        if !path.exists() {
            return Ok(None);
        }
        Ok(record(number, entries::read(&path)?))
    }

    /// The newest run, if any is kept.
    ///
    /// # Errors
    /// As [`Journal::run`].
    pub fn newest(&self) -> Result<Option<RunRecord>, JournalError> {
        for number in self.runs()?.into_iter().rev() {
            if let Some(found) = self.run(number)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The runs that made a generation, oldest first.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn history(&self) -> Result<Vec<RunRecord>, JournalError> {
        let mut found = Vec::new();
        for number in self.runs()? {
            found.extend(self.run(number)?.filter(|run| run.generation().is_some()));
        }
        Ok(found)
    }

    /// Generations as listed, newest first.
    ///
    /// # Errors
    /// As [`Journal::history`].
    pub fn generations(&self) -> Result<Vec<Generation>, JournalError> {
        let list = self.history()?.into_iter().rev().map(|run| Generation {
            number: run.header.parent + 1,
            outcome: run.close.as_ref().map(|(outcome, _)| *outcome),
            changes: net(run.changes()),
            header: run.header,
        });
        Ok(list.collect())
    }

    /// A run that begins now; nothing is written before its first intent.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn begin(&self, mut header: RunHeader, lock: Lock) -> Result<OpenRun, JournalError> {
        header.format = FORMAT.to_owned();
        header.parent = self.generation()?;
        if header.boot.is_empty() {
            header.boot = crate::clock::boot();
        }
        header.started = crate::clock::now();
        header.process = std::process::id();
        Ok(OpenRun::new(self.clone(), header, lock))
    }

    /// When something last ran; `None` when nothing ever did.
    pub fn last(&self) -> Option<Last> {
        serde_json::from_slice(&fs::read(self.dir.join("last")).ok()?).ok()
    }

    /// Notes that a run has ended. Not synced: it is a convenience, and no decision hangs on it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_end(&self, run: &str, report: Option<&Report>) -> Result<(), JournalError> {
        let last = Last {
            ended: crate::clock::now(),
            run: run.to_owned(),
            report: report.cloned(),
        };
        let path = self.dir.join("last");
        let bytes =
            serde_json::to_vec(&last).map_err(|cause| JournalError::io(&path, io::Error::other(cause)))?;
        stage(&path, &bytes, Durable::No)
    }

    /// The report of a run that has ended, by the master's id.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn report_of(&self, run: &str) -> Result<Option<Report>, JournalError> {
        if let Some(last) = self
            .last()
            .filter(|last| last.run == run && last.report.is_some())
        {
            return Ok(last.report);
        }
        for number in self.runs()?.into_iter().rev() {
            if let Some(found) = self.run(number)?.filter(|found| found.header.run == run) {
                return Ok(found.close.and_then(|(_, report)| report));
            }
        }
        Ok(None)
    }

    /// Removes what interrupted writers left: objects, small files, and those kept beside them. Call under the run lock;
    /// a session writes without it, so what a living process began stays.
    ///
    /// # Errors
    /// A directory cannot be read or an entry not removed.
    #[expect(clippy::disallowed_methods, reason = "the journal's own files")]
    pub(crate) fn sweep(&self) -> Result<(), JournalError> {
        let failed = |cause| JournalError::io(&self.dir, cause);
        self.objects.sweep_leftovers().map_err(failed)?;
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((_, writer)) = name.split_once(".tmp-")
                && files::gone(writer)
            {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        files::sweep_beside(&self.dir).map_err(failed)
    }

    /// Removes runs without a generation, the newest kept for its report.
    #[expect(clippy::disallowed_methods, reason = "the journal's own files")]
    fn tidy(&self) -> Result<(), JournalError> {
        let failed = |cause| JournalError::io(&self.dir, cause);
        let mut runs = self.runs()?;
        runs.pop();
        for number in runs.into_iter().rev().take(4) {
            let empty = match self.run(number)? {
                Some(run) => run.generation().is_none() && run.close.is_some() && run.damage.is_empty(),
                None => true,
            };
            if empty {
                let folder = self.dir.join("runs").join(number.to_string());
                fs::remove_dir_all(&folder).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Per address the first `before` and the last `after`, in the order of first change; what came back is left out.
pub(crate) fn net<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for change in changes {
        let place = *places.entry(&change.at).or_insert_with(|| {
            found.push(change.clone());
            found.len() - 1
        });
        found[place].after.clone_from(&change.after);
    }
    found.retain(|change| !change.before.same(&change.after));
    found
}

/// A run from what was read of it; `None` when not even its header became durable.
pub(crate) fn record(number: u64, read: Entries) -> Option<RunRecord> {
    let mut found = RunRecord {
        number,
        header: RunHeader::default(),
        entries: Vec::new(),
        close: None,
        damage: read.damage,
    };
    let mut opened = false;
    for entry in read.entries {
        match entry {
            Entry::Open(header) => (found.header, opened) = (header, true),
            Entry::Close { outcome, report } => found.close = Some((outcome, report)),
            other => found.entries.push(other),
        }
    }
    if !opened && found.damage.is_empty() {
        return None;
    }
    if !opened {
        found.damage.push(format!("run {number}: its header is damaged"));
    }
    if newer(&found.header.format) {
        found.damage.push(format!(
            "run {number}: written in the newer format {}",
            found.header.format
        ));
    }
    Some(found)
}

/// Whether a format is of another major version than ours.
fn newer(format: &str) -> bool {
    let major = |text: &str| text.split('.').next().map(str::to_owned);
    !format.is_empty() && major(format) != major(FORMAT)
}

#[cfg(test)]
mod tests;
