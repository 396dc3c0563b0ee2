//! `defaults.*`: merging, and a formula's `defaults.yaml` or `defaults.json`.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::oracle::Oracle;
use crate::compile::yaml;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get", get),
    ("merge", merge),
    ("deepcopy", deepcopy),
    ("update", update),
];

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let default = args
        .next("default")
        .unwrap_or_else(|| Json::String(String::new()));
    let (formula, path) = key.split_once(':').unwrap_or((&key, ""));
    let values = read(oracle, formula)?;
    if path.is_empty() {
        return Ok(values);
    }
    Ok(data::traverse(&values, path, ":").unwrap_or(default))
}

fn read(oracle: &Oracle, formula: &str) -> Result<Json, String> {
    for env in oracle.files.envs() {
        for kind in ["yaml", "json"] {
            if let Some(text) = oracle.files.text(env, &format!("{formula}/defaults.{kind}"))? {
                let values = yaml::load_plain(&text)?;
                return Ok(if values.is_null() {
                    Json::Object(Map::new())
                } else {
                    values
                });
            }
        }
    }
    Ok(Json::Object(Map::new()))
}

fn merge(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let dest = args.required("dest")?;
    let src = args.required("src")?;
    let lists = if args.flag("merge_lists", false) {
        Lists::Join
    } else {
        Lists::Replace
    };
    // The template's own mapping is changed by whoever calls.
    let in_place = args.flag("in_place", true);
    let nulls = args.flag("convert_none", true);
    match (dest, src) {
        (Json::Null, _) if nulls && in_place => Err("Can't perform in-place merge into NoneType".to_owned()),
        (dest, Json::Null) if nulls && !dest.is_null() => Ok(dest),
        (Json::Null, src) if nulls => Ok(src),
        (dest, src) => data::updated(&dest, &src, lists),
    }
}

fn deepcopy(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    args.required("source")
}

/// Lays a group of defaults under every entry of `dest`.
fn update(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let dest = super::mapping(args.required("dest")?, "dest")?;
    let defaults = args.required("defaults")?;
    let lists = if args.flag("merge_lists", true) {
        Lists::Join
    } else {
        Lists::Replace
    };
    let mut out = Map::new();
    for (name, entry) in dest {
        let entry = if entry.is_null() {
            Json::Object(Map::new())
        } else {
            entry
        };
        out.insert(name, data::updated(&defaults, &entry, lists)?);
    }
    Ok(Json::Object(out))
}
