//! `test.check_pillar`: fails unless the pillar has some keys.

use serde_json::Value as Json;

use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `test.check_pillar`.
#[derive(Debug)]
pub struct CheckPillar;

/// Arguments with the type each asks for, as Python writes it; any type will do for the first.
const CHECKS: &[(&str, &[&str], &str)] = &[
    ("present", &[], ""),
    ("boolean", &["bool"], "<class 'bool'>"),
    // A truth value is a number too, in Python.
    ("integer", &["int", "bool"], "<class 'int'>"),
    ("string", &["str"], "(<class 'str'>,)"),
    ("listing", &["list"], "<class 'list'>"),
    ("dictionary", &["dict"], "<class 'dict'>"),
];

static SPEC: Spec = Spec {
    state: "test",
    fun: "check_pillar",
    doc: "Fail unless the pillar has given keys, with values of given types.",
    params: &[
        Param::new("present", Kind::List, "Keys that must be there."),
        Param::new("boolean", Kind::List, "Keys that must hold true or false."),
        Param::new("integer", Kind::List, "Keys that must hold a whole number."),
        Param::new("string", Kind::List, "Keys that must hold a text."),
        Param::new("listing", Kind::List, "Keys that must hold a list."),
        Param::new("dictionary", Kind::List, "Keys that must hold a mapping."),
        Param::new("verbose", Kind::Flag, "Also list the keys that are right."),
        Param::new(
            "found",
            Kind::Map,
            "Filled in when compiling: the type of each key's value, null when there is none.",
        ),
    ],
    free: false,
    watch: true,
    undo: Undo::Exact,
};

impl State for CheckPillar {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if !CHECKS
            .iter()
            .any(|(key, ..)| args.any(key).is_some_and(crate::args::truth))
        {
            return Err(Stop::failed("Missing required argument text."));
        }
        let found = args.get("found").and_then(Json::as_object);
        let (mut wrong, mut right) = (String::new(), String::new());
        for (check, types, shown) in CHECKS {
            for key in args.texts(check) {
                match found.and_then(|found| found.get(&key)?.as_str()) {
                    None => wrong.push_str(&format!("Pillar key \"{key}\" is missing.\n")),
                    Some(kind) if types.is_empty() || types.contains(&kind) => {
                        let shown = if shown.is_empty() { "None" } else { shown };
                        right.push_str(&format!("- {key} ({shown})\n"));
                    }
                    Some(_) => wrong.push_str(&format!("Pillar key \"{key}\" is not {shown}.\n")),
                }
            }
        }
        let told = if args.flag("verbose", false) && !right.is_empty() {
            format!("{wrong}Those keys passed the check:\n{right}")
        } else {
            wrong.clone()
        };
        if wrong.is_empty() {
            Ok(Plan::met(told))
        } else {
            Err(Stop::Failed(told))
        }
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(super::watched(call))
    }
}
