//! `salt-rs rollback`: take hosts back, together or not at all (J9).
//!
//! First every host compares and takes its lock; then the decision is written down on the master; then they are told.
//! The run file is the decision: from its first byte on disk the hosts in it go back, if not now then at their next
//! contact ([`decided`]).

pub(super) mod decided;
mod shown;

use std::collections::BTreeMap;

use clap::Args;
use proto::frame::{BackTo, Rollback as Request};
use proto::{FromMinion, Outcome};
use serde_json::Value as Json;

use super::context::Context;
use super::options::{Probation, Targets};
use crate::failure::Failure;
use crate::fleet::{Host, Told as Answered, commit, confirm_back, leave, stand};
use crate::ledger::by;
use crate::report::{Mode, RunResult, json as document, text};
use crate::store::Told;

/// Take hosts back to what they were
///
/// Without an option: to before the last run that changed something and is not itself taken back; once more, to before the
/// one before that. What somebody changed by hand since is found before anything is touched, shown three ways, and
/// refused. A rollback is itself recorded and can be taken back: --redo, or --run with its id.
///
/// Several hosts go back together or not at all: all compare and hold their lock first, and one that refuses or cannot be
/// reached stops it for all. Once decided, a host that was lost on the way goes back at its next contact, before anything
/// else is done with it.
#[derive(Debug, Default, Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    pub(super) targets: Targets,
    /// Back to the end of this generation (see `salt-rs log`)
    #[arg(long, value_name = "GENERATION", conflicts_with = "run")]
    to: Option<u64>,
    /// Back to before this run, on every host it changed
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Take the last rollback back; again, the one before it
    #[arg(long, conflicts_with_all = ["to", "run"])]
    redo: bool,
    /// Show what would be put back, and change nothing
    #[arg(long)]
    plan: bool,
    /// Leave what somebody changed since, and take back the rest
    #[arg(long, conflicts_with = "force")]
    skip_conflicts: bool,
    /// Overwrite what somebody changed since; it is kept, and can be brought back
    #[arg(long)]
    force: bool,
    /// Where somebody edited a text elsewhere than we did, keep their edit and take back ours
    #[arg(long, conflicts_with = "force")]
    merge: bool,
    /// Go back although something in between cannot be taken back, such as a command without `undo`
    #[arg(long)]
    past_irreversible: bool,
    /// Take back the hosts that can be reached; the others go back at their next contact, before anything else
    #[arg(long)]
    queue_unreachable: bool,
    #[command(flatten)]
    probation: Probation,
}

impl Rollback {
    fn request(&self, run: &str, to: &BackTo, context: &Context) -> Request {
        Request {
            run: run.to_owned(),
            epoch: 0,
            by: by(),
            to: to.clone(),
            plan: self.plan,
            skip_conflicts: self.skip_conflicts,
            force: self.force,
            confirm: self.probation.window(&context.settings),
            merge: self.merge,
            past_irreversible: self.past_irreversible,
            prepare: !self.plan,
            at: None,
        }
    }

    /// Back to before a run, on every host it changed.
    pub(super) fn before(run: &str) -> Self {
        Self {
            run: Some(run.to_owned()),
            ..Self::default()
        }
    }
}

pub(super) fn run(command: &Rollback, context: &Context) -> Result<u8, Failure> {
    let result = perform(command, context)?;
    if context.screen.json {
        context.screen.document(&document::document(&result));
    } else {
        text::write(&context.screen, &result);
    }
    Ok(result.exit_code())
}

/// The rollback itself, recorded; what it gave is for the caller to show.
pub(super) fn perform(command: &Rollback, context: &Context) -> Result<RunResult, Failure> {
    let (to, mut hosts) = target(command, context)?;
    let mut waiting = decided::catch_up(context, &mut hosts)?;
    let run = context.ledger.new_run()?;
    let first = command.request(run.as_str(), &to, context);
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    hosts.retain(|host| !waiting.contains_key(&host.id));
    let (runtime, fleet, display) = context.fleet(order.len())?;
    let display = runtime.spawn(display);
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let mut standing = runtime.block_on(fleet.each(items, |fleet, mut host: Host| {
        let mut request = first.clone();
        host.memory.epoch += 1;
        request.epoch = host.memory.epoch;
        stand(fleet, host, request)
    }));
    let away = |told: &Answered| {
        let unreachable = matches!(&told.answer, Err(trouble) if trouble.outcome() == Outcome::Unreachable);
        command.queue_unreachable && unreachable
    };
    let refused = |told: &Answered| !(away(told) || told.doubt.is_none() && agrees(told));
    let stopped = !waiting.is_empty() || standing.values().any(|standing| refused(&standing.told));
    let open = if stopped || command.plan {
        None
    } else {
        let told = order.iter().filter_map(|id| standing.get(id));
        let told: Vec<Told> = told.map(|one| decision(&first, &one.told)).collect();
        // From here on it is decided: whatever happens, these hosts go back, at their next contact if not now.
        let header = context.header(run.clone(), Mode::Rollback, "", Vec::new());
        Some((context.ledger.begin(header, &told)?, told))
    };
    let mut answers: BTreeMap<String, Answered> = BTreeMap::new();
    match &open {
        None => {
            let all = std::mem::take(&mut standing).into_iter().collect();
            answers = runtime.block_on(fleet.each(all, |_, standing| leave(standing)));
        }
        Some((_, told)) => {
            let mut items = Vec::new();
            for told in told {
                let (Some(one), Some(request)) = (standing.remove(&told.host), told.back.clone()) else {
                    continue;
                };
                if one.told.answer.is_ok() {
                    items.push((told.host.clone(), (one, request)));
                } else {
                    answers.insert(told.host.clone(), one.told);
                }
            }
            let done = fleet.each(items, |fleet, (standing, request)| async move {
                let told = commit(&fleet, standing, &request).await;
                confirm_back(fleet, told, &request).await
            });
            answers.extend(runtime.block_on(done));
        }
    }
    drop(fleet);
    // The display ends with the last sender; it holds nothing that could fail.
    runtime.block_on(display).ok();
    context.take_up(&answers)?;
    let results = order.iter().filter_map(|id| {
        let told = answers.get(id);
        waiting
            .remove(id)
            .or_else(|| told.map(|told| shown::result(told, command, stopped)))
    });
    let result = RunResult {
        run: run.to_string(),
        commit: String::new(),
        mode: if command.plan { Mode::Plan } else { Mode::Rollback },
        hosts: results.collect(),
        target: context.target_text(),
    };
    if let Some((open, told)) = open {
        let epochs = told.into_iter().map(|told| (told.host, told.epoch)).collect();
        open.finish(&result, &epochs)?;
    }
    Ok(result)
}

