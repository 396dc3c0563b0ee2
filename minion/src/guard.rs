//! Confirm or revert (J11): a run that changed something goes back by itself unless the master says over a new connection,
//! in time, that it still reaches the host.
//!
//! [`probation`] is the window and what follows from it, [`entry`] where the guard lives, this file what it does. A window
//! opens with a run's first intent and counts from the run's end. docs/journal.md has the file, docs/rollback.md the cases.

pub mod entry;
pub mod probation;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use proto::frame::{BackTo, Probation as How, Rollback, RollbackReport, Standing};
use proto::{Act, Address, Entry, Outcome, Report, RunHeader};

use crate::journal::lock::{self, Lock};
use crate::journal::{Journal, JournalError, recover};
use crate::live::Live;
use crate::system::System;
use crate::undo::rollback::{self, Request};
use entry::Ready;
use probation::{Caller, Moment, Next, Probation, dismiss, guard_run, hold, load, make_room, open, store};

/// Between two looks at the window.
const LOOK: Duration = Duration::from_millis(250);
/// Looks at a free lock after which a run that did not say its end has died.
const FREE: u32 = 4;
/// How often going back is tried where single steps of it fail.
const TRIES: u32 = 5;

/// What a window needs outside the journal.
#[derive(Debug, Clone, Copy)]
pub struct Outside {
    /// Names what will be made for the journal in this directory.
    pub entry: fn(&Path) -> Vec<PathBuf>,
    /// Makes it, and starts the guard.
    pub start: fn(&Journal, &Probation) -> Result<(), JournalError>,
}

/// Opens the window of a run that is about to act, if it is to have one.
///
/// # Errors
/// The guard cannot be set up: the run must not act.
pub(crate) fn arm(journal: &Journal, header: &RunHeader) -> Result<(), JournalError> {
    let Some(window) = header.confirm else {
        return Ok(());
    };
    let dir = journal.dir();
    let held = hold(dir)?;
    let outside = journal.outside();
    let entry = outside.map(|outside| (outside.entry)(dir)).unwrap_or_default();
    let older = load(dir)?;
    let done = open(&held, dir, header, window, entry).and_then(|probation| match outside {
        Some(outside) => (outside.start)(journal, &probation),
        None => Ok(()),
    });
    if done.is_err() {
        match older {
            Some(older) => store(&held, dir, &older)?,
            None => dismiss(&held, dir)?,
        }
    }
    done
}

/// A run ended at this generation, and its lock is still held: its window begins to count, or has no reason any more.
///
/// # Errors
/// It cannot be written down; then the guard takes the run for one that died.
pub(crate) fn ended(journal: &Journal, header: &RunHeader, generation: u64) -> Result<(), JournalError> {
    let dir = journal.dir();
    if !dir.join("probation").exists() {
        return Ok(());
    }
    let held = hold(dir)?;
    let Some(mut probation) = load(dir)?.filter(|found| header.run != guard_run(&found.run)) else {
        return Ok(());
    };
    if header.confirm.is_none() || probation.run != header.run || probation.to == generation {
        // A later run that had nothing to do, or that is to stay, came over a connection of its own.
        return dismiss(&held, dir);
    }
    probation.ended = Some(Moment::now().ms);
    store(&held, dir, &probation)
}

/// A master was heard on a connection: that confirms its run as well as a word would. Also starts a guard that is missing.
///
/// # Errors
/// The window cannot be read or ended.
pub(crate) fn heard(journal: &Journal, master: &str, from: &Caller) -> Result<(), JournalError> {
    let dir = journal.dir();
    let Some(probation) = load(dir)? else {
        return Ok(());
    };
    if probation.master == master {
        confirm(journal, master, &probation.run, probation.epoch, from)?;
    }
    if let (Some(probation), Some(outside)) = (load(dir)?, journal.outside())
        && probation.overdue(&Moment::now())
        && lock::holder(dir)?.is_none()
    {
        (outside.start)(journal, &probation)?;
    }
    Ok(())
}

