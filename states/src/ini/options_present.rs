//! `ini.options_present`: keys have values.

use proto::Args;
use serde_json::Value as Json;

use super::file::Ini;
use super::{CHANGED, ENCODING, SAME, SEPARATOR};
use crate::args::plain;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `ini.options_present`.
#[derive(Debug)]
pub struct OptionsPresent;

static SPEC: Spec = Spec {
    state: "ini",
    fun: "options_present",
    doc: "Make sure that keys of an ini file have these values.\n\nSections and the file itself are made where they are \
          missing; a key that stands there as a comment gets its value in that place.",
    params: &[
        Param::new(
            "sections",
            Kind::Map,
            "Keys and values by section. A value instead of a mapping is a key above all sections.",
        ),
        SEPARATOR,
        Param::new(
            "strict",
            Kind::Flag,
            "Take away all keys and sections that are not named.",
        ),
        Param::new("no_spaces", Kind::Flag, "No blanks around the separator."),
        ENCODING,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for OptionsPresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let sections = call.args().any("sections").and_then(Json::as_object);
        let sections = sections.cloned().unwrap_or_default();
        let strict = call.args().flag("strict", false);
        let mut ini = Ini::read(call, host)?;
        let (mut changes, mut would) = (Args::new(), String::new());
        let tops: Args = sections
            .iter()
            .filter(|(_, value)| !value.is_object())
            .map(own)
            .collect();
        body(
            &mut ini,
            None,
            &tops,
            strict && !sections.is_empty(),
            &mut changes,
            &mut would,
        );
        if strict && !sections.is_empty() {
            for name in ini.sections() {
                if !sections.get(&name).is_some_and(Json::is_object) {
                    let before = ini.told(&name);
                    ini.remove_section(&name);
                    would.push_str(&format!("Removed section {name}.\n"));
                    changes.insert(name, change(before.into(), Json::Null));
                }
            }
        }
        for (name, wanted) in &sections {
            let Json::Object(wanted) = wanted else { continue };
            let wanted: Args = wanted.iter().map(own).collect();
            let new = !ini.sections().contains(name);
            let mut inner = Args::new();
            body(&mut ini, Some(name), &wanted, strict, &mut inner, &mut would);
            ini.add_section(name);
            if new {
                inner = match change(Json::Null, wanted.into()) {
                    Json::Object(map) => map,
                    _ => Args::new(),
                };
            }
            if !inner.is_empty() {
                changes.insert(name.clone(), inner.into());
            }
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

/// A value as it is written.
fn own((key, value): (&String, &Json)) -> (String, Json) {
    (key.clone(), plain(value).into())
}

fn change(before: Json, after: Json) -> Json {
    let mut change = one("before", before);
    change.insert("after".to_owned(), after);
    change.into()
}

/// Gives the keys of a section their values, and takes the others away where asked to.
fn body(
    ini: &mut Ini,
    section: Option<&str>,
    wanted: &Args,
    strict: bool,
    changes: &mut Args,
    would: &mut String,
) {
    let place = section.map_or_else(String::new, |name| format!(" in section {name}"));
    if strict {
        let word = if section.is_some() { "Deleted" } else { "Removed" };
        for entry in ini.entries(section) {
            if !wanted.contains_key(&entry.key) && ini.remove(section, &entry.key).is_some() {
                would.push_str(&format!("{word} key {}{place}.\n", entry.key));
                changes.insert(entry.key, change(entry.value.into(), Json::Null));
            }
        }
    }
    for (key, value) in wanted {
        let value = plain(value);
        let now = ini.get(section, key).map(|entry| entry.value);
        if now.as_ref() == Some(&value) {
            would.push_str(&format!("Unchanged key {key}{place}.\n"));
            continue;
        }
        ini.set(section, key, &value);
        would.push_str(&format!("Changed key {key}{place}.\n"));
        changes.insert(
            key.clone(),
            change(now.map_or(Json::Null, Json::from), value.into()),
        );
    }
}
