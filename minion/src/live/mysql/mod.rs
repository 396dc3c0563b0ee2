//! Database servers: accounts, grants, schemas, read together for all questions of a batch and changed by statements.
//!
//! Nothing is a secret here but the objects that hold accounts' statements, which stay in the store. Statements say "if it
//! exists" or "if not": they reach replicas, too, where a thing may have come by another way. On a server that is read-only
//! (a replica) a change is local and does not go into the binary log.

mod client;
mod query;
mod seed;
mod source;

use std::collections::BTreeMap;

use proto::{
    Address, Change, Digest, Fidelity, Login, MysqlAt, MysqlKind, Performed, PreImage, Problem, Question,
    Schema, Value,
};
use states::mysql::account::tail;
use states::mysql::grant::Grants;
use states::mysql::{account_name, literal, quoted};

use super::{Live, as_expected, botched, failed, moved, refused};
use crate::meets::meets;
use crate::system::Botched;
use client::{Answered, OnError};

/// What is known of database servers in this session.
#[derive(Default)]
pub struct Databases {
    /// Passwords by server.
    logins: BTreeMap<String, String>,
    /// What was read for the questions of one batch.
    known: BTreeMap<MysqlAt, Result<Value, Problem>>,
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Databases").finish_non_exhaustive()
    }
}

impl Databases {
    /// What was read holds no longer.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

impl Live {
    /// How to log in to a server.
    pub(crate) fn introduce(&mut self, login: &Login) {
        self.databases
            .logins
            .insert(login.server.clone(), login.password.clone());
    }

    /// Reads all things of database servers that a batch asks for, each server once.
    pub(crate) fn learn_mysql(&mut self, ask: &[Question]) {
        let mut by_server: BTreeMap<&str, Vec<&MysqlAt>> = BTreeMap::new();
        for question in ask {
            match question {
                Question::Login(login) => self.introduce(login),
                Question::Read(Address::Mysql(at)) => by_server.entry(&at.server).or_default().push(at),
                _ => {}
            }
        }
        for (server, things) in by_server {
            let statements: Vec<String> = things.iter().flat_map(|at| asking(at)).collect();
            let answers = self.sql(server, &statements, OnError::GoOn);
            let mut answers = match answers {
                Ok(answers) => Ok(answers.into_iter()),
                Err(problem) => Err(problem),
            };
            for at in things {
                let value = match &mut answers {
                    Ok(answers) => {
                        self.understood(at, &answers.by_ref().take(asking(at).len()).collect::<Vec<_>>())
                    }
                    Err(problem) => Err(problem.clone()),
                };
                self.databases.known.insert(at.clone(), value);
            }
        }
    }

    /// What is at an address of a database server.
    pub(crate) fn read_mysql(&mut self, at: &MysqlAt) -> Result<Value, Problem> {
        if let Some(known) = self.databases.known.get(at) {
            return known.clone();
        }
        self.learn_mysql(&[Question::Read(Address::Mysql(at.clone()))]);
        let known = self.databases.known.remove(at);
        known.unwrap_or_else(|| Err(failed(format!("{at} was not read: a bug in salt-rs"))))
    }

