//! `salt-rs doc`: the reference of states, from the registry, and of execution functions.

use clap::Args;
use serde_json::json;
use states::spec::{Kind, Spec, Undo};

use crate::compile::diagnostic::did_you_mean;
use crate::compile::functions::reference::{self, Entry, Place};
use crate::failure::Failure;
use crate::report::screen::{Screen, Tone};

/// Show the reference of states and functions
///
/// Without a name: all states and all execution functions with a line each. With one (`file`, `file.managed`,
/// `pkg.version`): what it does, its parameters, what a rollback brings back, and where a function is answered.
#[derive(Debug, Args)]
pub(super) struct Doc {
    /// A module, a state or an execution function
    state: Option<String>,
}

pub(super) fn run(command: &Doc, screen: Screen) -> Result<u8, Failure> {
    let wanted = command.state.as_deref().unwrap_or_default();
    let specs: Vec<&Spec> = states::STATES
        .iter()
        .map(|state| state.spec())
        .filter(|spec| wanted.is_empty() || spec.state == wanted || spec.name() == wanted)
        .collect();
    let functions: Vec<&Entry> = reference::all()
        .filter(|entry| {
            wanted.is_empty() || entry.name == wanted || entry.name.split('.').next() == Some(wanted)
        })
        .collect();
    if specs.is_empty() && functions.is_empty() {
        let names: Vec<String> = states::STATES.iter().map(|state| state.spec().name()).collect();
        let functions = reference::all().map(|entry| entry.name);
        let near = || did_you_mean(wanted, names.iter().map(String::as_str).chain(functions));
        let state = || {
            let (state, fun) = wanted.split_once('.')?;
            states::salt::missing(state, fun)
        };
        let function = || reference::way_out(wanted).filter(|way| !way.is_empty());
        let help = state()
            .map(|instead| format!("it is one of Salt's; {instead}"))
            .or_else(|| function().map(|way| format!("it is one of Salt's functions: {way}")))
            .or_else(near)
            .unwrap_or_else(|| "`salt-rs doc` lists all".to_owned());
        return Err(Failure::usage(format!("there is no state or function {wanted}")).hint(help));
    }
    if screen.json {
        let mut all: Vec<_> = specs.iter().map(|spec| as_json(spec)).collect();
        all.extend(functions.iter().map(|entry| {
            json!({
                "function": entry.name, "params": entry.params, "doc": entry.doc, "answered": answered(entry.place),
            })
        }));
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
    if wanted.is_empty() {
        screen.out(screen.paint(
            Tone::Strong,
            "\nExecution functions, for templates and `salt-rs call`",
        ));
    }
    for entry in &functions {
        if wanted.is_empty() {
            screen.out(format!("{:32} {}", entry.name, entry.doc));
        } else {
            let name = screen.paint(Tone::Strong, entry.name);
            let place = answered(entry.place);
            screen.out(format!(
                "{name}({})\n    {}. Answered {place}.\n",
                entry.params, entry.doc
            ));
        }
    }
    Ok(0)
}

const fn answered(place: Place) -> &'static str {
    match place {
        Place::Master => "by the master alone",
        Place::Asks => "by the master, from what the host is asked",
        Place::Host => "by the host",
    }
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
