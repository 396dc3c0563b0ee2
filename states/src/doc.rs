//! The reference of all state functions as one Markdown page, made from their specs.

use crate::registry::STATES;
use crate::spec::{Kind, Param, Spec, Undo};

/// The text of docs/states.md.
pub fn markdown() -> String {
    let mut page = String::from(
        "# State functions\n\n\
         Made from the registry; do not edit. Every function also takes the arguments that all states have: `name`, `names`,\n\
         requisites, `unless`, `onlyif`, `creates`, `check_cmd`, `retry`, `failhard`, `order` and so on.\n",
    );
    page.push_str("\n| function | what | rollback |\n|---|---|---|\n");
    for state in STATES {
        let spec = state.spec();
        let name = spec.name();
        let anchor: String = name.chars().filter(|c| *c != '.').collect();
        page.push_str(&format!(
            "| [{name}](#{anchor}) | {} | {} |\n",
            summary(spec).trim_end_matches('.'),
            undo(spec.undo)
        ));
    }
    for state in STATES {
        page.push_str(&function(state.spec()));
    }
    page
}

/// One function's reference.
pub fn function(spec: &Spec) -> String {
    let mut text = format!("\n## {}\n\n{}\n", spec.name(), spec.doc);
    let also = match (spec.watch, spec.free) {
        (true, true) => "Reacts to `watch`. Accepts other arguments.",
        (true, false) => "Reacts to `watch`.",
        (false, true) => "Accepts other arguments.",
        (false, false) => "",
    };
    if !also.is_empty() {
        text.push_str(&format!("\n{also}\n"));
    }
    if !spec.params.is_empty() {
        text.push_str("\n| argument | takes | |\n|---|---|---|\n");
        for param in spec.params {
            text.push_str(&row(param));
        }
    }
    text
}

fn row(param: &Param) -> String {
    let needed = if param.required { "**needed** " } else { "" };
    format!(
        "| `{}` | {} | {needed}{} |\n",
        param.name,
        takes(param.kind),
        param.doc.replace('|', "\\|")
    )
}

/// The first line of the reference text.
fn summary(spec: &Spec) -> &'static str {
    spec.doc.lines().next().unwrap_or_default()
}

const fn takes(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Flag => "true/false",
        Kind::Number => "number",
        Kind::Mode => "mode",
        Kind::List => "list",
        Kind::Map => "mapping",
        Kind::Any => "any",
    }
}

const fn undo(undo: Undo) -> &'static str {
    match undo {
        Undo::Exact => "exact",
        Undo::Kept => "where the old package is kept",
        Undo::Compensated => "what it touched",
        Undo::None => "only with `undo`",
    }
}
