//! `mysql_query.run`: statements run in a database.

use super::query;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `mysql_query.run`.
#[derive(Debug)]
pub struct QueryRun;

static SPEC: Spec = Spec {
    state: "mysql_query",
    fun: "run",
    doc: "Run statements in a database, every time; `unless` and `onlyif` say when not.\n\nWhat they do can be rolled back \
          where the state declares `undo:` (a command). Values in the comment are texts, and at most 1 MiB of them.",
    params: &query::params::<17>(Param::required("query", Kind::Text, "The statements.")),
    free: false,
    watch: false,
    undo: Undo::None,
};

impl State for QueryRun {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        query::plan(call, host, &call.args().text("query").unwrap_or_default())
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        query::report(plan, done)
    }
}
