//! What `mysql_query.run` and `mysql_query.run_file` have in common.

use proto::{Act, Command, MysqlKind, Output};
use serde_json::{Map, Value as Json, json};

use super::Server;
use crate::args::python;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Stop, Verdict, paths};

/// The program of a query: the agent's own way to a database server. What follows is the server as in
/// [`proto::MysqlAt::server`], the database, and perhaps a file for the rows; the statements are its input.
pub const PROGRAM: &str = "mysql-query";

/// Parameters of both, after what is run.
pub(super) const fn params<const ALL: usize>(what: Param) -> [Param; ALL] {
    super::connection::<9, ALL>([
        Param::required("database", Kind::Text, "The database it runs in."),
        what,
        Param::new(
            "output",
            Kind::Text,
            "A file for the rows, `column:value` a line; they stand in the comment when not given. `grain` is not supported.",
        ),
        Param::new("grain", Kind::Text, "Not supported."),
        Param::new("key", Kind::Text, "Not supported."),
        Param::new(
            "overwrite",
            Kind::Flag,
            "Run although `output` is there already; true when not given.",
        ),
        Param::new(
            "check_db_exists",
            Kind::Flag,
            "Look first whether the database is there; true when not given.",
        ),
        Param::new("client_flags", Kind::List, "Accepted."),
        Param::new("query_timeout", Kind::Number, "Seconds it may take."),
    ])
}

/// The plan of running `statements`.
pub(super) fn plan(call: &Call<'_>, host: &Host<'_>, statements: &str) -> Result<Plan, Stop> {
    let args = call.args();
    let database = super::schema(&args.text("database").unwrap_or_default())?.to_owned();
    if args.any("client_flags").is_some_and(|flags| !flags.is_array()) {
        return Err(Stop::failed("Error: client_flags must be a list."));
    }
    let server = Server::of(args, host)?;
    if args.flag("check_db_exists", true) {
        let (_, live, _) = server.read(MysqlKind::Database, &database)?;
        if live.is_absent() {
            return Err(Stop::failed(format!("Database {database} is not present")));
        }
    }
    let output = args.text("output");
    if output.as_deref() == Some("grain") {
        return Err(Stop::failed(
            "output: grain is not supported: grains are what a host says of itself",
        ));
    }
    let output = match output {
        Some(path) => {
            Some(paths::clean(&path).ok_or_else(|| Stop::failed(format!("{path} is no absolute path")))?)
        }
        None => None,
    };
    if let Some(path) = &output
        && !args.flag("overwrite", true)
        && !host.follow(path)?.is_absent()
    {
        return Ok(Plan::met(format!("No execution needed. File {path} already set")));
    }
    if call.test {
        return Ok(Plan {
            verdict: Verdict::WouldChange,
            comment: match &output {
                Some(path) => format!("Query would execute, storing result in file: {path}"),
                None => "Query would execute, not storing result".to_owned(),
            },
            ..Plan::default()
        });
    }
    let mut argv = vec![
        PROGRAM.to_owned(),
        server.at(MysqlKind::Server, "").server,
        database,
    ];
    argv.extend(output.clone());
    let command = Command {
        argv,
        stdin: Some(statements.to_owned()),
        timeout: args
            .number("query_timeout")?
            .and_then(|seconds| u64::try_from(seconds).ok()),
        ..Command::default()
    };
    let undo = call.chunk.options.undo.as_deref().map(Command::sh);
    let act = Act::Run {
        command,
        undo,
        verify: None,
        touches: output.clone().into_iter().collect(),
    };
    let done = output.map_or_else(
        || "Executed".to_owned(),
        |path| format!("Executed. Output into {path}"),
    );
    Ok(Plan::change(vec![act], one("query", done), ""))
}

/// Salt's result: the rows in the comment.
pub(super) fn report(plan: &Plan, done: &Done<'_>) -> Report {
    let mut report = Report::of(plan, done);
    let output = done
        .performed
        .last()
        .and_then(|performed| performed.output.as_ref());
    let Some(output) = output.filter(|_| done.failed.is_none()) else {
        return report;
    };
    if output.code != 0 {
        report.result = Some(false);
        report.changes = Map::new();
        report.comment.clone_from(&output.stderr);
    } else {
        report.comment = told(output);
    }
    report
}

fn told(output: &Output) -> String {
    let mut lines = output.stdout.lines().map(|line| line.split('\t'));
    let Some(columns) = lines.next() else {
        return "Executed".to_owned();
    };
    let columns: Vec<&str> = columns.collect();
    let row = |cells: std::str::Split<'_, char>| -> Json {
        let pairs = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| ((*column).to_owned(), Json::from(cell)));
        Json::Object(pairs.collect())
    };
    let rows: Vec<Json> = lines.map(row).collect();
    python(&json!({"rows returned": rows.len(), "columns": columns, "results": rows}))
}
