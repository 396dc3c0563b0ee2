//! After a crash: an intent without its end is resolved by looking at the host, then the run is closed (J2).
//!
//! | live | means | done |
//! |---|---|---|
//! | as before | the act did not happen | `not_applied` |
//! | as wanted | it happened | `applied`, with its changes |
//! | anything else | it was cut in the middle | `restored`: the pre-images are put back |
//! | the act was a command | nobody can know | `unknown` |

use std::collections::BTreeSet;

use proto::{Act, Address, Answer, Change, Entry, Gather, Outcome, PreImage, Question, Value, arrange};

use super::entries::{self, Writer};
use super::{Journal, JournalError, RunRecord, head, worth};
use crate::meets::meets;
use crate::system::System;

/// What a recovery found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The master's id of the run that was cut off.
    pub run: String,
    /// Lines for people.
    pub notes: Vec<String>,
}

/// Resolves and closes the newest run, if it was cut off. Call under the run lock, before anything else.
///
/// # Errors
/// The journal is damaged or cannot be written, or the host cannot be looked at: then nothing may be run.
pub fn recover<S: System>(journal: &Journal, system: &mut S) -> Result<Option<Recovery>, JournalError> {
    journal.sweep()?;
    let Some(run) = journal.newest()? else {
        return Ok(None);
    };
    if let Some((_, _)) = run.close {
        // Closed, and perhaps cut off before its generation was published.
        if let Some(generation) = run.generation().filter(|_| run.damage.is_empty())
            && journal.generation()? < generation
        {
            head::publish(&journal.dir().join("head"), generation)?;
        }
        return Ok(None);
    }
    if let Some(damage) = run.damage.first() {
        return Err(JournalError::Damaged(damage.clone()));
    }
    let path = journal.entries_path(run.number);
    let mut writer = Writer::resume(&path, &entries::read(&path)?)?;
    let mut notes = Vec::new();
    let mut all = run.entries;
    let open = pending(&all);
    // A program that the killed agent had started may be in the middle of its work: what it leaves is what counts. Of another
    // boot nothing runs any more.
    let here = run.header.process != 0 && run.header.boot == crate::clock::boot();
    if here && !open.is_empty() && !system.outwait(run.header.process) {
        notes.push("a program that it had started still runs".to_owned());
    }
    if open.is_empty() {
        notes.push("it was cut off between two steps; nothing was left half done".to_owned());
    }
    for (act_num, acts, before) in open {
        system.sweep(&acts);
        let (how, changes, failed) = resolve(system, &acts, &before)?;
        system.harden(&acts);
        notes.push(note(&acts, how));
        notes.extend(failed);
        let entry = Entry::Recovered {
            act_num,
            how: how.to_owned(),
            changes,
        };
        writer.append(&entry)?;
        all.push(entry);
    }
    writer.append(&Entry::Close {
        outcome: Outcome::Failed,
        report: None,
    })?;
    if worth(&all) {
        head::publish(&journal.dir().join("head"), run.header.parent + 1)?;
    }
    let run = run.header.run;
    let notes = notes
        .into_iter()
        .map(|note| format!("run {run} was cut off: {note}"))
        .collect();
    Ok(Some(Recovery { run, notes }))
}

/// The newest run when it was cut off and not yet recovered.
///
/// # Errors
/// The journal cannot be read.
pub fn cut_off(journal: &Journal) -> Result<Option<RunRecord>, JournalError> {
    Ok(journal.newest()?.filter(|run| run.close.is_none()))
}

/// The intents whose end is missing, in their order: one act, and commands that ran beside it.
pub(super) fn pending(entries: &[Entry]) -> Vec<(u64, Vec<Act>, Vec<PreImage>)> {
    let mut open: Vec<(u64, Vec<Act>, Vec<PreImage>)> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Intent {
                act_num,
                acts,
                before,
                ..
            } => open.push((*act_num, acts.clone(), before.clone())),
            Entry::Done { act_num, .. }
            | Entry::Failed { act_num, .. }
            | Entry::Recovered { act_num, .. } => open.retain(|(open, ..)| open != act_num),
            _ => {}
        }
    }
    open
}

fn resolve<S: System>(
    system: &mut S,
    acts: &[Act],
    before: &[PreImage],
) -> Result<(&'static str, Vec<Change>, Vec<String>), JournalError> {
    let live = look(system, acts, before)?;
    if acts.iter().all(|act| !matches!(act, Act::Assign { .. })) {
        return Ok(("unknown", changed(system, acts, before, &live), Vec::new()));
    }
    if before.iter().zip(&live).all(|(image, live)| image.was.same(live)) {
        system.mend(before);
        return Ok(("not_applied", Vec::new(), Vec::new()));
    }
    // Whoever made a home filled it, too, and nobody knows how much of that had reached the disk: it is made again.
    let makes_user =
        |act: &Act| matches!(act, Act::Assign { at: Address::User(_), expect, .. } if expect.is_absent());
    if acts.iter().all(|act| reached(act, before, &live)) && !acts.iter().any(makes_user) {
        return Ok(("applied", changed(system, acts, before, &live), Vec::new()));
    }
    let failed = restore(system, before);
    system.mend(before);
    let live = look(system, acts, before)?;
    Ok(("restored", changed(system, acts, before, &live), failed))
}

