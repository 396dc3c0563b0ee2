//! `test.show_notification`: says something.

use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `test.show_notification`.
#[derive(Debug)]
pub struct ShowNotification;

static SPEC: Spec = Spec {
    state: "test",
    fun: "show_notification",
    doc: "Succeed and show a text as the comment.\n\nFor messages to whoever runs the states.",
    params: &[Param::required("text", Kind::Text, "The text.")],
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for ShowNotification {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        match call.args().text("text").filter(|text| !text.is_empty()) {
            Some(text) => Ok(Plan::met(text)),
            None => Err(Stop::failed("Missing required argument text.")),
        }
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}
