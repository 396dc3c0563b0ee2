//! Salt's `--failhard`: once a host has failed, hosts that have not begun are left alone.

use std::sync::{Arc, OnceLock};

use proto::Outcome;

use super::{Converged, Prepared};
use crate::report::HostResult;

/// Whether and why hosts that have not begun are not to begin. Clones share what they know.
#[derive(Debug, Clone)]
pub enum Halt {
    /// Every host has its turn, whatever became of others.
    Never,
    /// None begins once one has failed; the first of those is kept.
    OnFailure(Arc<OnceLock<String>>),
}

impl Halt {
    /// Halts on the first host that fails.
    pub fn on_failure() -> Self {
        Self::OnFailure(Arc::default())
    }

    /// Takes note of how a host ended.
    pub fn note(&self, result: &HostResult) {
        let failed = !matches!(result.outcome, Outcome::Ok | Outcome::Changed);
        if let (Self::OnFailure(first), true) = (self, failed) {
            // Only the first is named: of those that ran beside it, it does not matter which.
            first.set(result.host.clone()).ok();
        }
    }

    /// The result of a host that must not begin any more; itself back when it may.
    pub fn hold(&self, prepared: Prepared) -> Result<Prepared, Box<Converged>> {
        let Some(first) = self.failed() else {
            return Ok(prepared);
        };
        let host = prepared.host;
        let cause = format!("not run, because {first} failed before it (--failhard)");
        let help = "nothing was changed there; run the command again once the cause is gone".to_owned();
        let result = HostResult::without_report(&host.id, Outcome::Refused, cause, Some(help));
        Err(Box::new(Converged {
            result,
            host,
            settled: None,
        }))
    }

    fn failed(&self) -> Option<&String> {
        match self {
            Self::Never => None,
            Self::OnFailure(first) => first.get(),
        }
    }
}
