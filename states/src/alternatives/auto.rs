//! `alternatives.auto`: the choice follows the priorities.

use proto::Args;

use super::group::{Group, failed};
use crate::cmd::failure;
use crate::plan::one;
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo};

/// `alternatives.auto`.
#[derive(Debug)]
pub struct Auto;

static SPEC: Spec = Spec {
    state: "alternatives",
    fun: "auto",
    doc: "Make sure that the choice of the highest priority has the generic name.",
    params: &[],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Auto {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let group = Group::read(call, host)?;
        if group.choices.is_empty() {
            return Err(Stop::Failed(format!("Alternative for {name} doesn't exist")));
        }
        if group.auto {
            return Ok(Plan::met(format!("{name} already in auto mode")));
        }
        let act = group.act(&["--auto", name], None)?;
        let would = format!("{name} will be put in auto mode");
        Ok(Plan::change(vec![act], one("result", ""), "").or_would(would, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if let Some(why) = failure(done) {
            return failed(
                plan,
                &format!("Alternative for {} not updated", call.name()),
                &why,
            );
        }
        let mut outputs = done.performed.iter();
        if let Some(output) = outputs.find_map(|performed| performed.output.as_ref()) {
            report.changes = one("result", output.stdout.as_str());
        }
        report
    }
}
