//! `ini.sections_absent`: sections are not there.

use proto::Args;

use super::file::Ini;
use super::sections_present::names;
use super::{CHANGED, ENCODING, SAME, SEPARATOR};
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `ini.sections_absent`.
#[derive(Debug)]
pub struct SectionsAbsent;

static SPEC: Spec = Spec {
    state: "ini",
    fun: "sections_absent",
    doc: "Make sure that sections, with all that is in them, are not in an ini file.",
    params: &[
        Param::new("sections", Kind::List, "Their names; of a mapping the keys."),
        SEPARATOR,
        ENCODING,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for SectionsAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let mut ini = Ini::read(call, host)?;
        let (mut changes, mut would) = (Args::new(), String::new());
        for name in names(call) {
            if !ini.sections().contains(&name) {
                would.push_str(&format!("Section {name} does not exist.\n"));
                continue;
            }
            let before = ini.told(&name);
            ini.remove_section(&name);
            would.push_str(&format!("Deleted section {name}.\n"));
            changes.insert(name, before.into());
        }
        if would.is_empty() {
            "No changes detected.".clone_into(&mut would);
        }
        if changes.is_empty() {
            return Ok(Plan::met(if call.test { would } else { SAME.to_owned() }));
        }
        let acts = ini.write(call, host)?;
        Ok(Plan::change(acts, changes, CHANGED).or_would(would, Some(Args::new())))
    }
}
