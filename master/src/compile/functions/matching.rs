//! `match.*`: whether this minion is meant.

use serde_json::Value as Json;

use super::{Args, Function};
use crate::compile::data;
use crate::compile::oracle::Oracle;

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
];

fn by(oracle: &Oracle, args: &mut Args, kind: &str) -> Result<Json, String> {
    let target = args.required("tgt")?;
    oracle.matches(kind, &target).map(Json::Bool)
}

fn filter_by(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let table = super::mapping(args.required("lookup")?, "lookup")?;
    let kind = args.text_or("tgt_type", "compound");
    let _minion = args.next("minion_id");
    let merge = args.next("merge");
    let _lists = args.flag("merge_lists", false);
    let default = args.text_or("default", "default");
    for (target, branch) in &table {
        if oracle.matches(&kind, &Json::String(target.clone()))? {
            return match merge {
                Some(merge) => data::updated(branch, &merge, data::Lists::Replace),
                None => Ok(branch.clone()),
            };
        }
    }
    Ok(table.get(&default).cloned().unwrap_or(Json::Null))
}
