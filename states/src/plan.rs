//! What a state wants done, and what it says afterwards.

use proto::{Act, Args, Performed, Problem};
use serde_json::{Map, Value as Json};

/// What a state wants done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Steps, in order. Neighbouring assignments to packages are one transaction.
    pub acts: Vec<Act>,
    /// Salt's `changes` once the acts are done.
    pub changes: Args,
    /// Salt's `changes` in test mode, where they differ.
    pub would: Option<Args>,
    /// Salt's comment when nothing had to be done, or all was done.
    pub comment: String,
    /// Salt's comment in test mode when something would be done, where it differs.
    pub would_comment: Option<String>,
    /// Salt's warnings.
    pub warnings: Vec<String>,
    /// What became of it without any act.
    pub verdict: Verdict,
}

/// What becomes of a state by its plan alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verdict {
    /// True if there are no acts, "would change" (None) in test mode if there are.
    #[default]
    ByActs,
    /// It would change something, although there are no acts to show for it (test mode's result is None).
    WouldChange,
    /// False, whatever the acts.
    Failed,
}

impl Plan {
    /// Nothing to do.
    pub fn met(comment: impl Into<String>) -> Self {
        Self {
            comment: comment.into(),
            ..Self::default()
        }
    }

    /// Acts with the comment and changes of their success.
    pub fn change(acts: Vec<Act>, changes: Args, comment: impl Into<String>) -> Self {
        Self {
            acts,
            changes,
            comment: comment.into(),
            ..Self::default()
        }
    }

    /// Sets what test mode says.
    #[must_use]
    pub fn or_would(mut self, comment: impl Into<String>, changes: Option<Args>) -> Self {
        self.would_comment = Some(comment.into());
        self.would = changes;
        self
    }
}

/// What happened to the acts of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// What each performed transaction gave, in order.
    pub performed: &'a [Performed],
    /// The problem that ended it early.
    pub failed: Option<&'a Problem>,
}

/// Salt's result of one state, before the run loop adds its own parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// True, false, or `None` for "would change".
    pub result: Option<bool>,
    /// Salt's shape.
    pub changes: Args,
    /// Salt's words.
    pub comment: String,
    /// Salt's warnings.
    pub warnings: Vec<String>,
}

impl Report {
    /// The plan's own words when all went well; the problem's when it did not.
    pub fn of(plan: &Plan, done: &Done<'_>) -> Self {
        let warnings = plan.warnings.clone();
        match done.failed {
            None => Self {
                result: Some(plan.verdict != Verdict::Failed),
                changes: plan.changes.clone(),
                comment: plan.comment.clone(),
                warnings,
            },
            Some(problem) => Self {
                result: Some(false),
                changes: Map::new(),
                comment: problem.text.clone(),
                warnings,
            },
        }
    }

    /// What test mode says of a plan.
    pub fn would(plan: &Plan) -> Self {
        let changes = plan.would.clone().unwrap_or_else(|| plan.changes.clone());
        let touched = !plan.acts.is_empty() || plan.verdict == Verdict::WouldChange;
        let result = match plan.verdict {
            Verdict::Failed => Some(false),
            _ if touched => None,
            _ => Some(true),
        };
        let comment = match &plan.would_comment {
            Some(comment) if touched => comment.clone(),
            _ => plan.comment.clone(),
        };
        Self {
            result,
            changes,
            comment,
            warnings: plan.warnings.clone(),
        }
    }
}

/// A mapping of one key.
pub fn one(key: impl Into<String>, value: impl Into<Json>) -> Args {
    let mut map = Map::new();
    map.insert(key.into(), value.into());
    map
}
