//! `mysql_grants.absent`: an account does not have certain privileges.

use proto::Args;

use super::connection;
use super::grants_present::{Asked, assign};
use crate::plan::one;
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_grants.absent`.
#[derive(Debug)]
pub struct GrantsAbsent;

static SPEC: Spec = Spec {
    state: "mysql_grants",
    fun: "absent",
    doc: "Make sure that a database account does not have certain privileges.\n\nThe name is a mere label.",
    params: &connection::<7, 15>([
        Param::required(
            "grant",
            Kind::Text,
            "Privileges, such as `select,insert` or `all privileges`.",
        ),
        Param::required("database", Kind::Text, "On what: `db.*`, `db.table` or `*.*`."),
        Param::required("user", Kind::Text, "The account's user."),
        Param::new(
            "host",
            Kind::Text,
            "The account's host; `localhost` when not given.",
        ),
        Param::new("grant_option", Kind::Flag, "May not grant them on either."),
        Param::new(
            "escape",
            Kind::Flag,
            "Quote the names in `database`, wildcards included; true when not given.",
        ),
        Param::new("client_flags", Kind::List, "Accepted."),
    ]),
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for GrantsAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let asked = Asked::of(call, host)?;
        let (said, account) = (&asked.said, &asked.account);
        let found = asked.grants.level(&asked.level).filter(|(_, level)| {
            level
                .what
                .iter()
                .any(|what| asked.what.contains(what) || asked.what.contains(super::grant::ALL))
                || (level.option && asked.option)
        });
        let Some((key, _)) = found else {
            return Ok(Plan::met(format!(
                "Grant {said} to {account} is not present, so it cannot be revoked"
            )));
        };
        let mut grants = asked.grants.clone();
        if let Some(level) = grants.0.get_mut(key) {
            level
                .what
                .retain(|what| !asked.what.contains(what) && !asked.what.contains(super::grant::ALL));
            level.option &= !asked.option;
            if level.what.is_empty() && !level.option {
                grants.0.remove(key);
            }
        }
        let act = assign(asked.at, asked.live, &grants);
        let name = call.name();
        let comment = format!("Grant {said} for {account} has been revoked");
        Ok(Plan::change(vec![act], one(name, "Absent"), comment).or_would(
            format!("MySQL grant {name} is set to be revoked"),
            Some(Args::new()),
        ))
    }
}
