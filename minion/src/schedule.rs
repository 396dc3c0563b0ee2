//! The requisite machine: from results so far, what becomes of the next chunk. Pure.
//!
//! The rules are salt-semantics section 7 as Salt 3008 follows them; the chunks come in an order in which whatever a chunk
//! needs stands before it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proto::{Catalog, Chunk, ChunkId, Gather, RequisiteKind, StateResult};

use crate::journal::ledger::Ledger;

/// What becomes of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Its function is called.
    Run,
    /// Its function is called and, if it changed nothing, its watch action; with the watched chunks that changed.
    RunThenWatch(Vec<ChunkId>),
    /// It is not called; this is its result.
    NotRun(Box<StateResult>),
}

/// What later chunks need to know of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    result: Option<bool>,
    changed: bool,
    ran: bool,
}

/// The results of a run so far, and what follows from them.
#[derive(Debug)]
pub struct Schedule<'a> {
    catalog: &'a Catalog,
    ledger: Ledger,
    boot: String,
    seen: Vec<Option<Seen>>,
    /// Results of dry runs made for a `prereq`, by place in the catalog.
    dry: BTreeMap<usize, StateResult>,
    /// The dry run of a chunk, by its id.
    checks: BTreeMap<&'a ChunkId, usize>,
    run_num: u64,
    paid: Cell<bool>,
}

/// A watch action at the end of the run (salt-semantics section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Place of the chunk that listens.
    pub chunk: usize,
    /// Its id in the result: `listener_<id>`.
    pub id: String,
}

type Facts = BTreeSet<Fact>;

/// What the dependencies of one kind did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Unmet,
    Fail,
    Onfail,
    Onchanges,
    OnchangesMet,
    Change,
    Pre,
    PreMet,
    Met,
}

impl<'a> Schedule<'a> {
    /// Nothing has run yet.
    pub fn new(catalog: &'a Catalog, ledger: Ledger) -> Self {
        let chunks = catalog.chunks.iter().enumerate();
        Self {
            catalog,
            ledger,
            boot: crate::clock::boot(),
            seen: vec![None; catalog.chunks.len()],
            dry: BTreeMap::new(),
            checks: chunks
                .filter(|(_, chunk)| chunk.check_only)
                .map(|(place, chunk)| (&chunk.id, place))
                .gather(),
            run_num: 0,
            paid: Cell::new(false),
        }
    }

    /// What our runs left on this host.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The run that owed it to chunk `place` to have its turn, where nothing but that gave it one.
    pub fn debt(&self, place: usize) -> Option<&str> {
        let chunk = self.catalog.chunks.get(place)?;
        let kinds = |need: &&proto::Requisite| waits(need.kind);
        let needs = chunk.needs.iter().filter(kinds).flat_map(|need| &need.on);
        let listens = self.catalog.listens.iter();
        let listens = listens
            .filter(|listen| listen.call.contains(&place))
            .flat_map(|listen| &listen.on);
        let mut debt = None;
        for on in needs.chain(listens) {
            match self.seen(*on) {
                Some(seen) if seen.changed => return None,
                Some(seen) if seen.result != Some(false) => debt = debt.or(self.owes(*on, chunk)),
                _ => {}
            }
        }
        debt
    }

    fn owes(&self, changed: usize, dependent: &Chunk) -> Option<&str> {
        self.ledger
            .owes(&self.catalog.chunks[changed].id, &dependent.id, &self.boot)
    }

    /// Whether some state had its turn only because an unfinished run owed it.
    pub fn paid(&self) -> bool {
        self.paid.get()
    }

    /// The number of the next call; every call counts (a fired watch uses two).
    pub const fn number(&mut self) -> u64 {
        let number = self.run_num;
        self.run_num += 1;
        number
    }

