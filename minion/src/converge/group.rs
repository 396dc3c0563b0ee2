//! Files that one program reads, changed by states that follow each other: staged together, asked about once, live together
//! (J10).
//!
//! A state whose plan is nothing but assignments to files of one reader ([`crate::readers`]) waits for its neighbours. What
//! it wants lies in an overlay that the states after it see, so each still sees what its predecessors did. The first state
//! that does anything else, needs to know more than files and their like, or has a guard of its own, ends the group before
//! its turn; then the reader is asked, and all of the group is one transaction.

use std::collections::BTreeSet;
use std::time::Instant;

use proto::{Act, Address, Performed, Problem, Question, RequisiteKind, StateResult, Value};
use states::{Done, Plan, Report, State, Verdict};

use super::call::Way;
use super::{Goal, Pass, Pause};
use crate::dry::{Dry, Layer};
use crate::fidelity::Undoing;
use crate::readers::{self, Reader};
use crate::schedule;
use crate::system::{Aside, System};
use crate::transact::Stumble;

/// States that wait to go live together.
pub(super) struct Group {
    reader: &'static Reader,
    /// What the host looks like with them.
    layer: Layer,
    acts: Vec<Act>,
    /// Whose each of them is.
    owners: Vec<usize>,
    members: Vec<Member>,
    /// Somebody asked what the overlay cannot know.
    opaque: bool,
}

struct Member {
    place: usize,
    state: &'static dyn State,
    plan: Plan,
    number: u64,
    began: Instant,
}

impl Group {
    /// Adds acts; a file that changes again changes once. `false`, and nothing added, when they cannot go together.
    fn add(&mut self, place: usize, acts: &[Act]) -> bool {
        let (mut all, mut owners) = (self.acts.clone(), self.owners.clone());
        for act in acts {
            let fits = readers::fits(&all, act);
            let same = all.iter().position(|other| address(other) == address(act));
            match (
                same.and_then(|same| Some((all.get_mut(same)?, owners.get_mut(same)?))),
                act,
            ) {
                (None, act) if fits => {
                    all.push(act.clone());
                    owners.push(place);
                }
                (
                    Some((
                        Act::Assign {
                            expect, to, check, ..
                        },
                        owner,
                    )),
                    Act::Assign {
                        to: next,
                        check: again,
                        ..
                    },
                ) if [&*expect, &*to, next].iter().all(|value| plain(value)) => {
                    to.clone_from(next);
                    *owner = place;
                    if again.is_some() || next.is_absent() {
                        check.clone_from(again);
                    }
                }
                _ => return false,
            }
        }
        (self.acts, self.owners) = (all, owners);
        true
    }
}

fn address(act: &Act) -> Option<&str> {
    readers::assigned(act).map(|(path, ..)| path)
}

const fn plain(value: &Value) -> bool {
    matches!(value, Value::Absent | Value::File { .. } | Value::Link { .. })
}

