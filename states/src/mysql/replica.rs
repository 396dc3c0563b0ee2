//! `mysql_replication.replica`: a server that replicates from another.

use proto::{Act, Address, Args, MysqlKind, Source, Value};
use serde_json::json;

use super::source::Settings;
use super::{Server, connection};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_replication.replica`.
#[derive(Debug)]
pub struct Replica;

static SPEC: Spec = Spec {
    state: "mysql_replication",
    fun: "replica",
    doc: "Make sure that a database server replicates from another one, by transaction ids (GTID).\n\nOurs, not Salt's; for \
          MariaDB and MySQL. The name is a mere label. The state succeeds when both threads run, else it fails with the \
          server's own error.\n\nWith `seed` a server that never replicated is filled first: with a consistent dump of all \
          of the source's databases, and with its accounts but for `root` and the server's own. A server that holds \
          tables in a database of the same name is not touched: the state fails and names them. While it is filled, \
          nobody should make accounts on the source.\n\nWatching something, it restarts the threads. Rollback puts the \
          earlier source back, or none; it refuses where the server lacks transactions it had then. What was replicated \
          stays.",
    params: &connection::<10, 18>([
        Param::required("source_host", Kind::Text, "Name or address of the source."),
        Param::new("source_port", Kind::Number, "Its port; 3306 when not given."),
        Param::required("source_user", Kind::Text, "Account there that may replicate."),
        Param::required("source_password", Kind::Text, "Its password."),
        Param::new(
            "connect_retry",
            Kind::Number,
            "Seconds between two attempts to connect; 10 when not given.",
        ),
        Param::new("source_ssl", Kind::Flag, "Connect with TLS."),
        Param::new(
            "source_ssl_ca",
            Kind::Text,
            "Path of the certificates the source is checked against.",
        ),
        Param::new(
            "seed",
            Kind::Flag,
            "Fill the server first if it never replicated.",
        ),
        Param::new(
            "seed_user",
            Kind::Text,
            "Account that dumps the source, with `select`, `reload`, `show view`, `event`, `trigger` and `replication \
             client`; `source_user` when not given.",
        ),
        Param::new(
            "seed_password",
            Kind::Text,
            "Its password; `source_password` when not given.",
        ),
    ]),
    free: false,
    watch: true,
    undo: Undo::Compensated,
};

impl State for Replica {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let text = |key: &str| args.text(key).unwrap_or_default();
        let (source, user, password) = (text("source_host"), text("source_user"), text("source_password"));
        if [&source, &user, &password]
            .iter()
            .any(|text| text.contains(char::is_control))
        {
            return Err(Stop::failed(
                "source_host, source_user and source_password are one line each",
            ));
        }
        let port = args.number("source_port")?.unwrap_or(3306);
        let port = u16::try_from(port).map_err(|_| Stop::failed(format!("source_port cannot be {port}")))?;
        let retry = args.number("connect_retry")?.unwrap_or(10);
        let (at, live, facts) = Server::of(args, host)?.read(MysqlKind::Source, "")?;
        let mut settings = Settings::new(&source, port, &user, &password, retry);
        settings.by_gtid(facts.mariadb);
        if args.flag("source_ssl", false) {
            settings.set("SSL", "1");
        }
        if let Some(ca) = args.text("source_ssl_ca") {
            settings.set("SSL_CA", super::literal(&ca));
        }
        let from = format!("{user}@{source}:{port}");
        let told = |source: &Source| format!("{}@{}:{}", source.user, source.host, source.port);
        let was = match live {
            Value::MysqlSource(now) => {
                let statement = match &now.statement {
                    Some(digest) => host.object(digest)?.unwrap_or_default(),
                    None => &[],
                };
                if settings.within(&String::from_utf8_lossy(statement), facts.mariadb) {
                    if now.running {
                        return Ok(Plan::met(format!("Replication from {from} is running")));
                    }
                    let act = switched(at, live, now, true);
                    let changes = one("replication", json!({"old": "stopped", "new": "running"}));
                    let comment = format!("Replication from {from} has been started");
                    return Ok(Plan::change(vec![act], changes, comment).or_would(
                        format!("Replication from {from} is set to be started"),
                        Some(Args::new()),
                    ));
                }
                told(now)
            }
            _ => String::new(),
        };
        let given = |key: &str, other: &str| args.text(key).unwrap_or_else(|| other.to_owned());
        let seed = args.flag("seed", false).then(|| {
            let (user, password) = (given("seed_user", &user), given("seed_password", &password));
            host.keep(format!("{user}\n{password}"))
        });
        let to = Source {
            host: source,
            port,
            user,
            statement: Some(host.keep(settings.statement(facts.mariadb))),
            running: true,
            seed,
            executed: String::new(),
        };
        let act = Act::assign(at, live.clone(), Value::MysqlSource(to));
        let changes = one("source", json!({"old": was, "new": from}));
        Ok(
            Plan::change(vec![act], changes, format!("Replication from {from} is running")).or_would(
                format!("Replication from {from} is set to be started"),
                Some(Args::new()),
            ),
        )
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let plan = self.plan(call, host)?;
        if !plan.acts.is_empty() {
            return Ok(plan);
        }
        let (at, live, _) = Server::of(call.args(), host)?.read(MysqlKind::Source, "")?;
        let Value::MysqlSource(now) = live else {
            return Ok(plan);
        };
        let acts = vec![
            switched(at.clone(), live, now, false),
            switched(at, live, now, true),
        ];
        Ok(
            Plan::change(acts, one(call.name(), true), "Replication restarted")
                .or_would("Replication is set to be restarted", Some(Args::new())),
        )
    }
}

/// Threads up or down, all else as it is.
fn switched(at: Address, live: &Value, now: &Source, running: bool) -> Act {
    let to = Source {
        running,
        ..now.clone()
    };
    Act::assign(at, live.clone(), Value::MysqlSource(to))
}