    /// What becomes of chunk `place`.
    pub fn verdict(&mut self, place: usize) -> Verdict {
        let chunk = &self.catalog.chunks[place];
        let mut facts = Facts::new();
        for kind in kinds(chunk) {
            facts.extend(self.facts(chunk, kind));
        }
        let has = |fact| facts.contains(&fact);
        if has(Fact::Unmet) {
            return self.not_run(
                place,
                Some(false),
                "A requisite of this state has not run: a bug in salt-rs",
            );
        }
        if has(Fact::Fail) {
            return self.failed(place);
        }
        if has(Fact::Pre) {
            if has(Fact::PreMet) {
                return Verdict::Run;
            }
            return self.not_run(place, Some(true), "No changes detected");
        }
        if has(Fact::Onfail) && !(has(Fact::OnchangesMet) && has(Fact::Change)) {
            return self.not_run(
                place,
                Some(true),
                "State was not run because onfail req did not change",
            );
        }
        if has(Fact::Onchanges) && !has(Fact::OnchangesMet) {
            return self.not_run(
                place,
                Some(true),
                "State was not run because none of the onchanges reqs changed",
            );
        }
        if has(Fact::Change) {
            // Salt tells the watch action of `watch`, not of `watch_any`.
            return Verdict::RunThenWatch(self.changed(place, &[RequisiteKind::Watch]));
        }
        Verdict::Run
    }

    /// Whether nothing but good ends of what it requires decides that chunk `place` is called, and nothing it watches changed.
    pub fn plainly_runs(&self, place: usize) -> bool {
        let chunk = &self.catalog.chunks[place];
        kinds(chunk).into_iter().all(|kind| {
            let facts = self.facts(chunk, kind);
            kind != RequisiteKind::Prereq
                && facts
                    .iter()
                    .all(|fact| matches!(fact, Fact::Met | Fact::OnchangesMet))
        })
    }

    /// Keeps the result of chunk `place`; of a `check_only` chunk it is the dry run's.
    pub fn done(&mut self, place: usize, result: &StateResult) {
        if self.catalog.chunks[place].check_only {
            self.dry.insert(place, result.clone());
        }
        self.seen[place] = Some(Seen {
            result: result.result,
            changed: !result.changes.is_empty(),
            ran: result.state_ran,
        });
    }

    /// Chunks that `place` depends on by one of `kinds` and that changed, in the order written.
    pub fn changed(&self, place: usize, kinds: &[RequisiteKind]) -> Vec<ChunkId> {
        let chunk = &self.catalog.chunks[place];
        let mut found = Vec::new();
        for need in chunk.needs.iter().filter(|need| kinds.contains(&need.kind)) {
            for on in need.on.iter().filter(|on| self.counts_as_changed(**on, chunk)) {
                let id = &self.catalog.chunks[*on].id;
                if !found.contains(id) {
                    found.push(id.clone());
                }
            }
        }
        found
    }

    /// Whether the result of `place` ends the run (`failhard`; never in a dry run).
    pub fn ends(&self, place: usize, result: &StateResult) -> bool {
        let chunk = &self.catalog.chunks[place];
        result.result == Some(false)
            && !chunk.check_only
            && chunk.options.failhard.unwrap_or(self.catalog.options.failhard)
    }

    /// Whether the chunk has its result already.
    pub fn settled(&self, place: usize) -> bool {
        self.seen(place).is_some()
    }

    /// The chunk that a dry run is made for; any other chunk is itself.
    pub fn itself(&self, place: usize) -> usize {
        let chunks = &self.catalog.chunks;
        let same = |chunk: &Chunk| !chunk.check_only && chunk.id == chunks[place].id;
        match chunks[place].check_only {
            true => chunks.iter().position(same).unwrap_or(place),
            false => place,
        }
    }

    /// The watch actions that are due at the end, each once, in the order of what asks for them.
    pub fn listeners(&self) -> Vec<Listener> {
        let mut found: Vec<Listener> = Vec::new();
        let mut tags = BTreeSet::new();
        for listen in &self.catalog.listens {
            for &place in &listen.call {
                let chunk = &self.catalog.chunks[place];
                let due = listen.on.iter().any(|on| self.counts_as_changed(*on, chunk));
                if due && tags.insert((&chunk.id.state, &chunk.id.id, &chunk.id.name)) {
                    found.push(Listener {
                        chunk: place,
                        id: format!("listener_{}", chunk.id.id),
                    });
                }
            }
        }
        found
    }