impl<S: System> Pass<'_, S> {
    /// Asks the host, as it will be with the group that waits.
    pub(super) fn ask(&mut self, questions: BTreeSet<Question>) {
        let Some(group) = &mut self.group else {
            return self.known.ask(self.hands.system, questions);
        };
        let beyond = |question: &Question| matches!(question, Question::Command(_) | Question::Call(_));
        group.opaque |= questions.iter().any(beyond);
        let mut dry = Dry::resume(
            &mut *self.hands.system as &mut dyn System,
            std::mem::take(&mut group.layer),
        );
        self.known.ask(&mut dry, questions);
        group.layer = dry.pause();
    }

    /// Lets a state wait in the group, or begin one; `false` when it is to be done by itself, once the group is.
    pub(super) fn join(&mut self, place: usize) -> bool {
        if self.goal == Goal::Look || !self.may_join(place) {
            return false;
        }
        let chunk = &self.catalog.chunks[place];
        let Some(state) = (self.find)(&chunk.id.state, &chunk.id.fun) else {
            return false;
        };
        let given = |param: &str| param == "name" || chunk.args.contains_key(param);
        let complete = |spec: &states::Spec| {
            let mut params = spec.params.iter();
            params.all(|param| !param.required || given(param.name))
        };
        if !complete(state.spec()) {
            return false;
        }
        let began = Instant::now();
        self.slotted = None;
        self.look_ahead(place);
        let Ok(plan) = self.plan(state, place, Way::Plan) else {
            return false;
        };
        if plan.verdict != Verdict::ByActs || !self.stage(place, &plan.acts) {
            return false;
        }
        if !plan.acts.is_empty() {
            self.known.forget(place);
        }
        let number = self.schedule.number();
        let hoped = self.told(place, state, &plan, None);
        self.schedule.done(place, &hoped);
        if let Some(group) = &mut self.group {
            group.members.push(Member {
                place,
                state,
                plan,
                number,
                began,
            });
        }
        true
    }

    /// Whether a chunk is one that could wait, as far as its own words say.
    fn may_join(&self, place: usize) -> bool {
        let chunk = &self.catalog.chunks[place];
        let options = &chunk.options;
        let read = readers::of(&chunk.id.name).is_some();
        let onfail = |kind| {
            matches!(
                kind,
                RequisiteKind::Onfail | RequisiteKind::OnfailAny | RequisiteKind::OnfailAll
            )
        };
        (read || self.group.is_some())
            && !chunk.check_only
            && chunk.slots.is_empty()
            && options.unless.is_empty()
            && options.onlyif.is_empty()
            && options.creates.is_none()
            && options.check_cmd.is_empty()
            && options.retry.is_none()
            && options.disabled.is_none()
            && options.validate != Some(false)
            && !chunk.needs.iter().any(|need| onfail(need.kind))
            && self.schedule.plainly_runs(place)
    }

    /// Lays acts over the host, if they belong to the group that waits, or can begin one.
    fn stage(&mut self, place: usize, acts: &[Act]) -> bool {
        if acts.is_empty() {
            return self.group.as_ref().is_some_and(|group| !group.opaque);
        }
        let Some(reader) = readers::common(acts) else {
            return false;
        };
        let begun = self.group.is_some();
        let group = self.group.get_or_insert_with(|| Group {
            reader,
            layer: Layer::default(),
            acts: Vec::new(),
            owners: Vec::new(),
            members: Vec::new(),
            opaque: false,
        });
        let mut fine = group.reader == reader && !group.opaque && group.add(place, acts);
        if fine {
            let mut dry = Dry::resume(&mut *self.hands.system as &mut dyn System, group.layer.clone());
            let laid = dry.observe(acts).map_err(|_| ());
            let laid = laid.and_then(|before| dry.perform(acts, &before).map_err(|_| ()));
            fine = laid.is_ok();
            group.layer = dry.pause();
        }
        if !fine && !begun {
            self.group = None;
        }
        fine
    }

    /// Asks the readers of what `acts` assign; what their own checks said does not need to be asked again.
    ///
    /// # Errors
    /// A refusal.
    pub(super) fn verify(&mut self, place: usize, acts: &mut [Act]) -> Result<Vec<String>, Problem> {
        let asks = |act: &Act| {
            matches!(act, Act::Assign { check: Some(_), .. })
                || readers::common(std::slice::from_ref(act)).is_some()
        };
        let off = self.catalog.chunks[place].options.validate == Some(false);
        if off || !acts.iter().any(asks) {
            return Ok(Vec::new());
        }
        let aside = Aside {
            fresh: self.fresh(),
            ..Aside::default()
        };
        let verified = self.hands.system.verify(acts, &aside)?;
        if verified.checked {
            for act in acts {
                if let Act::Assign { check, .. } = act {
                    *check = None;
                }
            }
        }
        Ok(verified.notes)
    }

    /// Ends the group that waits, if any: all of it goes live, or nothing. Whether a result of it ends the run.
    pub(super) fn flush(&mut self) -> Result<bool, Pause> {
        let Some(group) = self.group.take() else {
            return Ok(false);
        };
        let Some(last) = group.members.last().map(|member| member.place) else {
            return Ok(false);
        };
        self.known.forget(last);
        let (mut acts, mut owners) = (Vec::new(), Vec::new());
        for (act, owner) in group.acts.into_iter().zip(group.owners) {
            if readers::assigned(&act).is_some_and(|(_, expect, to)| !expect.same(to)) {
                acts.push(act);
                owners.push(owner);
            }
        }
        let mut causes = Vec::new();
        for member in &group.members {
            self.note_cause(member.place, &member.plan.acts);
            causes.push(self.cause.take());
        }
        let (done, warnings) = match self.verify(last, &mut acts) {
            Err(refused) => (Err(Stumble::Botched(refused.into())), Vec::new()),
            Ok(warnings) if acts.is_empty() => (Ok(Default::default()), warnings),
            Ok(warnings) => {
                let chunks = &self.catalog.chunks;
                let mut ids: Vec<_> = owners.iter().map(|owner| &chunks[*owner].id).collect();
                if owners.iter().all(|owner| Some(owner) == owners.first()) {
                    ids.truncate(1);
                }
                (self.hands.transact_for(&ids, &acts), warnings)
            }
        };
        self.known.forget(last);
        let mut undoing = Undoing::default();
        let (mut changes, mut failed, mut moved) = (Vec::new(), None, false);
        match done {
            Ok(transacted) => {
                undoing = transacted.undoing;
                changes = transacted.performed.changes;
                let places: Vec<usize> = group.members.iter().map(|member| member.place).collect();
                self.swaps.add(&places, &acts, &changes);
            }
            Err(Stumble::Moved(_)) => moved = true,
            Err(Stumble::Botched(botched)) => failed = Some(botched.why),
            Err(Stumble::Journal(problem)) => {
                self.broken.get_or_insert(problem.text.clone());
                failed = Some(problem);
            }
        }
        let mut ends = false;
        for (member, cause) in group.members.into_iter().zip(causes) {
            let idle = member.plan.acts.is_empty();
            let mut result = if moved || (idle && failed.is_some()) {
                // The world is not the one it was planned for.
                self.again(member.place)?
            } else {
                let performed = Performed {
                    changes: changes
                        .iter()
                        .filter(|change| concerns(&member.plan.acts, &change.at))
                        .cloned()
                        .collect(),
                    output: None,
                };
                let done = (performed, failed.clone().filter(|_| !idle));
                let undoing = if idle { Undoing::default() } else { undoing.clone() };
                let mut result = self.told(member.place, member.state, &member.plan, Some((done, undoing)));
                if !idle {
                    result.warnings.extend(warnings.iter().cloned());
                }
                result
            };
            result.run_num = member.number;
            if self.catalog.chunks[member.place].options.no_log {
                super::mask(&mut result);
            }
            self.schedule.done(member.place, &result);
            ends |= self.goal != Goal::Plan && self.schedule.ends(member.place, &result);
            self.cause = cause;
            self.tell(result, member.place, None, member.began);
        }
        Ok(ends)
    }

    /// A member by itself after all.
    fn again(&mut self, place: usize) -> Result<StateResult, Pause> {
        match self.schedule.verdict(place) {
            schedule::Verdict::NotRun(result) => Ok(*result),
            _ => self.call(place, Way::Plan),
        }
    }

    /// The result of a member: as hoped for where nothing is `done` yet.
    fn told(
        &self,
        place: usize,
        state: &dyn State,
        plan: &Plan,
        done: Option<((Performed, Option<Problem>), Undoing)>,
    ) -> StateResult {
        let hoped = done.is_none();
        let ((performed, failed), undoing) = done.unwrap_or_default();
        if self.goal == Goal::Plan {
            return match failed {
                Some(problem) => self.failed(place, problem.text),
                None => self.result(place, Report::would(plan), undoing),
            };
        }
        let related = self.related(place);
        let call = states::Call {
            chunk: &self.catalog.chunks[place],
            related: &related,
            test: false,
            watched: &[],
        };
        let done = Done {
            performed: std::slice::from_ref(&performed),
            failed: failed.as_ref(),
        };
        let report = if hoped {
            Report::of(plan, &done)
        } else {
            state.report(&call, plan, &done)
        };
        self.result(place, report, undoing)
    }
}

fn concerns(acts: &[Act], at: &Address) -> bool {
    let Address::Path(path) = at else { return false };
    let above = |top: &str| {
        path.strip_prefix(top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    acts.iter().filter_map(address).any(above)
}

#[cfg(test)]
mod tests;
