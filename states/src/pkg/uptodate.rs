//! `pkg.uptodate`: everything that is installed is at its newest version.

use proto::{Act, Answer, Args, Question};
use serde_json::Value as Json;

use super::{Named, changed, old_new, read};
use crate::args::plain;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.uptodate`.
#[derive(Debug)]
pub struct Uptodate;

static SPEC: Spec = Spec {
    state: "pkg",
    fun: "uptodate",
    doc: "Make sure that every package is at the newest version the package lists know.",
    params: &[
        Param::new("refresh", Kind::Flag, "Read the package lists anew first."),
        Param::new("pkgs", Kind::List, "Only these packages."),
        Param::new(
            "dist_upgrade",
            Kind::Flag,
            "With apt: also install and remove packages where an upgrade needs that.",
        ),
        Param::new("cache_valid_time", Kind::Number, "Accepted."),
        Param::new(
            "skip_verify",
            Kind::Flag,
            "Accepted; signatures are the package manager's affair.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Kept,
};

impl State for Uptodate {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let kwargs =
            ["refresh", "dist_upgrade"].map(|key| (key.to_owned(), args.flag(key, false).to_string()));
        let ask = Question::Call(proto::question::Call {
            fun: "pkg.list_upgrades".to_owned(),
            args: Vec::new(),
            kwargs: kwargs.into(),
        });
        let Answer::Json(Json::Object(found)) = host.ask(ask)? else {
            return Err(Stop::failed("State pkg.uptodate is not available"));
        };
        let only = args.any("pkgs").is_some().then(|| args.texts("pkgs"));
        let wanted = |name: &&String| only.as_ref().is_none_or(|only| only.contains(name));
        let named = found.keys().filter(wanted).map(|name| Named::new(name, None));
        let mut all = read(host, named.collect())?;
        let version = |name: &str| found.get(name).map(plain).unwrap_or_default();
        all.retain(|seen| seen.version() != Some(&version(&seen.named.name)));
        if all.is_empty() {
            return Ok(Plan::met("System is already up-to-date"));
        }
        let acts: Vec<Act> = all
            .iter()
            .map(|seen| seen.install(&version(&seen.named.name), seen.held()))
            .collect();
        let changes: Args = all
            .iter()
            .map(|seen| {
                let name = seen.named.name.clone();
                let change = old_new(seen.version().unwrap_or_default(), version(&name));
                (name, change.into())
            })
            .collect();
        Ok(Plan::change(acts, changes, "").or_would("System update will be performed", None))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        if plan.acts.is_empty() {
            return Report::of(plan, done);
        }
        let changes = changed(done);
        let failed: Vec<&String> = plan
            .changes
            .keys()
            .filter(|name| !changes.contains_key(*name))
            .collect();
        let comment = match done.failed {
            Some(problem) => problem.text.clone(),
            None if failed.is_empty() => "Upgrade ran successfully".to_owned(),
            None => {
                let names: Vec<&str> = failed.iter().map(|name| name.as_str()).collect();
                format!("The following package(s) failed to update: {}", names.join(", "))
            }
        };
        Report {
            result: Some(failed.is_empty() && done.failed.is_none()),
            changes,
            comment,
            warnings: plan.warnings.clone(),
        }
    }
}
