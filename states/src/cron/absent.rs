//! `cron.absent`: a job is not in a crontab.

use proto::Args;

use super::table::Table;
use super::{IDENTIFIER, USER, identifier, user};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `cron.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "cron",
    fun: "absent",
    doc: "Make sure that a job is not in a user's crontab.\n\nThe name is the command; the job is found by `identifier`, or by \
          its command where it has none. Other arguments of `cron.present` are accepted and say nothing.",
    params: &[
        USER,
        IDENTIFIER,
        Param::new(
            "special",
            Kind::Text,
            "The job is one that runs at this word, such as `@daily`.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name().trim();
        let user = user(call);
        let gone = || {
            Plan::met(if call.test {
                format!("Cron {name} is absent")
            } else {
                format!("Cron {name} already absent")
            })
        };
        let Ok(mut table) = Table::read(host, &user)? else {
            return Ok(gone());
        };
        let identifier = identifier(call, name);
        let special = call.args().text("special");
        let found = table.jobs().into_iter().find(|(_, job)| {
            job.is(name, identifier.as_deref())
                && job.when.is_special() == special.is_some()
                && special.as_ref().is_none_or(|word| job.when.to_string() == *word)
        });
        let Some((at, _)) = found else {
            return Ok(gone());
        };
        table.pieces.remove(at);
        let done = format!("Cron {name} removed from {user}'s crontab");
        let would = format!("Cron {name} is set to be removed");
        Ok(Plan::change(vec![table.write(host)], one(user, name), done).or_would(would, Some(Args::new())))
    }
}
