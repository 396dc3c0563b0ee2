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
    let values = data::updated(&values, &override_of(oracle, formula), Lists::Replace)?;
    if path.is_empty() {
        return Ok(values);
    }
    Ok(data::traverse(&values, path, ":").unwrap_or(default))
}

fn read(oracle: &Oracle, formula: &str) -> Result<Json, String> {
    for env in oracle.files.envs() {
        for kind in ["json", "yaml"] {
            if let Some(text) = oracle.files.text(env, &format!("{formula}/defaults.{kind}"))? {
                return yaml::load_plain(&text);
            }
        }
    }
    Ok(Json::Object(Map::new()))
}

fn override_of(oracle: &Oracle, formula: &str) -> Json {
    match oracle.pillar.get(formula) {
        Some(found @ Json::Object(_)) => found.clone(),
        _ => Json::Object(Map::new()),
    }
}

fn merge(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let dest = args.required("dest")?;
    let src = args.required("src")?;
    let lists = if args.flag("merge_lists", false) {
        Lists::Join
    } else {
        Lists::Replace
    };
    let _in_place = args.flag("in_place", true); // values cross the boundary as copies
    let _nulls = args.flag("convert_none", true);
    match (dest, src) {
        (dest, Json::Null) => Ok(dest),
        (Json::Null, src) => Ok(src),
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
