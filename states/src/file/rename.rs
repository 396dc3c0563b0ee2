//! `file.rename`: something is moved to another place.

use proto::{Address, Args, Question};

use super::place::{self, Above};
use crate::perms::{Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `file.rename`.
#[derive(Debug)]
pub struct Rename;

static SPEC: Spec = Spec {
    state: "file",
    fun: "rename",
    doc: "Move a file, directory or link of the host to another place of it, if it still is where it was.",
    params: &[
        Param::required("source", Kind::Text, "Absolute path of what is moved."),
        Param::new("force", Kind::Flag, "Replace what is at the new place."),
        Param::new(
            "makedirs",
            Kind::Flag,
            "Make missing directories above the new place.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Rename {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let given = call.name();
        let name = place::name(call, host)?;
        let source = paths::expand(host, &args.text("source").unwrap_or_default())?;
        let moved = || {
            Plan::met(format!(
                "Source file \"{source}\" has already been moved out of place"
            ))
        };
        let Some(from) = paths::clean(&source) else {
            return Ok(moved());
        };
        host.expect([&from, &name].map(|path| Question::Read(Address::Path(path.clone()))));
        let value = host.path(&from)?;
        if value.is_absent() {
            return Ok(moved());
        }
        let there = host.path(&name)?;
        if !there.is_absent() && !args.flag("force", false) {
            return Ok(Plan::met(format!(
                "The target file \"{given}\" exists and will not be overwritten"
            )));
        }
        let would = format!("File \"{source}\" is set to be moved to \"{given}\"");
        let mut acts = place::remove(&name, there);
        match place::above(host, &name)? {
            Above::Dir(_) => {}
            Above::Missing(dirs, meta) if args.flag("makedirs", false) => {
                acts.extend(place::make_dirs(
                    &dirs,
                    &Perms::default(),
                    &meta,
                    masked(call, 0o777),
                ));
            }
            _ if call.test => {
                return Ok(Plan {
                    verdict: Verdict::WouldChange,
                    comment: would,
                    ..Plan::default()
                });
            }
            _ => {
                return Err(Stop::Failed(format!(
                    "The target directory {} is not present",
                    paths::parent(&name)
                )));
            }
        }
        acts.extend(place::rename(host, &from, value, &name)?);
        Ok(Plan::change(
            acts,
            one(given, source.as_str()),
            format!("Moved \"{source}\" to \"{given}\""),
        )
        .or_would(would, Some(Args::new())))
    }
}
