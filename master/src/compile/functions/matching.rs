//! `match.*`: whether this minion is meant.

use serde_json::Value as Json;

use super::{Args, Function};
use crate::compile::data;
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("compound", |oracle, args| by(oracle, args, "compound")),
    ("glob", |oracle, args| by(oracle, args, "glob")),
    ("list", |oracle, args| by(oracle, args, "list")),
    ("pcre", |oracle, args| by(oracle, args, "pcre")),
    ("grain", |oracle, args| by(oracle, args, "grain")),
    ("grain_pcre", |oracle, args| by(oracle, args, "grain_pcre")),
    ("pillar", |oracle, args| by(oracle, args, "pillar")),
    ("pillar_pcre", |oracle, args| by(oracle, args, "pillar_pcre")),
    ("ipcidr", |oracle, args| by(oracle, args, "ipcidr")),
    ("filter_by", filter_by),
    ("search_by", search_by),
    ("ifelse", ifelse),
];

fn by(oracle: &Oracle, args: &mut Args, kind: &str) -> Result<Json, String> {
    let target = args.required("tgt")?;
    let delimiter = args.text_or("delimiter", ":");
    // Salt's other delimiter is a way to write values with colons.
    let target = match target {
        Json::String(text) if delimiter != ":" => text.replace(&delimiter, ":").into(),
        other => other,
    };
    let minion = args.some("minion_id").map(|id| python::text(&id));
    oracle
        .matches_as(kind, &target, minion.as_deref())
        .map(Json::Bool)
}

fn filter_by(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let table = super::mapping(args.required("lookup")?, "lookup")?;
    let default = args.text_or("default", "default");
    let found = chosen(
        oracle,
        args,
        table.iter().map(|(key, value)| (key.as_str(), value)),
    )?;
    Ok(found.unwrap_or_else(|| table.get(&default).cloned().unwrap_or(Json::Null)))
}

/// The value of the first target that means this host, the merge laid over it.
fn chosen<'a>(
    oracle: &Oracle,
    args: &mut Args,
    table: impl Iterator<Item = (&'a str, &'a Json)>,
) -> Result<Option<Json>, String> {
    let kind = args.text_or("tgt_type", "compound");
    let minion = args.some("minion_id").map(|id| python::text(&id));
    let merge = args.some("merge").filter(python::truth);
    let lists = if args.flag("merge_lists", false) {
        data::Lists::Join
    } else {
        data::Lists::Replace
    };
    for (target, branch) in table {
        if oracle.matches_as(&kind, &target.into(), minion.as_deref())? {
            return Ok(Some(match merge {
                Some(merge) if !merge.is_object() => {
                    return Err("filter_by merge argument must be a dictionary.".to_owned());
                }
                Some(merge) if branch.is_null() => merge,
                Some(merge) => data::updated(branch, &merge, lists)?,
                None => branch.clone(),
            }));
        }
    }
    Ok(None)
}

fn search_by(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let table = super::mapping(args.required("lookup")?, "lookup")?;
    let kind = args.text_or("tgt_type", "compound");
    let minion = args.some("minion_id").map(|id| python::text(&id));
    let mut found = Vec::new();
    for (key, targets) in &table {
        let means = |target: &Json| oracle.matches_as(&kind, target, minion.as_deref());
        let matches = match targets {
            Json::Array(targets) => targets.iter().map(means).collect::<Result<Vec<_>, _>>()?,
            // Python takes a text letter by letter; so written it hardly matches what was meant.
            other => python::text(other)
                .chars()
                .map(|letter| means(&letter.to_string().into()).unwrap_or(false))
                .collect(),
        };
        for meant in matches {
            if meant {
                found.push(Json::from(key.as_str()));
            }
        }
    }
    Ok(if found.is_empty() {
        Json::Null
    } else {
        found.into()
    })
}

fn ifelse(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let mut all = args.rest();
    let Some(default) = all.pop().filter(|_| all.len().is_multiple_of(2)) else {
        return Err("The ifelse function must have an odd number of arguments!".to_owned());
    };
    let mut pairs = Vec::new();
    for pair in all.chunks(2) {
        if let [target, value] = pair {
            match target {
                Json::Bool(false) => {}
                Json::Bool(true) => pairs.push(("*".to_owned(), value)),
                other => pairs.push((python::text(other), value)),
            }
        }
    }
    let found = chosen(
        oracle,
        args,
        pairs.iter().map(|(key, value)| (key.as_str(), *value)),
    )?;
    Ok(found.unwrap_or(default))
}
