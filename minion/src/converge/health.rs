//! A service that ran, and does not come up again with what this run changed, gets back what it had (J10).
//!
//! What goes back are the files whose changes made the service restart, and those of the same program that went live since the
//! unit was last well in this run. They go back in one journaled transaction, then the unit is started once more.

use std::collections::BTreeMap;

use proto::{Act, Address, Change, ChunkId, Poke, Problem};

use super::{Goal, Pass};
use crate::readers::{self, Reader};
use crate::system::System;

/// What of files went live in this run, in order.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    all: Vec<Swap>,
    /// How many of them each unit has come up with.
    well: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Swap {
    places: Vec<usize>,
    reader: Option<&'static Reader>,
    changes: Vec<Change>,
}

impl Swaps {
    /// Remembers a transaction that was done.
    pub(super) fn add(&mut self, places: &[usize], acts: &[Act], changes: &[Change]) {
        if acts.iter().any(|act| readers::assigned(act).is_none()) || changes.is_empty() {
            return;
        }
        self.all.push(Swap {
            places: places.to_vec(),
            reader: readers::common(acts),
            changes: changes.to_vec(),
        });
    }

    /// What to assign so that what `causes` changed since the unit was last well is as it was; empties the record of it.
    fn back(&mut self, unit: &str, causes: &[usize]) -> Vec<Act> {
        let since = self.well.get(unit).copied().unwrap_or(0);
        let is_cause = |swap: &Swap| swap.places.iter().any(|place| causes.contains(place));
        let recent = || self.all.iter().skip(since);
        let their: Vec<&Reader> = recent()
            .filter(|swap| is_cause(swap))
            .filter_map(|swap| swap.reader)
            .collect();
        let mut acts: Vec<Act> = Vec::new();
        let goes = |swap: &&Swap| is_cause(swap) || swap.reader.is_some_and(|reader| their.contains(&reader));
        // Latest first; of several changes of one file the earliest `before` counts, at the place of the latest.
        for change in recent().filter(goes).flat_map(|swap| &swap.changes).rev() {
            let same = acts.iter_mut().find_map(|act| match act {
                Act::Assign { at, to, .. } if *at == change.at => Some(to),
                _ => None,
            });
            match same {
                Some(to) => to.clone_from(&change.before),
                None if matches!(change.at, Address::Path(_)) => acts.push(Act::assign(
                    change.at.clone(),
                    change.after.clone(),
                    change.before.clone(),
                )),
                None => {}
            }
        }
        acts.retain(|act| readers::assigned(act).is_some_and(|(_, expect, to)| !expect.same(to)));
        acts
    }
}

impl<S: System> Pass<'_, S> {
    /// After a restart or reload: remembers that it went well, or takes back what it did not go well with and says so.
    pub(super) fn after_poke(
        &mut self,
        place: usize,
        changed: &[ChunkId],
        acts: &[Act],
        failed: &mut Option<Problem>,
    ) {
        let poked = acts.iter().find_map(|act| match act {
            Act::Poke { unit, how } if *how != Poke::DaemonReload => Some((unit, *how)),
            _ => None,
        });
        let Some((unit, how)) = poked else { return };
        let Some(problem) = failed else {
            self.swaps.well.insert(unit.clone(), self.swaps.all.len());
            return;
        };
        let chunk = &self.catalog.chunks[place];
        if self.goal != Goal::Apply || self.broken.is_some() || chunk.options.validate == Some(false) {
            return;
        }
        let causes = self.causes(place, changed);
        let back = self.swaps.back(unit, &causes);
        if back.is_empty() {
            return;
        }
        let paths: Vec<&str> = back
            .iter()
            .filter_map(readers::assigned)
            .map(|act| act.0)
            .collect();
        let paths = paths.join(", ");
        let restored = self.hands.transact(Some(&chunk.id), &back);
        self.known.forget(place);
        let told = match restored {
            Err(stumble) => format!("{paths} could not be put back: {}", stumble.problem()),
            Ok(_) => {
                self.swaps.well.insert(unit.clone(), self.swaps.all.len());
                let how = if how == Poke::Reload { how } else { Poke::Restart };
                let act = Act::Poke {
                    unit: unit.clone(),
                    how,
                };
                match self.hands.transact(Some(&chunk.id), &[act]) {
                    Ok(_) => format!("The old configuration is back ({paths}), and {unit} runs with it"),
                    Err(stumble) => format!(
                        "The old configuration is back ({paths}), but {unit} does not come up with it either: {}",
                        stumble.problem()
                    ),
                }
            }
        };
        problem.text = format!("{told}\n{}", problem.text);
    }

    /// Places of the chunks whose changes a service is poked for.
    fn causes(&self, place: usize, changed: &[ChunkId]) -> Vec<usize> {
        let mut causes: Vec<usize> = self
            .catalog
            .listens
            .iter()
            .filter(|listen| changed.is_empty() && listen.call.contains(&place))
            .flat_map(|listen| listen.on.iter().copied())
            .collect();
        let needs = self.catalog.chunks[place].needs.iter().flat_map(|need| &need.on);
        causes.extend(needs.filter(|on| changed.contains(&self.catalog.chunks[**on].id)));
        causes
    }
}
