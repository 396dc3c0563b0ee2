//! What is remembered of each host between runs, so that a run without changes needs one round trip.
//!
//! Epochs and generations come from the run files; answers, agent and digests are only a cache. The index on disk is
//! held while it is read or written and no longer. Is another process slow to let go of it, or is it damaged, then
//! what the run files say is used, and nothing fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::{Answer, Answers, Outcome, Question};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::runs::{RunRecord, Runs};
use super::sled::SledStore;
use super::{Expect, Head, Key, MemoryStore, RunId, Store, StoreError};

/// A run without an end that is this much older than the newest one will not get one any more.
const ABANDONED: u64 = 24 * 60 * 60 * 1_000;
/// How many bytes of run files are read at every recall rather than taken up into the index.
const BEHIND: u64 = 1 << 20;
/// The key of the run up to which the index knows everything.
const MARK: &str = "indexed";

/// What is remembered of a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The highest epoch it was told.
    pub epoch: u64,
    /// The generation it was at last, if any was seen.
    pub generation: Option<u64>,
    /// The run that touched it last.
    pub run: Option<RunId>,
    /// A run that was begun there and whose result was never heard.
    pub unsettled: Option<RunId>,
    /// Digest of the agent that is there.
    pub agent: Option<String>,
    /// Digest of the last catalog.
    pub catalog: Option<String>,
    /// Digest of everything the last catalog was made from.
    pub inputs: Option<String>,
    /// What it told the mine, by function or alias.
    #[serde(default)]
    pub mine: Map<String, Json>,
    /// Rollbacks that were decided and of which it may not have heard yet (J9); `false` is one that it has.
    pub decided: BTreeMap<RunId, bool>,
    /// Where its journal ended; from a file of its own.
    #[serde(skip)]
    pub head: Option<Head>,
    /// What it answered to the questions of the last run.
    #[serde(skip)]
    pub answers: Answers,
}

/// What was remembered, and how that went.
#[derive(Debug, Default)]
pub struct Recalled {
    /// By host; one that was never seen is not there.
    pub hosts: BTreeMap<String, Remembered>,
    /// Lines for people: the index was rebuilt, a run file is damaged.
    pub notes: Vec<String>,
}

/// The index over the run files.
#[derive(Debug, Clone)]
pub struct Index {
    dir: PathBuf,
    runs: Runs,
    wait: Duration,
}

impl Index {
    /// The index of a state directory; nothing is opened yet. `wait` is how long another process may keep it.
    pub fn new(state_dir: &Path, wait: Duration) -> Self {
        Self {
            dir: state_dir.join("index"),
            runs: Runs::new(state_dir),
            wait,
        }
    }

    /// What is remembered of these hosts. Writes nothing, unless the index has fallen far behind the run files.
    ///
    /// # Errors
    /// The directory of run files cannot be read. An index that is in use, damaged or unwritable is no error.
    pub fn recall(&self, hosts: &[&str]) -> Result<Recalled, StoreError> {
        let mut recalled = Recalled::default();
        let read = |store: &dyn Store, news: &News| -> Result<BTreeMap<String, Remembered>, StoreError> {
            let mut found = BTreeMap::new();
            for host in hosts {
                let known = load(store, host)?;
                let new = news.hosts.get(*host);
                if known.is_some() || new.is_some() {
                    let mut known = known.unwrap_or_default();
                    new.iter().for_each(|new| known.raise(new));
                    found.insert((*host).to_owned(), known);
                }
            }
            Ok(found)
        };
        if !self.dir.exists() {
            // It was never made. Reading does not make it: that would cost more than all else a small command does.
            let store = MemoryStore::new();
            let news = self.news(&store, &mut recalled.notes)?;
            if news.bytes <= BEHIND {
                recalled.hosts = read(&store, &news)?;
                recalled.notes.dedup();
                return Ok(recalled);
            }
        }
        let on_disk = self.on_disk(&mut recalled.notes, &|store, notes| {
            let news = self.news(store, notes)?;
            let behind = news.bytes > BEHIND;
            let written = behind && news.take_up(store)?;
            Ok((read(store, &news)?, written))
        });
        recalled.hosts = match on_disk {
            Ok(found) => found,
            Err(error) => {
                recalled.notes.push(format!("working without the index: {error}"));
                let store = MemoryStore::new();
                let news = self.news(&store, &mut recalled.notes)?;
                read(&store, &news)?
            }
        };
        recalled.notes.dedup();
        Ok(recalled)
    }

