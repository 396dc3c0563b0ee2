//! `config.*`: options, then grains, then pillar.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get", get),
    ("option", option),
    ("items", items),
    ("valid_fileproto", valid_fileproto),
    ("dot_vals", dot_vals),
];

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("key")?;
    let default = args
        .next("default")
        .unwrap_or_else(|| Json::String(String::new()));
    let delimiter = args.text_or("delimiter", ":");
    let merge = args.next("merge").filter(|merge| !merge.is_null());
    let no_options = args.flag("omit_opts", false);
    let no_pillar = args.flag("omit_pillar", false);
    let no_master = args.flag("omit_master", false);
    let no_grains = args.flag("omit_grains", false);
    let options = || (!no_options).then(|| oracle.options_json());
    if merge.is_none() {
        let found = options()
            .and_then(|options| data::traverse(&options, &key, &delimiter))
            .or_else(|| {
                (!no_grains)
                    .then(|| oracle.grain_path(&key, &delimiter))
                    .flatten()
            })
            .or_else(|| {
                (!no_pillar)
                    .then(|| data::traverse(&oracle.pillar, &key, &delimiter))
                    .flatten()
            })
            .or_else(|| {
                (!no_master)
                    .then(|| data::traverse(oracle.pillar.get("master")?, &key, &delimiter))
                    .flatten()
            });
        return Ok(found.unwrap_or(default));
    }
    let lists = oracle.options.pillar_lists();
    let overwrite = merge.as_ref().and_then(Json::as_str) == Some("overwrite");
    let mut all = Map::new();
    let mut lay = |layer: Option<Json>| {
        if let Some(Json::Object(layer)) = layer {
            if overwrite {
                all.extend(layer);
            } else {
                data::update(&mut all, &layer, lists);
            }
        }
    };
    lay((!no_master)
        .then(|| oracle.pillar.get("master").cloned())
        .flatten());
    lay((!no_pillar).then(|| oracle.pillar.clone()));
    if !no_grains {
        let top = key.split(delimiter.as_str()).next().unwrap_or_default();
        lay(oracle
            .grain(top)
            .map(|value| Json::Object(Map::from_iter([(top.to_owned(), value)]))));
    }
    lay(options());
    Ok(data::traverse(&Json::Object(all), &key, &delimiter).unwrap_or(default))
}

fn option(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("value")?;
    let default = args
        .next("default")
        .unwrap_or_else(|| Json::String(String::new()));
    let found = data::traverse(&oracle.options_json(), &key, ":")
        .or_else(|| data::traverse(oracle.pillar.get("master")?, &key, ":"))
        .or_else(|| data::traverse(&oracle.pillar, &key, ":"));
    Ok(found.unwrap_or(default))
}

fn items(oracle: &Oracle, _: &mut Args) -> Result<Json, String> {
    Ok(oracle.options_json())
}

fn valid_fileproto(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let uri = args.text("uri")?;
    Ok(["salt://", "http://", "https://", "ftp://", "file://"]
        .iter()
        .any(|proto| uri.starts_with(proto))
        .into())
}

fn dot_vals(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let prefix = format!("{}.", args.text("value")?);
    let mut out = Map::new();
    let lower = oracle.pillar.get("master").cloned().unwrap_or(Json::Null);
    for layer in [lower, oracle.options_json()] {
        if let Json::Object(layer) = layer {
            data::update(
                &mut out,
                &layer
                    .into_iter()
                    .filter(|(key, _)| key.starts_with(&prefix))
                    .collect(),
                Lists::Replace,
            );
        }
    }
    Ok(Json::Object(out))
}