    fn understood(&self, at: &MysqlAt, answers: &[Answered]) -> Result<Value, Problem> {
        if at.kind == MysqlKind::Source {
            return self.understood_source(answers);
        }
        let none = Vec::new();
        let rows = match answers.last() {
            Some(Ok(rows)) => rows,
            // No such grant, no such user; MySQL's words for the latter are that the operation failed.
            Some(Err(complaint)) if [1133, 1141, 1269, 1396].contains(&complaint.code) => {
                return Ok(Value::Absent);
            }
            // MariaDB has no name of its own for a server.
            Some(Err(_)) if at.kind == MysqlKind::Server => &none,
            Some(Err(complaint)) => return Err(failed(format!("cannot read {at}: {}", complaint.told()))),
            None => &none,
        };
        let cell = |row: usize, place: usize| {
            rows.get(row + 1)
                .and_then(|row| row.get(place))
                .map(String::as_str)
        };
        Ok(match at.kind {
            MysqlKind::Server => {
                let version = match answers.first() {
                    Some(Ok(rows)) => rows.get(1).and_then(|row| row.first()).cloned(),
                    _ => None,
                };
                let version =
                    version.ok_or_else(|| failed("the database server does not tell its version"))?;
                Value::Text(
                    format!("{version} {}", cell(0, 0).unwrap_or_default())
                        .trim_end()
                        .to_owned(),
                )
            }
            MysqlKind::User => {
                let statement = cell(0, 0).and_then(tail);
                let statement = statement
                    .ok_or_else(|| failed(format!("cannot understand what the server says of {at}")))?;
                let digest = self.objects.put(statement.as_bytes());
                Value::MysqlUser(Some(
                    digest.map_err(|error| refused(format!("cannot keep {at}: {error}")))?,
                ))
            }
            MysqlKind::Grants => {
                let granted = rows
                    .iter()
                    .filter_map(|row| row.first())
                    .filter(|line| line.starts_with("GRANT "));
                let lines = Grants::parse(granted.map(String::as_str)).lines();
                if lines.is_empty() {
                    Value::Absent
                } else {
                    Value::MysqlGrants(lines)
                }
            }
            MysqlKind::Database => match (cell(0, 0), cell(0, 1)) {
                (Some(charset), Some(collation)) => Value::MysqlDatabase(Schema {
                    charset: charset.to_owned(),
                    collation: collation.to_owned(),
                    holds: cell(0, 2).and_then(|count| count.parse().ok()).unwrap_or(0),
                }),
                _ => Value::Absent,
            },
            MysqlKind::Source => Value::Absent,
        })
    }

    /// Pre-images of a thing of a database server and of what goes with it.
    pub(crate) fn observe_mysql(
        &mut self,
        at: &MysqlAt,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let was = self.read_mysql(at)?;
        as_expected(&at.to_string(), &was, expect, to)?;
        self.keep_login(&at.server)?;
        let image = |at: &MysqlAt, was: Value, fidelity: Fidelity| PreImage {
            at: Address::Mysql(at.clone()),
            was,
            fidelity,
        };
        let mut before = Vec::new();
        let mut fidelity = Fidelity::Exact;
        match (&was, to) {
            (Value::MysqlUser(_), Value::Absent) => {
                let grants = grants_of(at);
                let granted = self.read_mysql(&grants)?;
                before.push(image(&grants, granted, Fidelity::Exact));
            }
            (Value::MysqlDatabase(schema), Value::Absent) if schema.holds > 0 => {
                fidelity = Fidelity::Lost(format!(
                    "what was in the database {} ({} tables and the like) is not kept: it would come back empty",
                    at.name, schema.holds
                ));
            }
            (Value::Absent, Value::MysqlSource(source)) if source.seed.is_some() => {
                fidelity = Fidelity::Compensated(
                    "what the server is filled with stays when its source goes".to_owned(),
                );
            }
            _ => {}
        }
        before.push(image(at, was, fidelity));
        Ok(before)
    }

    /// Makes a thing of a database server as wanted.
    pub(crate) fn assign_mysql(
        &mut self,
        at: &MysqlAt,
        expect: &Value,
        to: &Value,
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let was = self.read_mysql(at)?;
        as_expected(&at.to_string(), &was, expect, to)?;
        if meets(to, &was) {
            return Ok(Performed::default());
        }
        let mut changes = Vec::new();
        let done = if at.kind == MysqlKind::Source {
            self.assign_source(at, &was, to, &mut changes)
        } else {
            let statements = self.changing(at, &was, expect, to)?;
            self.change(&at.server, &statements)
        };
        for image in before {
            let Address::Mysql(seen) = &image.at else { continue };
            if seen != at && *seen != grants_of(at) {
                continue;
            }
            match self.read_mysql(seen) {
                Ok(after) if after != image.was => changes.push(Change {
                    at: image.at.clone(),
                    before: image.was.clone(),
                    after,
                }),
                Ok(_) => {}
                Err(problem) => return Err(botched(done.err().unwrap_or(problem), changes, None)),
            }
        }
        match done {
            Ok(()) => Ok(Performed {
                changes,
                output: None,
            }),
            Err(problem) => Err(botched(problem, changes, None)),
        }
    }

