//! What our runs left on the host, in short: per address who owns it and what was left there, and what unfinished runs
//! still owe. From it a plan tells *yours* (the tree changed) from *drift* (the host did) and finds orphans, without
//! reading the journal.
//!
//! The file `ledger` is a copy of what the entries say, and never more: it is written after a run, and made anew from the
//! entries when it is missing, damaged, or not of this journal. Lines are JSON arrays of texts; the first is the SHA-256
//! of the rest.
//!
//! ```text
//! ["run","12","4711"]                                          the newest run in it, and the size of its entries
//! ["own","file","conf","/etc/x","managed","web.conf"]          an owner: its chunk and sls
//! ["at","0","1","RUN","*","<before>","<after>","{\"path\":…}"] an address: owner, named by an act, run, scopes, digests
//! ["owed","[…chunk]","RUN","12","*","<boot>","[…chunk]", …]    what changed, and who has seen it since
//! ```

use std::collections::BTreeMap;
use std::fs;

use proto::journal::whose;
use proto::{Act, Address, Change, ChunkId, Digest, Entry, Outcome, Value};

use super::files::{Durable, stage};
use super::{Journal, JournalError, RunRecord, base};

/// The scope of a highstate.
pub const HIGHSTATE: &str = "*";

/// What runs of ours left on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    upto: u64,
    size: u64,
    owners: Vec<Owner>,
    /// By the address' JSON.
    held: BTreeMap<String, Held>,
    pub(super) owed: Vec<super::owed::Debt>,
}

/// A state that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Which.
    pub chunk: ChunkId,
    /// The sls that declared it; empty when its result was never told.
    pub sls: String,
}

/// What we left at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    owner: Option<usize>,
    /// An act named it; otherwise it came along.
    named: bool,
    /// The run that changed it last.
    run: String,
    /// Scopes of the runs that changed it, one a line.
    scopes: String,
    before: String,
    after: String,
}

/// An address whose owner is not in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where.
    pub at: Address,
    /// Whose it was.
    pub owner: Owner,
    /// The run that changed it last.
    pub run: String,
    /// An act named it; otherwise it came along with one that did.
    pub named: bool,
    /// Somebody changed it since.
    pub edited: bool,
}

