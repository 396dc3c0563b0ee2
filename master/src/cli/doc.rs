//! `salt-rs doc`: the reference of states, from the registry.

use clap::Args;
use serde_json::json;
use states::spec::{Kind, Spec, Undo};

use crate::compile::diagnostic::did_you_mean;
use crate::failure::Failure;
use crate::report::screen::{Screen, Tone};

/// Show the reference of states
///
/// Without a name: all states with a line each. With one (`file`, `file.managed`): what it does, its parameters, and
/// what a rollback brings back.
#[derive(Debug, Args)]
pub(super) struct Doc {
    /// A state module or function
    state: Option<String>,
}

pub(super) fn run(command: &Doc, screen: Screen) -> Result<u8, Failure> {
    let wanted = command.state.as_deref().unwrap_or_default();
    let specs: Vec<&Spec> = states::STATES
        .iter()
        .map(|state| state.spec())
        .filter(|spec| wanted.is_empty() || spec.state == wanted || spec.name() == wanted)
        .collect();
    if specs.is_empty() {
        let names: Vec<String> = states::STATES.iter().map(|state| state.spec().name()).collect();
        let near = did_you_mean(wanted, names.iter().map(String::as_str));
        let salts = wanted
            .split_once('.')
            .and_then(|(state, fun)| states::salt::missing(state, fun));
        let help = salts
            .map(|instead| format!("it is one of Salt's; {instead}"))
            .or(near)
            .unwrap_or_else(|| "`salt-rs doc` lists all states".to_owned());
        return Err(Failure::usage(format!("there is no state {wanted}")).hint(help));
    }
    if screen.json {
        let all: Vec<_> = specs.iter().map(|spec| as_json(spec)).collect();
        screen.document(&all.into());
        return Ok(0);
    }
    for spec in &specs {
        if specs.len() > 1 && !wanted.contains('.') && wanted.is_empty() {
            screen.out(format!(
                "{:32} {}",
                spec.name(),
                spec.doc.lines().next().unwrap_or_default()
            ));
        } else {
            screen.out(page(&screen, spec));
        }
    }
    Ok(0)
}

fn page(screen: &Screen, spec: &Spec) -> String {
    let mut page = format!(
        "{}\n\n{}\n",
        screen.paint(Tone::Strong, spec.name()),
        spec.doc.trim_end()
    );
    if !spec.params.is_empty() {
        page.push('\n');
    }
    for param in spec.params {
        let need = if param.required { ", required" } else { "" };
        page.push_str(&format!(
            "  {} ({}{need})\n      {}\n",
            screen.paint(Tone::Strong, param.name),
            kind(param.kind),
            param.doc
        ));
    }
    if spec.free {
        page.push_str("  Further arguments are handed on.\n");
    }
    page.push_str(&format!("\nRollback: {}\n", undo(spec.undo)));
    page
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Flag => "true or false",
        Kind::Number => "number",
        Kind::Mode => "octal mode",
        Kind::List => "list",
        Kind::Map => "mapping",
        Kind::Any => "anything",
    }
}

const fn undo(undo: Undo) -> &'static str {
    match undo {
        Undo::Exact => "brings back every recorded attribute",
        Undo::Kept => "exact where the old package file could be kept; the plan says when not",
        Undo::Compensated => "takes back what another act can take back; the plan says what differs",
        Undo::None => "cannot be taken back unless the state declares `undo`",
    }
}

fn as_json(spec: &Spec) -> serde_json::Value {
    let params: Vec<_> = spec
        .params
        .iter()
        .map(|param| json!({ "name": param.name, "kind": kind(param.kind), "required": param.required, "doc": param.doc }))
        .collect();
    json!({ "state": spec.name(), "doc": spec.doc, "params": params, "free": spec.free, "undo": undo(spec.undo) })
}
