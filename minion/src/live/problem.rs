//! Short ways to make a [`Problem`] of each kind.

use proto::{Problem, ProblemKind};

/// Refused before anything changed.
pub(crate) fn refused(text: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Refused, text)
}

/// Tried and failed.
pub(crate) fn failed(text: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Failed, text)
}

/// What is there is not what was expected.
pub(crate) fn moved(text: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Moved, text)
}

/// Another program holds a lock.
pub(crate) fn locked(text: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Locked, text)
}
