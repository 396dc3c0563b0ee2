//! `mysql_replication.absent`: a server that replicates from nobody.

use proto::{Act, Args, MysqlKind, Value};
use serde_json::json;

use super::{Server, connection};
use crate::plan::one;
use crate::{Call, Host, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_replication.absent`.
#[derive(Debug)]
pub struct ReplicaAbsent;

static SPEC: Spec = Spec {
    state: "mysql_replication",
    fun: "absent",
    doc: "Make sure that a database server does not replicate.\n\nOurs, not Salt's. Stops the threads and forgets the source; \
          what was replicated, and up to where, stays. Rollback sets the source up again, password and all.",
    params: &connection::<0, 8>([] as [Param; 0]),
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for ReplicaAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (at, live, _) = Server::of(call.args(), host)?.read(MysqlKind::Source, "")?;
        let Value::MysqlSource(now) = live else {
            return Ok(Plan::met("The server does not replicate"));
        };
        let from = format!("{}@{}:{}", now.user, now.host, now.port);
        let act = Act::assign(at, live.clone(), Value::Absent);
        let changes = one("source", json!({"old": from, "new": ""}));
        Ok(Plan::change(
            vec![act],
            changes,
            format!("Replication from {from} has been removed"),
        )
        .or_would(
            format!("Replication from {from} is set to be removed"),
            Some(Args::new()),
        ))
    }
}
