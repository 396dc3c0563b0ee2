//! Every frame of the wire, one enum each way. Control frames are JSON; blobs travel raw in frames of their own.

use serde::{Deserialize, Serialize};

use crate::question::Call;
use crate::{Answer, Change, Command, Digest, Entry, Generation, Outcome, Output, Question, Report};

/// Version of the wire protocol; equal on both sides since the master ships the agent.
///
/// - 1: first.
pub const PROTOCOL: u32 = 1;

/// What the master says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromMaster {
    /// First frame of a session.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The master's identity (T8).
        master: String,
        /// Unsettled run of this host whose result the master lacks, if any.
        attach: Option<String>,
        /// Obey this master from now on, whichever it was before (T8).
        #[serde(default)]
        take_over: bool,
        /// What the settings allow the host; stored there for what runs without the master.
        #[serde(default)]
        limits: Limits,
        /// The end of this host's journal as the master knows it (J4): [`Chain::digest`].
        #[serde(default)]
        known: Option<Digest>,
    },
    /// Questions; answered by one [`FromMinion::Answers`] in the same order.
    Ask(Vec<Question>),
    /// Converge, or plan. The catalog travels as a blob under its digest.
    Apply(Apply),
    /// Go back.
    Rollback(Rollback),
    /// On a connection newer than the run: it stays (J11). Answered by [`FromMinion::Standing`].
    Confirm {
        /// The run.
        run: String,
        /// The epoch it was told with.
        epoch: u64,
    },
    /// List generations, newest first.
    Log {
        /// At most so many; 0 is all.
        limit: usize,
        /// Only this generation.
        generation: Option<u64>,
        /// With unified diffs of text files.
        diff: bool,
    },
    /// Check the whole journal and every kept blob; answered by [`FromMinion::Value`].
    Verify,
    /// Which runs made a path what it is; answered by [`FromMinion::Value`].
    Blame {
        /// The path.
        path: String,
    },
    /// Run a command for `salt-rs run`.
    Run(Command),
    /// Call an execution function for `salt-rs call`.
    Call(Call),
    /// Stop after the current step.
    Cancel,
    /// No more; the minion ends its session.
    Bye,
}

/// What a host may keep, and how long it may wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of old package files to keep (J12); those that a kept generation needs are not counted against anybody.
    pub packages_keep: u64,
    /// Seconds to wait for another program that uses the package manager.
    pub packages_wait: u64,
    /// So many generations are kept at most; 0 is no limit.
    pub keep_generations: u64,
    /// None older than so many days, the newest ten excepted; 0 is no limit.
    pub keep_days: u64,
    /// So many bytes of entries and kept contents at most, package files not counted, the newest generation excepted; 0
    /// is no limit.
    pub keep_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packages_keep: 2 << 30,
            packages_wait: 60,
            keep_generations: 100,
            keep_days: 0,
            keep_bytes: 2 << 30,
        }
    }
}

/// What to make true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// The master's id of the run.
    pub run: String,
    /// Fencing epoch: greater than any the host has seen, or equal with the same catalog (T8).
    pub epoch: u64,
    /// Commit, or `worktree+digest`.
    pub rev: String,
    /// `user@host` of the person.
    pub by: String,
    /// The catalog's bytes.
    pub catalog: Digest,
    /// Digests of blobs the catalog needs that follow in this flight; the host takes the rest from its store or says
    /// [`FromMinion::Want`].
    pub following: Vec<Digest>,
    /// Say what would change, and change nothing.
    pub plan: bool,
    /// What it changes goes back unless it is confirmed within so many seconds of its end (J11); `None` stays.
    #[serde(default)]
    pub confirm: Option<u64>,
    /// What the catalog stands for; see [`crate::RunHeader::scope`].
    #[serde(default)]
    pub scope: String,
    /// Take back what is left of states that are no longer in the tree.
    #[serde(default)]
    pub prune: bool,
}

/// What to go back to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The master's id of this run.
    pub run: String,
    /// Fencing epoch.
    pub epoch: u64,
    /// `user@host` of the person.
    pub by: String,
    /// The target.
    pub to: BackTo,
    /// Only show it.
    pub plan: bool,
    /// Leave what somebody changed since, and take back the rest.
    pub skip_conflicts: bool,
    /// Overwrite what somebody changed since (it is kept, and can be undone).
    pub force: bool,
    /// As in [`Apply::confirm`].
    #[serde(default)]
    pub confirm: Option<u64>,
    /// Put text together where what goes back and what somebody changed since do not meet (J6).
    #[serde(default)]
    pub merge: bool,
    /// Go back although something in between cannot be taken back (J5).
    #[serde(default)]
    pub past_irreversible: bool,
    /// The first of two phases (J9): compare, check what is kept, take the lock and hold it for the second, which is
    /// the same request without this, in the same session. A session that ends lets go.
    #[serde(default)]
    pub prepare: bool,
    /// The generation the host was at when this was decided; at another one it is refused. `None` is any.
    #[serde(default)]
    pub at: Option<u64>,
}