    /// Runs statements that change something; on a read-only server they stay out of the binary log.
    fn change(&self, server: &str, statements: &[String]) -> Result<(), Problem> {
        let asked = self.sql(server, &["SELECT @@GLOBAL.read_only".to_owned()], OnError::Stop)?;
        let read_only =
            matches!(asked.first(), Some(Ok(rows)) if rows.last().is_some_and(|row| row.concat() == "1"));
        let mut all = Vec::new();
        if read_only {
            all.push("SET SESSION sql_log_bin=0".to_owned());
        }
        all.extend(statements.iter().cloned());
        self.sql_must(server, &all).map(drop)
    }

    /// The statements that turn `was` into `to`.
    fn changing(
        &self,
        at: &MysqlAt,
        was: &Value,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<String>, Problem> {
        let name = &at.name;
        let account = account_name(name);
        Ok(match (at.kind, was, to) {
            (MysqlKind::User, Value::MysqlUser(_), Value::Absent) => {
                vec![format!("DROP USER IF EXISTS {account}")]
            }
            (MysqlKind::User, was, Value::MysqlUser(Some(statement))) => {
                let tail = self.statement(at, statement)?;
                if was.is_absent() {
                    vec![format!("CREATE USER IF NOT EXISTS {account} {tail}")]
                } else if tail.starts_with("IDENTIFIED") {
                    vec![format!("ALTER USER IF EXISTS {account} {tail}")]
                } else {
                    vec![format!(
                        "ALTER USER IF EXISTS {account} IDENTIFIED BY {} {tail}",
                        literal("")
                    )]
                }
            }
            (MysqlKind::Grants, was, Value::MysqlGrants(_) | Value::Absent) => {
                granted(was).statements(&granted(to), &account)
            }
            (MysqlKind::Database, Value::MysqlDatabase(live), Value::Absent) => {
                let emptied = matches!(expect, Value::MysqlDatabase(seen) if seen.holds == 0);
                if live.holds > 0 && emptied {
                    return Err(moved(format!("the database {name} is not empty any more")));
                }
                vec![format!("DROP DATABASE IF EXISTS {}", quoted(name))]
            }
            (MysqlKind::Database, was, Value::MysqlDatabase(schema)) => {
                let mut text = if was.is_absent() {
                    format!("CREATE DATABASE IF NOT EXISTS {}", quoted(name))
                } else {
                    format!("ALTER DATABASE {}", quoted(name))
                };
                for (word, value) in [("CHARACTER SET", &schema.charset), ("COLLATE", &schema.collation)] {
                    if !value.is_empty() {
                        text.push_str(&format!(" {word} {value}"));
                    }
                }
                vec![text]
            }
            _ => return Err(refused(format!("{at} cannot become {}", super::path::told(to)))),
        })
    }

    fn statement(&self, at: &MysqlAt, digest: &Digest) -> Result<String, Problem> {
        let bytes = self.objects.get(digest);
        let bytes =
            bytes.map_err(|error| refused(format!("what makes {at} is not in the store: {error}")))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains('\n') {
            return Err(refused(format!("what is to make {at} is not one statement")));
        }
        Ok(text)
    }
}

/// The statements that tell what is at an address.
fn asking(at: &MysqlAt) -> Vec<String> {
    let account = account_name(&at.name);
    match at.kind {
        MysqlKind::Server => vec!["SELECT VERSION()".to_owned(), "SELECT @@server_uuid".to_owned()],
        MysqlKind::User => vec![
            // MySQL: a hash may hold any byte.
            "SET SESSION print_identified_with_as_hex=1".to_owned(),
            format!("SHOW CREATE USER {account}"),
        ],
        MysqlKind::Grants => vec![format!("SHOW GRANTS FOR {account}")],
        MysqlKind::Database => {
            let name = literal(&at.name);
            vec![format!(
                "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, \
                 (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name}) + \
                 (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}) + \
                 (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name}) \
                 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {name}"
            )]
        }
        MysqlKind::Source => source::ASKING.iter().map(|&ask| ask.to_owned()).collect(),
    }
}

fn grants_of(at: &MysqlAt) -> MysqlAt {
    MysqlAt {
        kind: MysqlKind::Grants,
        ..at.clone()
    }
}

fn granted(value: &Value) -> Grants {
    match value {
        Value::MysqlGrants(lines) => Grants::parse(lines.iter().map(String::as_str)),
        _ => Grants::default(),
    }
}
