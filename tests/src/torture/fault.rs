//! Calls that fail: no room, a broken disk, a read-only file system, no more descriptors, once or from there on. No panic, no
//! "done" that is not true, and going back afterwards gives what was there before.

use std::time::Instant;

use proto::Outcome;

use super::agent::{self, Heard, Order, Watch};
use super::ground::Soil;
use super::kill::{Phase, labelled};
use super::kinds::Kind;
use super::sheet::Tally;
use super::trace::{Call, Inject};
use super::trial::Trial;
use super::{Choice, Torn};

/// An error and the calls that may give it.
const ERRORS: &[(&str, &[&str])] = &[
    (
        "ENOSPC",
        &[
            "openat",
            "write",
            "writev",
            "pwrite64",
            "fallocate",
            "copy_file_range",
            "sendfile",
            "rename",
            "renameat",
            "renameat2",
            "link",
            "linkat",
            "symlink",
            "symlinkat",
            "mkdir",
            "mkdirat",
            "fsync",
            "fdatasync",
            "setxattr",
            "fsetxattr",
            "lsetxattr",
        ],
    ),
    (
        "EIO",
        &[
            "openat",
            "write",
            "writev",
            "pwrite64",
            "ftruncate",
            "copy_file_range",
            "rename",
            "renameat",
            "renameat2",
            "unlink",
            "unlinkat",
            "mkdir",
            "mkdirat",
            "rmdir",
            "fsync",
            "fdatasync",
            "fchmod",
            "fchown",
        ],
    ),
    (
        "EROFS",
        &[
            "openat",
            "ftruncate",
            "rename",
            "renameat",
            "renameat2",
            "link",
            "linkat",
            "symlink",
            "symlinkat",
            "unlink",
            "unlinkat",
            "mkdir",
            "mkdirat",
            "rmdir",
            "chmod",
            "fchmod",
            "fchmodat",
            "chown",
            "fchown",
            "lchown",
            "fchownat",
            "utimensat",
            "setxattr",
            "fsetxattr",
            "lsetxattr",
            "fremovexattr",
            "mount",
        ],
    ),
    ("EMFILE", &["openat", "pipe2"]),
];

/// All points of a list of calls: each with each error it may give, once and from there on.
fn points(calls: &[Call]) -> Vec<Inject> {
    let mut found = Vec::new();
    for call in calls {
        for (error, names) in ERRORS {
            // Descriptors run out for reading, too.
            if !names.contains(&call.name.as_str()) || !(call.changes || *error == "EMFILE") {
                continue;
            }
            for again in ["", "+"] {
                found.push(Inject {
                    call: call.clone(),
                    what: format!("error={error}"),
                    again,
                });
            }
        }
    }
    found
}

/// Lets the chosen points of one kind and phase fail.
///
/// # Errors
/// The kind cannot be tried at all.
pub fn sweep(soil: &Soil, kind: &Kind, phase: Phase, choice: &Choice) -> Result<Tally, Torn> {
    let began = Instant::now();
    let mut tally = Tally::new("fault", &format!("{} {}", kind.name, phase.word()));
    let trial = Trial::new(soil, kind)?;
    let all = points(trial.calls(phase));
    for point in choice.points(all.len()) {
        let inject = &all[point];
        let (outcome, wrong) = match one(&trial, phase, point, inject) {
            Ok(found) => found,
            Err(error) => ("broken", vec![error.0]),
        };
        tally.count(outcome);
        tally.breaches.extend(wrong.into_iter().map(|what| {
            format!(
                "torture fault --kind {} --phase {} --point {point}\n  {}{} at {}\n  {what}",
                kind.name,
                phase.word(),
                inject.what,
                inject.again,
                inject.call.text
            )
        }));
    }
    tally.took = began.elapsed();
    Ok(tally)
}

/// One point: how it came out, and what must not be.
fn one(
    trial: &Trial<'_>,
    phase: Phase,
    point: usize,
    inject: &Inject,
) -> Result<(&'static str, Vec<String>), Torn> {
    let fresh = trial.fresh()?;
    let stand = fresh.stand();
    let struck = trial.strike(stand, phase, inject)?;
    let mut wrong = Vec::new();
    // 1 is how it says that it could not do a thing; signals and other statuses are crashes.
    if !matches!(struck.code, 0 | 1) {
        wrong.push(format!("the agent crashed: {}", struck.why()));
    }
    match struck.outcome() {
        Some(Outcome::Changed | Outcome::Ok) if phase == Phase::There => {
            wrong.extend(labelled("said to be done", trial.off_wanted(stand)?));
        }
        Some(Outcome::RolledBack | Outcome::Ok) if phase == Phase::Back => {
            wrong.extend(labelled("said to be back", trial.off_before(stand)?));
        }
        _ => {}
    }
    if phase == Phase::There && point.is_multiple_of(2) {
        let next = agent::run(stand, &Order::Apply(&trial.bundle), 5, &Watch::Not)?;
        if !matches!(next.outcome(), Some(Outcome::Changed | Outcome::Ok)) {
            wrong.push(format!("the next run does not converge: {}", next.why()));
        }
        // What a state came to late it may make otherwise: other numbers are free by then.
        wrong.extend(labelled(
            "after the next run",
            trial.off_wanted_again(stand, Phase::Back)?,
        ));
        wrong.extend(untrue(&struck, &next));
    }
    let back = trial.go_back(stand, 6)?;
    if back
        .outcome()
        .is_none_or(|outcome| !matches!(outcome, Outcome::RolledBack | Outcome::Ok))
    {
        wrong.push(format!("it does not go back: {}", back.why()));
    }
    let mut left = trial.off_before(stand)?;
    left.extend(labelled("left over", trial.leftovers(stand)?));
    if struck.outcome() == Some(Outcome::Failed) && inject.again == "+" && inject.call.name == "unlinkat" {
        // A tree that was on its way out and of which nothing can be removed is told, and stays under a name of ours.
        left.retain(|line| !line.contains("/.salt-rs-"));
    }
    wrong.extend(labelled("after going back", left));
    let outcome = match struck.outcome() {
        _ if !struck.hit => "not met",
        Some(Outcome::Failed) => "told as failed",
        Some(Outcome::Refused) => "refused",
        Some(_) => "done all the same",
        None => "ended early",
    };
    Ok((outcome, wrong))
}

/// States that were said to be true and that the next run had to change.
fn untrue(said: &Heard, next: &Heard) -> Vec<String> {
    let states = |heard: &Heard| {
        heard
            .report
            .clone()
            .map(|report| report.states)
            .unwrap_or_default()
    };
    let again = states(next);
    let held = states(said)
        .into_iter()
        .filter(|state| state.result == Some(true));
    let undone = held.filter(|state| {
        again
            .iter()
            .any(|later| later.id == state.id && later.fun == state.fun && !later.changes.is_empty())
    });
    undone
        .map(|state| {
            format!(
                "{} was said to be as declared, and the next run changed it",
                state.id
            )
        })
        .collect()
}
