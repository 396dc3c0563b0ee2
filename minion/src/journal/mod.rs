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

pub mod entries;
pub mod head;
pub mod lock;
pub mod objects;
pub mod owed;
pub mod recover;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use proto::journal::FORMAT;
use proto::{Act, Change, Digest, Entry, Generation, Outcome, Problem, ProblemKind, Report, RunHeader};
use serde::{Deserialize, Serialize};

use entries::{Entries, Writer};
use lock::{Holder, Lock};
use objects::Objects;

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
        })
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
        header.started = crate::clock::now();
        Ok(OpenRun {
            journal: self.clone(),
            header,
            writer: None,
            entries: Vec::new(),
            waiting: Vec::new(),
            _lock: lock,
        })
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

    /// Removes runs without a generation, the newest kept for its report, and what an interrupted writer left.
    #[expect(clippy::disallowed_methods, reason = "the journal's own files")]
    fn tidy(&self) -> Result<(), JournalError> {
        let failed = |cause| JournalError::io(&self.dir, cause);
        self.objects.sweep_leftovers().map_err(failed)?;
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

fn record(number: u64, read: Entries) -> Option<RunRecord> {
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

/// A run that goes on. Its directory is made with the first intent, so a run that changes nothing leaves nothing.
#[derive(Debug)]
pub struct OpenRun {
    journal: Journal,
    header: RunHeader,
    writer: Option<Writer>,
    /// Acts and what became of them, to tell whether they are worth a generation.
    entries: Vec<Entry>,
    /// Results of states before the first intent.
    waiting: Vec<Entry>,
    _lock: Lock,
}

impl OpenRun {
    /// The run's header.
    pub const fn header(&self) -> &RunHeader {
        &self.header
    }

    /// The generation the host is at when this run ends with `outcome`. Going back makes one even where everything was
    /// back already, so that going back once more goes on from there.
    pub fn generation_after(&self, outcome: Outcome) -> u64 {
        let back = self.header.restores.is_some() && outcome == Outcome::RolledBack;
        self.header.parent + u64::from(back || worth(&self.entries))
    }

    /// Whether something was written: an act was begun.
    pub const fn acted(&self) -> bool {
        self.writer.is_some()
    }

    /// Ends the run: closes its journal and publishes its generation, if it made one. Lets go of the lock.
    ///
    /// # Errors
    /// It cannot be written; the next start closes it.
    pub fn close(mut self, outcome: Outcome, report: Option<Report>) -> Result<(), JournalError> {
        self.journal.note_end(&self.header.run, report.as_ref())?;
        let generation = self.generation_after(outcome);
        if self.writer.is_none() && generation > self.header.parent {
            self.start()?;
        }
        if let Some(writer) = &mut self.writer {
            writer.append(&Entry::Close { outcome, report })?;
        }
        if generation > self.header.parent {
            head::publish(&self.journal.dir.join("head"), generation)?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<&mut Writer, JournalError> {
        let runs = self.journal.dir.join("runs");
        let newest = self.journal.runs()?.last().copied();
        let previous = match newest {
            Some(number) if self.journal.entries_path(number).exists() => {
                entries::read(&self.journal.entries_path(number))?.head
            }
            _ => entries::origin(),
        };
        self.journal.tidy()?;
        let number = newest.unwrap_or(0) + 1;
        let folder = runs.join(number.to_string());
        make_dir(&folder)?;
        sync_dir(&runs)?;
        let mut writer = Writer::create(&self.journal.entries_path(number), previous)?;
        sync_dir(&folder)?;
        writer.write(&Entry::Open(self.header.clone()))?;
        for entry in std::mem::take(&mut self.waiting) {
            writer.write(&entry)?;
        }
        Ok(self.writer.insert(writer))
    }
}

impl Record for OpenRun {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if matches!(entry, Entry::State(_)) {
            match &mut self.writer {
                Some(writer) => writer.write(entry)?,
                None => self.waiting.push(entry.clone()),
            }
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.start()?,
        };
        writer.append(entry)?;
        self.entries.push(entry.clone());
        Ok(())
    }
}

/// Whether a small file must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durable {
    Yes,
    No,
}

/// Puts a small file in place, whole and durable.
pub(crate) fn place(path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    stage(path, bytes, Durable::Yes)
}

#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
fn stage(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), JournalError> {
    let failed = |cause| JournalError::io(path, cause);
    let temp = path.with_extension(format!("tmp-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temp)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if durable == Durable::Yes {
        file.sync_all().map_err(failed)?;
    }
    fs::rename(&temp, path).map_err(failed)?;
    match path.parent() {
        Some(folder) if durable == Durable::Yes => sync_dir(folder),
        _ => Ok(()),
    }
}

fn make_dir(path: &Path) -> Result<(), JournalError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| JournalError::io(path, cause))
}

fn sync_dir(path: &Path) -> Result<(), JournalError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|cause| JournalError::io(path, cause))
}

/// The chain head after a run, for the master to notice a truncated or swapped journal (J4).
///
/// # Errors
/// The newest run cannot be read.
pub fn chain_head(journal: &Journal) -> Result<Digest, JournalError> {
    match journal.runs()?.last() {
        Some(number) if journal.entries_path(*number).exists() => {
            Ok(entries::read(&journal.entries_path(*number))?.head)
        }
        _ => Ok(entries::origin()),
    }
}
