//! The change record of a host, as the master or a person on the host reads it.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Address, Catalog, Change, ChunkId, Digest, Entry, Gather, Generation, Value};

use crate::journal::{Journal, JournalError};
use crate::serve::outward;

/// A generation, and the diffs of its text files by address.
pub type Told = (Generation, Vec<(String, String)>);

/// Which generations, and how much of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    limit: usize,
    generation: Option<u64>,
    diff: bool,
    private: Private,
}

/// What becomes of contents that not everybody on the host may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// Only that they differ is told: this is what may leave the host.
    Hidden,
    /// Root on the host itself sees them.
    Shown,
}

impl Shown {
    /// What may leave the host.
    pub const fn for_master(limit: usize, generation: Option<u64>, diff: bool) -> Self {
        Self {
            limit,
            generation,
            diff,
            private: Private::Hidden,
        }
    }

    /// What root may read on the host itself.
    pub const fn for_root(limit: usize, diff: bool) -> Self {
        Self {
            limit,
            generation: None,
            diff,
            private: Private::Shown,
        }
    }
}

/// Generations, newest first, each with the diffs of its text files where asked for: address and diff.
///
/// # Errors
/// The journal cannot be read.
pub fn list(journal: &Journal, shown: &Shown) -> Result<Vec<Told>, JournalError> {
    let all = journal.generations()?.into_iter();
    let wanted = all.filter(|generation| shown.generation.is_none_or(|number| generation.number == number));
    let limit = if shown.limit == 0 { usize::MAX } else { shown.limit };
    let silent = if shown.diff {
        silent(journal, shown.private)?
    } else {
        BTreeSet::new()
    };
    let told = wanted.take(limit).map(|generation| {
        let diffs = if shown.diff {
            diffs(journal, &generation.changes, &silent, shown.private)
        } else {
            Vec::new()
        };
        (outward::generation(generation), diffs)
    });
    Ok(told.collect())
}

fn diffs(
    journal: &Journal,
    changes: &[Change],
    silent: &BTreeSet<Address>,
    private: Private,
) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    for Change { at, before, after } in changes {
        let hidden = private == Private::Hidden && (silent.contains(at) || !open(before, after));
        if let Some(diff) = diff(before, after, hidden, &mut |value| text(journal, value)) {
            found.insert(at.to_string(), diff);
        }
    }
    found.into_iter().collect()
}

/// Whether everybody on the host may read both files.
pub(crate) fn open(before: &Value, after: &Value) -> bool {
    [before, after].into_iter().all(|value| match value {
        Value::File { meta, .. } => meta.mode & 0o004 != 0,
        _ => true,
    })
}

/// The unified diff of a text file's change; `None` where there is none to show.
pub(crate) fn diff(
    before: &Value,
    after: &Value,
    hidden: bool,
    text: &mut dyn FnMut(&Value) -> Option<String>,
) -> Option<String> {
    const HIDDEN: &str = "(not shown: the file is not for everybody to read)\n";
    let content = |value: &Value| match value {
        Value::File { content, .. } => Some(*content),
        _ => None,
    };
    if content(before) == content(after) {
        return None;
    }
    if hidden {
        return Some(HIDDEN.to_owned());
    }
    let before = text(before)?;
    let after = text(after)?;
    Some(states::text::diff(&before, &after))
}

/// The text of a file value; nothing where there is no file, `None` where it is no text or not kept.
pub(crate) fn text(journal: &Journal, value: &Value) -> Option<String> {
    let Value::File { content, .. } = value else {
        return Some(String::new());
    };
    let bytes = journal.objects().get(content).ok()?;
    states::text::as_text(&bytes).map(str::to_owned)
}

/// The addresses that states with `no_log` touched; where a run's catalog is not there any more, all that it touched.
/// Nobody who may see all needs it.
///
/// # Errors
/// The journal cannot be read.
pub(crate) fn silent(journal: &Journal, private: Private) -> Result<BTreeSet<Address>, JournalError> {
    let mut found = BTreeSet::new();
    let mut catalogs: BTreeMap<Digest, Option<BTreeSet<ChunkId>>> = BTreeMap::new();
    if private == Private::Shown {
        return Ok(found);
    }
    for run in journal.history()? {
        let Some(catalog) = run.header.catalog else {
            continue;
        };
        let chunks = catalogs
            .entry(catalog)
            .or_insert_with(|| unlogged(journal, &catalog));
        let mut intents = BTreeSet::new();
        for entry in &run.entries {
            match entry {
                Entry::Intent {
                    act_num,
                    chunk,
                    beside,
                    ..
                } => {
                    let of = |chunks: &BTreeSet<ChunkId>| {
                        chunk.iter().chain(beside).any(|chunk| chunks.contains(chunk))
                    };
                    if chunks.as_ref().is_none_or(of) {
                        intents.insert(*act_num);
                    }
                }
                Entry::Done { act_num, changes }
                | Entry::Failed { act_num, changes, .. }
                | Entry::Recovered { act_num, changes, .. }
                    if intents.contains(act_num) =>
                {
                    found.extend(changes.iter().map(|change| change.at.clone()));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// The chunks of a catalog that may not be logged; `None` when it cannot be read.
fn unlogged(journal: &Journal, catalog: &Digest) -> Option<BTreeSet<ChunkId>> {
    let bytes = journal.objects().get(catalog).ok()?;
    let catalog: Catalog = serde_json::from_slice(&bytes).ok()?;
    let silent = catalog.chunks.into_iter().filter(|chunk| chunk.options.no_log);
    Some(silent.map(|chunk| chunk.id).gather())
}
