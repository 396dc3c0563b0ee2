//! Running what [`super::Fold::settle`] decided: as a new generation, through the same journaled acts as a state's.

use std::collections::BTreeMap;
use std::time::Instant;

use proto::frame::{Rollback, RollbackReport};
use proto::{Act, Address, Answer, Change, Outcome, Poke, Question, Report, RunHeader, Value};

use super::database::is_mysql;
use super::decide::decide;
pub(super) use super::decide::look;
use super::{Step, Undo, below, packages};
use crate::journal::lock::Lock;
use crate::journal::{Journal, JournalError, Record};
use crate::meets::meets;
use crate::system::System;
use crate::transact::{Hands, Stumble, mount_point};

/// What a rollback is asked for, and by whom.
pub struct Request<'a> {
    /// What the master or the command line wants.
    pub want: &'a Rollback,
    /// The master's identity; empty on the host itself.
    pub master: &'a str,
    /// Asked between two steps: true ends it there.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("want", &self.want)
            .finish_non_exhaustive()
    }
}

/// Shows what a rollback would do; changes nothing.
///
/// # Errors
/// The journal cannot be read or is damaged, or there is no such target.
pub fn preview<S: System>(
    journal: &Journal,
    system: &mut S,
    want: &Rollback,
) -> Result<RollbackReport, JournalError> {
    let began = Instant::now();
    let decided = decide(journal, system, want)?;
    Ok(decided.report(want, began))
}

/// Goes back. The lock is given up when it returns.
///
/// # Errors
/// As [`preview`]; what goes wrong on the way is in the report.
pub fn rollback<S: System>(
    journal: &Journal,
    system: &mut S,
    request: &Request<'_>,
    lock: Lock,
    tell: &mut dyn FnMut(&proto::Entry),
) -> Result<RollbackReport, JournalError> {
    let began = Instant::now();
    let want = request.want;
    let decided = decide(journal, system, want)?;
    let mut report = decided.report(want, began);
    if want.plan || !decided.undo.any || (report.outcome == Outcome::Refused) {
        return Ok(report);
    }
    let header = RunHeader {
        run: want.run.clone(),
        epoch: want.epoch,
        master: request.master.to_owned(),
        by: want.by.clone(),
        goal: "rollback".to_owned(),
        restores: Some(decided.to),
        confirm: want.confirm,
        ..RunHeader::default()
    };
    let mut run = journal.begin(header, lock)?;
    report.restored.clear();
    {
        let mut record = Watched {
            inner: &mut run,
            tell,
        };
        let mut back = Back {
            hands: Hands::new(system, &mut record),
            report: &mut report,
            reached: false,
        };
        if !want.force {
            back.hands.only_packages(packages::ours(&decided.undo));
        }
        back.whole(decided.undo, &decided.live, request.cancelled);
    }
    let partly = !report.conflicts.is_empty();
    report.outcome = if report.failed.is_empty() {
        Outcome::RolledBack
    } else {
        Outcome::Failed
    };
    let close = if partly && report.failed.is_empty() {
        Outcome::Changed
    } else {
        report.outcome
    };
    report.generation = run.generation_after(close);
    report.duration_ms = began.elapsed().as_millis() as u64;
    let kept = summary(&report);
    run.close(close, Some(kept))?;
    Ok(report)
}

/// A rollback's report as the report of a run, for a master that asks later.
pub fn summary(report: &RollbackReport) -> Report {
    let mut notes: Vec<String> = report
        .restored
        .iter()
        .map(|change| format!("{} is back", change.at))
        .collect();
    notes.extend(
        report
            .conflicts
            .iter()
            .map(|conflict| format!("{} was changed by somebody else", conflict.ours.at)),
    );
    notes.extend(report.lost.iter().chain(&report.failed).cloned());
    Report {
        run: report.run.clone(),
        outcome: report.outcome,
        generation: report.generation,
        previous_generation: report.previous_generation,
        states: Vec::new(),
        duration_ms: report.duration_ms,
        notes,
        peak_rss_kib: 0,
        cpu_ms: 0,
        orphans: Vec::new(),
        chain: None,
    }
}

struct Watched<'a> {
    inner: &'a mut crate::journal::OpenRun,
    tell: &'a mut dyn FnMut(&proto::Entry),
}

impl Record for Watched<'_> {
    fn append(&mut self, entry: &proto::Entry) -> Result<(), proto::Problem> {
        self.inner.append(entry)?;
        (self.tell)(entry);
        Ok(())
    }
}

