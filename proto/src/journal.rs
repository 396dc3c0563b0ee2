//! What a host keeps: journal entries and generations.
//!
//! On disk an entry is one JSON line `{"seq":…,"prev":…,"sum":…,"entry":…}`; how it is framed, chained and made
//! durable is `minion/src/journal`'s affair.

use serde::{Deserialize, Serialize};

use crate::{Act, Address, Change, ChunkId, Digest, Outcome, PreImage, Problem, Report, StateResult};

/// Version of the journal's format.
///
/// - 1.0: first.
pub const FORMAT: &str = "1.0";

/// On whose behalf an intent's acts changed an address.
pub fn whose<'a>(
    chunk: Option<&'a ChunkId>,
    beside: &'a [ChunkId],
    acts: &[Act],
    at: &Address,
) -> Option<&'a ChunkId> {
    let names = |act: &Act| matches!(act, Act::Assign { at: named, .. } if named == at);
    let number = acts.iter().position(names).unwrap_or(0);
    let other = number.checked_sub(1).and_then(|number| beside.get(number));
    other.or(chunk)
}

/// One line of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The run begins.
    Open(RunHeader),
    /// About to act: pre-images are durable.
    Intent {
        /// Counts acts within the run.
        act_num: u64,
        /// On whose behalf; `None` in a rollback.
        chunk: Option<ChunkId>,
        /// On whose behalf each act after the first is, where files of several chunks go live together; see [`whose`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<ChunkId>,
        /// One transaction.
        acts: Vec<Act>,
        /// What was there.
        before: Vec<PreImage>,
    },
    /// Acted; what was observed to change.
    Done {
        /// The intent's number.
        act_num: u64,
        /// Consequences included.
        changes: Vec<Change>,
    },
    /// Tried and not done, or only partly: `changes` is what was observed.
    Failed {
        /// The intent's number.
        act_num: u64,
        /// Why.
        why: Problem,
        /// What changed all the same.
        changes: Vec<Change>,
    },
    /// A state's result.
    State(StateResult),
    /// Found at the next start: an intent without its end, resolved by looking.
    Recovered {
        /// The intent's number.
        act_num: u64,
        /// `applied`, `not_applied`, `restored`, `unknown`.
        how: String,
        /// What the act had changed, where it had.
        changes: Vec<Change>,
    },
    /// What the run waits for; told, not kept.
    Waiting(String),
    /// The run ends.
    Close {
        /// How.
        outcome: Outcome,
        /// The report as it was, or would have been, sent.
        report: Option<Report>,
    },
}

/// Who asked for what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`FORMAT`] of the writer.
    pub format: String,
    /// The master's id of the run.
    pub run: String,
    /// Fencing epoch (T8).
    pub epoch: u64,
    /// The master's identity (T8).
    pub master: String,
    /// Commit, or `worktree+digest`.
    pub rev: String,
    /// `user@host` of the person.
    pub by: String,
    /// `apply`, `rollback`.
    pub goal: String,
    /// Digest of the catalog; `None` in a rollback.
    pub catalog: Option<Digest>,
    /// Seconds since 1970, for people only (M6).
    pub started: u64,
    /// The generation before the run.
    pub parent: u64,
    /// The generation this run restores, in a rollback.
    pub restores: Option<u64>,
    /// Seconds after its end within which it must be confirmed, or it goes back (J11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<u64>,
    /// What the catalog stood for: `*` the whole highstate, sls names with commas between them, empty where it is not
    /// known. What left the tree is judged only by a run over the same scope.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The kernel's id of the boot during which it ran; a restart that it owes is paid by the next boot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot: String,
    /// The process it ran in: the programs it started carry this number, and outlive it when it is killed.
    #[serde(default)]
    pub process: u32,
}

/// A run that changed something, as listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Counts runs that changed something on this host; the first is 1, before it is 0.
    pub number: u64,
    /// Its header.
    pub header: RunHeader,
    /// How it ended; `None` while it runs, or when it was cut off.
    pub outcome: Option<Outcome>,
    /// Addresses it changed.
    pub changes: Vec<Change>,
}
