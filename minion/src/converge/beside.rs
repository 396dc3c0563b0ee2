//! `parallel`: a state that is one command runs beside the states that follow it; whoever needs it waits.
//!
//! Intents stand in the journal in the order in which commands were begun, their ends in the order in which they came.
//! Everything but the command itself happens on the one thread of the run. Other states marked so run in turn, which
//! nobody can tell from the outside.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use proto::{Act, Chunk, Output, Problem};
use states::Plan;

use super::call::Acted;
use super::{Goal, Pass};
use crate::system::System;
use crate::transact::Begun;

/// Most commands beside each other.
const MOST: usize = 64;

/// What a command came to, by the number of its act.
type Ended = (u64, Result<Output, Problem>);

/// The commands that run.
pub(super) struct Besides {
    running: Vec<Running>,
    sender: Sender<Ended>,
    ended: Receiver<Ended>,
}

struct Running {
    place: usize,
    number: u64,
    plan: Plan,
    begun: Begun,
    since: Instant,
    slotted: Option<Chunk>,
}

impl Besides {
    pub(super) fn new() -> Self {
        let (sender, ended) = channel();
        Self {
            running: Vec::new(),
            sender,
            ended,
        }
    }

    /// The call that was begun last has this number.
    pub(super) fn number(&mut self, number: u64) {
        if let Some(last) = self.running.last_mut() {
            last.number = number;
        }
    }
}

impl<S: System> Pass<'_, S> {
    /// Begins a command that is to run beside what follows, if this plan is one.
    pub(super) fn goes_beside(&mut self, place: usize, plan: &Plan) -> bool {
        let chunk = &self.catalog.chunks[place];
        let options = &chunk.options;
        let [Act::Run { command, .. }] = plan.acts.as_slice() else {
            return false;
        };
        if !options.parallel
            || self.goal != Goal::Apply
            || options.retry.is_some()
            || !options.check_cmd.is_empty()
            || self.beside.running.len() >= MOST
        {
            return false;
        }
        let Some(run) = self.hands.system.beside(command) else {
            return false;
        };
        // What cannot be begun is told when it is tried in its turn.
        let Ok(begun) = self.hands.begin(&[&chunk.id], &plan.acts) else {
            return false;
        };
        let (sender, act_num) = (self.beside.sender.clone(), begun.act_num);
        std::thread::spawn(move || sender.send((act_num, run())));
        self.beside.running.push(Running {
            place,
            number: 0,
            plan: plan.clone(),
            begun,
            since: Instant::now(),
            slotted: self.slotted.take(),
        });
        true
    }

    /// Takes in what has ended, and waits for what chunk `place` needs; whether a failure ends the run.
    pub(super) fn gather(&mut self, place: usize) -> bool {
        let mut ends = false;
        while !self.beside.running.is_empty() {
            let needs = &self.catalog.chunks[place].needs;
            let waits = self
                .beside
                .running
                .iter()
                .any(|one| needs.iter().any(|need| need.on.contains(&one.place)));
            let Some(ended) = self.next(waits) else { break };
            ends |= self.took(ended);
        }
        ends
    }

    /// Waits for all that run.
    pub(super) fn gather_all(&mut self) {
        while !self.beside.running.is_empty()
            && let Some(ended) = self.next(true)
        {
            self.took(ended);
        }
    }

    fn next(&self, wait: bool) -> Option<Ended> {
        if wait {
            self.beside.ended.recv().ok()
        } else {
            self.beside.ended.try_recv().ok()
        }
    }

    /// The end of one command; whether its failure ends the run.
    fn took(&mut self, (act_num, output): Ended) -> bool {
        let running = &mut self.beside.running;
        let Some(index) = running.iter().position(|one| one.begun.act_num == act_num) else {
            return false;
        };
        let one = running.remove(index);
        self.hands.system.came_to(output);
        let done = self.hands.end(&one.plan.acts, one.begun);
        self.known.forget(one.place);
        self.slotted = one.slotted;
        let mut acted = Acted::default();
        self.account(&mut acted, done);
        let id = &self.catalog.chunks[one.place].id;
        let Some(state) = (self.find)(&id.state, &id.fun) else {
            return false;
        };
        let mut result = self.reported(state, one.place, &one.plan, acted);
        self.slotted = None;
        result.run_num = one.number;
        if self.catalog.chunks[one.place].options.no_log {
            super::mask(&mut result);
        }
        self.schedule.done(one.place, &result);
        let ends = self.schedule.ends(one.place, &result);
        self.tell(result, one.place, None, one.since);
        ends
    }
}

#[cfg(test)]
mod tests;
