//! One transaction: observe, journal the intent, perform, journal what happened. Every change of a host goes through here,
//! whether a state, a rollback or a recovery asked for it.

use std::collections::BTreeMap;
use std::ops::Range;

use proto::{
    Act, Address, Answer, Change, ChunkId, Entry, Fidelity, Performed, PreImage, Problem, ProblemKind,
    Question, Value,
};

use crate::fidelity::Undoing;
use crate::journal::{Record, recover::changed};
use crate::readers;
use crate::system::{Botched, System};
use crate::undo::below;

/// What performs acts and keeps the record of it.
pub struct Hands<'a, S> {
    /// The host.
    pub system: &'a mut S,
    record: &'a mut dyn Record,
    next: u64,
    /// What earlier acts of this run left at the addresses they touched.
    touched: BTreeMap<Address, Value>,
    /// What was at addresses before this run touched them first.
    first: BTreeMap<Address, Value>,
    /// Where it is known which packages may change: no other one does (J12).
    packages: Option<Vec<Address>>,
}

impl<S> std::fmt::Debug for Hands<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// A transaction whose intent is journaled and whose end is not.
#[derive(Debug)]
pub struct Begun {
    /// Its number in the run.
    pub act_num: u64,
    before: Vec<PreImage>,
}

/// What one transaction gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transacted {
    /// What changed by it, and what a command said.
    pub performed: Performed,
    /// How well it can be undone.
    pub undoing: Undoing,
}

/// Why a transaction was not done, or not whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Stumble {
    /// What is there is not what was expected; nothing was done. Plan again.
    Moved(Problem),
    /// Refused before, or failed in the middle.
    Botched(Box<Botched>),
    /// The journal cannot be written: nothing more may be changed in this run.
    Journal(Problem),
}

impl Stumble {
    /// The problem itself.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Moved(problem) | Self::Journal(problem) => problem,
            Self::Botched(botched) => &botched.why,
        }
    }
}

impl<'a, S: System> Hands<'a, S> {
    /// Hands on a host, keeping their record in `record`.
    pub fn new(system: &'a mut S, record: &'a mut dyn Record) -> Self {
        Self {
            system,
            record,
            next: 0,
            touched: BTreeMap::new(),
            first: BTreeMap::new(),
            packages: None,
        }
    }

    /// Numbers go on after so many transactions of the same run.
    #[must_use]
    pub const fn after(mut self, begun: u64) -> Self {
        self.next = begun;
        self
    }

    /// Refuses from now on transactions that would change other packages than these.
    pub fn only_packages(&mut self, packages: Vec<Address>) {
        self.packages = Some(packages);
    }

    /// The record, for entries that are no acts.
    pub fn record(&mut self) -> &mut dyn Record {
        self.record
    }

    /// How many transactions were begun.
    pub const fn begun(&self) -> u64 {
        self.next
    }

    /// Addresses to look at again after acts that change more than they say.
    pub fn watch(&mut self, seen: impl IntoIterator<Item = (Address, Value)>) {
        self.touched.extend(seen);
    }

    /// What was at addresses before this run first changed them.
    pub const fn first(&self) -> &BTreeMap<Address, Value> {
        &self.first
    }

    /// Does one transaction; its contents are already kept in the object store.
    ///
    /// # Errors
    /// [`Stumble`] says what was done all the same.
    pub fn transact(&mut self, chunk: Option<&ChunkId>, acts: &[Act]) -> Result<Transacted, Stumble> {
        self.transact_for(chunk.as_slice(), acts)
    }

    /// Does one transaction on behalf of several chunks.
    ///
    /// # Errors
    /// As [`Hands::transact`].
    pub fn transact_for(&mut self, chunks: &[&ChunkId], acts: &[Act]) -> Result<Transacted, Stumble> {
        let begun = self.begin(chunks, acts)?;
        self.end(acts, begun)
    }

