//! The power goes at every sync and rename: what the disk holds then is all there is. Nothing is torn, nothing that was reported
//! as done is lost, and the next run converges or goes back.
//!
//! The host's disk is an ext4 on an image. The agent is killed at the call, which leaves what it wrote in the page cache; the
//! image is copied as it is, and the copy becomes the disk of a host that boots. Data that nobody synced is really gone: commits
//! of the file system's own are put off, and it is told not to write data out on its own account when a file is renamed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use proto::Outcome;
use proto::frame::BackTo;

use super::agent::{self, Heard, Order, STATE, Watch};
use super::ground::{Disk, Ground, Soil};
use super::kill::{Phase, labelled};
use super::kinds::Kind;
use super::sheet::Tally;
use super::trace::{Call, Inject};
use super::trial::Trial;
use super::{Choice, Torn};
use crate::os;

/// Calls at which something becomes durable, or takes its name.
const CALLS: &[&str] = &[
    "fsync",
    "fdatasync",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "unlinkat",
    "mkdirat",
];

/// Kinds whose changes are the agent's own; what other programs write and do not sync is theirs to lose.
pub const KINDS: &[&str] = &["file", "symlink", "tree", "user", "cron", "sysctl", "archive"];

/// Cuts the power at the chosen points of one kind and phase. The last point is after the end of the run.
///
/// # Errors
/// The kind cannot be tried at all.
pub fn sweep(soil: &Soil, kind: &Kind, phase: Phase, choice: &Choice) -> Result<Tally, Torn> {
    let began = Instant::now();
    let mut tally = Tally::new("power", &format!("{} {}", kind.name, phase.word()));
    let trial = Trial::new(soil, kind)?;
    let disk = prepared(soil, &trial)?;
    let calls: Vec<&Call> = trial
        .calls(phase)
        .iter()
        .filter(|call| call.changes && CALLS.contains(&call.name.as_str()))
        .collect();
    for point in choice.points(calls.len() + 1) {
        let call = calls.get(point).copied();
        let (outcome, wrong) = match one(soil, &trial, &disk, phase, point, call) {
            Ok(found) => found,
            Err(error) => ("broken", vec![error.0]),
        };
        tally.count(outcome);
        let at = call.map_or("the end", |call| call.text.as_str());
        tally.breaches.extend(wrong.into_iter().map(|what| {
            let word = phase.word();
            format!(
                "torture power --kind {} --phase {word} --point {point}\n  at {at}\n  {what}",
                kind.name
            )
        }));
    }
    tally.took = began.elapsed();
    os::remove_tree(&disk)?;
    Ok(tally)
}

/// The image of a disk on which all is as before.
fn prepared(soil: &Soil, trial: &Trial<'_>) -> Result<PathBuf, Torn> {
    let disk = soil.place();
    os::make_dir(&disk)?;
    let image = disk.join("disk.img").display().to_string();
    os::run("truncate", &["-s", "96M", &image])?;
    os::run("mkfs.ext4", &["-q", "-F", "-m", "0", "-J", "size=8", &image])?;
    let host = soil.host_on(disk.clone(), Disk::Image)?;
    let from = format!("{}/.", trial.prepared()?.display());
    os::run("cp", &["-a", &from, &host.upper().display().to_string()])?;
    host.check("sync -f /run/disk/upper")?;
    host.halt()?;
    Ok(disk)
}

fn copied(soil: &Soil, disk: &Path) -> Result<PathBuf, Torn> {
    let copy = soil.place();
    os::make_dir(&copy)?;
    let (from, to) = (disk.join("disk.img"), copy.join("disk.img"));
    os::run(
        "cp",
        &[
            "--sparse=always",
            &from.display().to_string(),
            &to.display().to_string(),
        ],
    )?;
    Ok(copy)
}

/// One point: how it came out, and what must not be.
fn one(
    soil: &Soil,
    trial: &Trial<'_>,
    disk: &Path,
    phase: Phase,
    point: usize,
    call: Option<&Call>,
) -> Result<(&'static str, Vec<String>), Torn> {
    let inject = call.map(|call| Inject {
        call: call.clone(),
        what: "signal=KILL".to_owned(),
        again: "",
    });
    let first = copied(soil, disk)?;
    let host = up(soil, trial, &first)?;
    let struck = strike(trial, &host, phase, inject.as_ref())?;
    // Now: what the image holds at this moment is what a disk without power holds.
    let left = copied(soil, &first)?;
    drop(host);
    os::remove_tree(&first)?;

    let host = up(soil, trial, &left)?;
    let mut wrong = trial.halves(&host)?;
    wrong.extend(lost(trial, &host, phase, &struck)?);
    let forward = point.is_multiple_of(2);
    if forward {
        let next = agent::run(&host, &Order::Apply(&trial.bundle), 5, &Watch::Not)?;
        if !matches!(next.outcome(), Some(Outcome::Changed | Outcome::Ok)) {
            wrong.push(format!("the next run does not converge: {}", next.why()));
        }
        wrong.extend(labelled(
            "after the next run",
            trial.off_wanted_again(&host, phase)?,
        ));
    }
    let back = agent::run(&host, &Order::Back(BackTo::Generation(0)), 6, &Watch::Not)?;
    if !matches!(back.outcome(), Some(Outcome::RolledBack | Outcome::Ok)) {
        wrong.push(format!("it does not go back: {}", back.why()));
    }
    wrong.extend(labelled("after going back", trial.off_before(&host)?));
    wrong.extend(labelled("left over", trial.leftovers(&host)?));
    drop(host);
    os::remove_tree(&left)?;
    let outcome = match (call.is_some() && !struck.hit, forward) {
        (true, _) => "not met",
        (false, true) => "converged",
        (false, false) => "restored",
    };
    Ok((outcome, wrong))
}

fn up(soil: &Soil, trial: &Trial<'_>, disk: &Path) -> Result<Ground, Torn> {
    let host = soil.host_on(disk.to_owned(), Disk::Image)?;
    if !trial.kind.start.is_empty() {
        host.check(trial.kind.start)?;
    }
    Ok(host)
}

fn strike(trial: &Trial<'_>, host: &Ground, phase: Phase, inject: Option<&Inject>) -> Result<Heard, Torn> {
    if let Some(inject) = inject {
        return trial.strike(host, phase, inject);
    }
    let there = agent::run(host, &Order::Apply(&trial.bundle), 1, &Watch::Not)?;
    match phase {
        Phase::There => Ok(there),
        Phase::Back => agent::run(host, &Order::Back(BackTo::Previous), 2, &Watch::Not),
    }
}

/// What had been reported as done and is not there after the cut.
fn lost(trial: &Trial<'_>, host: &Ground, phase: Phase, struck: &Heard) -> Result<Vec<String>, Torn> {
    let mut wrong = Vec::new();
    let number = if phase == Phase::There { 1 } else { 2 };
    let path = host.root().join(format!("{}/runs/{number}/entries", &STATE[1..]));
    let entries = os::read(&path).unwrap_or_default();
    let kept = String::from_utf8_lossy(&entries)
        .matches("\"entry\":{\"done\":")
        .count();
    if kept < struck.done {
        wrong.push(format!(
            "{} acts were told as done, the journal knows {kept}",
            struck.done
        ));
    }
    // Mounts and kernel settings end with the boot.
    if struck.outcome().is_some() && trial.kind.live.is_empty() {
        let off = match phase {
            Phase::There => trial.off_wanted(host)?,
            Phase::Back => trial.off_before(host)?,
        };
        wrong.extend(labelled("reported and lost", off));
    }
    Ok(wrong)
}
