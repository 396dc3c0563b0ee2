//! The loop: requisites, guards, plan, act, report; one chunk after the other.
//!
//! A plan is the very same loop on [`crate::dry::Dry`]: what differs is only which words of a state's plan are told. Nothing
//! here knows how an act is done; [`crate::transact`] does it and keeps the record.

mod beside;
mod call;
mod group;
mod hazy;
mod health;
mod origin;
mod prefetch;
mod slots;

use std::time::Instant;

use proto::{Catalog, Cause, Chunk, Entry, Gather, Outcome, Problem, StateResult, arrange};
use serde_json::Value as Json;
use states::State;

use crate::journal::Record;
use crate::journal::ledger::{Ledger, Left};
use crate::schedule::{Schedule, Verdict};
use crate::system::System;
use crate::transact::Hands;
use beside::Besides;
use prefetch::Known;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Make it so.
    Apply,
    /// Say what would be done; the system is a [`crate::dry::Dry`].
    Plan,
    /// Apply as long as there is nothing to do, and stop before the first act.
    Look,
}

/// Finds a state function; [`states::find`] outside tests.
pub type Find = fn(&str, &str) -> Option<&'static dyn State>;

/// What a run needs to know besides the catalog.
pub struct Run<'a> {
    /// What it is for.
    pub goal: Goal,
    /// What runs before it left on the host, and still owe.
    pub ledger: Ledger,
    /// What the catalog stands for; see [`proto::RunHeader::scope`].
    pub scope: &'a str,
    /// Whether this very chunk was made true by the last run over the same scope.
    pub had: &'a dyn Fn(&Chunk) -> bool,
    /// The state functions.
    pub find: Find,
    /// Asked between two steps: true ends the run there.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("goal", &self.goal)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// How the loop ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Results in run order.
    pub states: Vec<StateResult>,
    /// Over all states; see [`Outcome`].
    pub outcome: Outcome,
    /// [`Goal::Look`] found something to do and did not do it; the results stop there.
    pub work: bool,
    /// Lines for people.
    pub notes: Vec<String>,
    /// What states left on the host that are not in the catalog any more; empty when the catalog was not gone through.
    pub orphans: Vec<Left>,
    /// How many transactions were begun.
    pub begun: u64,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// [`Goal::Look`] came to an act.
    Work,
    /// Its command runs beside what follows (`parallel`).
    Beside,
}

/// Runs a catalog on a system.
pub fn converge<S: System>(
    system: &mut S,
    catalog: &Catalog,
    run: Run<'_>,
    record: &mut dyn Record,
) -> Ended {
    let present: std::collections::BTreeSet<_> = catalog
        .chunks
        .iter()
        .map(|chunk| (&chunk.id.state, &chunk.id.name))
        .gather();
    let left = run
        .ledger
        .left(run.scope, &|id| present.contains(&(&id.state, &id.name)));
    let mut pass = Pass {
        catalog,
        goal: run.goal,
        find: run.find,
        cancelled: run.cancelled,
        schedule: Schedule::new(catalog, run.ledger),
        hands: Hands::new(system, record),
        known: Known::new(left.iter().map(|left| left.at.clone())),
        left,
        had: run.had,
        cause: None,
        states: Vec::with_capacity(catalog.chunks.len()),
        places: Vec::with_capacity(catalog.chunks.len()),
        hazy: Vec::new(),
        requirers: requirers(catalog),
        broken: None,
        slotted: None,
        beside: Besides::new(),
        group: None,
        swaps: health::Swaps::default(),
    };
    let work = pass.run().is_err();
    pass.end(work)
}

/// One pass over a catalog.
struct Pass<'a, S> {
    catalog: &'a Catalog,
    goal: Goal,
    find: Find,
    cancelled: &'a dyn Fn() -> bool,
    schedule: Schedule<'a>,
    hands: Hands<'a, S>,
    known: Known,
    /// What states left here that are not in the catalog.
    left: Vec<Left>,
    had: &'a dyn Fn(&Chunk) -> bool,
    /// Who gave rise to what the present chunk changes.
    cause: Option<Cause>,
    states: Vec<StateResult>,
    /// The chunk of each result, for those that have one.
    places: Vec<Option<usize>>,
    /// In a plan: chunks whose whole effect cannot be known beforehand.
    hazy: Vec<hazy::Hazy>,
    requirers: Vec<Vec<usize>>,
    /// Why the journal cannot be written any more.
    broken: Option<String>,
    /// The chunk being called, where slots of its arguments were filled.
    slotted: Option<Chunk>,
    /// Commands that run beside what follows their states.
    beside: Besides,
    /// Chunks whose files are staged and wait for their neighbours.
    group: Option<group::Group>,
    /// What of files went live in this run.
    swaps: health::Swaps,
}

