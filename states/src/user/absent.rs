//! `user.absent`: there is no such user.

use proto::{Act, Address, Args, Value};

use crate::file::place;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `user.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "user",
    fun: "absent",
    doc: "Make sure that a user does not exist.\n\nThe group of the same name goes with it. Files stay, unless `purge` is set.",
    params: &[
        Param::new("purge", Kind::Flag, "Remove the home directory too."),
        Param::new(
            "force",
            Kind::Flag,
            "Accepted; a user who is logged in is removed all the same.",
        ),
        Param::new("local", Kind::Flag, "Accepted."),
    ],
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
        let at = Address::User(name.to_owned());
        let value = host.read(at.clone())?;
        let Value::User(account) = value else {
            return Ok(Plan::met(format!("User {name} is not present")));
        };
        let mut acts = vec![Act::assign(at, value.clone(), Value::Absent)];
        if call.args().flag("purge", false)
            && let Some(home) = paths::clean(&account.home).filter(|home| home != "/")
        {
            acts.extend(place::remove(&home, host.path(&home)?));
        }
        let changes = crate::plan::one(name, "removed");
        Ok(Plan::change(acts, changes, format!("Removed user {name}"))
            .or_would(format!("User {name} set for removal"), Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if done.failed.is_none() {
            for change in done.performed.iter().flat_map(|performed| &performed.changes) {
                if let (Address::Group(group), Value::Absent) = (&change.at, &change.after) {
                    report.changes.insert(format!("{group} group"), "removed".into());
                }
            }
        }
        report
    }
}
