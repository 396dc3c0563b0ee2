//! `environ.*`: the environment of programs that the agent starts.

use serde_json::{Map, Value as Json};

use super::{Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("items", |oracle, _| Ok(Json::Object(all(oracle)?))),
    ("has_value", |oracle, args| {
        let key = args.text("key")?;
        let found = all(oracle)?.shift_remove(&key);
        Ok(match args.some("value") {
            Some(wanted) => found == Some(wanted),
            None => found.is_some_and(|value| python::truth(&value)),
        }
        .into())
    }),
    ("item", |oracle, args| {
        let keys = match args.required("keys")? {
            Json::Array(keys) => keys.iter().map(python::text).collect(),
            one => vec![python::text(&one)],
        };
        let default = args.text_or("default", "");
        let all = all(oracle)?;
        let found = keys.into_iter().map(|key| {
            let value = all.get(&key).cloned().unwrap_or_else(|| default.as_str().into());
            (key, value)
        });
        Ok(Json::Object(found.collect()))
    }),
];

fn all(oracle: &Oracle) -> Result<Map<String, Json>, String> {
    let text = asked::must(oracle, &["env", "-0"])?;
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .filter(|(key, _)| *key != "SALT_RS_COMMAND")
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect())
}