    /// The first half of a transaction: what is there is kept, and the intent is durable.
    ///
    /// # Errors
    /// As [`Hands::transact`]; nothing was done.
    pub fn begin(&mut self, chunks: &[&ChunkId], acts: &[Act]) -> Result<Begun, Stumble> {
        let before = match self.system.observe(acts) {
            Ok(before) => before,
            Err(problem) if problem.kind == ProblemKind::Moved => return Err(Stumble::Moved(problem)),
            Err(problem) => return Err(Stumble::Botched(problem.into())),
        };
        if let Some(problem) = self.more(&before) {
            // What was held for the transaction is let go.
            self.system.forget();
            return Err(Stumble::Botched(problem.into()));
        }
        let act_num = self.next;
        let intent = Entry::Intent {
            act_num,
            chunk: chunks.first().map(|&chunk| chunk.clone()),
            beside: chunks.iter().skip(1).map(|&chunk| chunk.clone()).collect(),
            acts: acts.to_vec(),
            before,
        };
        self.record.append(&intent).map_err(Stumble::Journal)?;
        self.next += 1;
        let before = match intent {
            Entry::Intent { before, .. } => before,
            _ => Vec::new(),
        };
        Ok(Begun { act_num, before })
    }

    /// The second half: the acts are performed, and what happened is journaled.
    ///
    /// # Errors
    /// As [`Hands::transact`].
    pub fn end(&mut self, acts: &[Act], begun: Begun) -> Result<Transacted, Stumble> {
        let Begun { act_num, before } = begun;
        let done = self.system.perform(acts, &before);
        self.system.forget();
        let undoing = Undoing::of(acts, &before);
        match done {
            Ok(performed) => {
                self.system.harden(acts);
                let changes = self.settle(acts, &performed.changes);
                let entry = match unsuccessful(acts, &performed) {
                    Some(why) => Entry::Failed {
                        act_num,
                        why,
                        changes,
                    },
                    None => Entry::Done { act_num, changes },
                };
                self.record.append(&entry).map_err(Stumble::Journal)?;
                Ok(Transacted { performed, undoing })
            }
            Err(botched) => {
                let mut observed = botched.changes.clone();
                observed.extend(self.missed(acts, &before, &observed)?);
                let changes = self.settle(acts, &observed);
                let entry = Entry::Failed {
                    act_num,
                    why: botched.why.clone(),
                    changes,
                };
                self.record.append(&entry).map_err(Stumble::Journal)?;
                Err(Stumble::Botched(botched))
            }
        }
    }

    /// What an act that failed changed without saying so, because looking afterwards failed, too.
    ///
    /// # Errors
    /// It cannot be told even now. The intent stays without its end, and the next start resolves it.
    fn missed(&mut self, acts: &[Act], before: &[PreImage], said: &[Change]) -> Result<Vec<Change>, Stumble> {
        let told = |act: &Act| match act {
            Act::Assign { .. } => true,
            Act::Run { touches, .. } => !touches.is_empty(),
            Act::Poke { .. } | Act::Refresh => false,
        };
        if !acts.iter().all(told) {
            return Ok(Vec::new());
        }
        let images: Vec<&PreImage> = before
            .iter()
            .filter(|image| said.iter().all(|change| change.at != image.at))
            .filter(|image| !matches!(image.at, Address::Mysql(_)))
            .collect();
        let ask: Vec<Question> = images
            .iter()
            .map(|image| Question::Read(image.at.clone()))
            .collect();
        let mut live = Vec::new();
        for (image, answer) in images.iter().zip(self.system.answer(&ask)) {
            match answer {
                Answer::Value(value) => live.push(value),
                other => {
                    let why = format!(
                        "what became of {} cannot be told ({other:?}); the next run looks",
                        image.at
                    );
                    return Err(Stumble::Journal(Problem::new(ProblemKind::Failed, why)));
                }
            }
        }
        let images: Vec<PreImage> = images.into_iter().cloned().collect();
        let mut missed = changed(self.system, acts, &images, &live);
        missed.retain(|change| said.iter().all(|known| known.at != change.at));
        Ok(missed)
    }

