//! `ini.options_absent`: keys are not there.

use proto::Args;
use serde_json::Value as Json;

use super::file::Ini;
use super::{CHANGED, ENCODING, SAME, SEPARATOR};
use crate::args::plain;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `ini.options_absent`.
#[derive(Debug)]
pub struct OptionsAbsent;

static SPEC: Spec = Spec {
    state: "ini",
    fun: "options_absent",
    doc: "Make sure that keys are not in an ini file.",
    params: &[
        Param::new(
            "sections",
            Kind::Map,
            "Lists of keys by section. Anything else than a list makes the section's name a key above all sections.",
        ),
        SEPARATOR,
        ENCODING,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for OptionsAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let sections = call.args().any("sections").and_then(Json::as_object);
        let mut ini = Ini::read(call, host)?;
        let (mut changes, mut would) = (Args::new(), String::new());
        for (section, keys) in sections.into_iter().flatten() {
            let Json::Array(keys) = keys else {
                match ini.remove(None, section) {
                    Some(value) => {
                        would.push_str(&format!("Deleted key {section}.\n"));
                        changes.insert(section.clone(), value.into());
                    }
                    None => would.push_str(&format!("Key {section} does not exist.\n")),
                }
                continue;
            };
            let name = Some(section.as_str()).filter(|name| !name.is_empty());
            let place = name.map_or_else(String::new, |name| format!(" in section {name}"));
            let mut inner = Args::new();
            for key in keys.iter().map(plain) {
                match ini.remove(name, &key) {
                    Some(value) => {
                        would.push_str(&format!("Deleted key {key}{place}.\n"));
                        inner.insert(key, value.into());
                    }
                    None => would.push_str(&format!("Key {key}{place} does not exist.\n")),
                }
            }
            if !inner.is_empty() {
                changes.insert(section.clone(), inner.into());
            }
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
