//! What an unfinished run still owes: a state that watches, or waits for changes of, another one whose changes were made,
//! and that did not get its turn (cut off, stopped by a failure, kept back by a failed requisite, failed itself).
//!
//! Computed from the entries; the next run pays even if it changes nothing else. A rollback that was cut off owes the same
//! for what it had put back. A restart is paid by a boot: whatever runs now was started after the change.

use std::collections::BTreeSet;

use proto::{Catalog, Change, Chunk, ChunkId, Entry, Gather, Requisite};

use super::ledger::{HIGHSTATE, Ledger, line, settled};
use super::lock::Fence;
use super::{Journal, RunRecord};

/// A change whose consequences some states have not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// The state that changed something.
    pub changed: ChunkId,
    /// The run that made the change.
    pub run: String,
    generation: u64,
    scope: String,
    boot: String,
    /// States that have had their turn since.
    seen: BTreeSet<ChunkId>,
}

impl Debt {
    /// Whether `dependent`, which depends on the change, has not had its turn. `boot` is the kernel's id of this boot.
    pub fn owes(&self, dependent: &ChunkId, boot: &str) -> bool {
        let booted = !self.boot.is_empty() && !boot.is_empty() && self.boot != boot;
        let started = booted && dependent.state == "service";
        !started && !self.seen.contains(dependent)
    }

    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec![
            "owed".to_owned(),
            chunk(&self.changed),
            self.run.clone(),
            self.generation.to_string(),
            self.scope.clone(),
            self.boot.clone(),
        ];
        words.extend(self.seen.iter().map(chunk));
        words
    }

    pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        Some(Self {
            changed: read(&words.next()?)?,
            run: words.next()?,
            generation: words.next()?.parse().ok()?,
            scope: words.next()?,
            boot: words.next()?,
            seen: words.filter_map(|word| read(&word)).gather(),
        })
    }
}

fn chunk(id: &ChunkId) -> String {
    line([id.state.as_str(), &id.id, &id.name, &id.fun])
}

fn read(words: &str) -> Option<ChunkId> {
    let words: Vec<String> = serde_json::from_slice(words.as_bytes()).ok()?;
    let [state, id, name, fun] = <[String; 4]>::try_from(words).ok()?;
    Some(ChunkId { state, id, name, fun })
}

impl Ledger {
    /// The run that owes it to `dependent` to see what `changed` changed.
    pub fn owes(&self, changed: &ChunkId, dependent: &ChunkId, boot: &str) -> Option<&str> {
        let debts = self.owed.iter().filter(|debt| debt.changed == *changed);
        let mut open = debts.filter(|debt| debt.owes(dependent, boot));
        open.next().map(|debt| debt.run.as_str())
    }

    /// What is owed, for people: who waits for what, as far as the catalog told last knows of somebody.
    pub fn waiting(&self, journal: &Journal) -> Vec<String> {
        let told = || {
            let digest = Fence::load(journal.dir()).ok()?.catalog?;
            serde_json::from_slice::<Catalog>(&journal.objects().get(&digest).ok()?).ok()
        };
        let Some(catalog) = (!self.owed.is_empty()).then(told).flatten() else {
            return Vec::new();
        };
        let boot = crate::clock::boot();
        let mut found = Vec::new();
        for (chunk, on) in catalog.chunks.iter().flat_map(waits) {
            let changed = catalog.chunks.get(on).map(|chunk| &chunk.id);
            if let Some((run, changed)) = changed.and_then(|id| Some((self.owes(id, &chunk.id, &boot)?, id)))
            {
                let (state, fun, name) = (&chunk.id.state, &chunk.id.fun, &chunk.id.name);
                found.push(format!(
                    "{state}.{fun} {name}, since run {run}: {} changed",
                    changed.name
                ));
            }
        }
        found
    }

    /// All that is owed, to whomever.
    pub fn owed(&self) -> &[Debt] {
        &self.owed
    }
}

/// What a chunk waits for the changes of, by place.
fn waits(chunk: &Chunk) -> impl Iterator<Item = (&Chunk, usize)> {
    let kinds = |need: &&Requisite| crate::schedule::waits(need.kind);
    let needs = chunk.needs.iter().filter(kinds);
    needs.flat_map(move |need| need.on.iter().map(move |on| (chunk, *on)))
}

/// Goes on over a run. `ledger` is what was there before it.
pub(super) fn fold(owed: &mut Vec<Debt>, run: &RunRecord, ledger: &Ledger) {
    let header = &run.header;
    if let Some(to) = header.restores {
        if settled(run) {
            // What was done since is undone, and what hung on it poked again.
            owed.retain(|debt| debt.generation <= to);
        } else {
            for change in run.changes() {
                if let Some(owner) = ledger.owner_of(&change.at) {
                    owe(owed, run, owner);
                }
            }
        }
        return;
    }
    let mut whose = std::collections::BTreeMap::new();
    let changed = |owed: &mut Vec<Debt>, whose: Option<&Vec<&ChunkId>>, changes: &[Change]| {
        for chunk in whose.into_iter().flatten().filter(|_| !changes.is_empty()) {
            owe(owed, run, chunk);
        }
    };
    for entry in &run.entries {
        match entry {
            Entry::Intent {
                act_num,
                chunk: Some(chunk),
                beside,
                ..
            } => drop(whose.insert(*act_num, std::iter::once(chunk).chain(beside).collect())),
            Entry::Done { act_num, changes }
            | Entry::Failed { act_num, changes, .. }
            | Entry::Recovered { act_num, changes, .. } => changed(owed, whose.get(act_num), changes),
            Entry::State(result) if result.state_ran && result.result == Some(true) => {
                let id = ChunkId {
                    state: result.state.clone(),
                    id: result.id.clone(),
                    name: result.name.clone(),
                    fun: result.fun.clone(),
                };
                for debt in owed.iter_mut() {
                    debt.seen.insert(id.clone());
                }
            }
            _ => {}
        }
    }
    if settled(run) {
        // Everybody of this scope had a turn; who did not is not in the tree any more.
        let all = header.scope.is_empty() || header.scope == HIGHSTATE;
        owed.retain(|debt| !all && debt.scope != header.scope && debt.run != header.run);
    }
}

fn owe(owed: &mut Vec<Debt>, run: &RunRecord, changed: &ChunkId) {
    owed.retain(|debt| debt.changed != *changed);
    owed.push(Debt {
        changed: changed.clone(),
        run: run.header.run.clone(),
        generation: run.header.parent + 1,
        scope: run.header.scope.clone(),
        boot: run.header.boot.clone(),
        seen: BTreeSet::new(),
    });
}
