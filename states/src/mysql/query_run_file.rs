//! `mysql_query.run_file`: a file of statements run in a database.

use super::query;
use crate::cmd::script::script;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `mysql_query.run_file`.
#[derive(Debug)]
pub struct QueryRunFile;

static SPEC: Spec = Spec {
    state: "mysql_query",
    fun: "run_file",
    doc: "Run a file of statements in a database, every time; `unless` and `onlyif` say when not.\n\nWhat they do can be \
          rolled back where the state declares `undo:` (a command).",
    params: &query::params::<17>(Param::required(
        "query_file",
        Kind::Text,
        "The file: `salt://…` of the tree, or a path of the host.",
    )),
    free: false,
    watch: false,
    undo: Undo::None,
};

impl State for QueryRunFile {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let file = call.args().text("query_file").unwrap_or_default();
        let Some(statements) = script(call, host, &file)? else {
            return Err(Stop::failed(format!("File {file} does not exist")));
        };
        query::plan(call, host, &statements)
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        query::report(plan, done)
    }
}
