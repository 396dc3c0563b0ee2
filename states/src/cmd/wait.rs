//! `cmd.wait`: a command that runs only when something it watches has changed.

use super::{report, run};
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo};

/// `cmd.wait`.
#[derive(Debug)]
pub struct Wait;

static SPEC: Spec = Spec {
    state: "cmd",
    fun: "wait",
    doc: "Run a command when a watched state changed, else do nothing.\n\n`cmd.run` with `onchanges` says the same more \
          plainly.",
    params: super::PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

impl State for Wait {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, _call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met(""))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        run::plan(call, host)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done, format!("Command \"{}\" run", call.name()))
    }
}