    /// Remembers hosts; epochs and generations never go down. What was written down is durable afterwards. Returns
    /// notes for people, among them that nothing could be remembered: that costs time later, and nothing else.
    pub fn remember(&self, hosts: &BTreeMap<String, Remembered>) -> Vec<String> {
        let mut notes = Vec::new();
        let write = |store: &dyn Store| hosts.iter().try_for_each(|(host, new)| save(store, host, new));
        if let Err(error) = self.written(&mut notes, &write) {
            notes.push(format!("nothing was remembered for the next run: {error}"));
        }
        notes.dedup();
        notes
    }

    /// Forgets what is only a cache of a host; what the run files say of it stays (epochs must not come back).
    pub fn forget(&self, host: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let write = |store: &dyn Store| {
            let Some(known) = load(store, host)? else {
                return Ok(());
            };
            let kept = Remembered {
                epoch: known.epoch,
                generation: known.generation,
                run: known.run,
                unsettled: known.unsettled,
                decided: known.decided,
                ..Remembered::default()
            };
            replace(store, host, &kept)
        };
        if let Err(error) = self.written(&mut notes, &write) {
            notes.push(format!("`{host}` is not forgotten: {error}"));
        }
        notes
    }

    /// The result of that run on that host has been heard.
    pub fn settled(&self, host: &str, run: &RunId) -> Vec<String> {
        let mut notes = Vec::new();
        let write = |store: &dyn Store| {
            let Some(mut known) = load(store, host)? else {
                return Ok(());
            };
            let decided = known.decided.remove(run).is_some();
            let unsettled = known.unsettled.as_ref() == Some(run);
            if unsettled {
                known.unsettled = None;
            }
            if decided || unsettled {
                replace(store, host, &known)?;
            }
            Ok(())
        };
        if let Err(error) = self.written(&mut notes, &write) {
            notes.push(format!("the result of {run} will be asked for again: {error}"));
        }
        notes
    }

    /// Writes something to the index on disk, caught up with the run files.
    fn written(
        &self,
        notes: &mut Vec<String>,
        job: &dyn Fn(&dyn Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.on_disk(notes, &|store, notes| {
            self.news(store, notes)?.take_up(store)?;
            job(store)?;
            Ok(((), true))
        })
    }

    /// Does something with the index on disk, and makes it durable when it says that it wrote. Damage found on the way
    /// makes the index anew, once.
    fn on_disk<T>(&self, notes: &mut Vec<String>, job: &Job<'_, T>) -> Result<T, StoreError> {
        let opened = SledStore::open(&self.dir, self.wait)?;
        let mut store = opened.store;
        if let Some(reason) = opened.anew {
            notes.push(format!("the index was damaged and is made anew: {reason}"));
        }
        let attempt = |store: &SledStore, notes: &mut Vec<String>| {
            let (done, written) = job(store, notes)?;
            if written {
                store.sync()?;
            }
            Ok(done)
        };
        match attempt(&store, notes) {
            Err(StoreError::Damaged(_) | StoreError::Engine { .. }) => {
                notes.push("the index was damaged and is made anew".to_owned());
                store.renew()?;
                attempt(&store, notes)
            }
            other => other,
        }
    }

    /// What the run files say that a store may not know yet: all of them when it is empty, else those from the oldest
    /// that may have grown since. Reading a record twice changes nothing.
    fn news(&self, store: &dyn Store, notes: &mut Vec<String>) -> Result<News, StoreError> {
        let mut news = News::default();
        let ids = self.runs.ids()?;
        let Some(newest) = ids.first() else {
            return Ok(news);
        };
        news.from = store
            .get(&Key::new(&[MARK]))?
            .and_then(|stored| String::from_utf8(stored.value).ok())
            .as_deref()
            .and_then(RunId::parse);
        let from = news.from.clone();
        let mut oldest_open = None;
        for id in ids
            .iter()
            .rev()
            .filter(|id| from.as_ref().is_none_or(|from| *id >= from))
        {
            let run = match self.runs.read(id) {
                Ok(run) => run,
                Err(error) => {
                    notes.push(error.to_string());
                    continue;
                }
            };
            news.bytes += run.bytes;
            if oldest_open.is_none()
                && !run.is_closed()
                && newest.millis().saturating_sub(id.millis()) < ABANDONED
            {
                oldest_open = Some(id.clone());
            }
            let told_back = |host: &str| {
                let told = |record: &RunRecord| matches!(record, RunRecord::Told(told) if told.host == host && told.back.is_some());
                run.records.iter().any(told)
            };
            for record in &run.records {
                let (host, new) = match record {
                    RunRecord::Told(told) => (
                        &told.host,
                        Remembered {
                            epoch: told.epoch,
                            run: Some(id.clone()),
                            unsettled: Some(id.clone()),
                            decided: told.back.iter().map(|_| (id.clone(), true)).collect(),
                            ..Remembered::default()
                        },
                    ),
                    RunRecord::Host(host) => (
                        &host.host,
                        Remembered {
                            epoch: host.epoch,
                            generation: host.generation,
                            run: Some(id.clone()),
                            unsettled: (host.outcome == Outcome::Unknown).then(|| id.clone()),
                            decided: told_back(&host.host)
                                .then(|| (id.clone(), is_open(host.outcome)))
                                .into_iter()
                                .collect(),
                            ..Remembered::default()
                        },
                    ),
                    _ => continue,
                };
                let known = news.hosts.entry(host.clone()).or_default();
                known.raise(&new);
            }
        }
        news.next = Some(oldest_open.unwrap_or_else(|| newest.clone()));
        Ok(news)
    }
}

/// Something to do with a store: its result, and whether it wrote.
type Job<'a, T> = dyn Fn(&dyn Store, &mut Vec<String>) -> Result<(T, bool), StoreError> + 'a;

/// What the run files say that is newer than an index.
#[derive(Debug, Default)]
struct News {
    hosts: BTreeMap<String, Remembered>,
    /// How much had to be read for it.
    bytes: u64,
    /// The run from which on they were read; all of them when there is none.
    from: Option<RunId>,
    /// The run from which on they are to be read next.
    next: Option<RunId>,
}

impl News {
    /// Puts it into the index; whether there was anything to put.
    fn take_up(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let mut written = false;
        for (host, new) in &self.hosts {
            let mut known = load(store, host)?.unwrap_or_default();
            let before = known.clone();
            known.raise(new);
            known.decided.retain(|_, open| *open);
            if known != before {
                replace(store, host, &known)?;
                written = true;
            }
        }
        if let Some(next) = self
            .next
            .as_ref()
            .filter(|next| self.from.as_ref() != Some(*next))
        {
            store.put(&Key::new(&[MARK]), next.as_str().as_bytes(), Expect::Anything)?;
            written = true;
        }
        Ok(written)
    }
}

impl Remembered {
    /// Whether the other one differs in nothing but what the run files say anyway: epochs and runs.
    pub fn is_known_by(&self, other: &Self) -> bool {
        let own = |of: &Self| Self {
            epoch: 0,
            run: None,
            decided: BTreeMap::new(),
            head: None,
            ..of.clone()
        };
        own(self) == own(other)
    }

