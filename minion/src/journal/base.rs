//! All that the journal still knows: the runs that are kept, and in short those that were swept.
//!
//! The file `base` stands for the swept ones. It has the form of a run's entries: a header whose parent is the oldest
//! generation one can go back to, then per swept run whose changes still stand its header, these changes (per address the
//! first `before` and the last `after`), and its restarts. Nobody rolls back into it; what a prune needs of the time
//! before (what was there before us) is in it. Its first `prev` is the head of the chain of what was swept, so that the
//! oldest kept run can still be checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proto::journal::{FORMAT, whose};
use proto::{Act, Address, Change, ChunkId, Digest, Entry, RunHeader, StateResult};

use super::entries::{self, Writer};
use super::files::sync_dir;
use super::{Journal, JournalError, RunRecord};

/// What the journal knows.
#[derive(Debug)]
pub(crate) struct Past {
    base: Vec<RunRecord>,
    runs: Vec<RunRecord>,
}

/// Reads all of it.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn past(journal: &Journal) -> Result<Past, JournalError> {
    let (horizon, base) = read(journal)?;
    let mut runs = Vec::new();
    for number in journal.runs()? {
        // What is older was swept, if only on paper: a sweep was cut off.
        runs.extend(journal.run(number)?.filter(|run| run.header.parent >= horizon));
    }
    Ok(Past { base, runs })
}

/// The chain head of the newest swept run; where none was swept, what stands before a host's first run.
///
/// # Errors
/// The file cannot be read.
pub fn anchor(journal: &Journal) -> Result<Digest, JournalError> {
    let path = path(journal);
    Ok(if path.exists() {
        entries::read(&path)?.first
    } else {
        entries::origin()
    })
}

fn path(journal: &Journal) -> PathBuf {
    journal.dir.join("base")
}

fn read(journal: &Journal) -> Result<(u64, Vec<RunRecord>), JournalError> {
    let path = path(journal);
    if !path.exists() {
        return Ok((0, Vec::new()));
    }
    let read = entries::read(&path)?;
    let empty = |header| RunRecord {
        number: 0,
        header,
        entries: Vec::new(),
        close: None,
        damage: Vec::new(),
    };
    let mut found: Vec<RunRecord> = Vec::new();
    for entry in read.entries {
        match (entry, found.last_mut()) {
            (Entry::Open(header), _) => found.push(empty(header)),
            (entry, Some(run)) => run.entries.push(entry),
            (_, None) => {}
        }
    }
    if found.is_empty() {
        found.push(empty(RunHeader::default()));
    }
    let first = &mut found[0];
    first.damage = read.damage;
    if read.torn || first.header.goal != "base" {
        first.damage.push(format!("{}: it is not whole", path.display()));
    }
    Ok((first.header.parent, found))
}

