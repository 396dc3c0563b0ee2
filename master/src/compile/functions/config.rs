//! `config.*`: options, then grains, then pillar.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get", get),
    ("option", option),
    ("items", items),
    ("valid_fileproto", valid_fileproto),
    ("dot_vals", dot_vals),
    ("merge", merge),
    ("manage_mode", manage_mode),
    ("backup_mode", |oracle, args| {
        Ok(match args.text_or("backup", "") {
            given if !given.is_empty() => given.into(),
            _ => oracle
                .opts
                .get("backup_mode")
                .cloned()
                .unwrap_or_else(|| "".into()),
        })
    }),
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
        return super::sdb::resolved(oracle, found.unwrap_or(default));
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
    lay((!no_pillar).then(|| oracle.pillar.as_ref().clone()));
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
    let default = args.some("default");
    let none = args.flag("omit_all", false);
    let mut with = |name: &str| !args.flag(name, none) && !none;
    let (opts, grains, pillar, master) = (
        with("omit_opts"),
        with("omit_grains"),
        with("omit_pillar"),
        with("omit_master"),
    );
    let of_master = || oracle.pillar.get("master").and_then(Json::as_object);
    if args.flag("wildcard", false) {
        let mut found = Map::new();
        let mut take = |layer: &Map<String, Json>| {
            found.extend(
                layer
                    .iter()
                    .filter(|(name, _)| python::fnmatch(name, &key))
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        };
        if let Some(layer) = of_master().filter(|_| master) {
            take(layer);
        }
        if pillar {
            take(oracle.pillar_map());
        }
        if grains {
            take(&oracle.grains());
        }
        if opts {
            take(&oracle.opts);
        }
        return Ok(if found.is_empty() {
            default.unwrap_or_else(|| Json::Object(Map::new()))
        } else {
            Json::Object(found)
        });
    }
    let found = oracle
        .opts
        .get(&key)
        .filter(|_| opts)
        .cloned()
        .or_else(|| grains.then(|| oracle.grain(&key)).flatten())
        .or_else(|| oracle.pillar_map().get(&key).filter(|_| pillar).cloned())
        .or_else(|| of_master()?.get(&key).filter(|_| master).cloned());
    Ok(found.unwrap_or_else(|| default.unwrap_or_else(|| "".into())))
}

/// Options over the pillar's `master` over the pillar: mappings and lists join, a text ends the search.
fn merge(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let key = args.text("value")?;
    let default = args.next("default").unwrap_or_else(|| "".into());
    let layers = [
        (oracle.opts.get(&key), "omit_opts"),
        (
            oracle.pillar.get("master").and_then(|master| master.get(&key)),
            "omit_master",
        ),
        (oracle.pillar.get(&key), "omit_pillar"),
    ];
    let mut made: Option<Json> = None;
    for (layer, omit) in layers {
        let Some(layer) = layer.filter(|_| !args.flag(omit, false)) else {
            continue;
        };
        made = Some(match made {
            None | Some(Json::Null) if layer.is_string() => return Ok(layer.clone()),
            None | Some(Json::Null) => layer.clone(),
            Some(Json::Object(upper)) => match layer {
                Json::Object(lower) => {
                    let mut lower = lower.clone();
                    lower.extend(upper);
                    Json::Object(lower)
                }
                _ => Json::Object(upper),
            },
            Some(Json::Array(mut upper)) => {
                upper.extend(layer.as_array().into_iter().flatten().cloned());
                Json::Array(upper)
            }
            Some(other) => other,
        });
    }
    Ok(made.filter(|value| !value.is_null()).unwrap_or(default))
}

fn manage_mode(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(match args.next("mode") {
        None | Some(Json::Null) => Json::Null,
        Some(mode) => {
            let text = python::text(&mode).replace("0o", "0");
            let bare = text.trim_matches(['\'', '"']).trim_start_matches('0');
            format!("{bare:0>4}").into()
        }
    })
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
