//! The change record of a host, as the master or a person on the host reads it.

use std::collections::BTreeMap;

use proto::{Change, Generation, Value};

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
    /// Contents that not everybody on the host may read are shown too.
    private: bool,
}

impl Shown {
    /// What may leave the host.
    pub const fn for_master(limit: usize, generation: Option<u64>, diff: bool) -> Self {
        Self {
            limit,
            generation,
            diff,
            private: false,
        }
    }

    /// What root may read on the host itself.
    pub const fn for_root(limit: usize, diff: bool) -> Self {
        Self {
            limit,
            generation: None,
            diff,
            private: true,
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
    let told = wanted.take(limit).map(|generation| {
        let diffs = if shown.diff {
            diffs(journal, &generation.changes, shown.private)
        } else {
            Vec::new()
        };
        (outward::generation(generation), diffs)
    });
    Ok(told.collect())
}

fn diffs(journal: &Journal, changes: &[Change], private: bool) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    for change in changes {
        if let Some(diff) = diff(journal, change, private) {
            found.insert(change.at.to_string(), diff);
        }
    }
    found.into_iter().collect()
}

/// The unified diff of a text file's change; `None` where there is none to show.
fn diff(journal: &Journal, change: &Change, private: bool) -> Option<String> {
    const HIDDEN: &str = "(not shown: the file is not for everybody to read)\n";
    let files = [&change.before, &change.after];
    if !files.iter().any(|value| matches!(value, Value::File { .. })) {
        return None;
    }
    let open = |value: &Value| match value {
        Value::File { meta, .. } => meta.mode & 0o004 != 0,
        _ => true,
    };
    if !private && !files.into_iter().all(open) {
        return Some(HIDDEN.to_owned());
    }
    let before = text(journal, &change.before)?;
    let after = text(journal, &change.after)?;
    (before != after).then(|| states::text::diff(&before, &after))
}

/// The text of a file value; nothing where there is no file, `None` where it is no text or not kept.
fn text(journal: &Journal, value: &Value) -> Option<String> {
    let Value::File { content, .. } = value else {
        return Some(String::new());
    };
    let bytes = journal.objects().get(content).ok()?;
    states::text::as_text(&bytes).map(str::to_owned)
}
