//! `alternatives.remove`: a path is none of the choices of a generic name.

use proto::{Args, Value};
use serde_json::Value as Json;

use super::group::{Group, chosen, failed};
use crate::cmd::failure;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `alternatives.remove`.
#[derive(Debug)]
pub struct Remove;

static SPEC: Spec = Spec {
    state: "alternatives",
    fun: "remove",
    doc: "Make sure that a path is none of the choices of a generic name; the best of the others is chosen instead.",
    params: &[Param::required("path", Kind::Text, "The choice.")],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Remove {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let path = call.args().text("path").unwrap_or_default();
        let group = Group::read(call, host)?;
        if group.has(&path) {
            let act = group.act(&["--remove", name, &path], None)?;
            let would = format!("Alternative for {name} will be removed");
            // What is chosen instead is told by the links afterwards.
            let current = group.current.filter(|current| *current != path);
            let changes = one("path", current.map_or(Json::Null, Json::from));
            return Ok(Plan::change(vec![act], changes, "").or_would(would, Some(Args::new())));
        }
        match group.current {
            Some(current) => Ok(Plan::met(format!(
                "Alternative for {name} is set to it's default path {current}"
            ))),
            None => Err(Stop::Failed(format!("Alternative for {name} doesn't exist"))),
        }
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let name = call.name();
        let mut report = Report::of(plan, done);
        if plan.acts.is_empty() {
            return report;
        }
        if let Some(why) = failure(done) {
            return failed(plan, &format!("Alternative for {name} not removed"), &why);
        }
        match chosen(call, done) {
            Some(Value::Link { to, .. }) => report.changes = one("path", to),
            Some(_) => report.changes = one("path", Json::Null),
            None => {}
        }
        report.comment = match report.changes.get("path").and_then(Json::as_str) {
            Some(current) => format!("Alternative for {name} removed. Falling back to path {current}"),
            None => format!("Alternative for {name} removed"),
        };
        report
    }
}
