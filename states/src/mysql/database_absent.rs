//! `mysql_database.absent`: there is no such schema.

use proto::{Act, Args, MysqlKind, Value};

use super::{Server, connection};
use crate::plan::one;
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_database.absent`.
#[derive(Debug)]
pub struct DatabaseAbsent;

static SPEC: Spec = Spec {
    state: "mysql_database",
    fun: "absent",
    doc: "Make sure that a database (schema) does not exist.\n\nIts tables and what is in them go for good: rollback brings \
          back the empty database only, and says so.",
    params: &connection::<1, 9>([Param::new("client_flags", Kind::List, "Accepted.")]),
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for DatabaseAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = super::schema(call.name())?;
        let server = Server::of(call.args(), host)?;
        let (at, live, _) = server.read(MysqlKind::Database, name)?;
        if live.is_absent() {
            return Ok(Plan::met(format!(
                "Database {name} is not present, so it cannot be removed"
            )));
        }
        if ["mysql", "information_schema", "performance_schema", "sys"].contains(&name) {
            return Err(Stop::failed(format!(
                "Unable to remove database {name} (it is the server's own)"
            )));
        }
        let act = Act::assign(at, live.clone(), Value::Absent);
        let comment = format!("Database {name} has been removed");
        Ok(Plan::change(vec![act], one(name, "Absent"), comment).or_would(
            format!("Database {name} is present and needs to be removed"),
            Some(Args::new()),
        ))
    }
}
