//! `test.fail_with_changes` and `test.fail_without_changes`.

use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `test.fail_with_changes`.
#[derive(Debug)]
pub struct FailWithChanges;

/// `test.fail_without_changes`.
#[derive(Debug)]
pub struct FailWithoutChanges;

static COMMENT: &[Param] = &[Param::new(
    "comment",
    Kind::Text,
    "What to say instead of `Failure!`.",
)];

static WITH: Spec = Spec {
    state: "test",
    fun: "fail_with_changes",
    doc: "Fail and pretend that something changed.\n\nFor trying out requisites; nothing is touched.",
    params: COMMENT,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

static WITHOUT: Spec = Spec {
    state: "test",
    fun: "fail_without_changes",
    doc: "Fail without changes.\n\nFor trying out requisites; nothing is touched.",
    params: COMMENT,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for FailWithChanges {
    fn spec(&self) -> &'static Spec {
        &WITH
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let (verdict, comment) = if call.test {
            let would = "If we weren't testing, this would be failed with changes";
            (Verdict::WouldChange, would.to_owned())
        } else {
            (Verdict::Failed, comment(call))
        };
        Ok(Plan {
            changes: super::pretended(),
            comment,
            verdict,
            ..Plan::default()
        })
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}

impl State for FailWithoutChanges {
    fn spec(&self) -> &'static Spec {
        &WITHOUT
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Err(Stop::Failed(if call.test {
            "If we weren't testing, this would be a failure!".to_owned()
        } else {
            comment(call)
        }))
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}

fn comment(call: &Call<'_>) -> String {
    call.args()
        .text("comment")
        .unwrap_or_else(|| "Failure!".to_owned())
}