    /// Results of `listen` references that name nothing. One of a `listen_in` matters once there are changes to tell.
    pub fn listen_errors(&mut self) -> Vec<StateResult> {
        let mut tags = BTreeSet::new();
        let mut found = Vec::new();
        for listen in &self.catalog.listens {
            let changed = |on: &usize| self.seen(*on).is_some_and(|seen| seen.changed);
            let Some((module, reference)) = &listen.missing else {
                continue;
            };
            if !(listen.on.is_empty() || listen.on.iter().any(changed)) || !tags.insert((module, reference)) {
                continue;
            }
            let id = ChunkId {
                state: "Listen_Error".to_owned(),
                id: format!("listen_{reference}"),
                name: format!("listen_{module}"),
                fun: "Listen_Error".to_owned(),
            };
            let mut result = StateResult::met(&id, "");
            result.result = Some(false);
            result.comment = format!("Referenced state {module}: {reference} does not exist");
            result.run_num = self.number();
            found.push(result);
        }
        found
    }

    /// Whether the failure of `place` is made good: it has onfail handlers, and all of them are true.
    pub fn handled(&self, place: usize) -> bool {
        let handles = |chunk: &Chunk| {
            chunk
                .needs
                .iter()
                .any(|need| onfail(need.kind) && need.on.contains(&place))
        };
        let handlers = self
            .catalog
            .chunks
            .iter()
            .enumerate()
            .filter(|(_, chunk)| !chunk.check_only && handles(chunk));
        let mut states = handlers
            .map(|(place, _)| self.seen[place].is_some_and(|seen| seen.result == Some(true)))
            .peekable();
        states.peek().is_some() && states.all(|good| good)
    }

    fn seen(&self, place: usize) -> Option<Seen> {
        self.seen.get(place).copied().flatten()
    }

    fn counts_as_changed(&self, place: usize, dependent: &Chunk) -> bool {
        let Some(seen) = self.seen(place) else {
            return false;
        };
        if seen.changed {
            return true;
        }
        let owed = seen.result != Some(false) && self.owes(place, dependent).is_some();
        if owed {
            self.paid.set(true);
        }
        owed
    }

    /// The dry run that a `prereq` on `place` looks at; `None` where it is an ordinary requirement.
    fn dry_run_of(&self, place: usize) -> Option<usize> {
        let target = self.catalog.chunks.get(place)?;
        if target.check_only {
            Some(place)
        } else {
            self.checks.get(&target.id).copied()
        }
    }

    fn facts(&self, chunk: &Chunk, kind: RequisiteKind) -> Facts {
        let mut facts = Facts::new();
        let on = chunk
            .needs
            .iter()
            .filter(|need| need.kind == kind)
            .flat_map(|need| need.on.iter().copied());
        for place in on {
            let dry = (kind == RequisiteKind::Prereq)
                .then(|| self.dry_run_of(place))
                .flatten();
            let Some(seen) = self.seen(dry.unwrap_or(place)) else {
                facts.insert(Fact::Unmet);
                continue;
            };
            facts.extend(self.fact(chunk, kind, place, dry.is_some(), seen));
        }
        weigh(kind, facts)
    }

    fn fact(&self, chunk: &Chunk, kind: RequisiteKind, place: usize, dry: bool, seen: Seen) -> Option<Fact> {
        if onfail(kind) {
            if seen.result == Some(true) {
                return Some(Fact::Onfail);
            }
        } else if onchanges(kind) {
            let changed = seen.result != Some(false) && self.counts_as_changed(place, chunk);
            return Some(if changed {
                Fact::OnchangesMet
            } else {
                Fact::Onchanges
            });
        } else if seen.result == Some(false) {
            return Some(Fact::Fail);
        }
        if watch(kind) && self.counts_as_changed(place, chunk) {
            return Some(Fact::Change);
        }
        if dry {
            return Some(if seen.result.is_none() {
                Fact::PreMet
            } else {
                Fact::Pre
            });
        }
        seen.ran.then_some(Fact::Met)
    }

