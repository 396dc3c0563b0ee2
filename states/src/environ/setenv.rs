//! `environ.setenv`: environment variables of what later states of the run start.
//!
//! There is no process to keep them: the master puts them into the surroundings of the commands that follow.

use std::collections::BTreeMap;

use proto::{Args, Gather};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `environ.setenv`.
#[derive(Debug)]
pub struct Setenv;

static SPEC: Spec = Spec {
    state: "environ",
    fun: "setenv",
    doc: "Set environment variables for the commands and guards of later states of the same run.\n\nNothing on the host \
          changes, so it is told as a change every time. They follow it in the order of execution, also when it is skipped.",
    params: &[
        Param::required(
            "value",
            Kind::Any,
            "The value of the variable `name`, or a mapping of variables; false stands for an empty value.",
        ),
        Param::new("false_unsets", Kind::Flag, "False removes the variable instead."),
        Param::new("update_minion", Kind::Flag, "Accepted."),
        Param::new("permanent", Kind::Any, "Accepted; of use on Windows only."),
        Param::new("clear_all", Kind::Flag, "Not supported: removing all others."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Setenv {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.flag("clear_all", false) {
            return Err(Stop::failed("clear_all is not supported"));
        }
        let Some(set) = variables(call.name(), args) else {
            return Err(Stop::failed("Environ value must be string, dict or False"));
        };
        let set = set
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?.into())));
        let changes: Args = set.collect();
        let comment = match (changes.is_empty(), call.test) {
            (true, true) => "Environ values are already set with the correct values",
            (true, false) => "Environ values were already set with the correct values",
            (false, true) => "Environ values will be changed",
            (false, false) => "Environ values were set",
        };
        Ok(Plan {
            changes,
            ..Plan::met(comment)
        })
    }
}

/// What is set, and removed (`None`); nothing when `value` has no form it may have.
pub fn variables(name: &str, args: &Args) -> Option<BTreeMap<String, Option<String>>> {
    let removes = args.flag("false_unsets", false);
    let one = |value: &Json| match value {
        Json::Bool(false) if removes => None,
        Json::Bool(false) => Some(String::new()),
        other => Some(plain(other)),
    };
    match args.get("value")? {
        value @ (Json::String(_) | Json::Bool(false)) => {
            Some(BTreeMap::from([(name.to_owned(), one(value))]))
        }
        Json::Object(map) => Some(map.iter().map(|(key, value)| (key.clone(), one(value))).gather()),
        _ => None,
    }
}
