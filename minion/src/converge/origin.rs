//! Where changes come from, and what nobody declares any more: *yours*, *drift*, orphans.

use proto::{Act, Answer, Cause, Question};

use super::Pass;
use crate::journal::ledger::Left;
use crate::system::System;

impl<S: System> Pass<'_, S> {
    /// Notes who gave rise to acts: drift as soon as one address is not as the last run left it. What this run touched
    /// itself says nothing. Where we never changed anything, an unchanged declaration means that the host changed.
    pub(super) fn note_cause(&mut self, place: usize, acts: &[Act]) {
        for act in acts {
            let Act::Assign { at, expect, .. } = act else {
                continue;
            };
            if self.hands.first().contains_key(at) || self.cause == Some(Cause::Drift) {
                continue;
            }
            let as_left = self.schedule.ledger().as_left(at, expect);
            let yours = as_left.unwrap_or_else(|| !(self.had)(&self.catalog.chunks[place]));
            self.cause = Some(if yours { Cause::Yours } else { Cause::Drift });
        }
    }

    /// What states left here that are not in the catalog any more, and that no state of the catalog looks at. What came
    /// along with something stays with it; what is as it was before us is nobody's.
    pub(super) fn orphans(&mut self) -> Vec<Left> {
        if self.left.is_empty() {
            return Vec::new();
        }
        // States that did not come to their turn may still care.
        for place in 0..self.catalog.chunks.len() {
            if self.known.unasked.is_empty() {
                break;
            }
            let (questions, _) = self.questions(place);
            self.known.claim(&questions);
        }
        let mut left = std::mem::take(&mut self.left);
        let claimed = |left: &Left| !self.known.unasked.contains(&left.at);
        let cared: Vec<_> = left
            .iter()
            .filter(|left| left.named && claimed(left))
            .map(|left| left.owner.chunk.clone())
            .collect();
        left.retain(|left| !claimed(left) && (left.named || !cared.contains(&left.owner.chunk)));
        let ask: Vec<Question> = left.iter().map(|left| Question::Read(left.at.clone())).collect();
        let answers = if ask.is_empty() {
            Vec::new()
        } else {
            self.hands.system.answer(&ask)
        };
        let mut found = Vec::new();
        for (mut left, answer) in left.into_iter().zip(answers) {
            if let Answer::Value(live) = answer {
                if self.schedule.ledger().as_before(&left.at, &live) {
                    continue;
                }
                left.edited = self.schedule.ledger().as_left(&left.at, &live) == Some(false);
            }
            found.push(left);
        }
        found
    }
}
