//! `alternatives.set`: a path is the choice of a generic name, whatever the priorities.

use proto::Args;

use super::group::{Group, failed};
use crate::cmd::failure;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `alternatives.set`.
#[derive(Debug)]
pub struct Set;

static SPEC: Spec = Spec {
    state: "alternatives",
    fun: "set",
    doc: "Make sure that a path, which must be one of the choices, has the generic name, whatever the priorities.",
    params: &[Param::required("path", Kind::Text, "The choice.")],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Set {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let path = call.args().text("path").unwrap_or_default();
        let group = Group::read(call, host)?;
        if group.current.as_ref() == Some(&path) {
            return Ok(Plan::met(format!("Alternative for {name} already set to {path}")));
        }
        let choice = group.has(&path) || (call.test && will_be(call, &path));
        if !choice {
            return Err(Stop::Failed(format!(
                "Alternative {path} for {name} doesn't exist"
            )));
        }
        let act = group.act(&["--set", name, &path], None)?;
        let would = format!("Alternative for {name} will be set to path {path}");
        let done = format!("Alternative for {name} set to path {path}");
        Ok(Plan::change(vec![act], one("path", path), done).or_would(would, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match failure(done) {
            Some(why) => failed(
                plan,
                &format!("Alternative for {} not updated", call.name()),
                &why,
            ),
            None => Report::of(plan, done),
        }
    }
}

/// Whether a state that this one requires makes the path a choice.
fn will_be(call: &Call<'_>, path: &str) -> bool {
    call.related.iter().any(|chunk| {
        chunk.id.function() == "alternatives.install"
            && chunk.id.name == call.name()
            && chunk.args.text("path").as_deref() == Some(path)
    })
}