/// Which generation to go back to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackTo {
    /// Before the newest run that is not itself undone.
    #[default]
    Previous,
    /// To before the newest going back that was not itself taken back.
    Redo,
    /// To the end of this generation.
    Generation(u64),
    /// To before this run of the master's.
    BeforeRun(String),
}

/// What the minion says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromMinion {
    /// Answer to Hello.
    Welcome {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The generation it is at.
        generation: u64,
        /// The highest epoch it has seen.
        epoch: u64,
        /// The run that is going on now, if any.
        running: Option<String>,
        /// Report of the run the master asked for in `attach`, when it has ended.
        settled: Option<Report>,
        /// The end of its journal.
        #[serde(default)]
        chain: Option<Chain>,
    },
    /// A sign of life while a run works; sent at least every 10 s.
    Alive,
    /// Answers, in the order of the questions.
    Answers(Vec<Answer>),
    /// Assumptions of the catalog no longer hold: compile again with these.
    Stale(Vec<(Question, Answer)>),
    /// Blobs it lacks.
    Want(Vec<Digest>),
    /// It has seen a newer epoch, or another master's (T8).
    Outdated {
        /// The epoch it holds.
        epoch: u64,
        /// The master it belongs to.
        master: String,
    },
    /// Another run holds the lock.
    Busy {
        /// Process id, run and since when, for people.
        holder: String,
    },
    /// A journal entry as it was written, or a state's result in a plan.
    Entry(Entry),
    /// What a rollback would do or has done.
    RollbackReport(RollbackReport),
    /// The run's end.
    Report(Report),
    /// How it stands with a run that may be on probation.
    Standing(Standing),
    /// Generations, newest first; with diffs by address where asked for.
    Generations(Vec<(Generation, Vec<(String, String)>)>),
    /// A command's output.
    Output(Output),
    /// An execution function's value; `None` is an unknown function.
    Value(Option<serde_json::Value>),
    /// The request cannot be met: what, why, the way out.
    Fault(String),
}

/// How it stands with a run that may be on probation (J11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The run.
    pub run: String,
    /// How it stands.
    pub how: Probation,
    /// The generation the host is at.
    pub generation: u64,
    /// Seconds until it goes back, where that is still ahead.
    pub left: Option<u64>,
    /// Lines for people: what went back, what could not.
    pub notes: Vec<String>,
}

/// What became of a run's probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probation {
    /// The run has not ended.
    Going,
    /// It waits for a frame on a connection that is newer than its end; this one is not.
    Open,
    /// It goes back: it is too late, or it never came to its end.
    Leaving,
    /// It stays.
    Kept,
    /// It was taken back.
    TakenBack,
    /// Nothing is known of such a run.
    Unknown,
}

/// What a rollback would do or has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackReport {
    /// The master's id of this run.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The generation it went back to.
    pub to: u64,
    /// The generation the host is at now.
    pub generation: u64,
    /// The generation it was at before.
    pub previous_generation: u64,
    /// What was (or would be) put back: `before` is what is there, `after` what comes back.
    pub restored: Vec<Change>,
    /// What somebody changed since, each with the three values.
    pub conflicts: Vec<Conflict>,
    /// What cannot come back, with the reason.
    pub lost: Vec<String>,
    /// What went wrong.
    pub failed: Vec<String>,
    /// Milliseconds on the host.
    pub duration_ms: u64,
    /// Texts that are put together: address, and the diff from what is there to what comes back.
    #[serde(default)]
    pub merged: Vec<(String, String)>,
    /// Why it is refused, where that is not (only) for conflicts.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Further lines for people.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The end of the journal afterwards.
    #[serde(default)]
    pub chain: Option<Chain>,
}

/// An address that is neither as we left it nor as it shall be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Where and what we did: `before` is before us, `after` is ours.
    pub ours: Change,
    /// What is there now.
    pub theirs: crate::Value,
    /// For a text file, what we did: the diff from before us to ours.
    #[serde(default)]
    pub ours_diff: Option<String>,
    /// For a text file, what somebody did since: the diff from ours to what is there.
    #[serde(default)]
    pub theirs_diff: Option<String>,
}

/// The end of a host's journal, as its master keeps it to notice one that was cut or swapped (J4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The generation the host is at.
    pub generation: u64,
    /// The last record's checksum, keyed with the master's identity: it says nothing of what the journal holds.
    pub digest: Digest,
    /// Whether the journal goes on from the end that the master told; `None` when it told none.
    #[serde(default)]
    pub continues: Option<bool>,
}

impl Chain {
    /// A record's checksum as a master may keep it.
    pub fn keyed(master: &str, sum: &Digest) -> Digest {
        Digest::of(format!("{master}\n{sum}"))
    }
}