    /// Takes over what the other one knows of epoch, generation and run. A generation belongs to the latest run.
    fn raise(&mut self, new: &Self) {
        self.epoch = self.epoch.max(new.epoch);
        self.decided
            .extend(new.decided.iter().map(|(run, open)| (run.clone(), *open)));
        if new.run >= self.run {
            self.generation = new.generation.or(self.generation);
            self.unsettled = new.unsettled.clone();
            self.run = new.run.clone().or_else(|| self.run.take());
        }
    }
}

/// Whether a host that was told to go back, and ended so, may not have heard of it.
pub(crate) const fn is_open(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Unknown | Outcome::Unreachable)
}

fn keys(host: &str) -> (Key, Key) {
    (
        Key::new(&["host", host, "state"]),
        Key::new(&["host", host, "answers"]),
    )
}

fn load(store: &dyn Store, host: &str) -> Result<Option<Remembered>, StoreError> {
    let (state, answers) = keys(host);
    let Some(stored) = store.get(&state)? else {
        return Ok(None);
    };
    let mut known: Remembered =
        serde_json::from_slice(&stored.value).map_err(|_| StoreError::Damaged(state.to_string()))?;
    if let Some(stored) = store.get(&answers)? {
        // Questions of another version are forgotten answers, which is what they would be anyway.
        let pairs: Vec<(Question, Answer)> = serde_json::from_slice(&stored.value).unwrap_or_default();
        known.answers = pairs.into_iter().collect();
    }
    Ok(Some(known))
}

/// Puts what is new over what is known; epoch and generation never go down.
fn save(store: &dyn Store, host: &str, new: &Remembered) -> Result<(), StoreError> {
    let mut merged = load(store, host)?.unwrap_or_default();
    merged.raise(new);
    let merged = Remembered {
        epoch: merged.epoch,
        generation: merged.generation,
        run: merged.run,
        unsettled: merged.unsettled,
        decided: merged.decided,
        ..new.clone()
    };
    replace(store, host, &merged)
}

fn replace(store: &dyn Store, host: &str, known: &Remembered) -> Result<(), StoreError> {
    let (state, answers) = keys(host);
    let unfit = |_| StoreError::Damaged(state.to_string());
    let pairs: Vec<(&Question, &Answer)> = known.answers.iter().collect();
    store.put(
        &answers,
        &serde_json::to_vec(&pairs).map_err(unfit)?,
        Expect::Anything,
    )?;
    store.put(
        &state,
        &serde_json::to_vec(known).map_err(unfit)?,
        Expect::Anything,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
