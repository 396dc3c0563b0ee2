//! A whole run on a host that is locked: recover what was cut off, converge, close the journal, report.

use std::cell::OnceCell;
use std::time::Instant;

use proto::{Catalog, Chunk, Entry, Orphan, Outcome, Problem, Report, RunHeader};

use crate::converge::{Ended, Find, Goal, Onlooker, Run, converge};
use crate::dry::Dry;
use crate::journal::ledger::{Ledger, Left};
use crate::journal::lock::Lock;
use crate::journal::told::declares;

use crate::journal::{Journal, JournalError, OpenRun, Record, recover};
use crate::meter;
use crate::room;
use crate::system::System;
use crate::undo::prune;

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
    /// Take back what is left of states that are no longer in the tree.
    pub prune: bool,
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

/// What a run needs to know of those before it.
struct Before {
    scope: String,
    made: OnceCell<Option<Catalog>>,
    journal: Journal,
}

impl Before {
    fn new(journal: &Journal, header: &RunHeader) -> Self {
        Self {
            scope: header.scope.clone(),
            made: OnceCell::new(),
            journal: journal.clone(),
        }
    }

    /// Whether the last run over the same scope made this very chunk true.
    fn had(&self, chunk: &Chunk) -> bool {
        let made = self.made.get_or_init(|| self.journal.made(&self.scope));
        made.as_ref().is_some_and(|catalog| declares(catalog, chunk))
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
    let ledger = Ledger::load(journal)?;
    let owed = !ledger.owed().is_empty();
    let before = Before::new(journal, &job.header);
    let how = Run {
        goal: Goal::Plan,
        ledger: ledger.clone(),
        scope: &before.scope,
        had: &|_| false,
        find: job.find,
        cancelled: job.cancelled,
    };
    if let Err(problem) = room::before_run(journal, system, job.catalog, how) {
        let ended = Ended {
            states: Vec::new(),
            outcome: Outcome::Refused,
            work: true,
            notes: vec![problem.text],
            orphans: Vec::new(),
            begun: 0,
        };
        return Ok(report(&job.header.run, ended, journal.generation()?, began));
    }
    let header = RunHeader {
        goal: "apply".to_owned(),
        ..job.header
    };
    let mut run = journal.begin(header, lock)?;
    let mut record = Told { run: &mut run, tell };
    let how = Run {
        goal: Goal::Apply,
        ledger,
        scope: &before.scope,
        had: &|chunk| before.had(chunk),
        find: job.find,
        cancelled: job.cancelled,
    };
    let mut door: &mut dyn System = system;
    let mut ended = converge(&mut door, job.catalog, how, &mut record);
    let left = std::mem::take(&mut ended.orphans);
    let mut orphans: Vec<Orphan> = left.iter().map(orphan).collect();
    if job.prune && !left.is_empty() && ended.outcome != Outcome::Failed {
        let pruned = prune::prune(
            journal,
            system,
            &mut record,
            &left,
            &mut orphans,
            ended.begun,
            job.cancelled,
        );
        match pruned {
            Ok(0) => {}
            Ok(_) => ended.outcome = Outcome::Changed,
            Err(why) => {
                ended.outcome = Outcome::Failed;
                ended.notes.push(why);
            }
        }
    }
    if owed && ended.outcome == Outcome::Ok {
        // Nobody of those it was owed to is left, or they have had their turn.
        run.settle()?;
    }
    let outcome = ended.outcome;
    let parent = run.header().parent;
    let mut report = report(&run.header().run.clone(), ended, parent, began);
    report.orphans = orphans;
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
    mut system: S,
    job: Job<'_>,
    tell: &mut dyn FnMut(&Entry),
) -> Result<Report, JournalError> {
    let began = Instant::now();
    let generation = journal.generation()?;
    let before = Before::new(journal, &job.header);
    let how = Run {
        goal: Goal::Plan,
        ledger: Ledger::load(journal)?,
        scope: &before.scope,
        had: &|chunk| before.had(chunk),
        find: job.find,
        cancelled: job.cancelled,
    };
    let mut dry = Dry::new(&mut system as &mut dyn System);
    let mut door: &mut dyn System = &mut dry;
    let mut ended = converge(&mut door, job.catalog, how, &mut Onlooker(tell));
    let left = std::mem::take(&mut ended.orphans);
    let mut orphans: Vec<Orphan> = left.iter().map(orphan).collect();
    if job.prune && !left.is_empty() {
        match prune::preview(journal, &mut system, &left, &mut orphans) {
            Ok(0) => {}
            Ok(_) if ended.outcome == Outcome::Ok => ended.outcome = Outcome::Changed,
            Ok(_) => {}
            Err(why) => ended.notes.push(why),
        }
    }
    let mut report = report(&job.header.run, ended, generation, began);
    report.orphans = orphans;
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
    let ledger = Ledger::load(journal)?;
    if !ledger.owed().is_empty() {
        return Ok(None);
    }
    let how = Run {
        goal: Goal::Look,
        ledger,
        scope: &job.header.scope,
        had: &|_| false,
        find: job.find,
        cancelled: job.cancelled,
    };
    // Told only once it is sure that nobody else will tell it.
    let mut door: &mut dyn System = system;
    let mut ended = converge(&mut door, job.catalog, how, &mut Onlooker(&mut |_| {}));
    if ended.work || (job.prune && !ended.orphans.is_empty()) {
        return Ok(None);
    }
    for state in &ended.states {
        tell(&Entry::State(state.clone()));
    }
    let orphans = std::mem::take(&mut ended.orphans);
    let mut report = report(&job.header.run, ended, generation, began);
    report.orphans = orphans.iter().map(orphan).collect();
    journal.note_end(&report.run, None)?;
    journal.note_made(&job.header, report.outcome)?;
    Ok(Some(report))
}

/// As it is told.
fn orphan(left: &Left) -> Orphan {
    let edited = "somebody changed it since";
    Orphan {
        address: left.at.to_string(),
        state: format!("{}.{}", left.owner.chunk.state, left.owner.chunk.fun),
        id: left.owner.chunk.id.clone(),
        sls: left.owner.sls.clone(),
        run: left.run.clone(),
        fate: String::new(),
        note: if left.edited {
            edited.to_owned()
        } else {
            String::new()
        },
    }
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
        orphans: Vec::new(),
        chain: None,
    }
}