/// What is not as it was, and all that came below a directory that was not there (whoever makes a home fills it, too) or that a
/// command touches.
pub(crate) fn changed<S: System>(
    system: &mut S,
    acts: &[Act],
    before: &[PreImage],
    live: &[Value],
) -> Vec<Change> {
    let touched = |path: &String| {
        acts.iter()
            .any(|act| matches!(act, Act::Run { touches, .. } if touches.contains(path)))
    };
    let mut changes: Vec<Change> = Vec::new();
    for (image, live) in before.iter().zip(live) {
        if !image.was.same(live) {
            changes.push(Change {
                at: image.at.clone(),
                before: image.was.clone(),
                after: live.clone(),
            });
        }
        let (Address::Path(path), Value::Dir { .. }) = (&image.at, live) else {
            continue;
        };
        if !image.was.is_absent() && !touched(path) {
            continue;
        }
        if let Some(Answer::Tree(Some(entries))) = system.answer(&[Question::List(path.clone())]).pop() {
            let below = entries.into_iter().map(|(name, after)| Change {
                at: Address::Path(format!("{path}/{name}")),
                before: Value::Absent,
                after,
            });
            let known: BTreeSet<&Address> = before.iter().map(|image| &image.at).gather();
            changes.extend(below.filter(|change| !known.contains(&change.at)));
        }
    }
    changes
}

/// What is there now. A database server that does not answer must not keep everything else from being mended: its things are
/// taken for changed, and a rollback looks at them again.
fn look<S: System>(system: &mut S, acts: &[Act], before: &[PreImage]) -> Result<Vec<Value>, JournalError> {
    let ask: Vec<Question> = before
        .iter()
        .map(|image| Question::Read(image.at.clone()))
        .collect();
    let answers = system.answer(&ask);
    let values = before.iter().zip(answers).map(|(image, answer)| match answer {
        Answer::Value(value) => Ok(value),
        Answer::Failed(_) if matches!(image.at, Address::Mysql(_)) => {
            let wanted = acts.iter().find_map(|act| match act {
                Act::Assign { at, to, .. } if *at == image.at => Some(to),
                _ => None,
            });
            Ok(wanted.unwrap_or(&image.was).clone())
        }
        other => Err(JournalError::Unknown(format!(
            "cannot look at {} after a run was cut off: {other:?}",
            image.at
        ))),
    });
    values.collect()
}

fn reached(act: &Act, before: &[PreImage], live: &[Value]) -> bool {
    let Act::Assign { at, to, .. } = act else {
        return true;
    };
    let place = before.iter().position(|image| image.at == *at);
    let whole = place
        .and_then(|place| live.get(place))
        .is_some_and(|live| meets(to, live));
    let there = |wanted: &dyn Fn(&Address) -> bool| {
        let mut pairs = before.iter().zip(live);
        pairs.any(|(image, live)| wanted(&image.at) && !live.is_absent())
    };
    if let (Address::User(name), Value::User(wanted)) = (at, to)
        && before
            .iter()
            .any(|image| image.at == *at && image.was.is_absent())
    {
        // A user that is there may still lack its own group, or its home.
        let group = wanted.gid.is_some() || there(&|at| *at == Address::Group(name.clone()));
        let home = !wanted.create_home || there(&|at| matches!(at, Address::Path(_)));
        return whole && group && home;
    }
    // A tree that goes takes everything below with it.
    let below_gone = !to.is_absent()
        || before
            .iter()
            .zip(live)
            .all(|(image, live)| !super::super::undo::below(&image.at, at) || live.is_absent());
    whole && below_gone
}

/// Puts pre-images back: what goes from the inside out, then what comes, packages and parents first. What cannot be put
/// back is told, and stays in the record as a change, so that a rollback still knows of it.
fn restore<S: System>(system: &mut S, before: &[PreImage]) -> Vec<String> {
    let mut gone: Vec<&PreImage> = before.iter().filter(|image| image.was.is_absent()).collect();
    let mut there: Vec<&PreImage> = before.iter().filter(|image| !image.was.is_absent()).collect();
    arrange(&mut gone, &|a, b| a.at > b.at);
    let key = |image: &PreImage| (!matches!(image.at, Address::Package(_)), image.at.clone());
    arrange(&mut there, &|a, b| key(a) < key(b));
    let mut failed = Vec::new();
    for image in gone.into_iter().chain(there) {
        let Some(Answer::Value(live)) = system.answer(&[Question::Read(image.at.clone())]).pop() else {
            continue;
        };
        if live.same(&image.was) {
            continue;
        }
        let act = [Act::assign(image.at.clone(), live, image.was.clone())];
        let again = system.observe(&act).and_then(|observed| {
            system
                .perform(&act, &observed)
                .map(drop)
                .map_err(|botched| botched.why)
        });
        system.forget();
        if let Err(problem) = again {
            failed.push(format!("{} could not be put back: {problem}", image.at));
        }
    }
    failed
}

fn note(acts: &[Act], how: &str) -> String {
    let what = match acts.first() {
        Some(Act::Assign { at, .. }) if acts.len() == 1 => at.to_string(),
        Some(Act::Assign { at, .. }) => format!("{at} and {} more", acts.len() - 1),
        Some(Act::Run { command, .. }) => format!("the command {:?}", command.argv.join(" ")),
        Some(Act::Poke { unit, .. }) => format!("the restart of {unit}"),
        Some(Act::Refresh) | None => "reading the package lists".to_owned(),
    };
    match how {
        "not_applied" => format!("{what} had not been changed yet"),
        "applied" => format!("{what} had been changed already"),
        "restored" => format!("{what} was half changed and has been put back"),
        _ => format!("whether {what} ran to its end is not known"),
    }
}
