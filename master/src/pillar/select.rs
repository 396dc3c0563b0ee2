//! Which pillar documents are meant for a host: the pillar's top file, its environments, `order` and
//! `ignore_missing`.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::sls::Documents;
use crate::compile::python;
use crate::compile::top::{Role, Strategy, Target, Tops};

/// What the top file means.
pub(super) struct Selected {
    /// Names by environment, in the order in which they are merged.
    pub(super) names: IndexMap<String, Vec<String>>,
    /// Environment and name of those that may be missing.
    pub(super) optional: Vec<(String, String)>,
    /// Salt's words for what is wrong with the top file.
    pub(super) errors: Vec<String>,
}

/// Reads the top files and matches them.
pub(super) fn select(documents: &mut Documents) -> Selected {
    let oracle = documents.renderer.oracle.clone();
    let options = oracle.options.clone();
    let saltenv = options.text("saltenv");
    let only = options
        .text("pillarenv")
        .or_else(|| saltenv.filter(|_| options.flag("pillarenv_from_saltenv", false)))
        .map(str::to_owned);
    let have: Vec<String> = std::iter::once("base")
        .chain(oracle.files.envs().filter(|env| *env != "base"))
        .map(str::to_owned)
        .collect();
    let alone = match options.text("pillar_source_merging_strategy") {
        Some("none") => Some(saltenv.unwrap_or("base").to_owned()),
        _ => None,
    };
    let read = match only.clone().or(alone) {
        Some(one) => have.into_iter().filter(|env| *env == one).collect(),
        None => have,
    };
    let mut tops = Tops {
        renderer: &mut documents.renderer,
        file: options
            .text("state_top")
            .unwrap_or("top.sls")
            .trim_start_matches("salt://")
            .trim_start_matches('/')
            .to_owned(),
        only,
        role: Role::Pillar(read),
        problems: Vec::new(),
    };
    let top = tops.read(Strategy::Every);
    let mut errors: Vec<String> = Vec::new();
    let unrendered = tops
        .problems
        .iter()
        .find(|problem| !problem.message.starts_with(MALFORMED));
    errors.extend(unrendered.map(|problem| super::sls::salts_words(tops.renderer, problem)));
    let malformed = tops
        .problems
        .iter()
        .any(|problem| problem.message.starts_with(MALFORMED));
    errors.extend(malformed.then(|| MALFORMED.to_owned()));
    let mut names: IndexMap<String, Vec<String>> = IndexMap::new();
    let mut optional = Vec::new();
    // One section that is malformed, and Salt sees none at all.
    for (env, targets) in top.into_iter().filter(|_| !malformed) {
        if tops.only.as_ref().is_some_and(|only| *only != env) {
            continue;
        }
        let mut targets: Vec<_> = targets.into_values().collect();
        targets.sort_by_key(order);
        for target in targets {
            let told = tops.problems.len();
            if !tops.may_select(&target) {
                errors.extend(
                    tops.problems
                        .iter()
                        .skip(told)
                        .map(|problem| problem.message.clone()),
                );
                continue;
            }
            let may_miss = target
                .entries
                .iter()
                .any(|entry| entry.get("ignore_missing").is_some_and(python::truth));
            let meant = names.entry(env.clone()).or_default();
            for name in target.entries.iter().filter_map(Json::as_str) {
                if may_miss {
                    optional.push((env.clone(), name.to_owned()));
                }
                if !meant.iter().any(|one| one == name) {
                    meant.push(name.to_owned());
                }
            }
        }
    }
    documents.problems.append(&mut tops.problems);
    let first = options.texts("env_order");
    let place = |env: &String| first.iter().position(|one| one == env).unwrap_or(first.len());
    names.sort_by(|one, _, other, _| place(one).cmp(&place(other)));
    Selected {
        names,
        optional,
        errors,
    }
}

/// Salt's words for a top file whose sections have another shape.
pub(crate) const MALFORMED: &str = "Error encountered while rendering pillar top file.";

/// The `order` of a target: a number, or text that is one; anything else is 0.
fn order(target: &Target) -> i64 {
    let given = target.entries.iter().rev().find_map(|entry| entry.get("order"));
    match given {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Python's int() cuts the fraction off as well"
        )]
        Some(Json::Number(number)) => number
            .as_i64()
            .unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64),
        Some(Json::String(text)) => text.trim().parse().unwrap_or(0),
        Some(Json::Bool(true)) => 1,
        _ => 0,
    }
}
