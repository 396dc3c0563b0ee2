//! `mysql_grants.present`: an account has certain privileges.

use std::collections::BTreeSet;

use proto::{Act, Address, Args, MysqlKind, Value};

use super::grant::{self, Grants, Level};
use super::{Facts, Server, account_of, connection};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_grants.present`.
#[derive(Debug)]
pub struct GrantsPresent;

static SPEC: Spec = Spec {
    state: "mysql_grants",
    fun: "present",
    doc: "Make sure that a database account has certain privileges.\n\nThe name is a mere label. What the account has \
          beyond them stays, unless `revoke_first` is set. The account must exist.",
    params: &connection::<9, 17>([
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
        Param::new("grant_option", Kind::Flag, "May grant them on."),
        Param::new(
            "escape",
            Kind::Flag,
            "Quote the names in `database`, wildcards included; true when not given.",
        ),
        Param::new(
            "revoke_first",
            Kind::Flag,
            "Take away what the account has on that level beyond these.",
        ),
        Param::new(
            "ssl_option",
            Kind::Any,
            "Not supported: demands on the connection belong to the account.",
        ),
        Param::new("client_flags", Kind::List, "Accepted."),
    ]),
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for GrantsPresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.flag("ssl_option", false) {
            return Err(Stop::failed(
                "ssl_option is not supported: set REQUIRE on the account itself",
            ));
        }
        let asked = Asked::of(call, host)?;
        let (said, account) = (&asked.said, &asked.account);
        if let Some((_, level)) = asked.grants.level(&asked.level)
            && level.holds(&asked.what, asked.option)
        {
            return Ok(Plan::met(format!("Grant {said} to {account} is already present")));
        }
        if asked.missing {
            return Err(Stop::failed(format!(
                "Failed to execute: \"GRANT {} ON {} TO {account}\" (there is no such account: mysql_user.present makes one)",
                args.text("grant").unwrap_or_default(),
                args.text("database").unwrap_or_default()
            )));
        }
        let mut grants = asked.grants.clone();
        let key = grants
            .level(&asked.level)
            .map_or_else(|| asked.level.clone(), |(key, _)| key.clone());
        let level = grants.0.entry(key).or_default();
        if args.flag("revoke_first", false) {
            *level = Level::default();
        }
        level.what.extend(asked.what);
        if level.what.contains(grant::ALL) {
            level.what.retain(|what| what == grant::ALL);
        }
        level.option |= asked.option;
        let act = assign(asked.at, asked.live, &grants);
        let name = call.name();
        let comment = format!("Grant {said} to {account} has been added");
        Ok(Plan::change(vec![act], one(name, "Present"), comment).or_would(
            format!("MySQL grant {name} is set to be created"),
            Some(Args::new()),
        ))
    }
}

/// What both functions of the module begin with.
pub(super) struct Asked<'a> {
    pub(super) at: Address,
    pub(super) live: &'a Value,
    /// There is no such account.
    pub(super) missing: bool,
    pub(super) grants: Grants,
    pub(super) what: BTreeSet<String>,
    pub(super) level: String,
    pub(super) option: bool,
    pub(super) account: String,
    /// The arguments as Salt repeats them.
    pub(super) said: String,
}

impl<'a> Asked<'a> {
    pub(super) fn of(call: &Call<'_>, host: &Host<'a>) -> Result<Self, Stop> {
        let args = call.args();
        let text = |key: &str| args.text(key).unwrap_or_default();
        let account = account_of(&text("user"), args)?;
        let level = grant::level(&text("database"), !args.flag("escape", true)).map_err(Stop::Failed)?;
        let server = Server::of(args, host)?;
        server.expect(&[(MysqlKind::User, &account)]);
        let (at, live, facts): (_, _, Facts) = server.read(MysqlKind::Grants, &account)?;
        let (_, user, _) = server.read(MysqlKind::User, &account)?;
        let mut what = grant::wanted(&text("grant"), facts.mariadb).map_err(Stop::Failed)?;
        let option = args.flag("grant_option", false) || what.remove("GRANT OPTION");
        let lines = match live {
            Value::MysqlGrants(lines) => lines.as_slice(),
            _ => &[],
        };
        Ok(Self {
            at,
            live,
            missing: user.is_absent(),
            grants: Grants::parse(lines.iter().map(String::as_str)),
            what,
            level,
            option,
            account,
            said: format!("{} on {}", text("grant"), text("database")),
        })
    }
}

/// Assigns grants; none at all is nothing.
pub(super) fn assign(at: Address, live: &Value, grants: &Grants) -> Act {
    let lines = grants.lines();
    let to = if lines.is_empty() {
        Value::Absent
    } else {
        Value::MysqlGrants(lines)
    };
    Act::assign(at, live.clone(), to)
}
