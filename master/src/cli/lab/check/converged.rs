//! Every host is as declared, and a second apply changes nothing.

use std::time::Instant;

use serde_json::json;

use super::{Finding, Scene, Trouble, rounded};
use crate::cli::apply::Wish;
use crate::report::{Mode, RunResult};
use proto::Outcome;

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    let wish = Wish::of(Mode::Apply);
    let first = scene.apply("*", None, wish)?;
    let broken = causes(&first);
    if !broken.is_empty() {
        return Err(broken.join("; ").into());
    }
    let start = Instant::now();
    let second = scene.apply("*", None, wish)?;
    let seconds = start.elapsed().as_secs_f64();
    let broken = causes(&second);
    if !broken.is_empty() {
        return Err(broken.join("; ").into());
    }
    let (ok, hosts, changed) = (second.count(Outcome::Ok), second.hosts.len(), changes(&second));
    let more = match changed.as_slice() {
        [] => String::new(),
        some => format!(": {}", some.join(", ")),
    };
    Ok(Finding::new(
        ok == hosts && changed.is_empty(),
        format!(
            "{ok} of {hosts} hosts ok, the second apply changed {}{more} in {seconds:.1} s",
            changed.len()
        ),
        "all ok, 0 changed",
        json!({ "hosts": hosts, "ok": ok, "changed": changed, "noop_seconds": rounded(seconds) }),
    ))
}

/// Why hosts did not end as they should: the first cause of each.
pub(in crate::cli::lab) fn causes(run: &RunResult) -> Vec<String> {
    let well = |outcome: Outcome| match outcome {
        Outcome::Ok | Outcome::Changed => true,
        // What was asked for.
        Outcome::RolledBack => run.mode == Mode::Rollback,
        _ => false,
    };
    let bad = run.hosts.iter().filter(|host| !well(host.outcome));
    bad.map(|host| {
        let failed = host
            .states
            .iter()
            .find(|state| state.result == Some(false) && state.state_ran);
        let cause = match (failed, &host.error) {
            (Some(state), _) => {
                let first = state.comment.lines().next().unwrap_or_default();
                format!("{}.{} {}: {first}", state.state, state.fun, state.id)
            }
            (None, Some((cause, _))) => cause.clone(),
            (None, None) => format!("{:?}", host.outcome),
        };
        format!("{}: {cause}", host.host)
    })
    .collect()
}

/// What a run changed: host and state.
fn changes(run: &RunResult) -> Vec<String> {
    let states = run
        .hosts
        .iter()
        .flat_map(|host| host.states.iter().map(move |state| (host, state)));
    states
        .filter(|(_, state)| !state.changes.is_empty())
        .map(|(host, state)| format!("{}: {}.{} {}", host.host, state.state, state.fun, state.id))
        .collect()
}
