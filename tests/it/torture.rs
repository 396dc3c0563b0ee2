//! A sample of `make torture`: some of the calls at which the agent is killed, fails, or loses its power, for the kinds of change
//! that need no host of their own.

use std::path::Path;

use harness::static_agent;
use harness::torture::{Choice, Plan, run, sheet};

/// Sweeps a sample, and fails with what was found.
fn sample(sweep: &str, count: usize, kinds: &[&str]) {
    let agent: &Path = static_agent();
    for kind in kinds {
        let plan = Plan {
            sweep: Some(sweep.to_owned()),
            phase: None,
            choice: Choice {
                kind: Some((*kind).to_owned()),
                point: None,
                sample: count,
            },
            seed: 1,
        };
        let all = run(agent, &plan, &|_| {}).unwrap();
        assert!(sheet::sums(&all), "{kind}: there are breaches");
        let points: usize = all.iter().map(|tally| tally.points).sum();
        assert!(
            points >= count,
            "{kind}: only {points} points: is anything written at all?"
        );
    }
}

#[test]
fn killed_at_any_write_the_agent_leaves_nothing_half_done() {
    sample(
        "kill",
        6,
        &[
            "file", "symlink", "tree", "user", "cron", "mount", "checkout", "archive", "command",
        ],
    );
}

#[test]
fn a_call_that_fails_is_told_and_what_was_done_goes_back() {
    sample("fault", 8, &["file", "tree", "user", "sysctl", "archive"]);
}

#[test]
fn what_was_told_as_done_survives_a_power_cut() {
    sample("power", 5, &["file", "tree", "cron"]);
}
