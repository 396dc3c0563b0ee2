//! Answers that are known, and asking for many at once: the cost of a run that changes nothing is one batch of reads.
//!
//! After an act everything that was remembered is dropped, since each state sees the world its predecessors left. Asking
//! ahead then starts anew with one chunk and doubles as long as nothing changes.

use std::collections::BTreeSet;

use proto::{Address, Answer, Answers, Question};
use states::{Host, Stop};

use super::Pass;
use crate::system::System;

/// Chunks that are looked at together at most; bounds the memory of a large catalog.
const WIDEST: usize = 256;
/// A state's reads depend on each other at most so deep before it is left to its own turn.
const ROUNDS: usize = 4;

/// Answers that hold until the next act.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) answers: Answers,
    /// Chunks before this place have been asked for.
    until: usize,
    width: usize,
    /// Addresses that some state may still care for: nobody asked for them yet.
    pub(super) unasked: BTreeSet<Address>,
}

impl Known {
    /// Nothing is known. It is told apart which of `watched` are asked for.
    pub(super) fn new(watched: impl Iterator<Item = Address>) -> Self {
        Self {
            answers: Answers::new(),
            until: 0,
            width: WIDEST,
            unasked: watched.collect(),
        }
    }

    /// Something changed at `place`: nothing that was remembered holds.
    pub(super) fn forget(&mut self, place: usize) {
        self.answers.clear();
        self.until = place + 1;
        self.width = 1;
    }

    /// Whatever a state asks about is not left alone.
    pub(super) fn claim(&mut self, questions: &BTreeSet<Question>) {
        if self.unasked.is_empty() {
            return;
        }
        for question in questions {
            match question {
                Question::Read(at) => drop(self.unasked.remove(at)),
                Question::Bytes(path) | Question::Follow(path) | Question::List(path) => {
                    self.unasked.remove(&Address::Path(path.clone()));
                }
                _ => {}
            }
        }
    }

    /// Asks the system what `questions` want to know.
    pub(super) fn ask<S: System>(&mut self, system: &mut S, questions: BTreeSet<Question>) {
        self.claim(&questions);
        let questions: Vec<Question> = questions.into_iter().collect();
        let answers = system.answer(&questions);
        self.answers.extend(questions.into_iter().zip(answers));
    }
}

impl<S: System> Pass<'_, S> {
    /// Asks at once what the next chunks will want to know, when `place` is the first not yet asked for.
    pub(super) fn look_ahead(&mut self, place: usize) {
        if place < self.known.until {
            return;
        }
        let end = place
            .saturating_add(self.known.width)
            .min(self.catalog.chunks.len());
        self.known.until = end;
        if self.known.width == 1 {
            // One chunk asks for itself.
            self.known.width = 2;
            return;
        }
        self.known.width = (self.known.width * 2).min(WIDEST);
        // Contents are large and seldom shared.
        self.known
            .answers
            .retain(|_, answer| !matches!(answer, Answer::Bytes(_) | Answer::Tree(_)));
        let mut open: Vec<usize> = (place..end).collect();
        for _ in 0..ROUNDS {
            let mut asked = BTreeSet::new();
            open.retain(|place| {
                let (questions, unfinished) = self.questions(*place);
                asked.extend(questions);
                unfinished
            });
            if asked.is_empty() {
                break;
            }
            self.ask(asked);
        }
    }

    /// What a chunk would ask next, as far as asking costs nothing, and whether it asked anything.
    pub(super) fn questions(&self, place: usize) -> (BTreeSet<Question>, bool) {
        let chunk = &self.catalog.chunks[place];
        let Some(state) = (self.find)(&chunk.id.state, &chunk.id.fun) else {
            return (BTreeSet::new(), false);
        };
        let host = Host::new(&self.known.answers);
        let related = self.related(place);
        let call = states::Call {
            chunk,
            related: &related,
            test: self.is_test(place),
            watched: &[],
        };
        let stopped = state.plan(&call, &host);
        let (mut asked, _) = host.finish();
        asked.retain(harmless);
        (asked, stopped.err() == Some(Stop::Ask))
    }
}

/// Questions that may be asked for a chunk that perhaps never runs: no downloads, no programs of the user's.
const fn harmless(question: &Question) -> bool {
    !matches!(
        question,
        Question::Fetch { .. } | Question::Unpack(_) | Question::Command(_) | Question::Call(_)
    )
}