/// Confirms a run if it is not too late for that, and says how it stands; `None` is another master's.
///
/// # Errors
/// The window cannot be read or ended.
pub fn confirm(
    journal: &Journal,
    master: &str,
    run: &str,
    epoch: u64,
    from: &Caller,
) -> Result<Option<Standing>, JournalError> {
    let dir = journal.dir();
    let held = hold(dir)?;
    let (how, left, notes) = match load(dir)? {
        Some(found) if found.run == run => {
            if found.master != master || found.epoch != epoch {
                return Ok(None);
            }
            let holder = lock::holder(dir)?.map(|holder| holder.run);
            let (how, left) = found.standing(&Moment::now(), holder.as_deref(), from);
            if how == How::Kept {
                dismiss(&held, dir)?;
            }
            (how, left, Vec::new())
        }
        joined => {
            let back = journal.report_of(&guard_run(run))?;
            let known = journal.report_of(run)?.is_some();
            match (back, joined) {
                (Some(back), _) => (How::TakenBack, None, back.notes),
                (None, Some(newer)) if known => {
                    let note = format!("it stays, or goes back, together with run {}", newer.run);
                    (How::Kept, None, vec![note])
                }
                (None, _) if known => (How::Kept, None, Vec::new()),
                _ => (How::Unknown, None, Vec::new()),
            }
        }
    };
    Ok(Some(Standing {
        run: run.to_owned(),
        how,
        generation: journal.generation()?,
        left,
        notes,
    }))
}

/// A run's report as things stand: one that was taken back since says so.
///
/// # Errors
/// A run cannot be read.
pub(crate) fn as_it_stands(journal: &Journal, report: Report) -> Result<Report, JournalError> {
    let Some(back) = journal.report_of(&guard_run(&report.run))? else {
        return Ok(report);
    };
    let mut notes = report.notes;
    notes.push("taken back by the host: it was not confirmed in time".to_owned());
    notes.extend(back.notes);
    Ok(Report {
        outcome: Outcome::RolledBack,
        generation: back.generation,
        notes,
        ..report
    })
}

/// The person at the host says that it stays.
///
/// # Errors
/// A run is going on, or the file cannot be removed.
pub(crate) fn keep(journal: &Journal) -> Result<Option<String>, JournalError> {
    let dir = journal.dir();
    let _lock = Lock::take(dir, "confirm")?;
    let held = hold(dir)?;
    let run = match load(dir) {
        Ok(None) => return Ok(None),
        Ok(Some(found)) => found.run,
        Err(_) => String::from("(not readable)"),
    };
    dismiss(&held, dir)?;
    Ok(Some(run))
}

/// How it stands with the window that is open, for people on the host.
///
/// # Errors
/// It cannot be read.
pub(crate) fn window(journal: &Journal) -> Result<Option<(String, How, Option<u64>)>, JournalError> {
    let dir = journal.dir();
    let Some(found) = load(dir)? else {
        return Ok(None);
    };
    let holder = lock::holder(dir)?.map(|holder| holder.run);
    let (how, left) = found.standing(&Moment::now(), holder.as_deref(), &Caller::here());
    Ok(Some((found.run, how, left)))
}

/// What the guard's process does: waits, and takes the run back if nobody confirms it.
///
/// `run` is the one it was started for; the boot's entry takes whichever there is.
///
/// # Errors
/// The journal cannot be opened. Everything else is tried again.
pub fn watch(dir: &Path, run: Option<&str>) -> Result<(), JournalError> {
    // Fails only for the leader of a group, which has a session of its own already.
    rustix::process::setsid().ok();
    let journal = Journal::open(dir)?;
    let mut system = Live::open(journal.objects().clone());
    let mut watcher = Watcher::default();
    while watcher.look(&journal, &mut system, run)? {}
    watcher.ready.say();
    entry::forget(&journal);
    Ok(())
}

/// What a guard remembers between two looks.
#[derive(Debug, Default)]
struct Watcher {
    ready: Ready,
    free: u32,
    tries: u32,
    /// Length of the newest run's journal, and when it was first seen.
    grown: (u64, u64),
}