    fn failed(&mut self, place: usize) -> Verdict {
        let chunk = &self.catalog.chunks[place];
        // A target whose prereq failed shows what its dry run said (case prereq-fails).
        let dry = self
            .checks
            .get(&chunk.id)
            .filter(|_| !chunk.check_only)
            .and_then(|check| self.dry.get(check));
        if let Some(dry) = dry.cloned() {
            let number = self.number();
            return Verdict::NotRun(Box::new(StateResult {
                changes: serde_json::Map::new(),
                run_num: number,
                ..dry
            }));
        }
        let mut names = BTreeSet::new();
        for need in &chunk.needs {
            for on in &need.on {
                let on = match need.kind {
                    RequisiteKind::Prereq => self.dry_run_of(*on).unwrap_or(*on),
                    _ => *on,
                };
                if self.seen(on).is_some_and(|seen| seen.result == Some(false)) {
                    let failed = &self.catalog.chunks[on];
                    names.insert(format!("{}.{}", failed.sls, failed.id.id));
                }
            }
        }
        let names: Vec<String> = names.into_iter().collect();
        self.not_run(
            place,
            Some(false),
            &format!("One or more requisite failed: {}", names.join(", ")),
        )
    }

    fn not_run(&mut self, place: usize, result: Option<bool>, comment: &str) -> Verdict {
        let chunk = &self.catalog.chunks[place];
        let mut not_run = StateResult::met(&chunk.id, &chunk.sls);
        not_run.run_num = self.number();
        not_run.result = result;
        not_run.state_ran = false;
        comment.clone_into(&mut not_run.comment);
        Verdict::NotRun(Box::new(not_run))
    }
}

/// The kinds a chunk has, each once.
fn kinds(chunk: &Chunk) -> BTreeSet<RequisiteKind> {
    chunk.needs.iter().map(|need| need.kind).gather()
}

const fn onfail(kind: RequisiteKind) -> bool {
    matches!(
        kind,
        RequisiteKind::Onfail | RequisiteKind::OnfailAny | RequisiteKind::OnfailAll
    )
}

const fn onchanges(kind: RequisiteKind) -> bool {
    matches!(kind, RequisiteKind::Onchanges | RequisiteKind::OnchangesAny)
}

const fn watch(kind: RequisiteKind) -> bool {
    matches!(kind, RequisiteKind::Watch | RequisiteKind::WatchAny)
}

/// Whether a dependent of this kind waits for changes.
pub(crate) const fn waits(kind: RequisiteKind) -> bool {
    onchanges(kind) || watch(kind)
}

/// Within one kind: `_any` and plain `onfail` need one good among them, `onfail_all` needs all.
fn weigh(kind: RequisiteKind, mut facts: Facts) -> Facts {
    use RequisiteKind::{OnchangesAny, Onfail, OnfailAll, OnfailAny, RequireAny, WatchAny};
    if matches!(kind, Onfail | OnfailAny | RequireAny | OnchangesAny | WatchAny) {
        if facts.contains(&Fact::Met) || facts.contains(&Fact::Change) {
            facts.remove(&Fact::Fail);
        }
        if facts.contains(&Fact::OnchangesMet) {
            facts.remove(&Fact::Onchanges);
            facts.remove(&Fact::Fail);
        }
        if facts.contains(&Fact::Met) {
            facts.remove(&Fact::Onfail);
        }
    }
    if kind == OnfailAll && facts.contains(&Fact::Onfail) {
        facts.remove(&Fact::Met);
    }
    facts
}

#[cfg(test)]
mod tests;
