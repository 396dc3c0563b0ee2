//! A run while it goes on: its entries, and the generation it makes.

use proto::{Entry, Outcome, Problem, Report, RunHeader};

use super::entries::{self, Writer};
use super::files::{make_dir, sync_dir};
use super::ledger::Ledger;
use super::lock::Lock;
use super::sweep::When;
use super::{Journal, JournalError, Record, head, worth};
use crate::guard;

/// A run that goes on. Its directory is made with the first intent, so a run that changes nothing leaves nothing.
#[derive(Debug)]
pub struct OpenRun {
    journal: Journal,
    header: RunHeader,
    writer: Option<Writer>,
    /// Acts and what became of them, to tell whether they are worth a generation.
    entries: Vec<Entry>,
    /// An entry could not be written: nothing may follow it.
    broken: Option<Problem>,
    /// Results of states before the first intent.
    waiting: Vec<Entry>,
    _lock: Lock,
}

impl OpenRun {
    pub(super) const fn new(journal: Journal, header: RunHeader, lock: Lock) -> Self {
        Self {
            journal,
            header,
            writer: None,
            entries: Vec::new(),
            broken: None,
            waiting: Vec::new(),
            _lock: lock,
        }
    }

    /// The run's header.
    pub const fn header(&self) -> &RunHeader {
        &self.header
    }

    /// The generation the host is at when this run ends with `outcome`. Going back makes one even where everything was
    /// back already, so that going back once more goes on from there.
    pub fn generation_after(&self, outcome: Outcome) -> u64 {
        let back = self.header.restores.is_some() && outcome == Outcome::RolledBack;
        self.header.parent + u64::from(self.settled() && (back || worth(&self.entries)))
    }

    /// Whether every act has its end in the journal.
    fn settled(&self) -> bool {
        self.broken.is_none() && super::recover::pending(&self.entries).is_empty()
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
        if !self.settled() {
            // What became of its last act nobody knows yet: the next start looks, and closes it then.
            return Ok(());
        }
        if let Some(writer) = &mut self.writer {
            writer.append(&Entry::Close { outcome, report })?;
        }
        if generation > self.header.parent {
            head::publish(&self.journal.dir.join("head"), generation)?;
        }
        self.journal.note_made(&self.header, outcome)?;
        if self.writer.is_some() {
            // A copy of what was just written: the next run makes it anew where this could not be kept.
            Ledger::load(&self.journal)
                .and_then(|ledger| ledger.store(&self.journal))
                .ok();
        }
        guard::ended(&self.journal, &self.header, generation)?;
        if self.writer.is_some() {
            // What stays longer than it need does no harm.
            let limits = super::limits::load(&self.journal.dir);
            super::sweep::sweep(&self.journal, &limits, When::AfterRun).ok();
        }
        Ok(())
    }

    /// Leaves a record even if nothing was done: what was owed is not owed any more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&mut self) -> Result<(), JournalError> {
        if self.writer.is_none() {
            self.start()?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<&mut Writer, JournalError> {
        guard::arm(&self.journal, &self.header)?;
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
            if self.broken.is_some() {
                return Ok(());
            }
            match &mut self.writer {
                Some(writer) => writer.write(entry)?,
                None => self.waiting.push(entry.clone()),
            }
            return Ok(());
        }
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.start()?,
        };
        if let Err(error) = writer.append(entry) {
            let problem = Problem::from(error);
            self.broken = Some(problem.clone());
            return Err(problem);
        }
        self.entries.push(entry.clone());
        Ok(())
    }
}
