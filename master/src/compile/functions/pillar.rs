//! `pillar.*`: the compiled pillar.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::oracle::Oracle;
use crate::compile::python;
use crate::tree::Kind;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get", get),
    ("fetch", get),
    ("items", items),
    ("data", items),
    ("raw", raw),
    ("item", item),
    ("keys", keys),
    ("ls", |oracle, args| {
        Ok(chosen(oracle, args)
            .keys()
            .map(|key| Json::String(key.clone()))
            .collect())
    }),
    ("obfuscate", |oracle, args| {
        let all = chosen(oracle, args);
        Ok(Json::Object(
            all.into_iter().map(|(key, value)| (key, kinds(&value))).collect(),
        ))
    }),
    ("file_exists", file_exists),
    ("filter_by", filter_by),
];

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let given = args.next("default");
    let merge = args.flag("merge", false);
    let lists = match args.next("merge_nested_lists") {
        None | Some(Json::Null) => oracle.options.pillar_lists(),
        Some(value) if python::truth(&value) => Lists::Join,
        Some(_) => Lists::Replace,
    };
    let delimiter = args.text_or("delimiter", ":");
    let found = data::traverse(&oracle.pillar, &key, &delimiter);
    if merge {
        match (&given, &found) {
            (Some(default @ Json::Object(_)), Some(Json::Object(_)) | None) => {
                let found = found.unwrap_or_else(|| Json::Object(Map::new()));
                return data::updated(default, &found, lists);
            }
            (Some(Json::Array(default)), Some(Json::Array(_)) | None) => {
                let mut out = default.clone();
                let found = found.as_ref().and_then(Json::as_array).into_iter().flatten();
                out.extend(found.filter(|item| !default.contains(item)).cloned());
                return Ok(Json::Array(out));
            }
            _ => {}
        }
    }
    match found {
        Some(value) => Ok(value),
        None if given.is_none() && oracle.options.flag("pillar_raise_on_missing", false) => {
            Err(format!("Pillar key not found: {key}"))
        }
        None => Ok(given.unwrap_or_else(|| Json::String(String::new()))),
    }
}

fn items(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(Json::Object(chosen(oracle, args)))
}

/// The pillar, or the keys that are named; a pillar that is given lies over it.
fn chosen(oracle: &Oracle, args: &mut Args) -> Map<String, Json> {
    let mut all = oracle.pillar_map().clone();
    if let Some(Json::Object(over)) = args.next("pillar") {
        data::update(&mut all, &over, oracle.options.pillar_lists());
    }
    let keys = args.rest_texts();
    if !keys.is_empty() {
        all.retain(|key, _| keys.contains(key));
    }
    all
}

fn file_exists(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let env = args.some("saltenv").map(|env| python::text(&env));
    let files = oracle.files.other();
    let found = files
        .envs()
        .filter(|one| env.as_deref().is_none_or(|env| *one == env))
        .filter_map(|env| files.entry(env, &path))
        .any(|entry| matches!(entry.kind, Kind::File { .. }));
    Ok(found.into())
}

/// The value with the names of types in place of values.
fn kinds(value: &Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), kinds(value)))
                .collect(),
        ),
        Json::Array(items) => items.iter().map(kinds).collect(),
        other => format!("<{}>", python::type_name(other)).into(),
    }
}

fn raw(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(match args.next("key") {
        Some(Json::String(key)) => oracle
            .pillar
            .get(&key)
            .cloned()
            .unwrap_or_else(|| Json::Object(Map::new())),
        _ => oracle.pillar.as_ref().clone(),
    })
}

fn item(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let default = args.some("default").unwrap_or_else(|| "".into());
    let delimiter = args.text_or("delimiter", ":");
    let mut out = Map::new();
    for key in args.rest_texts() {
        let value = data::traverse(&oracle.pillar, &key, &delimiter).unwrap_or_else(|| default.clone());
        out.insert(key, value);
    }
    Ok(Json::Object(out))
}

fn keys(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let delimiter = args.text_or("delimiter", ":");
    match data::traverse(&oracle.pillar, &key, &delimiter) {
        Some(Json::Object(map)) => Ok(map.keys().map(|key| Json::String(key.clone())).collect()),
        Some(_) => Err(format!("Pillar value in key {key} is not a dict")),
        None => Err(format!("Pillar key not found: {key}")),
    }
}

fn filter_by(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let table = super::mapping(args.required("lookup_dict")?, "lookup_dict")?;
    let pillar = args.text("pillar")?;
    let merge = args.next("merge");
    let default = args.text_or("default", "default");
    let base = args
        .next("base")
        .and_then(|base| base.as_str().map(str::to_owned));
    let value = data::traverse(&oracle.pillar, &pillar, ":");
    data::filter_by(&table, value, merge.as_ref(), &default, base.as_deref())
}
