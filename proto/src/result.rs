//! What a run tells: Salt's result per state, and the report of a host.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{ChunkId, Undone};

/// Salt's result of one state, with the contract's JSON names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateResult {
    /// The declared id.
    pub id: String,
    /// The sls that declared it.
    pub sls: String,
    /// State module.
    pub state: String,
    /// Function.
    pub fun: String,
    /// The `name` argument.
    pub name: String,
    /// True right or made right; false failed; null would change (plan).
    pub result: Option<bool>,
    /// Salt's shape for that state; empty if and only if nothing changed.
    pub changes: Map<String, Json>,
    /// Salt's words.
    pub comment: String,
    /// Counts every call; a fired watch uses two.
    pub run_num: u64,
    /// Milliseconds.
    pub duration_ms: f64,
    /// False when a requisite kept it from running.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub state_ran: bool,
    /// A guard skipped it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_watch: bool,
    /// Salt's warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How well its changes can be undone, the worst of them (J5); nothing where it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undone>,
    /// How well its changes can be undone, when not exactly; one text per act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo_notes: Vec<String>,
    /// Who gave rise to its changes; `None` where there are none, or nobody can know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// It had its turn only because this earlier run owed it (a change was made, and what had to follow was not done).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<String>,
}

/// Who gave rise to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The tree changed since the host was last told.
    Yours,
    /// The host is not as the last run left it.
    Drift,
}

/// Something a run of ours left on a host, and whose state is no longer in the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Where.
    pub address: String,
    /// Module and function of the state that last owned it.
    pub state: String,
    /// That state's id.
    pub id: String,
    /// The sls that declared it.
    pub sls: String,
    /// The run that last changed it.
    pub run: String,
    /// What became of it, or would: empty (left alone), `restored` (to what was there before us), `conflict` (somebody
    /// changed it since: left alone), `kept` (it cannot go; the note says why).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fate: String,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

const fn yes() -> bool {
    true
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_true(value: &bool) -> bool {
    *value
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl StateResult {
    /// A result of a chunk, true and without changes.
    pub fn met(id: &ChunkId, sls: &str) -> Self {
        Self {
            id: id.id.clone(),
            sls: sls.to_owned(),
            state: id.state.clone(),
            fun: id.fun.clone(),
            name: id.name.clone(),
            result: Some(true),
            changes: Map::new(),
            comment: String::new(),
            run_num: 0,
            duration_ms: 0.0,
            state_ran: true,
            skip_watch: false,
            warnings: Vec::new(),
            undo: None,
            undo_notes: Vec::new(),
            cause: None,
            owed: None,
        }
    }
}

/// How a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As declared; nothing changed.
    Ok,
    /// As declared; something changed (or, in a plan, would).
    Changed,
    /// A state failed.
    Failed,
    /// No session with the host.
    Unreachable,
    /// The session broke; what happened is not known yet.
    Unknown,
    /// Nothing was touched, for a reason.
    Refused,
    /// Taken back.
    RolledBack,
}

/// Counts over a host's states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// States that are right and needed nothing.
    pub ok: u64,
    /// States that changed something (or would).
    pub changed: u64,
    /// States that failed.
    pub failed: u64,
    /// States a requisite kept from running.
    pub skipped: u64,
}

impl Totals {
    /// Counts `results`.
    pub fn of(results: &[StateResult]) -> Self {
        let mut totals = Self::default();
        for result in results {
            let slot = match result {
                r if r.result == Some(false) => &mut totals.failed,
                r if !r.changes.is_empty() || r.result.is_none() => &mut totals.changed,
                r if !r.state_ran => &mut totals.skipped,
                _ => &mut totals.ok,
            };
            *slot += 1;
        }
        totals
    }
}

/// What a host says at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The master's id of the run.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The generation the host is at now.
    pub generation: u64,
    /// The generation it was at before.
    pub previous_generation: u64,
    /// Per state, in run order.
    pub states: Vec<StateResult>,
    /// Milliseconds on the host.
    pub duration_ms: u64,
    /// Lines for people: owed actions paid, a recovery that was done, conflicts left.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The agent's peak resident memory in KiB.
    #[serde(default)]
    pub peak_rss_kib: u64,
    /// CPU time the run took on the host, in milliseconds.
    #[serde(default)]
    pub cpu_ms: u64,
    /// What is left of states that are no longer in the tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<Orphan>,
    /// The end of the journal afterwards; what the journal itself keeps has none.
    #[serde(default)]
    pub chain: Option<crate::frame::Chain>,
}