/// Whether a package that came along with another one is marked as it was: a state leaves that open, going back does not.
fn same_mark(to: &Value, live: &Value) -> bool {
    match (to, live) {
        (Value::Package(to), Value::Package(live)) => to.auto == live.auto,
        _ => true,
    }
}

/// A unit that is to be down and disabled, and whose file went with its package.
fn gone(to: &Value, live: &Value) -> bool {
    match (to, live) {
        (Value::Unit(to), Value::Unit(live)) => !to.active && !live.known && !live.active,
        _ => false,
    }
}

/// A unit part of which is back already: the links that enable it are paths of their own, and come before it.
fn on_its_way(expect: &Value, live: &Value, to: &Value) -> bool {
    match (expect, live, to) {
        (Value::Unit(expect), Value::Unit(live), Value::Unit(to)) => {
            [expect.known, to.known].contains(&live.known)
                && [expect.active, to.active].contains(&live.active)
                && [&expect.enablement, &to.enablement].contains(&&live.enablement)
        }
        _ => false,
    }
}

/// A rollback that goes on.
pub(super) struct Back<'a, S> {
    pub(super) hands: Hands<'a, S>,
    pub(super) report: &'a mut RollbackReport,
    /// An act was done that may change more than it says.
    pub(super) reached: bool,
}

