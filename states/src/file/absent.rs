//! `file.absent`: nothing is at a path.

use proto::Value;

use super::place;
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `file.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "file",
    fun: "absent",
    doc: "Make sure that no file, directory or link is at a path.\n\nA directory goes with all that is in it. A link is \
          removed, not what it points to.",
    params: &[],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = place::name(call, host)?;
        if name == "/" {
            return Err(Stop::failed("Refusing to make \"/\" absent"));
        }
        let given = call.name();
        let value = host.path(&name)?;
        let (removed, set) = match value {
            Value::Absent => return Ok(Plan::met(format!("File {given} is not present"))),
            Value::Dir { .. } => (
                format!("Removed directory {given}"),
                format!("Directory {given} is set for removal"),
            ),
            _ => (
                format!("Removed file {given}"),
                format!("File {given} is set for removal"),
            ),
        };
        let acts = place::remove(&name, value);
        Ok(Plan::change(acts, one("removed", given), removed).or_would(set, None))
    }
}
