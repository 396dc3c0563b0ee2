//! `group.absent`: there is no such group.

use proto::{Act, Address, Args, Value};

use crate::plan::one;
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `group.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "group",
    fun: "absent",
    doc: "Make sure that a group does not exist.\n\nA group that is some user's primary one cannot be removed.",
    params: &[Param::new("local", Kind::Flag, "Accepted.")],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let at = Address::Group(name.to_owned());
        let value = host.read(at.clone())?;
        if value.is_absent() {
            return Ok(Plan::met("Group not present"));
        }
        let act = Act::assign(at, value.clone(), Value::Absent);
        Ok(
            Plan::change(vec![act], one(name, ""), format!("Removed group {name}"))
                .or_would(format!("Group {name} is set for removal"), Some(Args::new())),
        )
    }
}
