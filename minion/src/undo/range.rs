//! Which generation is meant, and what was done since.

use std::collections::BTreeMap;

use proto::frame::BackTo;
use proto::{Gather, Outcome};

use super::Fold;
use crate::journal::RunRecord;

/// Why a target cannot be gone back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoTarget(String);

/// The generation to go back to; `None` when nothing is left to undo.
///
/// # Errors
/// No such generation or run, or more than one fits.
pub fn target(history: &[RunRecord], to: &BackTo) -> Result<Option<u64>, NoTarget> {
    let by_number: BTreeMap<u64, &RunRecord> = history
        .iter()
        .filter_map(|run| Some((run.generation()?, run)))
        .gather();
    let head = by_number.keys().next_back().copied().unwrap_or(0);
    let oldest = history.first().map_or(0, |run| run.header.parent);
    let swept = |number: u64| {
        NoTarget(format!(
            "generation {number} is no longer in the journal: kept are {}–{head}, and one can go back to {oldest} at the \
             earliest",
            oldest + 1
        ))
    };
    match to {
        BackTo::Generation(number) if *number < oldest => Err(swept(*number)),
        BackTo::Generation(number) if *number <= head => Ok(Some(*number)),
        BackTo::Generation(number) => Err(NoTarget(format!(
            "there is no generation {number}: this host is at generation {head}"
        ))),
        BackTo::BeforeRun(prefix) => {
            let found: Vec<&RunRecord> = history
                .iter()
                .filter(|run| !prefix.is_empty() && run.header.run.starts_with(prefix))
                .collect();
            match found.as_slice() {
                // A run that was cut off and went on is two.
                [run, others @ ..] if others.iter().all(|other| other.header.run == run.header.run) => Ok(Some(run.header.parent)),
                [] => Err(NoTarget(format!(
                    "run {prefix} changed nothing on this host{}",
                    if oldest > 0 { ", or is no longer in its journal" } else { "" }
                ))),
                _ => Err(NoTarget(format!(
                    "several runs begin with {prefix}: give more of it"
                ))),
            }
        }
        BackTo::Redo => match redo(history) {
            Some(generation) => Ok(Some(generation)),
            None => Err(NoTarget(
                "there is no going back that could be taken back: something was applied since, or nothing was taken back"
                    .to_owned(),
            )),
        },
        BackTo::Previous => {
            let mut number = head;
            while let Some(run) = by_number.get(&number) {
                match run.header.restores {
                    // Going back was cut off or failed in the middle: go on with it.
                    Some(restores) if !finished(run) => return Ok(Some(restores)),
                    Some(restores) if restores < number => number = restores,
                    _ => return Ok(Some(run.header.parent)),
                }
            }
            match number.checked_sub(1) {
                Some(before) if oldest > 0 => Err(swept(before)),
                _ => Ok(None),
            }
        }
    }
}

fn finished(run: &RunRecord) -> bool {
    matches!(run.close, Some((Outcome::RolledBack | Outcome::Changed, _)))
}

/// The generation that the newest going back, not itself taken back, went back from: one step of it, as each going back
/// without a target was one.
///
/// Applied runs are steps of a path; going back to `R` stands where `R` stood. Forth again is the next step of the
/// newest path that leads on from here.
fn redo(history: &[RunRecord]) -> Option<u64> {
    let oldest = history.first()?.header.parent;
    let mut paths: BTreeMap<u64, Vec<u64>> = BTreeMap::from([(oldest, Vec::new())]);
    let mut here: Vec<u64> = Vec::new();
    let mut newest: Vec<Vec<u64>> = Vec::new();
    for run in history {
        let generation = run.generation()?;
        match run.header.restores.filter(|_| finished(run)) {
            Some(to) => match paths.get(&to) {
                Some(path) => here.clone_from(path),
                None => here.push(generation),
            },
            None => here.push(generation),
        }
        paths.insert(generation, here.clone());
        newest.push(here.clone());
    }
    let onwards = newest
        .iter()
        .rev()
        .find(|path| path.len() > here.len() && path.starts_with(&here))?;
    onwards.get(here.len()).copied()
}

/// Everything done after generation `back_to`. A run that went back whole stands for what led to where it went.
///
/// # Errors
/// A run in between is damaged, or no longer kept.
pub fn fold(history: &[RunRecord], back_to: u64) -> Result<Fold, NoTarget> {
    let range = led(history, back_to)?;
    let mut fold = Fold {
        any: !range.is_empty(),
        ..Fold::default()
    };
    for (place, run) in range.into_iter().enumerate() {
        fold.add(place, &run.entries);
    }
    Ok(fold)
}

/// The runs that, done after generation `back_to`, led to where the host is, among those that made a generation.
///
/// # Errors
/// As [`fold`].
pub(crate) fn led<'a>(
    history: impl IntoIterator<Item = &'a RunRecord>,
    back_to: u64,
) -> Result<Vec<&'a RunRecord>, NoTarget> {
    // For each generation the runs that, done after `back_to`, lead to it.
    let mut ranges: Vec<Vec<&RunRecord>> = vec![Vec::new()];
    for run in history.into_iter().filter(|run| run.header.parent >= back_to) {
        if let Some(damage) = run.damage.first() {
            return Err(NoTarget(format!(
                "the journal is damaged, so going back is not safe: {damage}"
            )));
        }
        let next = back_to + ranges.len() as u64;
        if run.header.parent + 1 != next {
            return Err(NoTarget(format!("generation {next} is no longer in the journal")));
        }
        let whole = matches!(run.close, Some((Outcome::RolledBack, _)));
        let same_as = run
            .header
            .restores
            .filter(|_| whole)
            .and_then(|to| to.checked_sub(back_to));
        let range = match same_as.and_then(|place| ranges.get(place as usize)) {
            Some(range) => range.clone(),
            None => ranges
                .last()
                .into_iter()
                .flatten()
                .copied()
                .chain([run])
                .collect(),
        };
        ranges.push(range);
    }
    Ok(ranges.pop().unwrap_or_default())
}
