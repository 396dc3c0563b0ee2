//! `mysql_user.present`: a database account with a given login.

use proto::{Act, Address, Args, MysqlKind, Value};

use super::account::{Account, Compared, Wanted};
use super::{Facts, Server, account_of, connection};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_user.present`.
#[derive(Debug)]
pub struct UserPresent;

static SPEC: Spec = Spec {
    state: "mysql_user",
    fun: "present",
    doc: "Make sure that a database account exists and logs in as declared.\n\nName and `host` together are the account. \
          A password is compared by its hash, never by logging in, and goes to the server as a hash; neither stands in a \
          log, a diff or an argument of a program. Everything else about an existing account (`REQUIRE`, limits, locks) \
          stays as it is. Works with MariaDB and MySQL.",
    params: &connection::<8, 16>([
        Param::new(
            "host",
            Kind::Text,
            "Where the account may come from; `localhost` when not given.",
        ),
        Param::new("password", Kind::Text, "Its password; wins over `password_hash`."),
        Param::new(
            "password_hash",
            Kind::Text,
            "What the server keeps instead of the password.",
        ),
        Param::new(
            "allow_passwordless",
            Kind::Flag,
            "May log in without a password when none is given.",
        ),
        Param::new(
            "unix_socket",
            Kind::Flag,
            "Without a password: logs in by the name of the system's user.",
        ),
        Param::new(
            "auth_plugin",
            Kind::Text,
            "The server's plugin; `mysql_native_password`, or `caching_sha2_password` on MySQL 8.4 and later.",
        ),
        Param::new(
            "password_column",
            Kind::Text,
            "Accepted; servers are asked by statements, not by columns.",
        ),
        Param::new("client_flags", Kind::List, "Accepted."),
    ]),
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for UserPresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let account = account_of(name, args)?;
        let given = |key: &str| args.text(key).filter(|text| !text.is_empty());
        let (allow, socket) = (
            args.flag("allow_passwordless", false),
            args.flag("unix_socket", false),
        );
        let wanted = match (given("password"), given("password_hash")) {
            (Some(password), _) => Wanted::Password(password),
            (None, Some(hash)) => Wanted::Hash(hash),
            (None, None) if socket => Wanted::Socket,
            (None, None) if allow => Wanted::Nothing,
            (None, None) => {
                return Err(Stop::failed(
                    "Either password or password_hash must be specified, unless allow_passwordless is True",
                ));
            }
        };
        if wanted == Wanted::Socket && !account.ends_with("@localhost") {
            return Err(Stop::failed(
                "Auth via unix_socket can be set only for host=localhost",
            ));
        }
        let server = Server::of(args, host)?;
        let (at, live, facts) = server.read(MysqlKind::User, &account)?;
        let plugin = given("auth_plugin");
        let with = format!(
            "{}{}",
            if allow { " with passwordless login" } else { "" },
            if socket { " using unix_socket" } else { "" }
        );
        let Value::MysqlUser(Some(statement)) = live else {
            let to = made(&Account::default(), &wanted, plugin.as_deref(), &account, &facts)?;
            let comment = format!("The user {account} has been added{with}");
            return Ok(
                Plan::change(vec![assign(at, live, &to, host)], one(name, "Present"), comment).or_would(
                    format!("User {account} is set to be added{with}"),
                    Some(Args::new()),
                ),
            );
        };
        let tail = host.object(statement)?.unwrap_or_default();
        let now = Account::parse(&String::from_utf8_lossy(tail));
        let there = format!("User {account} is already present");
        match now.compare(&wanted) {
            Compared::Same => {
                return Ok(Plan::met(match &wanted {
                    Wanted::Password(_) => format!("{there} with the desired password"),
                    Wanted::Hash(_) => format!("{there} with the desired password hash"),
                    _ if allow => format!("{there} with passwordless login"),
                    _ => there,
                }));
            }
            Compared::Unknown => return Ok(Plan::met(format!("{there}. Unable to verify password."))),
            Compared::Other => {}
        }
        let to = made(&now, &wanted, plugin.as_deref(), &account, &facts)?;
        let what = match wanted {
            Wanted::Password(_) | Wanted::Hash(_) => "changed",
            Wanted::Nothing | Wanted::Socket => "cleared",
        };
        Ok(Plan::change(
            vec![assign(at, live, &to, host)],
            one(name, "Updated"),
            format!("Password for user {account} has been {what}"),
        )
        .or_would(
            format!("Password for user {account} is set to be {what}"),
            Some(Args::new()),
        ))
    }
}

fn made(
    now: &Account,
    wanted: &Wanted,
    plugin: Option<&str>,
    name: &str,
    facts: &Facts,
) -> Result<String, Stop> {
    let account = now.with(wanted, plugin, name, facts).map_err(Stop::Failed)?;
    Ok(account.tail(facts))
}

fn assign(at: Address, live: &Value, tail: &str, host: &Host<'_>) -> Act {
    let statement = host.keep(tail);
    Act::assign(at, live.clone(), Value::MysqlUser(Some(statement)))
}
