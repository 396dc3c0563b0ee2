//! `cmd.run`: runs a command, every time.

use super::{act, check_cwd, command, report, stateful};
use crate::plan::one;
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo, Verdict};

/// `cmd.run`.
#[derive(Debug)]
pub struct Run;

static SPEC: Spec = Spec {
    state: "cmd",
    fun: "run",
    doc: "Run a command.\n\nIt runs at every apply; `unless`, `onlyif`, `creates` and `onchanges` say when it need not. What \
          it does can be rolled back where the state declares `undo:` (a command), or `touches:` (paths). `verify_undone:` is a \
          command that must succeed after `undo` ran, or the rollback tells that step as failed. Every state that runs a \
          program takes both.",
    params: super::PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

impl State for Run {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        plan(call, host)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done, format!("Command \"{}\" run", call.name()))
    }
}

/// The plan of `cmd.run`, and of `cmd.wait` when it fires.
pub(super) fn plan(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let name = call.name();
    if call.test
        && let Some(text) = stateful::test_name(call)
    {
        return stateful::tested(call, host, &command(call, host, &text)?);
    }
    let command = command(call, host, name)?;
    if call.test {
        let plan = Plan {
            verdict: Verdict::WouldChange,
            acts: vec![act(call, command)],
            ..Plan::default()
        };
        let plan = if stateful::wanted(call) {
            plan
        } else {
            Plan {
                changes: one("cmd", name),
                comment: format!("Command \"{name}\" would have been executed"),
                ..plan
            }
        };
        return Ok(plan);
    }
    check_cwd(host, &command)?;
    Ok(Plan {
        acts: vec![act(call, command)],
        ..Plan::default()
    })
}