/// Whether a host holds its lock and has nothing against going back.
fn agrees(told: &Answered) -> bool {
    matches!(&told.answer, Ok(FromMinion::RollbackReport(report)) if report.outcome != Outcome::Refused)
}

/// What a host is told in the second phase. It names generations, so that it means the same whenever it arrives; a host
/// that is away is held to the generation it was at when it was last heard of.
fn decision(first: &Request, told: &Answered) -> Told {
    let mut back = Request {
        prepare: false,
        epoch: told.host.memory.epoch,
        ..first.clone()
    };
    match &told.answer {
        Ok(FromMinion::RollbackReport(report)) => {
            back.to = BackTo::Generation(report.to);
            back.at = Some(report.previous_generation);
        }
        _ if matches!(back.to, BackTo::Previous | BackTo::Redo) => back.at = told.host.memory.generation,
        _ => {}
    }
    Told {
        host: told.host.id.clone(),
        epoch: back.epoch,
        catalog: None,
        back: Some(back),
    }
}

/// What to go back to, and which hosts are meant.
fn target(command: &Rollback, context: &Context) -> Result<(BackTo, Vec<Host>), Failure> {
    match (&command.run, command.to) {
        (Some(run), _) => {
            let record = context.ledger.record(run)?;
            let concerned: Vec<&str> = record
                .hosts
                .iter()
                .filter(|(_, host)| may_have_changed(host))
                .map(|(id, _)| id.as_str())
                .collect();
            if concerned.is_empty() {
                let text = format!("run {} changed nothing on any host", record.run);
                return Err(Failure::usage(text).hint("`salt-rs log` shows what each run did"));
            }
            let hosts = match command.targets.target {
                Some(_) => context
                    .hosts()?
                    .into_iter()
                    .filter(|host| concerned.contains(&host.id.as_str()))
                    .collect(),
                None => context.named(concerned.into_iter())?,
            };
            Ok((BackTo::BeforeRun(record.run), hosts))
        }
        (None, Some(generation)) => Ok((BackTo::Generation(generation), context.hosts()?)),
        (None, None) if command.redo => Ok((BackTo::Redo, context.hosts()?)),
        (None, None) => Ok((BackTo::Previous, context.hosts()?)),
    }
}

/// Whether a run may have changed a host, by its record: one that was refused, not reached, or is at the generation it
/// was at before has nothing to take back.
fn may_have_changed(host: &Json) -> bool {
    let untouched = matches!(host["outcome"].as_str(), Some("refused" | "unreachable"));
    let same = !host["generation"].is_null() && host["generation"] == host["previous_generation"];
    !untouched && !same
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_hosts_that_a_run_may_have_changed_go_back() {
        for (host, may) in [
            (
                json!({ "outcome": "changed", "generation": 3, "previous_generation": 2 }),
                true,
            ),
            (
                json!({ "outcome": "failed", "generation": 3, "previous_generation": 2 }),
                true,
            ),
            (
                json!({ "outcome": "failed", "generation": 2, "previous_generation": 2 }),
                false,
            ),
            (
                json!({ "outcome": "ok", "generation": 2, "previous_generation": 2 }),
                false,
            ),
            (
                json!({ "outcome": "unknown", "generation": null, "previous_generation": null }),
                true,
            ),
            (
                json!({ "outcome": "refused", "generation": null, "previous_generation": null }),
                false,
            ),
            (
                json!({ "outcome": "unreachable", "generation": null, "previous_generation": null }),
                false,
            ),
        ] {
            assert_eq!(may_have_changed(&host), may, "{host}");
        }
    }
}
