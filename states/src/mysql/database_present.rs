//! `mysql_database.present`: a schema with a given character set and collation.

use proto::{Act, Args, MysqlKind, Schema, Value};
use serde_json::json;

use super::{Server, connection};
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `mysql_database.present`.
#[derive(Debug)]
pub struct DatabasePresent;

static SPEC: Spec = Spec {
    state: "mysql_database",
    fun: "present",
    doc: "Make sure that a database (schema) exists.\n\nRollback drops a database it made only if it is empty; otherwise it \
          stays and is reported. Changing the character set concerns tables made later, as in the server itself.",
    params: &connection::<3, 11>([
        Param::new(
            "character_set",
            Kind::Text,
            "Default character set; the server's own when not given.",
        ),
        Param::new("collate", Kind::Text, "Default collation; likewise."),
        Param::new("client_flags", Kind::List, "Accepted."),
    ]),
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for DatabasePresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = super::schema(call.name())?;
        let word = |key: &str| -> Result<Option<String>, Stop> {
            let Some(word) = call.args().text(key).filter(|word| !word.is_empty()) else {
                return Ok(None);
            };
            if word.contains(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
                return Err(Stop::failed(format!("{key} cannot be {word:?}")));
            }
            Ok(Some(word))
        };
        let (charset, collation) = (word("character_set")?, word("collate")?);
        let server = Server::of(call.args(), host)?;
        let (at, live, _) = server.read(MysqlKind::Database, name)?;
        let Value::MysqlDatabase(now) = live else {
            let to = Schema {
                charset: charset.unwrap_or_default(),
                collation: collation.unwrap_or_default(),
                holds: 0,
            };
            let act = Act::assign(at, live.clone(), Value::MysqlDatabase(to));
            let comment = format!("The database {name} has been created");
            return Ok(Plan::change(vec![act], one(name, "Present"), comment).or_would(
                format!("Database {name} is not present and needs to be created"),
                Some(Args::new()),
            ));
        };
        let differs =
            |wanted: &Option<String>, now: &str| wanted.as_ref().is_some_and(|wanted| !same(wanted, now));
        let mut lines = vec![format!("Database {name} is already present")];
        let mut changes = Args::new();
        if differs(&charset, &now.charset) {
            let wanted = charset.as_deref().unwrap_or_default();
            lines[0] = format!(
                "Database character set {wanted} != {} needs to be updated",
                now.charset
            );
            changes.extend(one(
                "character_set",
                json!({"before": now.charset, "now": wanted}),
            ));
        }
        if differs(&collation, &now.collation) {
            let wanted = collation.as_deref().unwrap_or_default();
            lines.push(format!(
                "Database collate {wanted} != {} needs to be updated",
                now.collation
            ));
            changes.extend(one("collate", json!({"before": now.collation, "now": wanted})));
        }
        if changes.is_empty() {
            return Ok(Plan::met(lines.concat()));
        }
        let to = Schema {
            // A collation belongs to a character set: what is not told follows from what is.
            charset: charset.unwrap_or_default(),
            collation: collation.unwrap_or_default(),
            holds: now.holds,
        };
        let act = Act::assign(at, live.clone(), Value::MysqlDatabase(to));
        let comment = lines.join("\n");
        let would = format!("{comment}\nDatabase {name} is going to be updated");
        Ok(Plan::change(vec![act], changes, comment).or_would(would, Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        let made = done.performed.iter().flat_map(|performed| &performed.changes);
        for change in made {
            // What the server made of it; a new collation may have come with the character set.
            if let (None, Value::MysqlDatabase(was), Value::MysqlDatabase(now)) =
                (done.failed, &change.before, &change.after)
            {
                report.changes.clear();
                for (key, was, now) in [
                    ("collate", &was.collation, &now.collation),
                    ("character_set", &was.charset, &now.charset),
                ] {
                    if was != now {
                        report
                            .changes
                            .extend(one(key, json!({"before": was, "now": now})));
                    }
                }
            }
        }
        report
    }
}

/// `utf8` is another name of `utf8mb3`, alone and in the names of collations.
fn same(one: &str, other: &str) -> bool {
    let full = |name: &str| match name.strip_prefix("utf8") {
        Some(rest) if rest.is_empty() || rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name.to_lowercase(),
    };
    full(one) == full(other)
}
