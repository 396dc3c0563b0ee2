//! One call of a state function: guards, plan, acts, report; again where `retry` says so or a watched state changed.

use std::ops::Range;
use std::time::Duration;

use proto::{ChunkId, Performed, Problem, RequisiteKind, Retry, StateResult};
use serde_json::Map;
use states::{Done, Host, Plan, Report, State, Stop};

use super::{Goal, Pass, Pause};
use crate::dry::along;
use crate::fidelity::{self, Undoing};
use crate::guards;
use crate::system::System;
use crate::transact::{Stumble, Transacted, transactions};

/// A plan is made again at most so often because the host moved under it.
const REPLANS: usize = 3;
/// Questions may depend on each other at most so deep.
const DEPTH: usize = 64;

/// Which function of a state is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// The declared one.
    Plan,
    /// Salt's `mod_watch`, with the watched chunks that changed.
    Watch(&'a [ChunkId]),
}

/// What acting on a plan came to.
#[derive(Default)]
pub(super) struct Acted {
    performed: Vec<Performed>,
    failed: Option<Problem>,
    undoing: Undoing,
    warnings: Vec<String>,
}

impl<S: System> Pass<'_, S> {
    /// Calls a chunk, again where `retry` says so. `watched` is given when a watched chunk changed.
    pub(super) fn attempts(
        &mut self,
        place: usize,
        watched: Option<&[ChunkId]>,
    ) -> Result<StateResult, Pause> {
        let chunk = &self.catalog.chunks[place];
        self.look_ahead(place);
        if chunk.check_only {
            return self.check(place);
        }
        let mut result = self.once(place, watched)?;
        let Some(retry) = &chunk.options.retry else {
            return Ok(result);
        };
        if self.goal == Goal::Plan {
            result.comment = format!("{}  {}", result.comment, would_retry(retry));
            return Ok(result);
        }
        let mut comments = Vec::new();
        for attempt in 1..retry.attempts {
            if result.result == Some(retry.until) || (self.cancelled)() || self.broken.is_some() {
                break;
            }
            if self.goal == Goal::Look {
                return Err(Pause::Work);
            }
            comments.push(format!(
                "Attempt {attempt}: Returned a result of \"{}\", with the following comment: \"{}\"",
                match result.result {
                    Some(true) => "True",
                    Some(false) => "False",
                    None => "None",
                },
                result.comment
            ));
            self.wait(retry);
            self.known.forget(place);
            result = self.once(place, watched)?;
        }
        if !comments.is_empty() {
            comments.push(result.comment);
            result.comment = comments.join("\n");
        }
        Ok(result)
    }

    /// Waits between two attempts, listening for the end of the run.
    fn wait(&self, retry: &Retry) {
        let splay = match retry.splay {
            0 => 0,
            most => u64::from(std::process::id()) % (most + 1),
        };
        let mut left = Duration::from_secs(retry.interval.saturating_add(splay));
        while !left.is_zero() && !(self.cancelled)() {
            let step = left.min(Duration::from_millis(200));
            std::thread::sleep(step);
            left -= step;
        }
    }

    /// The dry run of a later chunk, made for a `prereq`; it takes no number of its own.
    fn check(&mut self, place: usize) -> Result<StateResult, Pause> {
        self.call(place, Way::Plan)
    }

    fn once(&mut self, place: usize, watched: Option<&[ChunkId]>) -> Result<StateResult, Pause> {
        let number = self.schedule.number();
        let mut result = self
            .call(place, Way::Plan)
            .inspect_err(|_| self.beside.number(number))?;
        result.run_num = number;
        if let Some(changed) = watched
            && result.changes.is_empty()
            && !result.skip_watch
            && self.has_watch(place)
        {
            let number = self.schedule.number();
            result = self.call(place, Way::Watch(changed))?;
            result.run_num = number;
        }
        Ok(result)
    }

    /// The watch action of a listener at the end of the run.
    pub(super) fn listener(&mut self, place: usize) -> Result<StateResult, Pause> {
        let number = self.schedule.number();
        let mut result = if self.has_watch(place) {
            self.call(place, Way::Watch(&[]))?
        } else {
            let id = &self.catalog.chunks[place].id;
            self.refused(
                place,
                unavailable(&id.state, "mod_watch", &self.catalog.chunks[place].sls),
            )
        };
        result.run_num = number;
        Ok(result)
    }

    fn has_watch(&self, place: usize) -> bool {
        let id = &self.catalog.chunks[place].id;
        (self.find)(&id.state, &id.fun).is_some_and(|state| state.spec().watch)
    }

    /// One call, without its number; masked where nobody is to read it.
    pub(super) fn call(&mut self, place: usize, way: Way<'_>) -> Result<StateResult, Pause> {
        let mut result = self.judged(place, way)?;
        if self.catalog.chunks[place].options.no_log {
            super::mask(&mut result);
        }
        Ok(result)
    }

    fn judged(&mut self, place: usize, way: Way<'_>) -> Result<StateResult, Pause> {
        let chunk = &self.catalog.chunks[place];
        self.slotted = None;
        if let Some(comment) = &chunk.options.disabled {
            return Ok(self.skipped(place, comment.clone()));
        }
        let Some(state) = (self.find)(&chunk.id.state, &chunk.id.fun) else {
            let comment = unavailable(&chunk.id.state, &chunk.id.fun, &chunk.sls);
            return Ok(self.refused(place, comment));
        };
        let missing =
            state.spec().params.iter().filter(|param| {
                param.required && param.name != "name" && !chunk.args.contains_key(param.name)
            });
        let missing: String = missing
            .map(|param| {
                format!(
                    "Missing parameter {} for state {}\n",
                    param.name,
                    state.spec().name()
                )
            })
            .collect();
        if !missing.is_empty() {
            return Ok(self.refused(place, missing));
        }
        let mut result = match guards::skipped(self.hands.system, &chunk.options) {
            Err(why) => return Ok(self.refused(place, why)),
            Ok(Some(comment)) => self.skipped(place, comment),
            Ok(None) => match self.fill(place).and_then(|()| self.plan(state, place, way)) {
                Ok(plan) => self.carry_out(state, place, way, plan)?,
                Err(comment) => self.failed(place, comment),
            },
        };
        if !chunk.options.check_cmd.is_empty() {
            let good = guards::checked(self.hands.system, &chunk.options.check_cmd);
            result.result = Some(good);
            result.comment = format!(
                "check_cmd determined the state {}",
                if good { "succeeded" } else { "failed" }
            );
        }
        Ok(result)
    }

    /// Nothing was done, and nothing is done for what is watched.
    fn skipped(&self, place: usize, comment: String) -> StateResult {
        let chunk = &self.catalog.chunks[place];
        let mut result = StateResult::met(&chunk.id, &chunk.sls);
        result.comment = comment;
        result.skip_watch = true;
        result
    }

    /// Whether a chunk's result is not applied.
    pub(super) fn is_test(&self, place: usize) -> bool {
        self.goal == Goal::Plan || self.catalog.chunks[place].check_only
    }

    /// Chunks this one requires and chunks that require it.
    pub(super) fn related(&self, place: usize) -> Vec<&proto::Chunk> {
        let chunk = &self.catalog.chunks[place];
        let needs = chunk.needs.iter().flat_map(|need| &need.on);
        let both = needs.chain(&self.requirers[place]);
        both.filter_map(|place| self.catalog.chunks.get(*place)).collect()
    }

    /// Plans until every question has its answer; the error is Salt's comment.
    pub(super) fn plan(&mut self, state: &dyn State, place: usize, way: Way<'_>) -> Result<Plan, String> {
        let changed = match way {
            Way::Watch(changed) => changed.to_vec(),
            Way::Plan => self.schedule.changed(
                place,
                &[
                    RequisiteKind::Watch,
                    RequisiteKind::WatchAny,
                    RequisiteKind::Onchanges,
                    RequisiteKind::OnchangesAny,
                ],
            ),
        };
        for _ in 0..DEPTH {
            let (planned, asked, kept) = {
                let host = Host::new(&self.known.answers);
                let related = self.related(place);
                let call = states::Call {
                    chunk: self.called(place),
                    related: &related,
                    test: self.is_test(place),
                    watched: &changed,
                };
                let planned = match way {
                    Way::Plan => state.plan(&call, &host),
                    Way::Watch(_) => state.on_watch(&call, &host),
                };
                let (asked, kept) = host.finish();
                (planned, asked, kept)
            };
            match planned {
                Ok(mut plan) => {
                    fidelity::declare(&mut plan.acts, &self.catalog.chunks[place].options);
                    if !plan.acts.is_empty()
                        && self.goal != Goal::Look
                        && !self.catalog.chunks[place].check_only
                    {
                        for bytes in kept.values() {
                            self.hands.system.keep(bytes).map_err(|problem| problem.text)?;
                        }
                    }
                    return Ok(plan);
                }
                Err(Stop::Failed(comment)) => return Err(comment),
                Err(Stop::Ask) if asked.is_empty() => break,
                Err(Stop::Ask) => self.ask(asked),
            }
        }
        Err("The state keeps asking without end: a bug in salt-rs".to_owned())
    }

    fn carry_out(
        &mut self,
        state: &dyn State,
        place: usize,
        way: Way<'_>,
        mut plan: Plan,
    ) -> Result<StateResult, Pause> {
        let chunk = &self.catalog.chunks[place];
        if chunk.check_only {
            return Ok(self.result(place, Report::would(&plan), Undoing::default()));
        }
        if self.goal == Goal::Look && !plan.acts.is_empty() {
            return Err(Pause::Work);
        }
        if matches!(way, Way::Plan) && self.goes_beside(place, &plan) {
            return Err(Pause::Beside);
        }
        let mut earlier = Map::new();
        let mut acted = self.act(place, &plan);
        for _ in 0..REPLANS {
            let Err(moved) = acted else {
                break;
            };
            self.known.forget(place);
            if moved.done {
                earlier = plan.changes;
            }
            plan = match self.plan(state, place, way) {
                Ok(plan) => plan,
                Err(comment) => return Ok(self.failed(place, comment)),
            };
            acted = self.act(place, &plan);
        }
        let mut acted = acted.unwrap_or_else(|moved| Acted {
            performed: Vec::new(),
            failed: Some(moved.problem),
            undoing: Undoing::default(),
            warnings: Vec::new(),
        });
        let told = |mut result: StateResult| {
            if !earlier.is_empty() {
                let mut earlier = earlier;
                earlier.extend(std::mem::take(&mut result.changes));
                result.changes = earlier;
            }
            result
        };
        if self.goal == Goal::Plan {
            return Ok(match acted.failed {
                Some(problem) => self.failed(place, problem.text),
                None => {
                    let mut would = Report::would(&plan);
                    would.warnings.append(&mut acted.warnings);
                    told(self.result(place, would, acted.undoing))
                }
            });
        }
        if let Way::Watch(changed) = way {
            self.after_poke(place, changed, &plan.acts, &mut acted.failed);
        }
        Ok(told(self.reported(state, place, &plan, acted)))
    }

    /// What a state says of what was done.
    pub(super) fn reported(
        &self,
        state: &dyn State,
        place: usize,
        plan: &Plan,
        mut acted: Acted,
    ) -> StateResult {
        let mut report = {
            let related = self.related(place);
            let call = states::Call {
                chunk: self.called(place),
                related: &related,
                test: false,
                watched: &[],
            };
            let done = Done {
                performed: &acted.performed,
                failed: acted.failed.as_ref(),
            };
            state.report(&call, plan, &done)
        };
        report.warnings.append(&mut acted.warnings);
        self.result(place, report, acted.undoing)
    }

    /// Does the acts of a plan, transaction by transaction.
    fn act(&mut self, place: usize, plan: &Plan) -> Result<Acted, Moved> {
        let chunk = &self.catalog.chunks[place];
        let mut acted = Acted::default();
        for Range { start, end } in transactions(&plan.acts) {
            let mut acts = plan.acts[start..end].to_vec();
            self.note_cause(place, &acts);
            let done = match self.verify(place, &mut acts) {
                Err(refused) => Err(Stumble::Botched(refused.into())),
                Ok(warnings) => {
                    acted.warnings.extend(warnings);
                    self.hands.transact(Some(&chunk.id), &acts)
                }
            };
            self.known.forget(place);
            if let Err(Stumble::Moved(problem)) = done {
                return Err(Moved {
                    problem,
                    done: start > 0,
                });
            }
            if let Ok(transacted) = &done {
                self.swaps.add(&[place], &acts, &transacted.performed.changes);
            }
            if let (Goal::Plan, Ok(transacted)) = (self.goal, &done) {
                acted
                    .undoing
                    .notes
                    .extend(along(&acts, &transacted.performed.changes));
            }
            self.account(&mut acted, done);
            if acted.failed.is_some() {
                break;
            }
            self.hazy
                .extend(acts.iter().filter_map(|act| super::hazy::haze(place, act)));
        }
        Ok(acted)
    }

    /// Adds what one transaction came to.
    pub(super) fn account(&mut self, acted: &mut Acted, done: Result<Transacted, Stumble>) {
        match done {
            Ok(transacted) => {
                acted.undoing.extend(transacted.undoing);
                acted.performed.push(transacted.performed);
            }
            Err(Stumble::Botched(botched)) => {
                acted.performed.push(botched.performed);
                acted.failed = Some(botched.why);
            }
            Err(Stumble::Journal(problem)) => {
                self.broken = Some(problem.text.clone());
                acted.failed = Some(problem);
            }
            Err(Stumble::Moved(problem)) => acted.failed = Some(problem),
        }
    }

    pub(super) fn result(&self, place: usize, report: Report, undoing: Undoing) -> StateResult {
        let chunk = &self.catalog.chunks[place];
        let mut result = StateResult::met(&chunk.id, &chunk.sls);
        result.result = report.result;
        result.changes = report.changes;
        result.comment = report.comment;
        result.warnings = report.warnings;
        result.undo = undoing.grade;
        result.undo_notes = undoing.notes;
        result
    }

    pub(super) fn refused(&self, place: usize, comment: String) -> StateResult {
        let chunk = &self.catalog.chunks[place];
        let mut result = StateResult::met(&chunk.id, &chunk.sls);
        result.result = Some(false);
        result.comment = comment;
        result
    }
}

/// The host moved under a plan.
struct Moved {
    problem: Problem,
    /// Earlier acts of the plan were done.
    done: bool,
}

fn unavailable(state: &str, fun: &str, sls: &str) -> String {
    format!("State '{state}.{fun}' was not found in SLS '{sls}'\nReason: '{state}.{fun}' is not available.\n")
}

fn would_retry(retry: &Retry) -> String {
    format!(
        "The state would be retried every {} seconds (with a splay of up to {} seconds) a maximum of {} times or until a \
         result of {} is returned",
        retry.interval,
        retry.splay,
        retry.attempts,
        if retry.until { "True" } else { "False" }
    )
}
