//! What an unfinished run still owes: a state that watches, or waits for changes of, another one whose changes were made,
//! and that did not get its turn (cut off, stopped by a failure, kept back by a failed requisite).
//!
//! Computed from the entries, never stored; the next run pays even if it changes nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proto::{ChunkId, Entry, Outcome};

use super::{Journal, JournalError};

/// Chunks whose changes some dependents have not seen, and those that have seen them since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    changed: BTreeMap<ChunkId, BTreeSet<ChunkId>>,
}

impl Owed {
    /// What the newest runs left open.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let mut runs = Vec::new();
        for number in journal.runs()?.into_iter().rev() {
            let Some(run) = journal.run(number)? else {
                continue;
            };
            let settled = matches!(
                run.close,
                Some((Outcome::Ok | Outcome::Changed | Outcome::RolledBack, _))
            );
            if settled || run.header.goal != "apply" {
                break;
            }
            runs.push(run.entries);
        }
        let mut owed = Self::default();
        for entries in runs.iter().rev() {
            owed.fold(entries);
        }
        Ok(owed)
    }

    /// Goes on over a run's entries.
    pub fn fold(&mut self, entries: &[Entry]) {
        let mut whose = BTreeMap::new();
        for entry in entries {
            match entry {
                Entry::Intent {
                    act_num,
                    chunk: Some(chunk),
                    ..
                } => {
                    whose.insert(*act_num, chunk);
                }
                Entry::Done { act_num, changes } | Entry::Recovered { act_num, changes, .. }
                    if !changes.is_empty() =>
                {
                    if let Some(chunk) = whose.get(act_num) {
                        self.changed.insert((*chunk).clone(), BTreeSet::new());
                    }
                }
                Entry::State(result) if result.state_ran && result.result == Some(true) => {
                    let id = ChunkId {
                        state: result.state.clone(),
                        id: result.id.clone(),
                        name: result.name.clone(),
                        fun: result.fun.clone(),
                    };
                    for seen in self.changed.values_mut() {
                        seen.insert(id.clone());
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether `dependent` has yet to see that `changed` changed.
    pub fn owes(&self, changed: &ChunkId, dependent: &ChunkId) -> bool {
        self.changed
            .get(changed)
            .is_some_and(|seen| !seen.contains(dependent))
    }

    /// Whether nothing is owed to anybody.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }
}