impl Past {
    /// Every run, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &RunRecord> {
        self.base.iter().chain(&self.runs)
    }

    /// What stands for the runs that were swept.
    pub(crate) fn swept(&self) -> impl Iterator<Item = &RunRecord> {
        self.base.iter()
    }

    /// The runs that led to where the host is, oldest first: what was taken back since is left out. Where damage keeps
    /// that from being told, all of them.
    pub(crate) fn led(&self) -> Vec<&RunRecord> {
        self.led_to(u64::MAX)
    }

    /// The same for the end of a generation.
    fn led_to(&self, generation: u64) -> Vec<&RunRecord> {
        let runs = || self.runs.iter().filter(|run| run.header.parent < generation);
        let made = || runs().filter(|run| run.generation().is_some());
        let since = made().next().map_or(0, |run| run.header.parent);
        let led = crate::undo::led(made(), since);
        let runs = led.unwrap_or_else(|_| runs().collect());
        self.base.iter().chain(runs).collect()
    }

    /// Records that are damaged.
    pub(crate) fn damage(&self) -> Option<&String> {
        self.all().find_map(|run| run.damage.first())
    }

    /// Puts a base in place that stands for all up to the end of `generation`; durable when it returns. `head` is the head
    /// of the chain there.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn squash(
        &self,
        journal: &Journal,
        generation: u64,
        head: Digest,
    ) -> Result<(), JournalError> {
        let path = path(journal);
        let temp = path.with_extension("tmp");
        let mut writer = Writer::anew(&temp, head)?;
        writer.write(&Entry::Open(RunHeader {
            format: FORMAT.to_owned(),
            goal: "base".to_owned(),
            parent: generation,
            ..RunHeader::default()
        }))?;
        let led = self.led_to(generation);
        let standing = standing(&led);
        for (place, run) in led.iter().enumerate() {
            let kept: Vec<_> = standing.iter().filter(|stands| stands.place == place).collect();
            if kept.is_empty() {
                continue;
            }
            writer.write(&Entry::Open(run.header.clone()))?;
            let mut act_num = 0;
            let mut write = |chunk: Option<&ChunkId>, acts: Vec<Act>, changes: Vec<Change>| {
                writer.write(&Entry::Intent {
                    act_num,
                    chunk: chunk.cloned(),
                    beside: Vec::new(),
                    acts,
                    before: Vec::new(),
                })?;
                writer.write(&Entry::Done { act_num, changes })?;
                act_num += 1;
                if let Some(chunk) = chunk {
                    writer.write(&Entry::State(StateResult::met(chunk, &sls(run, chunk))))?;
                }
                Ok::<_, JournalError>(())
            };
            for stands in kept {
                let Change { at, before, after } = stands.change.clone();
                let acts = if stands.named {
                    vec![Act::assign(at, before, after)]
                } else {
                    Vec::new()
                };
                write(stands.chunk, acts, vec![stands.change.clone()])?;
            }
            for entry in &run.entries {
                if let Entry::Intent { acts, .. } = entry
                    && matches!(acts.as_slice(), [Act::Poke { .. }])
                {
                    write(None, acts.clone(), Vec::new())?;
                }
            }
        }
        writer.sync()?;
        rename(&temp, &path)?;
        sync_dir(&journal.dir)
    }
}

#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
fn rename(from: &std::path::Path, to: &std::path::Path) -> Result<(), JournalError> {
    fs::rename(from, to).map_err(|cause| JournalError::io(to, cause))
}

/// The sls of a chunk, as its result in a run says.
fn sls(run: &RunRecord, chunk: &ChunkId) -> String {
    let found = run.entries.iter().find_map(|entry| match entry {
        Entry::State(result)
            if result.id == chunk.id && result.state == chunk.state && result.name == chunk.name =>
        {
            Some(result.sls.clone())
        }
        _ => None,
    });
    found.unwrap_or_default()
}

/// A change that still stands.
struct Stands<'a> {
    /// The run that made it last.
    place: usize,
    chunk: Option<&'a ChunkId>,
    named: bool,
    change: Change,
}

/// Per address the first `before` and the last `after` of what is not as it was before us, in the order in which they were
/// first changed.
fn standing<'a>(led: &[&'a RunRecord]) -> Vec<Stands<'a>> {
    let mut found: Vec<Stands<'a>> = Vec::new();
    let mut places: BTreeMap<&'a Address, usize> = BTreeMap::new();
    for (place, run) in led.iter().copied().enumerate() {
        let mut intents = BTreeMap::new();
        for entry in &run.entries {
            let (act_num, changes) = match entry {
                Entry::Intent {
                    act_num,
                    chunk,
                    beside,
                    acts,
                    ..
                } => {
                    intents.insert(*act_num, (chunk.as_ref(), beside.as_slice(), acts.as_slice()));
                    continue;
                }
                Entry::Done { act_num, changes }
                | Entry::Failed { act_num, changes, .. }
                | Entry::Recovered { act_num, changes, .. } => (act_num, changes),
                _ => continue,
            };
            let (first, beside, acts) = intents.get(act_num).copied().unwrap_or((None, &[], &[]));
            for change in changes {
                let chunk = whose(first, beside, acts, &change.at);
                let named = acts
                    .iter()
                    .any(|act| matches!(act, Act::Assign { at, .. } if *at == change.at));
                let known = places.get(&change.at).and_then(|known| found.get_mut(*known));
                match known {
                    Some(known) if !known.change.before.same(&known.change.after) => {
                        known.change.after.clone_from(&change.after);
                        known.place = place;
                        known.chunk = chunk.or(known.chunk);
                        known.named |= named;
                    }
                    _ => {
                        places.insert(&change.at, found.len());
                        found.push(Stands {
                            place,
                            chunk,
                            named,
                            change: change.clone(),
                        });
                    }
                }
            }
        }
    }
    found.retain(|stands| !stands.change.before.same(&stands.change.after));
    found
}
