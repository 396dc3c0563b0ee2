//! `cmd.wait` and `cmd.wait_script`: what runs only when something it watches has changed.

use super::{report, run, script};
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

/// `cmd.wait_script`.
#[derive(Debug)]
pub struct WaitScript;

static SCRIPT: Spec = Spec {
    state: "cmd",
    fun: "wait_script",
    doc: "Run a script when a watched state changed, else do nothing.\n\n`cmd.script` with `onchanges` says the same more \
          plainly.",
    params: script::PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

impl State for WaitScript {
    fn spec(&self) -> &'static Spec {
        &SCRIPT
    }

    fn plan(&self, _call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met(""))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        script::Script.plan(call, host)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        script::Script.report(call, plan, done)
    }
}
