//! `sys.*`: what functions and states there are, from the reference and the registry.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::reference::{self, Entry, Param};
use super::{Args, Function};
use crate::compile::oracle::Oracle;
use crate::compile::python::fnmatch;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("list_functions", |_, args| {
        let wanted = args.rest_texts();
        let names = reference::all().map(|entry| entry.name);
        Ok(names
            .filter(|name| is_wanted(name, &wanted))
            .map(Json::from)
            .collect())
    }),
    ("list_modules", |_, args| {
        let wanted = args.rest_texts();
        let names = reference::all().filter_map(|entry| entry.name.split('.').next());
        Ok(modules(names, &wanted))
    }),
    ("doc", |_, args| {
        let wanted = args.rest_texts();
        let found = reference::all().filter(|entry| is_wanted(entry.name, &wanted));
        Ok(Json::Object(
            found
                .map(|entry| {
                    let text = format!("{}({})\n\n{}.", entry.name, entry.params, entry.doc);
                    (entry.name.to_owned(), text.into())
                })
                .collect(),
        ))
    }),
    ("argspec", argspec),
    ("list_renderers", |_, _| {
        Ok(["gpg", "jinja", "json", "text", "yaml", "yamlex"]
            .map(Json::from)
            .to_vec()
            .into())
    }),
    ("list_state_modules", |_, args| {
        let wanted = args.rest_texts();
        Ok(modules(
            states::STATES.iter().map(|state| state.spec().state),
            &wanted,
        ))
    }),
    ("list_state_functions", |_, args| {
        let wanted = args.rest_texts();
        let names: BTreeSet<String> = states::STATES.iter().map(|state| state.spec().name()).collect();
        Ok(names
            .iter()
            .filter(|name| is_wanted(name, &wanted))
            .map(|name| Json::from(name.as_str()))
            .collect())
    }),
    ("state_doc", |_, args| {
        let wanted = args.rest_texts();
        let found = states::STATES.iter().map(|state| state.spec());
        let found = found.filter(|spec| is_wanted(&spec.name(), &wanted));
        Ok(Json::Object(
            found.map(|spec| (spec.name(), spec.doc.into())).collect(),
        ))
    }),
];

/// Whether a name, or its module, is asked for; a pattern means names.
fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|one| {
            name == one || fnmatch(name, one) || name.split('.').next() == Some(one.trim_end_matches('.'))
        })
}

fn modules<'a>(names: impl Iterator<Item = &'a str>, wanted: &[String]) -> Json {
    let names: BTreeSet<&str> = names
        .filter(|name| wanted.is_empty() || wanted.iter().any(|one| fnmatch(name, one)))
        .collect();
    names.into_iter().map(Json::from).collect()
}

fn argspec(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let module = args.text_or("module", "");
    let wanted = if module.is_empty() {
        Vec::new()
    } else {
        vec![module]
    };
    let found = reference::all().filter(|entry| is_wanted(entry.name, &wanted));
    Ok(Json::Object(
        found
            .map(|entry| (entry.name.to_owned(), spec(entry)))
            .collect::<Map<_, _>>(),
    ))
}

fn spec(entry: &'static Entry) -> Json {
    let mut names = Vec::new();
    let (mut many, mut others) = (Json::Null, Json::Null);
    for param in entry.params() {
        match param {
            Param::Required(name) | Param::Optional(name) => names.push(name),
            Param::Many => many = true.into(),
            Param::Others => others = true.into(),
        }
    }
    json!({"args": names, "varargs": many, "kwargs": others})
}
