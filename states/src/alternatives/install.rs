//! `alternatives.install`: a path is one of the choices of a generic name.

use proto::{Args, Value};

use super::group::{Group, chosen, failed};
use crate::cmd::failure;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `alternatives.install`.
#[derive(Debug)]
pub struct Install;

static SPEC: Spec = Spec {
    state: "alternatives",
    fun: "install",
    doc: "Make sure that a path is one of the choices of a generic name, such as `/usr/bin/vim.basic` of `editor`.",
    params: &[
        Param::required("link", Kind::Text, "The generic path, such as `/usr/bin/editor`."),
        Param::required("path", Kind::Text, "The choice; it must be there."),
        Param::required(
            "priority",
            Kind::Number,
            "The highest of all is chosen by itself.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Install {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let group = Group::read(call, host)?;
        let path = args.text("path").unwrap_or_default();
        if group.has(&path) {
            return Ok(Plan::met(format!(
                "Alternative {path} for {name} is already registered"
            )));
        }
        let link = args.text("link").unwrap_or_default();
        let link = paths::clean(&link)
            .ok_or_else(|| Stop::Failed(format!("link {link} is not an absolute path")))?;
        if paths::clean(&path).as_deref() != Some(path.as_str()) {
            return Err(Stop::Failed(format!("path {path} is not an absolute path")));
        }
        let number = args.number("priority")?.unwrap_or_default();
        let priority = number.to_string();
        let act = group.act(&["--install", &link, name, &path, &priority], Some(&link))?;
        let mut changes = Args::new();
        for (key, value) in [("name", name), ("link", &link), ("path", &path)] {
            changes.insert(key.to_owned(), value.into());
        }
        changes.insert("priority".to_owned(), number.into());
        let would = format!("Alternative will be set for {name} to {path} with priority {priority}");
        Ok(Plan::change(vec![act], changes, "").or_would(would, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let name = call.name();
        let mut report = Report::of(plan, done);
        if plan.acts.is_empty() {
            return report;
        }
        let text = |key| call.args().text(key).unwrap_or_default();
        let (path, priority) = (text("path"), text("priority"));
        if let Some(why) = failure(done) {
            return failed(plan, &format!("Alternative for {name} not installed"), &why);
        }
        report.comment = match chosen(call, done) {
            Some(Value::Link { to, .. }) if to == path => {
                format!("Alternative for {name} set to path {path} with priority {priority}")
            }
            _ => format!(
                "Alternative {path} for {name} registered with priority {priority} and not set to default"
            ),
        };
        report
    }
}
