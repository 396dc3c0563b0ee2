//! `jinja.*`: what a template's imports give.

use serde_json::Value as Json;

use super::{Args, Function};
use crate::compile::oracle::Oracle;
use crate::compile::{python, template, yaml};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("import_yaml", |oracle, args| imported(oracle, args, "yaml")),
    ("import_json", |oracle, args| imported(oracle, args, "json")),
    ("load_map", |oracle, args| {
        let (path, value) = (args.text("path")?, args.text("value")?);
        let text = format!(
            "{{% from {} import {value} with context %}}{{{{ {value} | tojson }}}}",
            python::quoted(&path)
        );
        rendered(oracle, &text)
    }),
];

fn imported(oracle: &Oracle, args: &mut Args, kind: &str) -> Result<Json, String> {
    let path = args.text("path")?;
    let text = format!(
        "{{% import_{kind} {} as imported %}}{{{{ imported | tojson }}}}",
        python::quoted(&path)
    );
    rendered(oracle, &text)
}

fn rendered(oracle: &Oracle, text: &str) -> Result<Json, String> {
    let template = template::Template {
        name: ":string:",
        full: ":string:",
        text,
        env: "base",
        vars: serde_json::Map::new(),
        sls: false,
    };
    let made = template::render(&oracle.shared()?, &template).map_err(|failed| failed.shown)?;
    yaml::load_plain(&made.text)
}
