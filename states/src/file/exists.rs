//! `file.exists` and `file.missing`: checks that something is, or is not, at a path.

use proto::Value;

use super::place;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `file.exists`.
#[derive(Debug)]
pub struct Exists;

/// `file.missing`.
#[derive(Debug)]
pub struct Missing;

static EXISTS: Spec = Spec {
    state: "file",
    fun: "exists",
    doc: "Fail unless something is at a path.\n\nNothing is changed. A link counts as what it points to.",
    params: &[],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

static MISSING: Spec = Spec {
    state: "file",
    fun: "missing",
    doc: "Fail if something is at a path.\n\nNothing is changed. A link counts as what it points to.",
    params: &[],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Exists {
    fn spec(&self) -> &'static Spec {
        &EXISTS
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        match host.follow(&place::name(call, host)?)? {
            Value::Absent => Err(Stop::Failed(format!("Specified path {given} does not exist"))),
            _ => Ok(Plan::met(format!("Path {given} exists"))),
        }
    }
}

impl State for Missing {
    fn spec(&self) -> &'static Spec {
        &MISSING
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        match host.follow(&place::name(call, host)?)? {
            Value::Absent => Ok(Plan::met(format!("Path {given} is missing"))),
            _ => Err(Stop::Failed(format!("Specified path {given} exists"))),
        }
    }
}
