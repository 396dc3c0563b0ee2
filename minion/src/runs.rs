//! A whole run on a host that is locked: recover what was cut off, converge, close the journal, report.

use std::time::Instant;

use proto::{Catalog, Entry, Problem, Report, RunHeader};

use crate::converge::{Ended, Find, Goal, Onlooker, Run, converge};
use crate::dry::Dry;
use crate::journal::lock::Lock;
use crate::journal::owed::Owed;
use crate::journal::{Journal, JournalError, OpenRun, Record, recover};
use crate::meter;
use crate::system::System;

/// What is to be made true.
pub struct Job<'a> {
    /// Who asked for what; the journal fills in the rest.
    pub header: RunHeader,
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The state functions.
    pub find: Find,
    /// Asked between two steps: true ends the run there.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Writes a run's entries and lets somebody look on.
struct Told<'a> {
    run: &'a mut OpenRun,
    tell: &'a mut dyn FnMut(&Entry),
}

impl Record for Told<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.run.append(entry)?;
        (self.tell)(entry);
        Ok(())
    }
}

/// Makes it so. The lock is given up when it returns.
///
/// # Errors
/// The journal is damaged or cannot be opened: nothing was done.
pub fn apply<S: System>(
    journal: &Journal,
    system: &mut S,
    job: Job<'_>,
    lock: Lock,
    tell: &mut dyn FnMut(&Entry),
) -> Result<Report, JournalError> {
    let began = Instant::now();
    let recovered = recover::recover(journal, system)?;
    let owed = Owed::load(journal)?;
    let header = RunHeader {
        goal: "apply".to_owned(),
        ..job.header
    };
    let mut run = journal.begin(header, lock)?;
    let ended = {
        let mut record = Told { run: &mut run, tell };
        let how = Run {
            goal: Goal::Apply,
            owed,
            find: job.find,
            cancelled: job.cancelled,
        };
        converge(system, job.catalog, how, &mut record)
    };
    let outcome = ended.outcome;
    let parent = run.header().parent;
    let mut report = report(&run.header().run.clone(), ended, parent, began);
    report.generation = run.generation_after(outcome);
    if let Some(recovery) = recovered {
        report.notes.splice(0..0, recovery.notes);
    }
    run.close(outcome, Some(report.clone()))?;
    Ok(report)
}

/// Says what [`apply`] would do; changes nothing, and needs no lock.
///
/// # Errors
/// The journal is damaged.
pub fn plan<S: System>(
    journal: &Journal,
    system: S,
    job: Job<'_>,
    tell: &mut dyn FnMut(&Entry),
) -> Result<Report, JournalError> {
    let began = Instant::now();
    let generation = journal.generation()?;
    let how = Run {
        goal: Goal::Plan,
        owed: Owed::load(journal)?,
        find: job.find,
        cancelled: job.cancelled,
    };
    let ended = converge(&mut Dry::new(system), job.catalog, how, &mut Onlooker(tell));
    let mut report = report(&job.header.run, ended, generation, began);
    if let Some(run) = recover::cut_off(journal)? {
        report.notes.insert(
            0,
            format!(
                "run {} was cut off; the next run resolves that first",
                run.header.run
            ),
        );
    }
    Ok(report)
}

/// Runs as far as nothing has to be done; `None` when something has.
///
/// # Errors
/// The journal is damaged.
pub fn look<S: System>(
    journal: &Journal,
    system: &mut S,
    job: Job<'_>,
    tell: &mut dyn FnMut(&Entry),
) -> Result<Option<Report>, JournalError> {
    let began = Instant::now();
    if recover::cut_off(journal)?.is_some() {
        return Ok(None);
    }
    let generation = journal.generation()?;
    let how = Run {
        goal: Goal::Look,
        owed: Owed::load(journal)?,
        find: job.find,
        cancelled: job.cancelled,
    };
    // Told only once it is sure that nobody else will tell it.
    let ended = converge(system, job.catalog, how, &mut Onlooker(&mut |_| {}));
    if ended.work {
        return Ok(None);
    }
    for state in &ended.states {
        tell(&Entry::State(state.clone()));
    }
    let report = report(&job.header.run, ended, generation, began);
    journal.note_end(&report.run, None)?;
    Ok(Some(report))
}

fn report(run: &str, ended: Ended, generation: u64, began: Instant) -> Report {
    Report {
        run: run.to_owned(),
        outcome: ended.outcome,
        generation,
        previous_generation: generation,
        states: ended.states,
        duration_ms: began.elapsed().as_millis() as u64,
        notes: ended.notes,
        peak_rss_kib: meter::peak_rss_kib(),
        cpu_ms: meter::cpu_ms(),
    }
}
