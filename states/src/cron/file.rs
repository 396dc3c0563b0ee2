//! `cron.file`: a whole crontab from a file.

use proto::Args;

use super::table::Table;
use super::{USER, user};
use crate::plan::one;
use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `cron.file`.
#[derive(Debug)]
pub struct File;

static SPEC: Spec = Spec {
    state: "cron",
    fun: "file",
    doc: "Make a file a user's whole crontab.\n\nThe name is the source: `salt://…`, an absolute path on the host, or an \
          http(s) URL with `source_hash`.",
    params: &[
        USER,
        Param::new("source_hash", Kind::Text, "Hash a download must have."),
        Param::new(
            "source_hash_name",
            Kind::Text,
            "The name to look for in a file of hashes.",
        ),
        Param::new(
            "template",
            Kind::Text,
            "Render the source with this engine, `jinja` mostly.",
        ),
        Param::new("context", Kind::Map, "Variables of the template."),
        Param::new(
            "defaults",
            Kind::Map,
            "Variables of the template that `context` overrides.",
        ),
        Param::new(
            "replace",
            Kind::Flag,
            "Replace a crontab that is there (default true).",
        ),
        Param::new("backup", Kind::Text, "Accepted; rollback keeps the old table."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for File {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let user = user(call);
        let table = match Table::read(host, &user)? {
            Ok(table) => table,
            Err(why) => {
                return Err(Stop::Failed(format!(
                    "Unable to update user {user} crontab. Error: {why}"
                )));
            }
        };
        let now = table.shown();
        if !call.args().flag("replace", true) && !now.trim().is_empty() {
            return Ok(Plan::met(format!(
                "User {user} already has a crontab. No changes made"
            )));
        }
        let mut wanted = match source::text(call, host, call.name()) {
            Ok(text) => text,
            Err(Trouble::Stop(stop)) => return Err(stop),
            Err(Trouble::Said(why)) => return Err(Stop::Failed(why)),
            Err(Trouble::None) => {
                return Err(Stop::Failed(format!("Source file {} not found", call.name())));
            }
        };
        if !wanted.ends_with('\n') {
            wanted.push('\n');
        }
        if wanted == now {
            return Ok(Plan::met(format!(
                "Crontab for user {user} is in the correct state"
            )));
        }
        let act = table.put(host, &wanted);
        let diff = text::diff(now, &wanted);
        let would = format!("The following values are set to be changed:\ndiff: {diff}\n");
        Ok(Plan::change(
            vec![act],
            one("diff", diff),
            format!("Crontab for user {user} was updated"),
        )
        .or_would(would, Some(Args::new())))
    }
}
