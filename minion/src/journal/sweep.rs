//! Retention: old generations and what nothing refers to any more go, by count, age and size.
//!
//! Done after a run, under its lock, and never across damage. First `base` is put in
//! place for what goes ([`super::base`]), then the runs go, oldest first, then objects. Cut off anywhere, what is left is a
//! journal that the next sweep goes on with.
//!
//! What refers to an object is found by reading: every word of 64 hex digits in a kept run, in the small files of the
//! journal, and in the catalogs these name. An object that nothing names is only noted (`unused`); it goes in the sweep
//! of a later run, when it is older than [`GRACE`] besides. So no clock decides alone (M6).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use proto::frame::Limits;
use proto::{Digest, Gather};

use super::base::{self, Past};
use super::files::{Durable, stage, sync_dir};
use super::{Journal, JournalError, RunRecord, entries};
use crate::guard::probation;

/// So many of the newest generations stay, whatever the clock says.
pub const ALWAYS: u64 = 10;
/// An object younger than this is not swept, in seconds: somebody may be about to need it.
const GRACE: u64 = 3600;
/// Size, age and loose objects are looked at after every so many runs.
const EVERY: u64 = 8;

/// When to sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only what a look at the list of runs asks for.
    AfterRun,
    /// Now.
    Now,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runs that went.
    pub runs: u64,
    /// Objects that went.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the journal takes up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Runs that are kept.
    pub runs: u64,
    /// Bytes of their entries.
    pub entries: u64,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of objects that nothing refers to.
    pub unused: u64,
}

/// An object's size, and its age in seconds; `None` when it is of the future.
type Found = (u64, Option<u64>);

/// Lets go of what `limits` do not want kept. The caller holds the lock.
///
/// # Errors
/// A file cannot be read, written or removed: the rest stays.
pub fn sweep(journal: &Journal, limits: &Limits, when: When) -> Result<Swept, JournalError> {
    let runs = journal.runs()?;
    let newest = runs.last().copied().unwrap_or(0);
    let many = limits.keep_generations > 0 && runs.len() as u64 > limits.keep_generations;
    if when == When::AfterRun && !many && newest % EVERY != 0 {
        return Ok(Swept::default());
    }
    let past = base::past(journal)?;
    if past.damage().is_some() || past.all().any(|run| run.number > 0 && run.close.is_none()) {
        return Ok(Swept::default());
    }
    let mut swept = Swept {
        runs: forget(journal, &past)?,
        ..Swept::default()
    };
    let objects = objects(journal)?;
    // What a run that is not confirmed yet goes back to stays (J11).
    let probation = probation::load(&journal.dir)?.map_or(u64::MAX, |probation| probation.to);
    if let Some(horizon) = horizon(journal, &past, limits, probation, &objects)? {
        let kept = past
            .all()
            .find(|run| run.number > 0 && run.header.parent >= horizon);
        let head = match kept {
            Some(run) => entries::read(&journal.entries_path(run.number))?.first,
            None => entries::origin(),
        };
        past.squash(journal, horizon, head)?;
        swept.runs += forget(journal, &base::past(journal)?)?;
    }
    loose(journal, newest, objects, &mut swept)?;
    Ok(swept)
}

/// What the journal takes up now.
///
/// # Errors
/// A file cannot be read.
pub fn usage(journal: &Journal) -> Result<Usage, JournalError> {
    let mut usage = Usage::default();
    for number in journal.runs()? {
        usage.runs += 1;
        usage.entries += size(&journal.entries_path(number));
    }
    let named = named(journal)?;
    for (digest, (size, _)) in objects(journal)? {
        usage.objects += 1;
        usage.bytes += size;
        usage.unused += if named.contains(&digest) { 0 } else { size };
    }
    Ok(usage)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// The generation before the oldest that stays; `None` when all stay.
fn horizon(
    journal: &Journal,
    past: &Past,
    limits: &Limits,
    probation: u64,
    objects: &BTreeMap<Digest, Found>,
) -> Result<Option<u64>, JournalError> {
    let made: Vec<&RunRecord> = past
        .all()
        .filter(|run| run.number > 0 && run.generation().is_some())
        .collect();
    let Some((newest, older)) = made.split_last() else {
        return Ok(None);
    };
    let count = |kept: u64| {
        made.len()
            .saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX))
    };
    // How many of the oldest go.
    let mut gone = 0;
    if limits.keep_generations > 0 {
        gone = count(limits.keep_generations);
    }
    if limits.keep_days > 0 {
        let limit = limits.keep_days.saturating_mul(86_400);
        let old = |run: &&&RunRecord| crate::clock::now().saturating_sub(run.header.started) > limit;
        let old = made.iter().take_while(old).count();
        gone = gone.max(old.min(count(ALWAYS)));
    }
    if limits.keep_bytes > 0 {
        gone = gone.max(over(journal, &made, limits.keep_bytes, objects)?);
    }
    // The newest generation stays, and what a rollback that is not finished goes back to.
    gone = gone.min(older.len());
    let needed = newest.header.restores.filter(|_| !super::ledger::settled(newest));
    let horizon = made.get(gone).map(|run| run.header.parent);
    let horizon = horizon.map(|horizon| horizon.min(probation).min(needed.unwrap_or(u64::MAX)));
    Ok(horizon.filter(|horizon| made.first().is_some_and(|first| *horizon > first.header.parent)))
}

