//! `mysql_user.absent`: there is no such database account.

use proto::{Act, Args, MysqlKind, Value};

use super::{Server, account_of, connection};
use crate::plan::one;
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mysql_user.absent`.
#[derive(Debug)]
pub struct UserAbsent;

static SPEC: Spec = Spec {
    state: "mysql_user",
    fun: "absent",
    doc: "Make sure that a database account does not exist.\n\nIts grants go with it; rollback brings back both.",
    params: &connection::<2, 10>([
        Param::new(
            "host",
            Kind::Text,
            "Where the account may come from; `localhost` when not given.",
        ),
        Param::new("client_flags", Kind::List, "Accepted."),
    ]),
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for UserAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let account = account_of(name, call.args())?;
        let server = Server::of(call.args(), host)?;
        let (at, live, _) = server.read(MysqlKind::User, &account)?;
        if live.is_absent() {
            return Ok(Plan::met(format!(
                "User {account} is not present, so it cannot be removed"
            )));
        }
        let act = Act::assign(at, live.clone(), Value::Absent);
        let comment = format!("User {account} has been removed");
        Ok(Plan::change(vec![act], one(name, "Absent"), comment)
            .or_would(format!("User {account} is set to be removed"), Some(Args::new())))
    }
}
