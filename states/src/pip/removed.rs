//! `pip.removed`: a package of Python is not installed.

use proto::Args;

use super::requirement::normal;
use super::tool::Tool;
use super::{BIN_ENV, CWD, USER};
use crate::cmd::failure;
use crate::plan::one;
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo};

/// `pip.removed`.
#[derive(Debug)]
pub struct Removed;

static SPEC: Spec = Spec {
    state: "pip",
    fun: "removed",
    doc: "Make sure that a package of Python is not installed.",
    params: &[BIN_ENV, USER, CWD],
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
        let failed = |why: &str| Stop::Failed(format!("Error uninstalling '{name}': {why}"));
        let Some(tool) = Tool::find(call, host)? else {
            return Err(failed("Could not find a `pip` binary"));
        };
        let installed = tool.list(host).map_err(|stop| match stop {
            Stop::Failed(why) => failed(&why),
            stop => stop,
        })?;
        if !installed.contains_key(&normal(name)) {
            return Ok(Plan::met("Package is not installed."));
        }
        let words = ["uninstall", "-y", "--", name].map(str::to_owned);
        let act = tool.act(call, host, tool.command(&words))?;
        let would = format!("Package {name} is set to be removed");
        let done = "Package was successfully removed.";
        Ok(Plan::change(vec![act], one(name, "Removed"), done).or_would(would, Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match failure(done) {
            Some(why) => Report {
                result: Some(false),
                comment: format!("Could not remove package. {}", why.trim()),
                ..Report::default()
            },
            None => Report::of(plan, done),
        }
    }
}
