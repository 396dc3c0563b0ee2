//! `ini.sections_present`: sections are there.

use proto::Args;
use serde_json::{Value as Json, json};

use super::file::Ini;
use super::{CHANGED, ENCODING, SAME, SEPARATOR};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `ini.sections_present`.
#[derive(Debug)]
pub struct SectionsPresent;

static SPEC: Spec = Spec {
    state: "ini",
    fun: "sections_present",
    doc: "Make sure that sections are in an ini file, empty ones where they are missing.",
    params: &[
        Param::new("sections", Kind::List, "Their names; of a mapping the keys."),
        SEPARATOR,
        ENCODING,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for SectionsPresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let mut ini = Ini::read(call, host)?;
        let (mut changes, mut would) = (Args::new(), String::new());
        for name in names(call) {
            if ini.sections().contains(&name) {
                would.push_str(&format!("Section unchanged {name}.\n"));
                continue;
            }
            ini.add_section(&name);
            would.push_str(&format!("Created new section {name}.\n"));
            changes.insert(name, json!({"before": null, "after": {}}));
        }
        if would.is_empty() {
            "No changes detected.".clone_into(&mut would);
        }
        if changes.is_empty() {
            return Ok(Plan::met(if call.test { would } else { SAME.to_owned() }));
        }
        let acts = ini.write(call, host)?;
        let verdict = Verdict::WouldChange;
        let plan = Plan::change(acts, changes, CHANGED).or_would(would, Some(Args::new()));
        Ok(Plan { verdict, ..plan })
    }
}

/// The sections a state names.
pub(super) fn names(call: &Call<'_>) -> Vec<String> {
    match call.args().any("sections") {
        Some(Json::Object(map)) => map.keys().cloned().collect(),
        _ => call.args().texts("sections"),
    }
}
