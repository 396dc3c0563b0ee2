//! What hosts said of going back, as results to show and record.

use proto::frame::{Conflict, RollbackReport};
use proto::{FromMinion, Outcome, StateResult};
use serde_json::{Map, Value as Json, json};

use super::super::log::short;
use super::Rollback;
use crate::fleet::{Told as Answered, of_report as of_settled};
use crate::report::HostResult;
use crate::store::is_open;

/// What came of a host, for the report.
pub(super) fn result(told: &Answered, command: &Rollback, stopped: bool) -> HostResult {
    let id = &told.host.id;
    let mut result = match &told.answer {
        Ok(FromMinion::RollbackReport(report)) => of_report(id, report, command, stopped),
        Ok(FromMinion::Busy { holder }) => HostResult::without_report(
            id,
            Outcome::Refused,
            format!("another run holds the host: {holder}"),
            None,
        ),
        Ok(FromMinion::Outdated { master, epoch }) => HostResult::without_report(
            id,
            Outcome::Refused,
            format!("the host obeys another master ({master}, epoch {epoch})"),
            Some("run the command there, or take the host over with --take-over".to_owned()),
        ),
        // It had done it before, and was told again.
        Ok(FromMinion::Report(report)) => of_settled(id, report.clone()),
        Ok(_) => HostResult::without_report(id, Outcome::Failed, "an answer out of place".to_owned(), None),
        Err(trouble) => {
            let outcome = if trouble.leaves_doubt() && !stopped && !command.plan {
                Outcome::Unknown
            } else {
                trouble.outcome()
            };
            let queued = command.queue_unreachable && !stopped && !command.plan && is_open(outcome);
            let hint = if queued || outcome == Outcome::Unknown {
                Some("it goes back at its next contact, before anything else is done with it".to_owned())
            } else {
                trouble.hint()
            };
            HostResult::without_report(id, outcome, trouble.to_string(), hint)
        }
    };
    if let Some(doubt) = &told.doubt {
        result.outcome = Outcome::Refused;
        result.error = Some((doubt.clone(), None));
    }
    result.traffic = told.traffic;
    result.duration_ms = told.duration_ms;
    result
}

fn of_report(id: &str, report: &RollbackReport, command: &Rollback, stopped: bool) -> HostResult {
    let mut notes: Vec<String> = report.notes.clone();
    let refused = report.outcome == Outcome::Refused;
    let lost = report.lost.iter().map(|lost| format!("cannot come back: {lost}"));
    notes.extend(lost.filter(|_| report.refused.is_empty()));
    let states = report.restored.iter().map(|change| {
        let address = change.at.to_string();
        let merged = report.merged.iter().find(|(at, _)| *at == address);
        let chunk = proto::ChunkId {
            state: "rollback".into(),
            id: address.clone(),
            name: address,
            fun: if merged.is_some() { "merge" } else { "restore" }.into(),
        };
        let mut state = StateResult::met(&chunk, "");
        let before = short(&change.before);
        state.changes = Map::from_iter([(
            state.id.clone(),
            json!({ "old": before, "new": short(&change.after) }),
        )]);
        if let Some((_, diff)) = merged {
            state.changes.insert("diff".to_owned(), diff.clone().into());
        }
        state.result = if command.plan || stopped || refused {
            None
        } else {
            Some(true)
        };
        state
    });
    let outcome = match report.outcome {
        _ if refused => Outcome::Refused,
        _ if stopped && !command.plan => Outcome::Refused,
        _ if command.plan && !report.restored.is_empty() => Outcome::Changed,
        outcome => outcome,
    };
    let error = if !report.failed.is_empty() {
        Some((report.failed.join("\n"), None))
    } else if !report.refused.is_empty() {
        Some((report.refused.join("\n"), way_past(&report.refused)))
    } else if refused {
        let help = "look at it, then --merge to keep edits of other lines, --skip-conflicts to leave what was changed, or \
                    --force to overwrite it (it is kept)";
        Some((
            "somebody changed the host since; nothing was taken back".to_owned(),
            Some(help.to_owned()),
        ))
    } else if stopped && !command.plan {
        Some((
            "not taken back, because another host of the group could not be".to_owned(),
            None,
        ))
    } else {
        None
    };
    HostResult {
        host: id.to_owned(),
        outcome,
        generation: Some(report.generation),
        previous_generation: Some(report.previous_generation),
        duration_ms: report.duration_ms,
        states: states.collect(),
        error,
        notes,
        compiled: false,
        traffic: Default::default(),
        peak_rss_kib: 0,
        cpu_ms: 0,
        orphans: Vec::new(),
        conflicts: report.conflicts.iter().map(conflict).collect(),
    }
}

/// The option that goes past a refusal that is no conflict.
fn way_past(refused: &[String]) -> Option<String> {
    let irreversible = refused.iter().any(|why| why.starts_with("cannot be taken back"));
    irreversible.then(|| "--past-irreversible takes back all the rest".to_owned())
}

/// A conflict three ways (J6): what was there before us, what we left, what is there now.
fn conflict(conflict: &Conflict) -> Json {
    let (ours, theirs) = (&conflict.ours, &conflict.theirs);
    json!({
        "address": ours.at.to_string(),
        "before": ours.before, "ours": ours.after, "theirs": theirs,
        "before_text": short(&ours.before), "ours_text": short(&ours.after), "theirs_text": short(theirs),
        "diff": { "ours": conflict.ours_diff, "theirs": conflict.theirs_diff },
    })
}
