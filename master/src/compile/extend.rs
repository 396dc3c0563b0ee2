//! `extend` and `exclude`: changes to declarations of other sls files.
//!
//! `requisite` turns the `_in` forms into extensions and uses the same code.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::diagnostic::{Diagnostic, nearest};
use super::high::{Arg, ArgKind, Entry, Extension, High, Module, REQUISITES};
use super::place::Sources;
use super::python::fnmatch;

/// How an extended id is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The id alone decides.
    Id,
    /// The id must have that module.
    IdAndModule,
}

/// Applies all collected extensions, in the order met.
pub(crate) fn apply(high: &mut High, lookup: Lookup, sources: &Sources) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let excluded: Vec<String> = high
        .exclude
        .iter()
        .filter_map(|entry| entry.as_str().or_else(|| entry.get("sls").and_then(Json::as_str)))
        .map(str::to_owned)
        .collect();
    for extension in std::mem::take(&mut high.extend) {
        let Some((module, _)) = extension.modules.first() else {
            continue;
        };
        let here = high
            .ids
            .get(&extension.id)
            .is_some_and(|declared| declared.modules.contains_key(module));
        let id = if here {
            extension.id.clone()
        } else {
            match find(&extension.id, module, high, lookup).as_slice() {
                [one] => one.clone(),
                _ => {
                    problems.push(missing(&extension, high, sources));
                    continue;
                }
            }
        };
        if excluded.contains(&extension.sls) {
            continue;
        }
        if let Some(declared) = high.ids.get_mut(&id) {
            for (name, by) in extension.modules {
                merge(&mut declared.modules, name, by);
            }
        }
    }
    problems
}

fn missing(extension: &Extension, high: &High, sources: &Sources) -> Diagnostic {
    let Extension { id, sls, env, at, .. } = extension;
    let message = format!(
        "Cannot extend ID '{id}' in '{env}:{sls}'. It is not part of the high state.\nThis is likely due to a missing include statement or an incorrectly typed ID.\nEnsure that a state with an ID of '{id}' is available\nin environment '{env}' and to SLS '{sls}'"
    );
    let problem = sources.error(*at, message);
    if let Some(declared) = high.ids.get(id) {
        let modules: Vec<&str> = declared.modules.keys().map(String::as_str).collect();
        return problem.with_help(format!("`{id}` is declared as {}", modules.join(", ")));
    }
    match nearest(id, high.ids.keys().map(String::as_str)) {
        Some(near) => {
            let there = high.ids.get(near).map(|one| one.at).unwrap_or_default();
            let note = sources.note(there, format!("`{near}` is declared here"));
            problem
                .with_note(note)
                .with_help(format!("did you mean `{near}`?"))
        }
        None => problem.with_help("include the sls that declares it"),
    }
}

/// Ids that `name` stands for with this module: the id itself, else every state one of whose arguments is that text.
pub(crate) fn find(name: &str, module: &str, high: &High, lookup: Lookup) -> Vec<String> {
    if let Some(declared) = high.ids.get(name)
        && (lookup == Lookup::Id || declared.modules.contains_key(module))
    {
        return vec![name.to_owned()];
    }
    if module == "sls" {
        return high
            .ids
            .iter()
            .filter(|(_, one)| one.sls == name)
            .map(|(id, _)| id.clone())
            .collect();
    }
    let mut found = Vec::new();
    for (id, declared) in &high.ids {
        let Some(module) = declared.modules.get(module) else {
            continue;
        };
        for arg in module.args() {
            if arg.only().is_some_and(|entry| entry.value.as_str() == Some(name)) {
                found.push(id.clone());
            }
        }
    }
    found
}

fn merge(modules: &mut IndexMap<String, Module>, name: String, by: Module) {
    let Some(module) = modules.get_mut(&name) else {
        modules.insert(name, by);
        return;
    };
    let Some(args) = module.args_mut() else { return };
    for arg in by.args() {
        let mut done = false;
        for present in args.iter_mut() {
            match (&arg.what, &present.what) {
                (ArgKind::Fun(_), ArgKind::Fun(_)) => {
                    *present = arg.clone();
                    done = true;
                }
                (ArgKind::Map(new), ArgKind::Map(old)) => {
                    let (Some(new), Some(old)) = (new.first(), old.first()) else {
                        continue;
                    };
                    if new.key == old.key {
                        done = true;
                        if REQUISITES.contains(&new.key.as_str()) {
                            append(present, new);
                        } else {
                            *present = arg.clone();
                        }
                    } else if new.key == "name" && old.key == "names" {
                        *present = arg.clone();
                    }
                }
                _ => {}
            }
        }
        if !done {
            args.push(arg.clone());
        }
    }
}

fn append(present: &mut Arg, more: &Entry) {
    if let Some(entry) = present.first_mut()
        && let (Json::Array(list), Json::Array(added)) = (&mut entry.value, &more.value)
    {
        entry.items.resize(list.len(), entry.at);
        entry.items.extend((0..added.len()).map(|index| more.item(index)));
        list.extend(added.iter().cloned());
    }
}

/// Takes excluded ids out: `sls: glob`, `id: name`, bare text for an sls.
pub(crate) fn exclude(high: &mut High) {
    let mut slses: Vec<String> = Vec::new();
    let mut ids: HashSet<String> = HashSet::new();
    high.excluded = !high.exclude.is_empty();
    for entry in std::mem::take(&mut high.exclude) {
        match &entry {
            Json::String(sls) => slses.push(sls.clone()),
            Json::Object(map) if map.len() == 1 => {
                if let Some(sls) = map.get("sls").and_then(Json::as_str) {
                    slses.push(sls.to_owned());
                } else if let Some(id) = map.get("id").and_then(Json::as_str) {
                    ids.insert(id.to_owned());
                }
            }
            _ => {}
        }
    }
    high.ids
        .retain(|id, declared| !ids.contains(id) && !slses.iter().any(|glob| fnmatch(&declared.sls, glob)));
}
