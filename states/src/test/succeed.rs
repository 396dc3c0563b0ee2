//! `test.succeed_with_changes` and `test.succeed_without_changes`.

use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `test.succeed_with_changes`.
#[derive(Debug)]
pub struct SucceedWithChanges;

/// `test.succeed_without_changes`.
#[derive(Debug)]
pub struct SucceedWithoutChanges;

static COMMENT: &[Param] = &[Param::new(
    "comment",
    Kind::Text,
    "What to say instead of `Success!`.",
)];

static WITH: Spec = Spec {
    state: "test",
    fun: "succeed_with_changes",
    doc: "Succeed and pretend that something changed.\n\nFor trying out requisites; nothing is touched.",
    params: COMMENT,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

static WITHOUT: Spec = Spec {
    state: "test",
    fun: "succeed_without_changes",
    doc: "Succeed without changes.\n\nFor trying out requisites; nothing is touched.",
    params: COMMENT,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for SucceedWithChanges {
    fn spec(&self) -> &'static Spec {
        &WITH
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan {
            changes: super::pretended(),
            comment: comment(call),
            would_comment: Some("If we weren't testing, this would be successful with changes".to_owned()),
            verdict: Verdict::WouldChange,
            ..Plan::default()
        })
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}

impl State for SucceedWithoutChanges {
    fn spec(&self) -> &'static Spec {
        &WITHOUT
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met(comment(call)))
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}

fn comment(call: &Call<'_>) -> String {
    call.args()
        .text("comment")
        .unwrap_or_else(|| "Success!".to_owned())
}
