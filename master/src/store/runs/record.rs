//! What a run file says: a header, what each host was told and did, how the run ended.

use proto::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::store::RunId;

/// Version of the run files' format. Same major or refuse; records of a newer minor are read as `Other`.
///
/// - 1.0: first.
pub const FORMAT: &str = "1.0";

/// What kind of run it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Converge.
    Apply,
    /// Show what would change.
    Plan,
    /// Take back.
    Rollback,
}

/// Who asked for what. Holds no secret: the command line is written down without the values of secret options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The run's id.
    pub run: RunId,
    /// When it began, RFC 3339.
    pub started: String,
    /// Its kind.
    pub mode: Mode,
    /// The commit as 40 hex digits, or `worktree+` and a digest.
    pub commit: String,
    /// The repository, without credentials.
    pub tree_url: String,
    /// The target as it was typed.
    pub target: String,
    /// The sls asked for; empty is the highstate.
    #[serde(default)]
    pub sls: Vec<String>,
    /// `user@host` of the master.
    pub by: String,
    /// The command line without secrets.
    #[serde(default)]
    pub command: Vec<String>,
    /// Version of the format, see [`FORMAT`].
    pub format: String,
}

/// What a host is about to be told; written before it is, so that an epoch is never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The host.
    pub host: String,
    /// The fencing epoch (requirement T8).
    pub epoch: u64,
    /// Digest of the catalog.
    #[serde(default)]
    pub catalog: Option<String>,
    /// What it was decided to go back to, once all of the group had agreed (J9): the host does that before anything
    /// else, now or at its next contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<proto::frame::Rollback>,
}

/// How a host ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The host.
    pub host: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The generation it is at now, when known.
    #[serde(default)]
    pub generation: Option<u64>,
    /// The generation it was at before, when known.
    #[serde(default)]
    pub previous_generation: Option<u64>,
    /// The epoch it was told.
    #[serde(default)]
    pub epoch: u64,
    /// Milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// Per state, in run order, in the contract's JSON.
    #[serde(default)]
    pub states: Vec<Json>,
    /// The changes, without pre-images.
    #[serde(default)]
    pub changes: Vec<Json>,
    /// Why, when it was not reached, refused or is unknown; and lines for people.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Counts of hosts, with the contract's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// All of them.
    pub hosts: u64,
    /// As declared, nothing changed.
    pub ok: u64,
    /// As declared, something changed.
    pub changed: u64,
    /// A state failed.
    pub failed: u64,
    /// No session.
    pub unreachable: u64,
    /// What happened is not known.
    pub unknown: u64,
    /// Nothing was touched, for a reason.
    pub refused: u64,
    /// Taken back.
    pub rolled_back: u64,
}

impl Summary {
    /// Counts outcomes.
    pub fn of(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let mut summary = Self::default();
        for outcome in outcomes {
            summary.hosts += 1;
            *match outcome {
                Outcome::Ok => &mut summary.ok,
                Outcome::Changed => &mut summary.changed,
                Outcome::Failed => &mut summary.failed,
                Outcome::Unreachable => &mut summary.unreachable,
                Outcome::Unknown => &mut summary.unknown,
                Outcome::Refused => &mut summary.refused,
                Outcome::RolledBack => &mut summary.rolled_back,
            } += 1;
        }
        summary
    }
}

/// One line of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunRecord {
    /// The first one.
    Header(RunHeader),
    /// A host is about to be told.
    Told(Told),
    /// A host ended.
    Host(Host),
    /// The last one; a run without it was interrupted.
    Close {
        /// When it ended, RFC 3339.
        ended: String,
        /// The counts.
        summary: Summary,
    },
    /// A kind this version does not know.
    #[serde(other)]
    Other,
}
