//! `mysql.*`: what a database server says, asked as root over the local socket or as `connection_*` say.

use proto::{Address, Login, MysqlAt, MysqlKind, Value};
use serde_json::{Map, Value as Json, json};

use super::{Args, Function};
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "mysql.version",
        params: "",
        run: |live, args| Ok(json!(first(&rows(live, args, "SELECT VERSION()")?))),
    },
    Function {
        name: "mysql.status",
        params: "",
        run: |live, args| {
            let found = rows(live, args, "SHOW GLOBAL STATUS")?;
            let pairs = found.into_iter().skip(1).filter_map(|row| {
                let [name, value] = <[String; 2]>::try_from(row).ok()?;
                Some((name, Json::from(value)))
            });
            Ok(Json::Object(pairs.collect()))
        },
    },
    Function {
        name: "mysql.get_slave_status",
        params: "",
        run: slave_status,
    },
    Function {
        name: "mysql.slave_status",
        params: "",
        run: slave_status,
    },
    Function {
        name: "mysql.user_exists",
        params: "user, host='localhost'",
        run: |live, args| {
            Ok(json!(
                !read(live, args, MysqlKind::User, account(args)?)?.is_absent()
            ))
        },
    },
    Function {
        name: "mysql.db_exists",
        params: "name",
        run: |live, args| {
            Ok(json!(
                !read(live, args, MysqlKind::Database, args.need("name")?)?.is_absent()
            ))
        },
    },
    Function {
        name: "mysql.user_grants",
        params: "user, host='localhost'",
        run: |live, args| {
            let name = account(args)?;
            if read(live, args, MysqlKind::User, name.clone())?.is_absent() {
                return Ok(json!(false));
            }
            Ok(match read(live, args, MysqlKind::Grants, name)? {
                Value::MysqlGrants(grants) => json!(grants),
                _ => json!([]),
            })
        },
    },
    Function {
        name: "mysql.query",
        params: "database, query",
        run: |live, args| {
            let text = format!(
                "USE {}; {}",
                states::mysql::quoted(&args.need("database")?),
                args.need("query")?
            );
            let found = rows(live, args, text.trim_end().trim_end_matches(';'))?;
            Ok(json!({
                "columns": found.first(),
                "results": found.get(1..).unwrap_or_default(),
                "rows returned": found.len().saturating_sub(1),
            }))
        },
    },
];

fn slave_status(live: &mut Live, args: &Args) -> Result<Json, String> {
    let found = rows(live, args, "SHOW REPLICA STATUS")?;
    let mut told = Map::new();
    if let [names, values, ..] = found.as_slice() {
        told.extend(
            names
                .iter()
                .zip(values)
                .map(|(name, value)| (name.clone(), Json::from(value.as_str()))),
        );
    }
    Ok(Json::Object(told))
}

/// The server a call means; its password is told on the way.
fn server(live: &mut Live, args: &Args) -> String {
    let words = states::mysql::WORDS.iter().filter_map(|(argument, word)| {
        let value = args
            .text(argument)
            .filter(|value| !value.contains([' ', '=', '\n']))?;
        Some(format!("{word}={value}"))
    });
    let server = words.collect::<Vec<_>>().join(" ");
    if let Some(password) = args.text("connection_pass") {
        let server = server.clone();
        live.introduce(&Login { server, password });
    }
    server
}

fn rows(live: &mut Live, args: &Args, statement: &str) -> Result<Vec<Vec<String>>, String> {
    let server = server(live, args);
    let answers = live.sql_must(&server, &[statement.to_owned()]);
    Ok(answers.map_err(|problem| problem.text)?.concat())
}

fn first(rows: &[Vec<String>]) -> String {
    rows.get(1)
        .and_then(|row| row.first())
        .cloned()
        .unwrap_or_default()
}

fn account(args: &Args) -> Result<String, String> {
    let host = args.text("host").unwrap_or_else(|| "localhost".to_owned());
    Ok(format!("{}@{host}", args.need("user")?))
}

fn read(live: &mut Live, args: &Args, kind: MysqlKind, name: String) -> Result<Value, String> {
    let server = server(live, args);
    let at = MysqlAt { kind, name, server };
    live.read(&Address::Mysql(at)).map_err(|problem| problem.text)
}
