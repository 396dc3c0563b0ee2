//! `file.touch`: an empty file, or new times.

use proto::{Act, Address, Args, Meta, Value};

use super::edit;
use super::place::{self, Above};
use crate::perms::{Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `file.touch`.
#[derive(Debug)]
pub struct Touch;

static SPEC: Spec = Spec {
    state: "file",
    fun: "touch",
    doc: "Make sure that a file exists.\n\nOne that is there gets the times that are given. Without any, Salt sets those of now; \
          here that is told but not done, because it is never as it should be.",
    params: &[
        Param::new("atime", Kind::Number, "Accepted; access times are not managed."),
        Param::new("mtime", Kind::Number, "Modification time in seconds since 1970."),
        Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Touch {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        let name = place::name(call, host)?;
        let there = place::followed(host, &name)?;
        if let Some(meta) = there.value.meta() {
            return times(call, &there, meta);
        }
        let would = format!("File {given} is set to be created");
        let changes = one("new", given);
        let (mut acts, parent) = match place::above(host, &name)? {
            Above::Dir(meta) => (Vec::new(), meta),
            Above::Missing(dirs, meta) if call.args().flag("makedirs", false) => {
                let acts = place::make_dirs(&dirs, &Perms::default(), &meta, masked(call, 0o777));
                (acts, meta)
            }
            _ if call.test => {
                return Ok(Plan {
                    verdict: Verdict::WouldChange,
                    changes,
                    comment: would,
                    ..Plan::default()
                });
            }
            _ => {
                return Err(Stop::Failed(format!(
                    "Directory not present to touch file {given}"
                )));
            }
        };
        acts.push(edit::create(call, host, &there.path, &parent, ""));
        Ok(Plan::change(acts, changes, format!("Created empty file {given}")).or_would(would, None))
    }
}

fn times(call: &Call<'_>, there: &place::Place<'_>, meta: &Meta) -> Result<Plan, Stop> {
    let given = call.name();
    let changes = one("touched", given);
    let wanted = call.args().number("mtime")?;
    if call.test && wanted.is_none_or(|seconds| meta.mtime.is_some_and(|(now, _)| now == seconds)) {
        return Ok(Plan::met(format!(
            "File {given} exists and has the correct times"
        )));
    }
    let what = if matches!(there.value, Value::Dir { .. }) {
        "directory"
    } else {
        "file"
    };
    let comment = format!("Updated times on {what} {given}");
    let mut acts = Vec::new();
    if let Some(seconds) = wanted.filter(|seconds| meta.mtime.is_none_or(|(now, _)| now != *seconds)) {
        let mut to = there.value.clone();
        if let Value::File { meta, .. } | Value::Dir { meta } = &mut to {
            meta.mtime = Some((seconds, 0));
        }
        acts.push(Act::assign(
            Address::Path(there.path.clone()),
            there.value.clone(),
            to,
        ));
    }
    let changes = if acts.is_empty() && call.test {
        Args::new()
    } else {
        changes
    };
    Ok(Plan::change(acts, changes, comment)
        .or_would(format!("Times set to be updated on file {given}"), None))
}
