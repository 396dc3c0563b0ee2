//! `test.configurable_test_state`: result, changes and comment as told.

use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `test.configurable_test_state`.
#[derive(Debug)]
pub struct ConfigurableTestState;

static SPEC: Spec = Spec {
    state: "test",
    fun: "configurable_test_state",
    doc: "Have the result, changes and comment that the arguments say.\n\nFor trying out requisites; nothing is touched.",
    params: &[
        Param::new(
            "changes",
            Kind::Any,
            "Pretend changes: true (default), false, or `Random`, which is true here.",
        ),
        Param::new(
            "result",
            Kind::Any,
            "The result: true (default), false, or `Random`, which is true here.",
        ),
        Param::new("comment", Kind::Text, "The comment."),
        Param::new("warnings", Kind::List, "Warnings to show."),
        Param::new(
            "allow_test_mode_failure",
            Kind::Flag,
            "Let `result: False` count in test mode too.",
        ),
    ],
    free: false,
    watch: true,
    undo: Undo::Exact,
};

impl State for ConfigurableTestState {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let changes = choice(call, "changes")?;
        let result = choice(call, "result")?;
        let mut comment = args.text("comment").unwrap_or_default();
        let verdict = if call.test {
            if comment.is_empty() {
                "This is a test".clone_into(&mut comment);
            }
            match (args.flag("allow_test_mode_failure", false) && !result, changes) {
                (true, _) => Verdict::Failed,
                (false, true) => Verdict::WouldChange,
                (false, false) => Verdict::ByActs,
            }
        } else if result {
            Verdict::ByActs
        } else {
            Verdict::Failed
        };
        Ok(Plan {
            changes: if changes {
                super::pretended()
            } else {
                proto::Args::new()
            },
            comment,
            warnings: args.texts("warnings"),
            verdict,
            ..Plan::default()
        })
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}

/// True, false, or `Random`: chance has no place in a plan that is to be repeated, so that is true.
fn choice(call: &Call<'_>, key: &str) -> Result<bool, Stop> {
    match call.args().get(key) {
        None => Ok(true),
        Some(Json::Bool(value)) => Ok(*value),
        Some(other) if plain(other).eq_ignore_ascii_case("random") => Ok(true),
        Some(_) => Err(Stop::Failed(format!(
            "You have specified the state option '{key}' with invalid arguments. It must be either True, False, or 'Random'"
        ))),
    }
}