impl<S: System> Pass<'_, S> {
    fn run(&mut self) -> Result<(), Pause> {
        for place in 0..self.catalog.chunks.len() {
            if self.schedule.settled(place) {
                continue;
            }
            if self.gather(place) {
                break;
            }
            if let Some(why) = self.stopped() {
                self.gather_all();
                self.flush()?;
                self.leave(place, &why);
                return Ok(());
            }
            if self.join(place) {
                continue;
            }
            if self.group.is_some() {
                if self.flush()? {
                    break;
                }
                if let Some(why) = self.stopped() {
                    self.leave(place, &why);
                    return Ok(());
                }
            }
            let began = Instant::now();
            let called = match self.schedule.verdict(place) {
                // A dry run that is not made is the word on the chunk itself (case prereq-not-run).
                Verdict::NotRun(result) => Ok((*result, self.schedule.itself(place))),
                Verdict::Run => self.attempts(place, None).map(|result| (result, place)),
                Verdict::RunThenWatch(changed) => {
                    self.attempts(place, Some(&changed)).map(|result| (result, place))
                }
            };
            let (result, whose) = match called {
                Ok(called) => called,
                Err(Pause::Beside) => continue,
                Err(pause) => return Err(pause),
            };
            self.schedule.done(place, &result);
            if self.catalog.chunks[whose].check_only {
                continue;
            }
            self.schedule.done(whose, &result);
            let ends = self.goal != Goal::Plan && self.schedule.ends(whose, &result);
            self.tell(result, whose, None, began);
            if ends {
                break;
            }
        }
        self.gather_all();
        self.flush()?;
        self.listen()
    }

    /// Salt's listeners: watch actions at the end (salt-semantics section 8).
    fn listen(&mut self) -> Result<(), Pause> {
        for listener in self.schedule.listeners() {
            if self.stopped().is_some() {
                return Ok(());
            }
            let began = Instant::now();
            let result = self.listener(listener.chunk)?;
            let ends = self.goal != Goal::Plan && self.schedule.ends(listener.chunk, &result);
            self.tell(result, listener.chunk, Some(listener.id), began);
            if ends {
                break;
            }
        }
        for result in self.schedule.listen_errors() {
            self.push(result, None);
        }
        Ok(())
    }

    fn stopped(&self) -> Option<String> {
        if let Some(why) = &self.broken {
            return Some(format!("The run was stopped before this state: {why}"));
        }
        (self.cancelled)().then(|| "The run was cancelled before this state".to_owned())
    }

    /// Reports a state as it ends; `listener` is its id when it ran as one.
    fn tell(&mut self, mut result: StateResult, place: usize, listener: Option<String>, began: Instant) {
        result.duration_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        result.cause = self.cause.take();
        if result.state_ran && (!result.changes.is_empty() || result.result != Some(true)) {
            result.owed = self.schedule.debt(place).map(str::to_owned);
        }
        match listener {
            Some(id) => {
                result.id = id;
                "mod_watch".clone_into(&mut result.fun);
                self.push(result, None);
            }
            None => self.push(result, Some(place)),
        }
    }

    fn push(&mut self, result: StateResult, place: Option<usize>) {
        if let Err(problem) = self.hands.record().append(&Entry::State(result.clone())) {
            self.broken.get_or_insert(problem.text);
        }
        self.states.push(result);
        self.places.push(place);
    }

    /// Chunks from `place` on are not run, for a reason.
    fn leave(&mut self, place: usize, why: &str) {
        let rest = self.catalog.chunks.iter().enumerate().skip(place);
        for (place, chunk) in rest.filter(|(_, chunk)| !chunk.check_only) {
            if self.schedule.settled(place) {
                continue;
            }
            let mut result = StateResult::met(&chunk.id, &chunk.sls);
            result.result = Some(false);
            result.state_ran = false;
            why.clone_into(&mut result.comment);
            result.run_num = self.schedule.number();
            self.push(result, None);
        }
    }

    fn end(mut self, work: bool) -> Ended {
        let orphans = if work || self.stopped().is_some() {
            Vec::new()
        } else {
            self.orphans()
        };
        // Those that ran beside others ended when they liked.
        let mut told: Vec<_> = self.states.into_iter().zip(self.places).collect();
        arrange(&mut told, &|a, b| a.0.run_num < b.0.run_num);
        (self.states, self.places) = told.into_iter().unzip();
        let bad = |(result, place): (&StateResult, &Option<usize>)| {
            result.result == Some(false) && !place.is_some_and(|place| self.schedule.handled(place))
        };
        let touched = |result: &StateResult| !result.changes.is_empty() || result.result.is_none();
        let outcome = if self.broken.is_some() || self.states.iter().zip(&self.places).any(bad) {
            Outcome::Failed
        } else if self.hands.begun() > 0 || self.states.iter().any(touched) {
            Outcome::Changed
        } else {
            Outcome::Ok
        };
        let mut notes = Vec::new();
        if self.schedule.paid() {
            notes.push("a state had its turn that an unfinished run had kept from it".to_owned());
        }
        notes.extend(self.broken);
        Ended {
            states: self.states,
            outcome,
            work,
            notes,
            orphans,
            begun: self.hands.begun(),
        }
    }
}

/// `no_log`: what the state said is for nobody's eyes; whether it changed something stays visible.
fn mask(result: &mut StateResult) {
    result.comment = stars(&result.comment);
    result.changes.values_mut().for_each(hide);
    result.warnings.clear();
    result.undo_notes.iter_mut().for_each(|note| *note = stars(note));
}

/// Every text in a value becomes stars.
fn hide(value: &mut Json) {
    match value {
        Json::String(text) => *text = stars(text),
        Json::Array(items) => items.iter_mut().for_each(hide),
        Json::Object(map) => map.values_mut().for_each(hide),
        _ => {}
    }
}

fn stars(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        "*".repeat(10)
    }
}

/// For each chunk the chunks that require it.
fn requirers(catalog: &Catalog) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); catalog.chunks.len()];
    for (place, chunk) in catalog.chunks.iter().enumerate() {
        for on in chunk.needs.iter().flat_map(|need| &need.on) {
            if let Some(list) = found.get_mut(*on) {
                list.push(place);
            }
        }
    }
    found
}

/// Takes entries nowhere but to whoever looks on: the record of a plan.
pub struct Onlooker<'a>(pub &'a mut dyn FnMut(&Entry));

impl std::fmt::Debug for Onlooker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Onlooker")
    }
}

impl Record for Onlooker<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if matches!(entry, Entry::State(_)) {
            (self.0)(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
