//! What a rollback comes to on the host as it is now: found out whole before anything is touched (J6).

use std::collections::BTreeMap;
use std::time::Instant;

use proto::frame::{Rollback, RollbackReport};
use proto::{Address, Answer, Change, Outcome, Question, Value};

use super::database::{Silent, is_mysql};
use super::{Step, Undo, combine, fold, lines, packages, target};
use crate::journal::{Journal, JournalError};
use crate::system::System;

/// What was found out.
pub(super) struct Decided {
    pub(super) to: u64,
    at: u64,
    pub(super) undo: Undo,
    pub(super) live: BTreeMap<Address, Value>,
    /// Where texts were put together.
    merged: Vec<Address>,
    /// Why nothing may be done, where that is not for conflicts.
    refused: Vec<String>,
}

pub(super) fn decide<S: System>(
    journal: &Journal,
    system: &mut S,
    want: &Rollback,
) -> Result<Decided, JournalError> {
    let history = journal.history()?;
    let at = journal.generation()?;
    let mut decided = Decided {
        to: at,
        at,
        undo: Undo::default(),
        live: BTreeMap::new(),
        merged: Vec::new(),
        refused: Vec::new(),
    };
    // Unless this very run was cut off here and goes on.
    let resumed = || history.last().is_some_and(|run| run.header.run == want.run);
    if let Some(expected) = want.at.filter(|expected| *expected != at && !resumed()) {
        let text = format!("it was decided at generation {expected}, and the host is at generation {at} now");
        decided.refused.push(text);
        return Ok(decided);
    }
    let unknown = |error: super::NoTarget| JournalError::Unknown(error.to_string());
    let Some(to) = target(&history, &want.to).map_err(unknown)? else {
        return Ok(decided);
    };
    decided.to = to;
    let fold = fold(&history, to).map_err(unknown)?;
    let (live, silent) = look(system, fold.addresses())?;
    let mut merged = lines::tables(system, &fold, &live);
    if want.merge {
        for conflict in fold.settle(&live, &merged, false).conflicts {
            if let Some(value) = combine::combined(system, &conflict) {
                decided.merged.push(conflict.ours.at.clone());
                merged.insert(conflict.ours.at, value);
            }
        }
    }
    let leave = want.skip_conflicts || want.force;
    decided.undo = fold.settle(&live, &merged, want.force);
    decided.undo.add_silent(&fold, &silent, leave);
    decided.live = live;
    if !want.past_irreversible {
        let mut barriers = fold.barriers;
        barriers.dedup();
        let cannot = |what| format!("cannot be taken back: {what}");
        decided.refused.extend(barriers.into_iter().map(cannot));
    }
    decided.weigh(system, leave);
    let unfit = packages::unfit(system, &mut decided.undo, want);
    decided.refused.extend(unfit);
    Ok(decided)
}

/// What is there, and which database servers do not answer.
pub(super) fn look<S: System>(
    system: &mut S,
    addresses: Vec<Address>,
) -> Result<(BTreeMap<Address, Value>, Vec<Silent>), JournalError> {
    let ask: Vec<Question> = addresses.iter().cloned().map(Question::Read).collect();
    let answers = system.answer(&ask);
    let (mut live, mut silent) = (BTreeMap::new(), Vec::new());
    for (at, answer) in addresses.into_iter().zip(answers) {
        match answer {
            Answer::Value(value) => drop(live.insert(at, value)),
            Answer::Failed(why) if is_mysql(&at) => silent.push((at, why)),
            other => return Err(JournalError::Unknown(format!("cannot look at {at}: {other:?}"))),
        }
    }
    Ok((live, silent))
}

impl Decided {
    /// Checks that all that is to come back is kept, byte for byte (J1): what is damaged is never written.
    fn weigh<S: System>(&mut self, system: &mut S, leave: bool) {
        let mut missing = Vec::new();
        self.undo.steps.retain(|step| {
            let Step::Put { at, expect, to } = step else {
                return true;
            };
            // What is there already need not be kept.
            let there = contents(expect);
            let mut needed = contents(to)
                .into_iter()
                .filter(|content| !there.contains(content));
            let sound = needed.try_for_each(|content| system.sound(&content));
            if let Err(why) = sound {
                missing.push(format!("{at} cannot come back: {why}"));
                return false;
            }
            true
        });
        if leave {
            self.undo.lost.extend(missing);
        } else {
            self.refused.extend(missing);
        }
    }

    pub(super) fn report(&self, want: &Rollback, began: Instant) -> RollbackReport {
        let restored: Vec<Change> = self
            .undo
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Put { at, expect, to } => Some(Change {
                    at: at.clone(),
                    before: expect.clone(),
                    after: to.clone(),
                }),
                Step::Late { ours } => Some(Change {
                    at: ours.at.clone(),
                    before: ours.after.clone(),
                    after: ours.before.clone(),
                }),
                _ => None,
            })
            .collect();
        let conflicts = !self.undo.conflicts.is_empty() && !want.skip_conflicts && !want.force;
        let outcome = if conflicts || !self.refused.is_empty() {
            Outcome::Refused
        } else if self.undo.steps.is_empty() {
            Outcome::Ok
        } else {
            Outcome::Changed
        };
        RollbackReport {
            run: want.run.clone(),
            outcome,
            to: self.to,
            generation: self.at,
            previous_generation: self.at,
            restored,
            conflicts: self.undo.conflicts.clone(),
            lost: self.undo.lost.clone(),
            failed: Vec::new(),
            duration_ms: began.elapsed().as_millis() as u64,
            merged: self
                .merged
                .iter()
                .map(|at| (at.to_string(), String::new()))
                .collect(),
            refused: self.refused.clone(),
            notes: Vec::new(),
            chain: None,
        }
    }
}

/// The kept contents that a value needs to be put there.
fn contents(value: &Value) -> Vec<proto::Digest> {
    match value {
        Value::File { content, .. } => vec![*content],
        Value::User(account) => account.shadow.into_iter().collect(),
        Value::MysqlUser(statement) => statement.iter().copied().collect(),
        Value::MysqlSource(source) => source.statement.into_iter().chain(source.seed).collect(),
        _ => Vec::new(),
    }
}
