//! What a plan cannot know: which failures of later states may come true once the run has got there.

use proto::{Act, Address, StateResult};

use super::Pass;
use crate::system::System;

/// An effect that a plan cannot know whole.
#[derive(Debug, Clone)]
pub(super) struct Hazy {
    chunk: usize,
    /// A package brings files, users and units nobody has listed; a command may do anything.
    package: bool,
    what: String,
}

impl<S: System> Pass<'_, S> {
    /// A state that cannot be made true; in a plan perhaps only not yet.
    pub(super) fn failed(&self, place: usize, comment: String) -> StateResult {
        let mut result = self.refused(place, comment);
        if self.is_test(place)
            && let Some(hazy) = self
                .hazy
                .iter()
                .find(|hazy| hazy.package || self.needs(place, hazy.chunk))
        {
            result.result = None;
            result.comment.push_str(&format!(
                "\nThis may come true during the run: {} comes first",
                hazy.what
            ));
        }
        result
    }

    /// Whether packages came in this run, or will by the plan.
    pub(super) fn fresh(&self) -> bool {
        self.hazy.iter().any(|hazy| hazy.package)
    }

    /// Whether `place` needs `other`, directly or not.
    fn needs(&self, place: usize, other: usize) -> bool {
        let mut seen = vec![false; self.catalog.chunks.len()];
        let mut open = vec![place];
        while let Some(next) = open.pop() {
            if next == other {
                return true;
            }
            if let Some(chunk) = self.catalog.chunks.get(next)
                && !std::mem::replace(&mut seen[next], true)
            {
                open.extend(chunk.needs.iter().flat_map(|need| &need.on));
            }
        }
        false
    }
}

/// What of an act a plan cannot know whole.
pub(super) fn haze(chunk: usize, act: &Act) -> Option<Hazy> {
    match act {
        Act::Assign {
            at: at @ Address::Package(_),
            to,
            ..
        } if !to.is_absent() => Some(Hazy {
            chunk,
            package: true,
            what: at.to_string(),
        }),
        Act::Refresh => Some(Hazy {
            chunk,
            package: false,
            what: "reading the package lists".to_owned(),
        }),
        Act::Run { command, .. } => Some(Hazy {
            chunk,
            package: false,
            what: format!("the command {:?}", command.argv.join(" ")),
        }),
        _ => None,
    }
}
