//! `pkg.latest`: packages are installed at the newest version there is.

use proto::{Act, Args, arrange};

use super::{Seen, candidate, changed, named, old_new, read};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.latest`.
#[derive(Debug)]
pub struct Latest;

static SPEC: Spec = Spec {
    state: "pkg",
    fun: "latest",
    doc: "Make sure that packages are installed at the newest version the package lists know.\n\nThe lists are as old as the \
          last time they were read; `refresh: True` reads them when something is to be installed.",
    params: &[
        Param::new("pkgs", Kind::List, "Several packages instead of the name."),
        Param::new(
            "refresh",
            Kind::Flag,
            "Read the package lists anew before installing something.",
        ),
        Param::new(
            "fromrepo",
            Kind::Text,
            "The repository, or with apt the release, it is to come from.",
        ),
        Param::new(
            "skip_verify",
            Kind::Flag,
            "Accepted; signatures are the package manager's affair.",
        ),
        Param::new("watch_flags", Kind::Flag, "Accepted."),
        Param::new("cache_valid_time", Kind::Number, "Accepted."),
        Param::new("only_upgrade", Kind::Flag, "Accepted."),
    ],
    free: true,
    watch: true,
    undo: Undo::Kept,
};

impl State for Latest {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.any("sources").is_some() {
            return Err(Stop::failed("The \"sources\" parameter is not supported."));
        }
        let all = named(call)?;
        if all.is_empty() {
            return Ok(Plan::met("No packages to install provided"));
        }
        host.expect(
            all.iter()
                .map(|named| proto::Question::Candidate(named.name.clone())),
        );
        let all = read(host, all)?;
        let mut targets: Vec<(&Seen<'_>, String)> = Vec::new();
        let mut problems = Vec::new();
        for seen in &all {
            let name = &seen.named.name;
            match (candidate(host, name)?, seen.version()) {
                (None, None) => problems.push(format!("No information found for '{name}'.")),
                (Some(new), None) => targets.push((seen, new)),
                (Some(new), Some(_)) if seen.older_than(&new) => targets.push((seen, new)),
                _ => {}
            }
        }
        if !problems.is_empty() {
            return Err(Stop::Failed(problems.join(" ")));
        }
        if targets.is_empty() {
            return Ok(Plan::met(up_to_date(&all)));
        }
        let mut acts = Vec::new();
        if args.flag("refresh", false) {
            acts.push(Act::Refresh);
        }
        let from = args.text("fromrepo").unwrap_or_default();
        acts.extend(
            targets
                .iter()
                .map(|(seen, new)| seen.install_from(new, seen.held(), &from)),
        );
        let would: Args = targets
            .iter()
            .map(|(seen, new)| {
                let change = old_new(seen.version().unwrap_or_default(), new.as_str());
                (seen.named.name.clone(), change.into())
            })
            .collect();
        let mut comment = format!(
            "The following packages would be installed/upgraded: {}",
            names(targets.iter().map(|(seen, _)| *seen)).join(", ")
        );
        let right = rest(&all, |name| {
            targets.iter().any(|(seen, _)| seen.named.name == name)
        });
        if args.any("pkgs").is_some() && !right.is_empty() {
            let told: Vec<String> = right
                .iter()
                .map(|seen| format!("{} ({})", seen.named.name, seen.version().unwrap_or_default()))
                .collect();
            comment.push_str(&if told.len() <= 10 {
                format!(
                    "\nThe following packages are already up-to-date: {}",
                    told.join(", ")
                )
            } else {
                format!("\n{} packages are already up-to-date", told.len())
            });
        }
        Ok(Plan::change(acts, would, "").or_would(comment, None))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        if plan.acts.is_empty() {
            return Report::of(plan, done);
        }
        let changes = changed(done);
        let mut targets: Vec<&String> = plan.changes.keys().collect();
        targets.sort();
        let (good, bad): (Vec<&String>, Vec<&String>) =
            targets.into_iter().partition(|name| changes.contains_key(*name));
        let mut comment = Vec::new();
        if !bad.is_empty() {
            comment.push(format!("The following packages failed to update: {}", join(&bad)));
        }
        if let Some(problem) = done.failed {
            comment.push(problem.text.clone());
        }
        if !good.is_empty() {
            comment.push(format!(
                "The following packages were successfully installed/upgraded: {}",
                join(&good)
            ));
        }
        let mut right: Vec<String> = named(call)
            .unwrap_or_default()
            .into_iter()
            .map(|named| named.name)
            .collect();
        right.retain(|name| !plan.changes.contains_key(name));
        right.sort();
        if !right.is_empty() {
            comment.push(if right.len() <= 10 {
                format!(
                    "The following packages were already up-to-date: {}",
                    right.join(", ")
                )
            } else {
                format!("{} packages were already up-to-date ", right.len())
            });
        }
        Report {
            result: Some(bad.is_empty() && done.failed.is_none()),
            changes,
            comment: comment.join(" "),
            warnings: plan.warnings.clone(),
        }
    }
}

fn up_to_date(all: &[Seen<'_>]) -> String {
    match all {
        [one] => format!("Package {} is already up-to-date", one.named.name),
        many if many.len() > 10 => format!("All {} packages are up-to-date.", many.len()),
        many => format!("All packages are up-to-date ({}).", names(many.iter()).join(", ")),
    }
}

fn names<'s, 'a: 's>(all: impl Iterator<Item = &'s Seen<'a>>) -> Vec<String> {
    let mut names: Vec<String> = all.map(|seen| seen.named.name.clone()).collect();
    names.sort();
    names
}

fn rest<'s, 'a>(all: &'s [Seen<'a>], is_target: impl Fn(&str) -> bool) -> Vec<&'s Seen<'a>> {
    let mut rest: Vec<&Seen<'a>> = all.iter().filter(|seen| !is_target(&seen.named.name)).collect();
    arrange(&mut rest, &|one, other| one.named.name < other.named.name);
    rest
}

fn join(names: &[&String]) -> String {
    names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}
