//! `grains.*`: what the host is.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data;
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get", get),
    ("fetch", get),
    ("items", items),
    ("item", item),
    ("ls", ls),
    ("has_value", has_value),
    ("equals", equals),
    ("filter_by", filter_by),
];

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let default = args
        .next("default")
        .unwrap_or_else(|| Json::String(String::new()));
    let delimiter = args.text_or("delimiter", ":");
    Ok(oracle.grain_path(&key, &delimiter).unwrap_or(default))
}

fn items(oracle: &Oracle, _: &mut Args) -> Result<Json, String> {
    Ok(Json::Object(oracle.grains()))
}

fn item(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let keys = args.rest();
    let default = args
        .rest_named()
        .shift_remove("default")
        .unwrap_or_else(|| Json::String(String::new()));
    let mut out = Map::new();
    for key in keys {
        let key = python::text(&key);
        let value = oracle.grain_path(&key, ":").unwrap_or_else(|| default.clone());
        out.insert(key, value);
    }
    Ok(Json::Object(out))
}

fn ls(oracle: &Oracle, _: &mut Args) -> Result<Json, String> {
    let mut keys: Vec<String> = oracle.grains().keys().cloned().collect();
    keys.sort();
    Ok(keys.into())
}

fn has_value(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    Ok(oracle.grain_path(&key, ":").is_some().into())
}

fn equals(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let want = args.text("value")?;
    Ok(oracle
        .grain_path(&key, ":")
        .map_or_else(String::new, |value| python::text(&value))
        .eq(&want)
        .into())
}

fn filter_by(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let table = super::mapping(args.required("lookup_dict")?, "lookup_dict")?;
    let grain = args.text_or("grain", "os_family");
    let merge = args.next("merge");
    let default = args.text_or("default", "default");
    let base = args
        .next("base")
        .and_then(|base| base.as_str().map(str::to_owned));
    data::filter_by(
        &table,
        oracle.grain_path(&grain, ":"),
        merge.as_ref(),
        &default,
        base.as_deref(),
    )
}