impl Ledger {
    /// What the journal says up to now.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let runs = journal.runs()?;
        let Some(mut ledger) = Self::read(journal) else {
            return Self::anew(journal);
        };
        let upto = ledger.upto;
        for number in runs.into_iter().filter(|number| *number > upto) {
            let Some(run) = journal.run(number)? else {
                continue;
            };
            if run.header.restores.is_some() {
                return Self::anew(journal);
            }
            ledger.debts(&run);
            ledger.fold(&run);
            ledger.seal(journal, &run);
        }
        Ok(ledger)
    }

    /// What these runs left, one after the other.
    #[cfg(test)]
    pub(crate) fn of(runs: &[RunRecord]) -> Self {
        let mut ledger = Self::default();
        for run in runs {
            ledger.debts(run);
            ledger.fold(run);
        }
        ledger
    }

    /// Made from the entries alone.
    fn anew(journal: &Journal) -> Result<Self, JournalError> {
        let mut ledger = Self::default();
        let past = base::past(journal)?;
        for run in past.led() {
            ledger.fold(run);
        }
        // Who owned what a rollback took back is known once all has been folded, and by then forgotten: their own fold.
        let mut whose = Self::default();
        for run in past.all() {
            whose.debts(run);
            whose.fold(run);
            ledger.seal(journal, run);
        }
        ledger.owed = whose.owed;
        Ok(ledger)
    }

    /// Takes note that `run` is in it.
    fn seal(&mut self, journal: &Journal, run: &RunRecord) {
        if run.close.is_some() && run.number > 0 {
            self.upto = run.number;
            self.size = fs::metadata(journal.entries_path(run.number)).map_or(0, |found| found.len());
        }
    }

    /// Whether a run that is still going on, or was cut off, is folded too: then it must not be kept.
    fn whole(&self, journal: &Journal) -> bool {
        journal
            .runs()
            .is_ok_and(|runs| runs.last().copied().unwrap_or(0) == self.upto)
    }

    /// Keeps it for the next load. It is no more than a copy: where it cannot be kept, the next load makes it anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, journal: &Journal) -> Result<(), JournalError> {
        if !self.whole(journal) {
            return Ok(());
        }
        let mut text = line(["run", &self.upto.to_string(), &self.size.to_string()]);
        for Owner { chunk, sls } in &self.owners {
            text += &line(["own", &chunk.state, &chunk.id, &chunk.name, &chunk.fun, sls]);
        }
        for (at, held) in &self.held {
            let owner = held.owner.map(|owner| owner.to_string()).unwrap_or_default();
            let named = if held.named { "1" } else { "" };
            text += &line([
                "at",
                &owner,
                named,
                &held.run,
                &held.scopes,
                &held.before,
                &held.after,
                at,
            ]);
        }
        for debt in &self.owed {
            text += &line(debt.words().iter().map(String::as_str));
        }
        let sum = Digest::of(&text);
        stage(
            &journal.dir.join("ledger"),
            format!("{sum}\n{text}").as_bytes(),
            Durable::No,
        )
    }

    /// What was kept, if it can be trusted and is of this journal.
    fn read(journal: &Journal) -> Option<Self> {
        let text = String::from_utf8(fs::read(journal.dir.join("ledger")).ok()?).ok()?;
        let (sum, body) = text.split_once('\n')?;
        if sum != Digest::of(body).to_string() {
            return None;
        }
        let mut ledger = Self::default();
        for words in body.lines() {
            ledger.take(serde_json::from_slice(words.as_bytes()).ok()?)?;
        }
        let there = fs::metadata(journal.entries_path(ledger.upto)).ok()?;
        (there.len() == ledger.size).then_some(ledger)
    }

    fn take(&mut self, words: Vec<String>) -> Option<()> {
        let mut words = words.into_iter();
        match words.next()?.as_str() {
            "run" => (self.upto, self.size) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
            "own" => self.owners.push(Owner {
                chunk: ChunkId {
                    state: words.next()?,
                    id: words.next()?,
                    name: words.next()?,
                    fun: words.next()?,
                },
                sls: words.next()?,
            }),
            "at" => {
                let owner = words.next()?;
                let held = Held {
                    owner: match owner.as_str() {
                        "" => None,
                        number => Some(number.parse().ok().filter(|at| *at < self.owners.len())?),
                    },
                    named: !words.next()?.is_empty(),
                    run: words.next()?,
                    scopes: words.next()?,
                    before: words.next()?,
                    after: words.next()?,
                };
                self.held.insert(words.next()?, held);
            }
            "owed" => self.owed.push(super::owed::Debt::parse(words)?),
            _ => return None,
        }
        Some(())
    }

    /// Goes on over a run's changes.
    fn fold(&mut self, run: &RunRecord) {
        type Intent<'a> = (Option<&'a ChunkId>, &'a [ChunkId], &'a [Act]);
        let mut intents: BTreeMap<u64, Intent<'_>> = BTreeMap::new();
        let mut sls: BTreeMap<&ChunkId, usize> = BTreeMap::new();
        let mut told = Vec::new();
        for entry in &run.entries {
            match entry {
                Entry::Intent {
                    act_num,
                    chunk,
                    beside,
                    acts,
                    ..
                } => {
                    intents.insert(*act_num, (chunk.as_ref(), beside, acts));
                }
                Entry::Done { act_num, changes }
                | Entry::Failed { act_num, changes, .. }
                | Entry::Recovered { act_num, changes, .. } => {
                    let (chunk, beside, acts) = intents.get(act_num).copied().unwrap_or((None, &[], &[]));
                    let named: Vec<&Address> = acts
                        .iter()
                        .filter_map(|act| match act {
                            Act::Assign { at, .. } => Some(at),
                            _ => None,
                        })
                        .collect();
                    for change in changes {
                        let chunk = whose(chunk, beside, acts, &change.at);
                        let owner = chunk.map(|chunk| self.owner(chunk));
                        if let (Some(chunk), Some(owner)) = (chunk, owner) {
                            sls.insert(chunk, owner);
                        }
                        self.change(run, owner, named.contains(&&change.at), change);
                    }
                }
                Entry::State(result) => told.push(result),
                _ => {}
            }
        }
        for result in told {
            let found = sls.iter().find(|(chunk, _)| {
                chunk.id == result.id && chunk.state == result.state && chunk.name == result.name
            });
            if let Some((_, owner)) = found {
                self.owners[*owner].sls.clone_from(&result.sls);
            }
        }
    }

    fn owner(&mut self, chunk: &ChunkId) -> usize {
        let found = self.owners.iter().position(|owner| owner.chunk == *chunk);
        found.unwrap_or_else(|| {
            self.owners.push(Owner {
                chunk: chunk.clone(),
                sls: String::new(),
            });
            self.owners.len() - 1
        })
    }

    fn change(&mut self, run: &RunRecord, owner: Option<usize>, named: bool, change: &Change) {
        let Some(key) = key(&change.at) else {
            return;
        };
        let (before, after) = (mark(&change.before), mark(&change.after));
        let scope = &run.header.scope;
        let held = self.held.entry(key.clone()).or_insert_with(|| Held {
            owner,
            named,
            run: String::new(),
            scopes: String::new(),
            before,
            after: String::new(),
        });
        held.after = after;
        held.run.clone_from(&run.header.run);
        held.named |= named;
        if owner.is_some() {
            held.owner = owner;
        }
        if !scope.is_empty() && !held.scopes.lines().any(|known| known == scope) {
            held.scopes = format!("{}{scope}\n", held.scopes);
        }
        // As it was before us: it is not ours any more.
        if held.before == held.after {
            self.held.remove(&key);
        }
    }

    /// Whether `live` is what was at an address before us.
    pub fn as_before(&self, at: &Address, live: &Value) -> bool {
        let held = key(at).and_then(|key| self.held.get(&key));
        held.is_some_and(|held| held.before == mark(live))
    }

    /// Whether `live` is what we left at an address; `None` where we left nothing.
    pub fn as_left(&self, at: &Address, live: &Value) -> Option<bool> {
        let held = self.held.get(&key(at)?)?;
        Some(held.after == mark(live))
    }

    /// Who last owned an address.
    pub(super) fn owner_of(&self, at: &Address) -> Option<&ChunkId> {
        let owner = self.held.get(&key(at)?)?.owner?;
        self.owners.get(owner).map(|owner| &owner.chunk)
    }

    /// What a run over `scope` would have to account for, and whose owner `present` does not know. A run over the whole
    /// highstate judges what the highstate once made; a run over some sls what only a run over the same ones made.
    pub fn left(&self, scope: &str, present: &dyn Fn(&ChunkId) -> bool) -> Vec<Left> {
        if scope.is_empty() || self.held.is_empty() {
            return Vec::new();
        }
        let gone: Vec<bool> = self.owners.iter().map(|owner| !present(&owner.chunk)).collect();
        if !gone.contains(&true) {
            return Vec::new();
        }
        let mut left = Vec::new();
        for (at, held) in &self.held {
            let Some(owner) = held.owner.filter(|owner| gone.get(*owner) == Some(&true)) else {
                continue;
            };
            let of = |scope: &str| held.scopes.lines().any(|known| known == scope);
            if !of(scope) || (scope != HIGHSTATE && of(HIGHSTATE)) {
                continue;
            }
            let (Some(owner), Ok(at)) = (self.owners.get(owner), serde_json::from_slice(at.as_bytes()))
            else {
                continue;
            };
            left.push(Left {
                at,
                owner: owner.clone(),
                run: held.run.clone(),
                named: held.named,
                edited: false,
            });
        }
        left
    }

    fn debts(&mut self, run: &RunRecord) {
        let mut owed = std::mem::take(&mut self.owed);
        super::owed::fold(&mut owed, run, self);
        self.owed = owed;
    }
}

/// How a run of the tree ended well: what it owed is paid.
pub(super) const fn settled(run: &RunRecord) -> bool {
    matches!(
        run.close,
        Some((Outcome::Ok | Outcome::Changed | Outcome::RolledBack, _))
    )
}

fn key(at: &Address) -> Option<String> {
    serde_json::to_string(at).ok()
}

/// What a value comes down to, as far as [`Value::same`] looks.
fn mark(value: &Value) -> String {
    let text = serde_json::to_vec(&value.bare()).unwrap_or_default();
    let mut hex = Digest::of(text).hex();
    hex.truncate(24);
    hex
}

pub(super) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let mut text = serde_json::to_string(&words).unwrap_or_default();
    text.push('\n');
    text
}
