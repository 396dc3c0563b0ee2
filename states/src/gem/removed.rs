//! `gem.removed`: a gem of Ruby is not installed.

use proto::{Act, Args};

use super::installed::told;
use super::{gem, versions};
use crate::plan::one;
use crate::{Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `gem.removed`.
#[derive(Debug)]
pub struct Removed;

static SPEC: Spec = Spec {
    state: "gem",
    fun: "removed",
    doc: "Make sure that a gem of Ruby is not installed, in any version.\n\nTaken back, the newest of those versions is installed.",
    params: &[
        Param::new("user", Kind::Text, "Run as this user."),
        Param::new("gem_bin", Kind::Text, "The program (default `gem`)."),
        Param::new(
            "ruby",
            Kind::Text,
            "Not supported: a version of Ruby for rvm or rbenv.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Removed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let there = versions(call, host, name)?;
        let Some(newest) = there.first() else {
            return Ok(Plan::met("Gem is not installed."));
        };
        let act = Act::Run {
            command: gem(call, &["uninstall", name, "-a", "-x"])?,
            undo: Some(gem(
                call,
                &["install", name, "--version", newest, "--no-document"],
            )?),
            verify: None,
            touches: Vec::new(),
        };
        let plan = Plan::change(vec![act], one(name, "Removed"), "Gem was successfully removed.");
        Ok(plan.or_would(
            format!("The gem {name} would have been removed"),
            Some(Args::new()),
        ))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, "Could not remove gem.")
    }
}