/// How many of the oldest generations have to go for the rest to fit into `limit` bytes. An object counts for the newest
/// run that names it; what is needed anyway (package files, the catalogs made true last) counts for nobody.
fn over(
    journal: &Journal,
    made: &[&RunRecord],
    limit: u64,
    objects: &BTreeMap<Digest, Found>,
) -> Result<usize, JournalError> {
    let mut total = 0;
    let mut seen = around(journal)?;
    let mut own = Vec::new();
    for run in made.iter().rev() {
        let path = journal.entries_path(run.number);
        let mut bytes = size(&path);
        let mut words = BTreeSet::new();
        read_words(&path, &mut words)?;
        for digest in words {
            if seen.insert(digest) {
                bytes += objects.get(&digest).map_or(0, |(size, _)| *size);
            }
        }
        total += bytes;
        own.push(bytes);
    }
    let mut gone = 0;
    for bytes in own.into_iter().rev() {
        if total <= limit {
            break;
        }
        total = total.saturating_sub(bytes);
        gone += 1;
    }
    Ok(gone)
}

/// Lets go of the runs that `past` does not count any more, since `base` stands for them; how many.
#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
fn forget(journal: &Journal, past: &Past) -> Result<u64, JournalError> {
    let Some(first) = past.all().map(|run| run.number).find(|number| *number > 0) else {
        return Ok(0);
    };
    let folder = journal.dir.join("runs");
    let mut gone = 0;
    for number in journal.runs()?.into_iter().filter(|number| *number < first) {
        let path = folder.join(number.to_string());
        fs::remove_dir_all(&path).map_err(|cause| JournalError::io(&path, cause))?;
        gone += 1;
    }
    if gone > 0 {
        sync_dir(&folder)?;
    }
    Ok(gone)
}

/// Lets go of objects that nothing named in an earlier sweep either.
#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
fn loose(
    journal: &Journal,
    newest: u64,
    objects: BTreeMap<Digest, Found>,
    swept: &mut Swept,
) -> Result<(), JournalError> {
    let file = journal.dir.join("unused");
    let noted = fs::read_to_string(&file).unwrap_or_default();
    let (run, noted) = noted.split_once('\n').unwrap_or_default();
    let earlier = run.parse().is_ok_and(|run: u64| run < newest);
    let noted: BTreeSet<Digest> = noted
        .lines()
        .filter_map(|line| line.parse::<Digest>().ok())
        .gather();
    let named = named(journal)?;
    let mut unused = String::new();
    for (digest, (size, age)) in objects {
        if named.contains(&digest) {
            continue;
        }
        if earlier && noted.contains(&digest) && age.is_none_or(|age| age >= GRACE) {
            let path = journal.objects.path(&digest);
            fs::remove_file(&path).map_err(|cause| JournalError::io(&path, cause))?;
            swept.objects += 1;
            swept.bytes += size;
        } else {
            unused.push_str(&format!("{digest}\n"));
        }
    }
    let text = format!("{newest}\n{unused}");
    stage(&file, text.as_bytes(), Durable::No)
}

/// Every object of the store.
fn objects(journal: &Journal) -> Result<BTreeMap<Digest, Found>, JournalError> {
    let root = journal.objects.root();
    let mut found = BTreeMap::new();
    for folder in list(root)? {
        let Some(start) = name(&folder).filter(|name| name.len() == 2) else {
            continue;
        };
        for path in list(&folder)? {
            let Some(Ok(digest)) = name(&path).map(|rest| format!("{start}{rest}").parse()) else {
                continue;
            };
            let failed = |cause| JournalError::io(&path, cause);
            let about = fs::metadata(&path).map_err(failed)?;
            let age = SystemTime::now().duration_since(about.modified().map_err(failed)?);
            found.insert(digest, (about.len(), age.ok().map(|age| age.as_secs())));
        }
    }
    Ok(found)
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let failed = |cause| JournalError::io(folder, cause);
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

/// What kept runs, and all that lies beside them, name.
fn named(journal: &Journal) -> Result<BTreeSet<Digest>, JournalError> {
    let mut named = around(journal)?;
    for number in journal.runs()? {
        read_words(&journal.entries_path(number), &mut named)?;
    }
    Ok(named)
}

/// What the journal's small files, packages' names and the catalogs made true last name.
fn around(journal: &Journal) -> Result<BTreeSet<Digest>, JournalError> {
    let mut named = BTreeSet::new();
    for path in list(&journal.dir)? {
        match name(&path) {
            Some("unused" | "lock") => {}
            Some("packages") => {
                for path in list(&path)? {
                    read_words(&path, &mut named)?;
                }
            }
            _ if path.is_file() => read_words(&path, &mut named)?,
            _ => {}
        }
    }
    let mut catalogs = BTreeSet::new();
    for file in ["epoch", "told", "task"] {
        read_words(&journal.dir.join(file), &mut catalogs)?;
    }
    for catalog in catalogs {
        read_words(&journal.objects.path(&catalog), &mut named)?;
    }
    Ok(named)
}

/// Every word of 64 hex digits in a file; nothing where there is none.
fn read_words(path: &Path, found: &mut BTreeSet<Digest>) -> Result<(), JournalError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(JournalError::io(path, cause)),
    };
    for word in bytes.split(|byte| !byte.is_ascii_hexdigit()) {
        if word.len() == 64
            && let Some(digest) = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok())
        {
            found.insert(digest);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
