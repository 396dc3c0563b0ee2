//! `mine.*`: what hosts told at their last contact (`compile::mine`).

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::lookup::Lookup;
use crate::compile::oracle::Oracle;
use crate::compile::python;
use crate::target::{Kind, Matcher, Subject};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[("get", get)];

/// Minutes after which an answer is old, unless `mine_interval` says otherwise. Hosts are heard of in runs only.
const OLD: u64 = 24 * 60;

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let target = args.required("tgt")?;
    let functions = args.required("fun")?;
    let kind = args.text_or("tgt_type", "glob");
    let without_me = args.flag("exclude_minion", false);
    let target = match &target {
        Json::Array(ids) => ids.iter().map(python::text).collect::<Vec<_>>().join(","),
        other => python::text(other),
    };
    let mine = match oracle.look(Lookup::Mine).transpose()? {
        Some(Json::Object(mine)) => mine,
        _ => return Ok(Json::Object(Map::new())),
    };
    let names: Vec<String> = match &functions {
        Json::Array(names) => names.iter().map(python::text).collect(),
        other => python::text(other).split(',').map(str::to_owned).collect(),
    };
    let matcher = Matcher::parse(Kind::named(&kind).map_err(|error| error.to_string())?, &target)
        .map_err(|error| error.to_string())?;
    let mut found: Map<String, Json> = names
        .iter()
        .map(|name| (name.clone(), Json::Object(Map::new())))
        .collect();
    for (host, told) in &mine {
        if (without_me && *host == oracle.minion) || !matches(oracle, &matcher, host, told)? {
            continue;
        }
        for name in &names {
            let Some(one) = told["told"].get(name) else {
                continue;
            };
            if may(oracle, one)?
                && let Some(Json::Object(values)) = found.get_mut(name)
            {
                values.insert(host.clone(), one["value"].clone());
                age(oracle, host, told);
            }
        }
    }
    Ok(match (&functions, names.as_slice()) {
        (Json::String(_), [one]) => found.shift_remove(one).unwrap_or_default(),
        _ => found.into(),
    })
}

/// Whether a host is meant. Of other hosts no pillar is known here, so a pillar target means none of them.
fn matches(oracle: &Oracle, matcher: &Matcher, host: &str, told: &Json) -> Result<bool, String> {
    let none = Map::new();
    let subject = Subject {
        id: host,
        grains: told["grains"].as_object().unwrap_or(&none),
        pillar: &none,
        nodegroups: &oracle.options.nodegroups,
    };
    crate::target::matches(matcher, &subject).map_err(|error| error.to_string())
}

/// Whether this host may see an answer: `allow_tgt` names those who may. What this host is, the master says (C3).
fn may(oracle: &Oracle, one: &Json) -> Result<bool, String> {
    let Some(target) = one.get("allow_tgt") else {
        return Ok(true);
    };
    let kind = one.get("allow_tgt_type").map_or("glob".to_owned(), python::text);
    let kind = Kind::named(&kind).map_err(|error| error.to_string())?;
    let matcher = Matcher::parse(kind, &python::text(target)).map_err(|error| error.to_string())?;
    let mut grains = oracle.grains.asserted().clone();
    grains.insert("id".to_owned(), oracle.minion.clone().into());
    let me = serde_json::json!({ "grains": grains });
    matches(oracle, &matcher, &oracle.minion, &me)
}

/// Says when an answer is old.
fn age(oracle: &Oracle, host: &str, told: &Json) {
    let interval = oracle.options.salt.get("mine_interval").and_then(Json::as_u64);
    let minutes = told["age"].as_u64().unwrap_or_default() / 60;
    if minutes > interval.unwrap_or(OLD) {
        let old = match minutes {
            0..=119 => format!("{minutes} minutes"),
            120..=2879 => format!("{} hours", minutes / 60),
            _ => format!("{} days", minutes / 60 / 24),
        };
        oracle.warn(format!(
            "the mine heard of {host} {old} ago (`mine_interval` says when that is too long)"
        ));
    }
}
