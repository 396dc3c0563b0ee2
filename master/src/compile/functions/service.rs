//! `service.*`: what systemd tells of a unit beyond its state.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("show", |oracle, args| {
        show(oracle, &args.text("name")?).map(Json::Object)
    }),
    ("get_static", |oracle, _| {
        let argv = [
            "systemctl",
            "list-unit-files",
            "--state=static",
            "--plain",
            "--no-legend",
            "--no-pager",
        ];
        let text = asked::must(oracle, &argv)?;
        let names: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(|name| name.strip_suffix(".service").unwrap_or(name))
            .collect();
        Ok(names.into_iter().map(Json::from).collect())
    }),
    ("execs", |oracle, _| {
        let names = asked::call(oracle, "service.get_all", &[])?;
        let mut found = Map::new();
        for name in names.as_array().into_iter().flatten().filter_map(Json::as_str) {
            if let Some(path) = show(oracle, name)?
                .get("ExecStart")
                .and_then(|start| start.get("path"))
            {
                found.insert(name.to_owned(), path.clone());
            }
        }
        Ok(Json::Object(found))
    }),
    ("offline", |_, _| Ok(false.into())),
];

fn show(oracle: &Oracle, name: &str) -> Result<Map<String, Json>, String> {
    let unit = if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.service")
    };
    let text = asked::must(oracle, &["systemctl", "show", "--no-pager", &unit])?;
    let mut found = Map::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = if value.starts_with('{') {
            let bare: String = value.chars().filter(|c| !"{}".contains(*c)).collect();
            let pairs = bare.split(" ; ").filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(key, value)| (key.trim().to_owned(), Json::from(value.trim())))
                .collect()
        } else if matches!(key, "Before" | "After" | "Wants") {
            value.split_whitespace().map(Json::from).collect()
        } else {
            Json::from(value)
        };
        found.insert(key.to_owned(), value);
    }
    Ok(found)
}
