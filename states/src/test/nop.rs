//! `test.nop`: succeeds and does nothing.

use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `test.nop`.
#[derive(Debug)]
pub struct Nop;

static SPEC: Spec = Spec {
    state: "test",
    fun: "nop",
    doc: "Succeed and do nothing.\n\nUseful as an anchor for requisites.",
    params: &[],
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for Nop {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, _call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met("Success!"))
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}