    /// The problem when a transaction would change packages that it may not.
    fn more(&self, before: &[PreImage]) -> Option<Problem> {
        let allowed = self.packages.as_ref()?;
        let repaired = |image: &PreImage| matches!(image.fidelity, Fidelity::Compensated(_));
        let more = before.iter().filter(|image| {
            let package = matches!(image.at, Address::Package(_));
            package && !allowed.contains(&image.at) && !repaired(image)
        });
        let more: Vec<String> = more.map(|image| image.at.to_string()).collect();
        (!more.is_empty()).then(|| {
            Problem::new(
                ProblemKind::Refused,
                format!("it would change more than what goes back: {}", more.join(", ")),
            )
        })
    }

    /// The observed changes, and those that packages' and commands' own programs made at addresses this run had touched
    /// before: without them a rollback would take our own doing for somebody else's.
    fn settle(&mut self, acts: &[Act], observed: &[Change]) -> Vec<Change> {
        let mut changes = observed.to_vec();
        if acts.iter().any(reaches_further) && !self.touched.is_empty() {
            let said: Vec<_> = observed.iter().map(|change| &change.at).collect();
            let doubtful: Vec<Address> = self
                .touched
                .keys()
                .filter(|at| !said.contains(at))
                .cloned()
                .collect();
            let ask: Vec<Question> = doubtful.iter().cloned().map(Question::Read).collect();
            for (at, answer) in doubtful.into_iter().zip(self.system.answer(&ask)) {
                let (Some(before), Answer::Value(after)) = (self.touched.get(&at), answer) else {
                    continue;
                };
                if !before.same(&after) {
                    let before = before.clone();
                    changes.push(Change { at, before, after });
                }
            }
        }
        for change in &changes {
            let first = self.first.entry(change.at.clone());
            first.or_insert_with(|| change.before.clone());
            self.touched.insert(change.at.clone(), change.after.clone());
            if let Some(point) = mount_point(&change.at) {
                // Where a mount came or went, the same path is another file now.
                self.touched.retain(|at, _| *at != point && !below(at, &point));
            }
        }
        changes
    }
}

/// The path something is mounted at.
pub(crate) fn mount_point(at: &Address) -> Option<Address> {
    match at {
        Address::Mount(path) => Some(Address::Path(path.clone())),
        _ => None,
    }
}

/// Whether an act may change addresses that it does not name.
fn reaches_further(act: &Act) -> bool {
    match act {
        Act::Run { .. } => true,
        Act::Assign { at, .. } => matches!(at, Address::Package(_) | Address::User(_) | Address::Group(_)),
        Act::Poke { .. } | Act::Refresh => false,
    }
}

/// The problem of a command that ran and did not succeed.
fn unsuccessful(acts: &[Act], performed: &Performed) -> Option<Problem> {
    let [Act::Run { command, .. }] = acts else {
        return None;
    };
    let output = performed
        .output
        .as_ref()
        .filter(|output| !output.success(command))?;
    Some(Problem::new(
        ProblemKind::Failed,
        format!("the command ended with exit status {}", output.code),
    ))
}

/// Acts as transactions: neighbouring assignments to packages belong together, and neighbouring ones to files that one
/// program reads (J10); everything else stands alone.
pub fn transactions(acts: &[Act]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (place, act) in acts.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if package(act) && package(&acts[last.start]) => last.end = place + 1,
            Some(last) if together(&acts[last.clone()], act) => last.end = place + 1,
            _ => ranges.push(place..place + 1),
        }
    }
    ranges
}

fn together(acts: &[Act], act: &Act) -> bool {
    let reader = readers::common(acts);
    reader.is_some() && reader == readers::common(std::slice::from_ref(act)) && readers::fits(acts, act)
}

const fn package(act: &Act) -> bool {
    matches!(
        act,
        Act::Assign {
            at: Address::Package(_),
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_packages_are_one_transaction() {
        let package = |name: &str| Act::assign(Address::Package(name.into()), Value::Absent, Value::Absent);
        let path = || Act::assign(Address::Path("/a".into()), Value::Absent, Value::Absent);
        let acts = [
            Act::Refresh,
            package("a"),
            package("b"),
            path(),
            package("c"),
            path(),
            path(),
        ];
        assert_eq!(transactions(&acts), [0..1, 1..3, 3..4, 4..5, 5..6, 6..7]);
        assert!(transactions(&[]).is_empty());
    }
}
