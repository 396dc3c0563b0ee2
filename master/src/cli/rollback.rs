//! `salt-rs rollback`: take hosts back. All hosts are looked at first; where one would refuse, none is changed (J9).

use std::collections::BTreeMap;

use clap::Args;
use proto::frame::{BackTo, Rollback as Request, RollbackReport};
use proto::{FromMinion, Outcome, StateResult};
use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::log::short;
use super::options::{Probation, Targets};
use crate::failure::Failure;
use crate::fleet::{Host, Told as Answered, take_back};
use crate::ledger::by;
use crate::report::{HostResult, Mode, RunResult, json as document, text};
use crate::store::Told;

/// Take hosts back to what they were
///
/// Without an option: to before the last run that changed something and is not itself taken back. What somebody changed
/// by hand since is found before anything is touched, shown, and refused. A rollback is itself recorded and can be taken
/// back.
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
    /// Show what would be put back, and change nothing
    #[arg(long)]
    plan: bool,
    /// Leave what somebody changed since, and take back the rest
    #[arg(long, conflicts_with = "force")]
    skip_conflicts: bool,
    /// Overwrite what somebody changed since; it is kept, and can be brought back
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    probation: Probation,
    /// Where somebody edited a text elsewhere than we did, keep their edit and take back ours
    #[arg(long, conflicts_with = "force")]
    merge: bool,
    /// Go back although something in between cannot be taken back, such as a command without `undo`
    #[arg(long)]
    past_irreversible: bool,
}

impl Rollback {
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
    let (to, hosts) = target(command, context)?;
    let run = context.ledger.new_run()?;
    let ask = |plan: bool| Request {
        run: run.to_string(),
        epoch: 0,
        by: by(),
        to: to.clone(),
        plan,
        skip_conflicts: command.skip_conflicts,
        force: command.force,
        confirm: command.probation.window(&context.settings),
        merge: command.merge,
        past_irreversible: command.past_irreversible,
        ..Request::default()
    };
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let looked = all(context, hosts, ask(true))?;
    let refused = looked.values().any(|told| matches!(&told.answer, Ok(FromMinion::RollbackReport(report)) if report.outcome == Outcome::Refused));
    let broken = looked.values().any(|told| told.answer.is_err());
    let stopped = command.plan || refused || broken;
    let (told, open) = if stopped {
        (looked, None)
    } else {
        let hosts: Vec<Host> = looked.into_values().map(|told| told.host).collect();
        let header = context.header(run.clone(), Mode::Rollback, "", Vec::new());
        let about = |host: &Host| Told {
            host: host.id.clone(),
            epoch: host.memory.epoch + 1,
            catalog: None,
        };
        let open = context
            .ledger
            .begin(header, &hosts.iter().map(about).collect::<Vec<_>>())?;
        (all(context, hosts, ask(false))?, Some(open))
    };
    let results = order
        .iter()
        .filter_map(|id| told.get(id))
        .map(|told| result(told, command, refused || broken))
        .collect();
    let mode = if command.plan { Mode::Plan } else { Mode::Rollback };
    let result = RunResult {
        run: run.to_string(),
        commit: String::new(),
        mode,
        hosts: results,
        target: context.target_text(),
    };
    if let Some(open) = open {
        open.finish(
            &result,
            &told
                .iter()
                .map(|(id, told)| (id.clone(), told.host.memory.epoch))
                .collect(),
        )?;
    }
    Ok(result)
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

/// Sends one request to all hosts; the epoch of each is its own.
fn all(context: &Context, hosts: Vec<Host>, request: Request) -> Result<BTreeMap<String, Answered>, Failure> {
    let (runtime, fleet, display) = context.fleet(hosts.len())?;
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let told = runtime.block_on(async move {
        let display = tokio::spawn(display);
        let work = |fleet, mut host: Host| {
            let mut request = request.clone();
            host.memory.epoch += 1;
            request.epoch = host.memory.epoch;
            take_back(fleet, host, request)
        };
        let told = fleet.each(items, work).await;
        drop(fleet);
        display.await.ok();
        told
    });
    context.take_up(&told)?;
    Ok(told)
}

fn result(told: &Answered, command: &Rollback, stopped: bool) -> HostResult {
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
        Ok(_) => HostResult::without_report(id, Outcome::Failed, "an answer out of place".to_owned(), None),
        Err(trouble) => {
            let outcome = if trouble.leaves_doubt() && !stopped {
                Outcome::Unknown
            } else {
                trouble.outcome()
            };
            HostResult::without_report(id, outcome, trouble.to_string(), trouble.hint())
        }
    };
    result.traffic = told.traffic;
    result.duration_ms = told.duration_ms;
    result
}

fn of_report(id: &str, report: &RollbackReport, command: &Rollback, stopped: bool) -> HostResult {
    let conflicts: Vec<String> = report
        .conflicts
        .iter()
        .map(|conflict| {
            let (ours, theirs) = (&conflict.ours, &conflict.theirs);
            format!(
                "conflict at {}: before us {}, ours {}, now {}",
                ours.at,
                short(&ours.before),
                short(&ours.after),
                short(theirs)
            )
        })
        .collect();
    let mut notes = conflicts.clone();
    notes.extend(report.lost.iter().map(|lost| format!("cannot come back: {lost}")));
    let states = report.restored.iter().map(|change| {
        let address = change.at.to_string();
        let chunk = proto::ChunkId {
            state: "rollback".into(),
            id: address.clone(),
            name: address,
            fun: "restore".into(),
        };
        let mut state = StateResult::met(&chunk, "");
        let before = short(&change.before);
        state.changes = Map::from_iter([(
            state.id.clone(),
            json!({ "old": before, "new": short(&change.after) }),
        )]);
        state.result = if command.plan || stopped { None } else { Some(true) };
        state
    });
    let blocked = !conflicts.is_empty() && !command.skip_conflicts && !command.force;
    let outcome = match report.outcome {
        _ if blocked => Outcome::Refused,
        _ if stopped && !command.plan => Outcome::Refused,
        _ if command.plan && !report.restored.is_empty() => Outcome::Changed,
        outcome => outcome,
    };
    let error = if !report.failed.is_empty() {
        Some((report.failed.join("\n"), None))
    } else if blocked {
        let help = "look at it, then --skip-conflicts to leave it or --force to overwrite it (it is kept)";
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
    }
}

#[cfg(test)]
mod tests {
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