impl<S: System> Back<'_, S> {
    /// Goes all the way, unless it is cancelled or the journal cannot be written.
    pub(super) fn whole(mut self, undo: Undo, live: &BTreeMap<Address, Value>, cancelled: &dyn Fn() -> bool) {
        self.hands.watch(live.clone());
        let wanted = undo.wanted();
        let mut left = undo.steps;
        while !left.is_empty() {
            if cancelled() {
                let count = left.len();
                let text = format!("cancelled: {count} steps were not done");
                self.report.failed.push(text);
                return;
            }
            // Neighbouring packages go back together, as they came.
            let packages = left.iter().take_while(|step| step.is_package()).count();
            let rest = left.split_off(packages.max(1));
            if self.steps(std::mem::replace(&mut left, rest)).is_err() {
                return;
            }
        }
        if self.reached {
            self.mend(live, &wanted);
        }
    }

    /// Does one step, or several packages at once; an error is the end of the rollback.
    fn steps(&mut self, steps: Vec<Step>) -> Result<(), ()> {
        let mut puts = Vec::new();
        for step in steps {
            match step {
                Step::Put { at, expect, to } => puts.extend(self.due(at, &expect, to)),
                Step::Run {
                    undo,
                    command,
                    verify,
                } => self.run(undo, command, verify.as_deref())?,
                Step::Late { ours } => puts.extend(self.late(&ours)),
                Step::Poke { unit, how } if self.gone(&unit, how) => {
                    // It went with its package; there is nothing to restart.
                }
                Step::Poke { unit, how } => {
                    let what = format!("restarting {unit}");
                    let done = self.hands.transact(None, &[Act::Poke { unit, how }]);
                    self.settle(&what, done)?;
                }
            }
        }
        if puts.is_empty() { Ok(()) } else { self.put(puts) }
    }

    /// Whether a unit that was to be poked is not there any more: a package took it away.
    fn gone(&mut self, unit: &str, how: Poke) -> bool {
        if how == Poke::DaemonReload {
            return false;
        }
        let ask = Question::Read(Address::Unit(unit.to_owned()));
        let answer = self.hands.system.answer(&[ask]).pop();
        !matches!(answer, Some(Answer::Value(Value::Unit(there))) if there.known)
    }

    /// The change that is still to be made at an address, if any.
    pub(super) fn due(&mut self, at: Address, expect: &Value, to: Value) -> Option<Change> {
        let before = match look(self.hands.system, vec![at.clone()]) {
            Ok((mut found, silent)) => match silent.first() {
                None => found.remove(&at).unwrap_or(Value::Absent),
                Some((_, why)) => {
                    self.report.failed.push(format!("{at} was not taken back: {why}"));
                    return None;
                }
            },
            Err(problem) => {
                self.report.failed.push(problem.to_string());
                return None;
            }
        };
        if (meets(&to, &before) && same_mark(&to, &before)) || gone(&to, &before) {
            // A step before took it along.
            if !before.same(expect) && self.report.restored.iter().all(|change| change.at != at) {
                let before = expect.clone();
                self.report.restored.push(Change {
                    at,
                    before,
                    after: to,
                });
            }
            return None;
        }
        if !before.same(expect) && !self.reached && !on_its_way(expect, &before, &to) {
            let text = format!("{at} was changed by somebody while going back; it was left alone");
            self.report.failed.push(text);
            return None;
        }
        if let Some(left) = self.kept_by_others(&at, &before, &to) {
            self.report.lost.push(left);
            return None;
        }
        Some(Change {
            at,
            before,
            after: to,
        })
    }

    /// Packages' and users' own programs take files along that are to stay: those that were put back before them, those
    /// that were right already, and those that no run had ever touched.
    fn mend(&mut self, live: &BTreeMap<Address, Value>, wanted: &BTreeMap<Address, Value>) {
        let mut all: BTreeMap<Address, Value> = self.hands.first().clone();
        let cleared = self.hands.system.cleared();
        all.retain(|at, was| {
            let content = !matches!(was, Value::Dir { .. });
            let lost = match at {
                Address::Path(path) => !cleared.contains(path),
                // A group of the same name comes and goes with a user.
                Address::Group(name) => wanted.contains_key(&Address::User(name.clone())),
                _ => false,
            };
            content && lost && !live.contains_key(at)
        });
        let stays = live.iter().filter(|(at, _)| !matches!(at, Address::Unit(_)));
        all.extend(stays.map(|(at, was)| (at.clone(), was.clone())));
        all.extend(wanted.iter().map(|(at, to)| (at.clone(), to.clone())));
        // Its own service decides what is loaded after it was put back.
        all.remove(&Address::Firewall);
        // What is in a database server went back before all this, and the server may be gone by now.
        all.retain(|at, _| !is_mysql(at));
        // Where a mount came or went, the same path is another file now.
        let mounts: Vec<Address> = self.hands.first().keys().filter_map(mount_point).collect();
        all.retain(|at, _| !mounts.iter().any(|point| at == point || below(at, point)));
        for (at, to) in all {
            let Some(was) = self.hands.first().get(&at).cloned() else {
                continue;
            };
            let told = self.report.lost.len();
            if let Some(put) = self.due(at, &was, to)
                && self.put(vec![put]).is_err()
            {
                return;
            }
            // What stays was told the first time.
            self.report.lost.truncate(told);
        }
    }

    fn put(&mut self, puts: Vec<Change>) -> Result<(), ()> {
        // What was hidden below a mount is seen again.
        let reaches = |at: &Address| {
            matches!(
                at,
                Address::Package(_) | Address::User(_) | Address::Group(_) | Address::Mount(_)
            )
        };
        self.reached |= puts.iter().any(|put| reaches(&put.at));
        let what: Vec<String> = puts.iter().map(|put| put.at.to_string()).collect();
        let acts: Vec<Act> = puts
            .iter()
            .map(|put| Act::assign(put.at.clone(), put.before.clone(), put.after.clone()))
            .collect();
        let done = self.hands.transact(None, &acts);
        if let Some(done) = self.settle(&what.join(", "), done)? {
            for mut put in puts {
                let seen = done.performed.changes.iter().find(|change| change.at == put.at);
                if let Some(seen) = seen {
                    put.after.clone_from(&seen.after);
                }
                self.report.restored.push(put);
            }
        }
        Ok(())
    }

    /// A directory that goes but holds what is not ours stays, and is told.
    fn kept_by_others(&mut self, at: &Address, live: &Value, to: &Value) -> Option<String> {
        let (Address::Path(path), Value::Dir { .. }) = (at, live) else {
            return None;
        };
        if matches!(to, Value::Dir { .. }) {
            return None;
        }
        let answer = self.hands.system.answer(&[Question::List(path.clone())]).pop();
        let Some(Answer::Tree(Some(tree))) = answer else {
            return None;
        };
        let names: Vec<String> = tree.into_iter().map(|(name, _)| name).take(4).collect();
        if names.is_empty() {
            return None;
        }
        let rest = if names.len() > 3 { ", …" } else { "" };
        Some(format!(
            "{path} stays: it holds {}{rest}, which no run put there",
            names[..names.len().min(3)].join(", ")
        ))
    }

    pub(super) fn settle<T>(&mut self, what: &str, done: Result<T, Stumble>) -> Result<Option<T>, ()> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(stumble) => {
                self.report.failed.push(format!("{what}: {}", stumble.problem()));
                match stumble {
                    Stumble::Journal(_) => Err(()),
                    Stumble::Moved(_) | Stumble::Botched(_) => Ok(None),
                }
            }
        }
    }
}
