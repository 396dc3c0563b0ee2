//! Acts: assignments with an expectation, and the two verbs that are none.

use serde::{Deserialize, Serialize};

use crate::{Address, Command, Output, Value};

/// One step that changes a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// `at := to`, if what is there still is `expect` (modification times do not count).
    Assign {
        /// Where.
        at: Address,
        /// What was seen when this was planned; anything else there refuses.
        expect: Value,
        /// What shall be there.
        to: Value,
        /// Run on the staged file, its path appended, before it goes live; failure refuses the act.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<Command>,
    },
    /// A command; undone only by `undo`, or by putting back the paths it says it touches.
    Run {
        /// What to run.
        command: Command,
        /// What takes it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Command>,
        /// Must succeed once `undo` ran, or the command counts as not taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verify: Option<Command>,
        /// Paths (whole trees) it may change; their pre-images are kept and their changes reported.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        touches: Vec<String>,
    },
    /// A restart or reload: nothing to undo, but repeated when its cause is undone.
    Poke {
        /// Full unit name; empty for [`Poke::DaemonReload`].
        unit: String,
        /// Which.
        how: Poke,
    },
    /// Reads the package manager's lists anew; changes caches only.
    Refresh,
}

impl Act {
    /// An assignment without a check.
    pub const fn assign(at: Address, expect: Value, to: Value) -> Self {
        Self::Assign {
            at,
            expect,
            to,
            check: None,
        }
    }
}

/// Ways to make a service notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poke {
    /// `systemctl reload`, or restart where the unit cannot reload.
    Reload,
    /// `systemctl restart`.
    Restart,
    /// Stop, then start.
    FullRestart,
    /// `systemctl daemon-reload`.
    DaemonReload,
}

/// What an act did at one address, consequences included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where.
    pub at: Address,
    /// What was there.
    pub before: Value,
    /// What is there now.
    pub after: Value,
}

/// A value kept before an act, durable before the act begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreImage {
    /// Where.
    pub at: Address,
    /// What was there; contents lie in the object store.
    pub was: Value,
    /// How well it can be put back.
    pub fidelity: Fidelity,
}

/// How well a change can be undone (J5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Every recorded attribute comes back.
    Exact,
    /// Exact because the material (an old package file, say) was kept.
    Kept,
    /// Taken back by another act; the text says what differs.
    Compensated(String),
    /// Cannot be taken back; the text says why.
    Lost(String),
}

impl Fidelity {
    /// Without its words.
    pub const fn grade(&self) -> Undone {
        match self {
            Self::Exact => Undone::Exact,
            Self::Kept => Undone::Kept,
            Self::Compensated(_) => Undone::Compensated,
            Self::Lost(_) => Undone::Lost,
        }
    }
}

/// [`Fidelity`] without its words, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undone {
    /// Every recorded attribute comes back.
    Exact,
    /// Where the material is kept.
    Kept,
    /// With a difference.
    Compensated,
    /// Not at all.
    Lost,
}

/// What performing one act gave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Performed {
    /// What changed, observed after the act.
    pub changes: Vec<Change>,
    /// What the command did, for [`Act::Run`] and package transactions.
    pub output: Option<Output>,
}

/// Why an act was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// Which sort.
    pub kind: ProblemKind,
    /// One or more lines for people: what, where, the way out.
    pub text: String,
}

impl Problem {
    /// A problem of a sort.
    pub fn new(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

/// Sorts of problems that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// What is there is not what was expected: plan again.
    Moved,
    /// Refused before anything changed (no room for the pre-image, immutable target, check failed).
    Refused,
    /// Tried and failed.
    Failed,
    /// Another program holds a lock (apt).
    Locked,
}
