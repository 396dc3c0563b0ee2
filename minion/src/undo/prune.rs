//! Taking orphans back: what states left on the host that are not in the tree any more, to what was there before us.
//!
//! The same fold as a rollback's, over all the journal knows, of these addresses alone. It runs inside the apply that was
//! asked to prune, so that it is one generation with it and goes back with it. What somebody changed since is told and left.

use std::collections::BTreeMap;

use proto::frame::RollbackReport;
use proto::{Address, Answer, Change, Orphan, Outcome, Question, Value};

use super::rollback::{Back, look};
use super::{Fold, Undo, lines};
use crate::journal::ledger::Left;
use crate::journal::{Journal, JournalError, Record, base};
use crate::system::System;
use crate::transact::Hands;

/// Says in `told` what [`prune`] would do; how many addresses would go back.
///
/// # Errors
/// The journal cannot be read or is damaged, or the host cannot be looked at.
pub fn preview<S: System>(
    journal: &Journal,
    system: &mut S,
    left: &[Left],
    told: &mut [Orphan],
) -> Result<usize, String> {
    let mut decided = decide(journal, system, left).map_err(|error| error.to_string())?;
    let mut wanted = decided.undo.wanted();
    let stay: Vec<Address> = wanted
        .keys()
        .filter(|at| holds_others(system, at, &wanted))
        .cloned()
        .collect();
    for at in stay {
        decided
            .undo
            .lost
            .push(format!("{at} stays: it holds what no run put there"));
        wanted.remove(&at);
    }
    for (left, told) in left.iter().zip(told.iter_mut()) {
        decided.tell(left, told, wanted.contains_key(&left.at));
    }
    Ok(wanted.len())
}

/// Takes orphans back, and says in `told` what became of each; how many addresses went back. `begun` transactions were
/// begun before in this run.
///
/// # Errors
/// As [`preview`]: nothing was done; or what went wrong on the way.
pub fn prune<S: System>(
    journal: &Journal,
    system: &mut S,
    record: &mut dyn Record,
    left: &[Left],
    told: &mut [Orphan],
    begun: u64,
    cancelled: &dyn Fn() -> bool,
) -> Result<usize, String> {
    let mut decided = decide(journal, system, left).map_err(|error| error.to_string())?;
    let mut report = RollbackReport {
        run: String::new(),
        outcome: Outcome::Changed,
        to: 0,
        generation: 0,
        previous_generation: 0,
        restored: Vec::new(),
        conflicts: Vec::new(),
        lost: std::mem::take(&mut decided.undo.lost),
        failed: Vec::new(),
        duration_ms: 0,
        merged: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
        chain: None,
    };
    let undo = std::mem::take(&mut decided.undo);
    let back = Back {
        hands: Hands::new(system, record).after(begun),
        report: &mut report,
        reached: false,
    };
    decided.undo.conflicts.clone_from(&undo.conflicts);
    back.whole(undo, &decided.live, cancelled);
    decided.undo.lost = report.lost;
    let done: Vec<&Address> = report.restored.iter().map(|change| &change.at).collect();
    for (left, told) in left.iter().zip(told.iter_mut()) {
        decided.tell(left, told, done.contains(&&left.at));
    }
    match report.failed.as_slice() {
        [] => Ok(done.len()),
        failed => Err(format!("taking orphans back: {}", failed.join("; "))),
    }
}

/// Whether a directory that is to go holds what does not go with it.
fn holds_others<S: System>(system: &mut S, at: &Address, wanted: &BTreeMap<Address, Value>) -> bool {
    let (Address::Path(path), Some(to)) = (at, wanted.get(at)) else {
        return false;
    };
    if matches!(to, Value::Dir { .. }) {
        return false;
    }
    match system.answer(&[Question::List(path.clone())]).pop() {
        Some(Answer::Tree(Some(tree))) => tree.iter().any(|(name, _)| {
            let inside = Address::Path(format!("{}/{name}", path.trim_end_matches('/')));
            !wanted.get(&inside).is_some_and(Value::is_absent)
        }),
        _ => false,
    }
}

struct Decided {
    undo: Undo,
    live: BTreeMap<Address, Value>,
}

fn decide<S: System>(journal: &Journal, system: &mut S, left: &[Left]) -> Result<Decided, JournalError> {
    let past = base::past(journal)?;
    if let Some(damage) = past.damage() {
        return Err(JournalError::Damaged(damage.clone()));
    }
    let mut fold = Fold {
        any: true,
        apart: true,
        ..Fold::default()
    };
    for (place, run) in past.led().into_iter().enumerate() {
        fold.add(place, &run.entries);
    }
    fold.only(left);
    let (live, silent) = look(system, fold.addresses())?;
    let merged = lines::tables(system, &fold, &live);
    let mut undo = fold.settle(&live, &merged, false);
    undo.add_silent(&fold, &silent, true);
    Ok(Decided { undo, live })
}

impl Decided {
    /// What becomes of one orphan.
    fn tell(&self, left: &Left, told: &mut Orphan, goes: bool) {
        let conflict = self
            .undo
            .conflicts
            .iter()
            .any(|conflict| conflict.ours.at == left.at);
        let name = left.at.to_string();
        let lost = self.undo.lost.iter().find(|text| text.starts_with(&name));
        told.fate = match (goes, conflict) {
            (true, _) => "restored",
            (_, true) => "conflict",
            _ => "kept",
        }
        .to_owned();
        if let (false, Some(lost)) = (goes, lost) {
            told.note.clone_from(lost);
        }
    }
}

impl Fold {
    /// Leaves out all but some addresses, and the restarts that did not follow a change of one of them. Commands are not
    /// taken back: whether somebody still counts on what they did is not known.
    fn only(&mut self, left: &[Left]) {
        self.touched
            .retain(|touched| left.iter().any(|left| left.at == touched.ours.at));
        self.commands.clear();
        self.lost.clear();
        let moments: Vec<_> = self
            .touched
            .iter()
            .flat_map(|touched| &touched.moments)
            .copied()
            .collect();
        self.pokes
            .retain(|((run, act), _, _)| moments.iter().any(|(other, before)| other == run && before < act));
    }

    /// The next change of something that is as it was before us begins anew.
    pub(super) fn anew(ours: &mut Change, change: &Change) -> bool {
        let over = ours.before.same(&ours.after);
        if over {
            *ours = change.clone();
        }
        over
    }
}

#[cfg(test)]
mod tests;