impl Watcher {
    /// One look and what follows; false when there is nothing to guard any more.
    fn look<S: System>(
        &mut self,
        journal: &Journal,
        system: &mut S,
        run: Option<&str>,
    ) -> Result<bool, JournalError> {
        let dir = journal.dir();
        let wanted = |found: &Probation| run.is_none_or(|run| run == found.run);
        let Some(probation) = load(dir)?.filter(wanted) else {
            return Ok(false);
        };
        let now = Moment::now();
        let quiet = self.quiet(journal, &now)?;
        match probation.next(&now, quiet, &|| lock::holder(dir))? {
            Next::Wait => {
                self.free = 0;
                self.ready.say();
                sleep(LOOK);
            }
            Next::Died => {
                self.free += 1;
                sleep(LOOK);
                if self.free >= FREE {
                    let held = hold(dir)?;
                    let again = load(dir)?.filter(|found| *found == probation);
                    if let Some(found) = again.filter(|_| matches!(lock::holder(dir), Ok(None))) {
                        let ended = Some(now.ms);
                        store(
                            &held,
                            dir,
                            &Probation {
                                ended,
                                died: true,
                                ..found
                            },
                        )?;
                    }
                }
            }
            Next::Hung(pid) => {
                if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                    // It may have ended by itself just now.
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
                }
                sleep(LOOK);
            }
            Next::Back => return self.back(journal, system, &probation),
        }
        Ok(true)
    }

    /// How long the newest run's journal has not grown, in ms.
    fn quiet(&mut self, journal: &Journal, now: &Moment) -> Result<u64, JournalError> {
        let newest = journal.runs()?.last().copied().unwrap_or(0);
        let length = std::fs::metadata(journal.entries_path(newest)).map_or(0, |found| found.len());
        if self.grown.0 != length || self.grown.1 == 0 {
            self.grown = (length, now.ms);
        }
        Ok(now.ms.saturating_sub(self.grown.1))
    }

    fn back<S: System>(
        &mut self,
        journal: &Journal,
        system: &mut S,
        probation: &Probation,
    ) -> Result<bool, JournalError> {
        let ready = &mut self.ready;
        let mut tell = |entry: &Entry| {
            if let Entry::Intent { acts, .. } = entry
                && acts.iter().any(needs_more_of_the_boot)
            {
                ready.say();
            }
        };
        let done = take_back(journal, system, probation, &mut tell);
        self.tries += 1;
        match done {
            Ok(None) => return Ok(true),
            Ok(Some(report)) if done_with(&report) || self.tries >= TRIES => {
                dismiss(&hold(journal.dir())?, journal.dir())?;
                return Ok(false);
            }
            // A disk without room, a program that is not there yet at boot: better late than never.
            Ok(Some(_)) | Err(_) => {}
        }
        self.ready.say();
        sleep(Duration::from_secs(1 << self.tries.min(5)));
        Ok(true)
    }
}

/// Whether a rollback leaves nothing that another try could do.
fn done_with(report: &RollbackReport) -> bool {
    report.failed.is_empty() && report.outcome != Outcome::Refused
}

/// Whether an act may wait for what comes after the guard at boot: everything but files.
fn needs_more_of_the_boot(act: &Act) -> bool {
    !matches!(
        act,
        Act::Assign {
            at: Address::Path(_),
            ..
        }
    )
}

/// Takes a run back if its time is over; `None` when it was confirmed after all, or joined to another.
///
/// # Errors
/// The lock is held, or the journal cannot be used.
pub(crate) fn take_back<S: System>(
    journal: &Journal,
    system: &mut S,
    probation: &Probation,
    tell: &mut dyn FnMut(&Entry),
) -> Result<Option<RollbackReport>, JournalError> {
    let dir = journal.dir();
    let id = guard_run(&probation.run);
    let lock = Lock::take(dir, &id)?;
    {
        let held = hold(dir)?;
        if load(dir)?.as_ref() != Some(probation) {
            return Ok(None);
        }
        make_room(&held, dir);
    }
    recover::recover(journal, system)?;
    let want = Rollback {
        run: id.clone(),
        epoch: probation.epoch,
        by: "the guard of this host".to_owned(),
        to: BackTo::Generation(probation.to),
        // What somebody changed since stays and is told; the way back to the host must not hang on it, nor on what
        // cannot come back.
        skip_conflicts: true,
        past_irreversible: true,
        ..Rollback::default()
    };
    let request = Request {
        want: &want,
        master: &probation.master,
        cancelled: &|| false,
    };
    let report = rollback::rollback(journal, system, &request, lock, tell)?;
    if report.generation == report.previous_generation && !report.conflicts.is_empty() {
        // Nothing of it could go back: it made no run that would say so.
        journal.note_end(&id, Some(&rollback::summary(&report)))?;
    }
    Ok(Some(report))
}

#[cfg(test)]
mod tests;
