//! What people and scripts read: folds of what hosts said. Nothing here decides anything but the exit code.

pub mod json;
pub mod progress;
pub mod screen;
pub mod text;

use proto::{Orphan, Outcome, StateResult, Totals};
use serde_json::Value as Json;

use crate::transport::Traffic;

/// What a run asked of its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make it so.
    Apply,
    /// Say what would be done.
    Plan,
    /// Go back.
    Rollback,
}

impl Mode {
    /// The contract's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Plan => "plan",
            Self::Rollback => "rollback",
        }
    }
}

/// How one host ended.
#[derive(Debug, Clone)]
pub struct HostResult {
    /// Its roster id.
    pub host: String,
    /// How.
    pub outcome: Outcome,
    /// The generation it is at now, where known.
    pub generation: Option<u64>,
    /// The generation it was at before, where known.
    pub previous_generation: Option<u64>,
    /// Milliseconds from the first byte to the report.
    pub duration_ms: u64,
    /// Per state, in run order.
    pub states: Vec<StateResult>,
    /// Why it did not end as it should, when not by a state: cause and way out.
    pub error: Option<(String, Option<String>)>,
    /// Further lines for people.
    pub notes: Vec<String>,
    /// Whether its catalog was compiled for this run; one made from the same inputs is not compiled again.
    pub compiled: bool,
    /// What the session moved.
    pub traffic: Traffic,
    /// The agent's peak resident memory in KiB; 0 when not told.
    pub peak_rss_kib: u64,
    /// The agent's CPU time in milliseconds.
    pub cpu_ms: u64,
    /// What is left on it of states that are no longer in the tree.
    pub orphans: Vec<Orphan>,
    /// What somebody changed since, three ways, in the contract's JSON: address, before, ours, theirs, diff.
    pub conflicts: Vec<Json>,
}

impl HostResult {
    /// A host that ended without a report.
    pub fn without_report(host: &str, outcome: Outcome, cause: String, help: Option<String>) -> Self {
        Self {
            host: host.to_owned(),
            outcome,
            generation: None,
            previous_generation: None,
            duration_ms: 0,
            states: Vec::new(),
            error: Some((cause, help)),
            notes: Vec::new(),
            compiled: false,
            traffic: Traffic::default(),
            peak_rss_kib: 0,
            cpu_ms: 0,
            orphans: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    /// Counts over its states.
    pub fn totals(&self) -> Totals {
        Totals::of(&self.states)
    }
}

/// How a run ended on all its hosts.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// The run's id.
    pub run: String,
    /// Commit, or `worktree+digest`; empty in a rollback.
    pub commit: String,
    /// What was asked.
    pub mode: Mode,
    /// Hosts in roster order.
    pub hosts: Vec<HostResult>,
    /// The target as given, to print the command that would undo it.
    pub target: String,
}

impl RunResult {
    /// The contract's exit code: the worst host decides, in the order 1, 4, 3, 5, 2, 0.
    pub fn exit_code(&self) -> u8 {
        const ORDER: [u8; 6] = [1, 4, 3, 5, 2, 0];
        let codes: Vec<u8> = self.hosts.iter().map(|host| self.code_of(host)).collect();
        ORDER.into_iter().find(|code| codes.contains(code)).unwrap_or(0)
    }

    fn code_of(&self, host: &HostResult) -> u8 {
        match host.outcome {
            Outcome::Ok => 0,
            Outcome::Changed if self.mode == Mode::Plan => 2,
            Outcome::Changed => 0,
            // A rollback that was asked for and done is what was wanted.
            Outcome::RolledBack if self.mode == Mode::Rollback => 0,
            Outcome::RolledBack => 4,
            Outcome::Failed => 1,
            Outcome::Unreachable | Outcome::Unknown => 3,
            Outcome::Refused => 5,
        }
    }

    /// How many hosts ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.hosts.iter().filter(|host| host.outcome == outcome).count()
    }

    /// The command that takes the run back; `None` when it changed nothing.
    pub fn undo_command(&self) -> Option<String> {
        let moved = |host: &&HostResult| {
            let gone = self.mode == Mode::Apply && host.outcome == Outcome::RolledBack;
            !gone && host.generation.is_some() && host.generation != host.previous_generation
        };
        if self.mode == Mode::Plan || !self.hosts.iter().any(|host| moved(&host)) {
            return None;
        }
        let target = if self.target == "*" {
            String::new()
        } else {
            format!(" {}", quoted(&self.target))
        };
        Some(format!("salt-rs rollback{target} --run {}", self.run))
    }
}

/// A text as a shell word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,".contains(c);
    // The target may carry its own switch (`-G 'roles:web'`).
    match text.split_once(' ') {
        Some((switch, rest)) if switch.starts_with('-') && switch.len() == 2 => {
            format!("{switch} {}", quoted(rest))
        }
        _ if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mode: Mode, outcomes: &[Outcome]) -> RunResult {
        let host = |outcome: &Outcome| HostResult {
            error: None,
            ..HostResult::without_report("h", *outcome, String::new(), None)
        };
        let hosts = outcomes.iter().map(host).collect();
        RunResult {
            run: "R".into(),
            commit: String::new(),
            mode,
            hosts,
            target: "*".into(),
        }
    }

    #[test]
    fn the_worst_host_decides() {
        use Outcome::{Changed, Failed, Ok, Refused, RolledBack, Unknown, Unreachable};
        for (mode, outcomes, code) in [
            (Mode::Apply, &[Ok, Changed][..], 0),
            (Mode::Plan, &[Ok, Changed], 2),
            (Mode::Plan, &[Changed, Refused], 5),
            (Mode::Apply, &[Unknown, Refused], 3),
            (Mode::Apply, &[Unreachable, RolledBack], 4),
            (Mode::Apply, &[RolledBack, Failed], 1),
            (Mode::Rollback, &[RolledBack, Ok], 0),
            (Mode::Apply, &[], 0),
        ] {
            assert_eq!(run(mode, outcomes).exit_code(), code, "{mode:?} {outcomes:?}");
        }
    }

    #[test]
    fn targets_are_shell_words() {
        assert_eq!(quoted("web1"), "web1");
        assert_eq!(quoted("web*"), "'web*'");
        assert_eq!(quoted("-G roles:w*"), "-G 'roles:w*'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
