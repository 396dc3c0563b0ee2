//! Salt's `alias` state module: where mail for a name goes, in /etc/aliases.

use proto::{Act, Args, Command, Meta};

use crate::args::plain;
use crate::file::whole::Whole;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `alias.present`.
#[derive(Debug)]
pub struct Present;

/// `alias.absent`.
#[derive(Debug)]
pub struct Absent;

static PRESENT: Spec = Spec {
    state: "alias",
    fun: "present",
    doc: "Make sure that mail for a name goes to given addresses (`/etc/aliases`).",
    params: &[Param::required(
        "target",
        Kind::List,
        "Addresses, names or programs.",
    )],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static ABSENT: Spec = Spec {
    state: "alias",
    fun: "absent",
    doc: "Make sure that `/etc/aliases` says nothing of a name.",
    params: &[],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

const FILE: &str = "/etc/aliases";

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &PRESENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = name(call)?;
        let target = call.args().texts("target").join(", ");
        if target.is_empty() || target.contains('\n') {
            return Err(Stop::failed("target can not be an empty string"));
        }
        let shown = call.args().any("target").map(plain).unwrap_or_default();
        let file = Whole::read(host, FILE)?;
        if file
            .text
            .lines()
            .filter_map(entry)
            .any(|(alias, to, _)| alias == name && to == target)
        {
            return Ok(Plan::met(format!("Alias {name} already present")));
        }
        let mut text = String::new();
        let mut there = false;
        for line in file.text.lines() {
            match entry(line).filter(|(alias, ..)| *alias == name) {
                Some((.., remark)) if !there => text.push_str(&format!("{name}: {target}{remark}\n")),
                Some(_) => continue,
                None => text.push_str(&format!("{line}\n")),
            }
            there |= entry(line).is_some_and(|(alias, ..)| alias == name);
        }
        if !there {
            text.push_str(&format!("{name}: {target}\n"));
        }
        let plan = Plan::change(
            acts(host, &file, &text),
            one("alias", name),
            format!("Set email alias {name} -> {shown}"),
        );
        Ok(plan.or_would(
            format!("Alias {name} -> {shown} is set to be added"),
            Some(Args::new()),
        ))
    }
}

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &ABSENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = name(call)?;
        let file = Whole::read(host, FILE)?;
        let lines = file.text.split_inclusive('\n');
        let text: String = lines
            .filter(|line| entry(line).is_none_or(|(alias, ..)| alias != name))
            .collect();
        if text == file.text {
            return Ok(Plan::met(format!("Alias {name} already absent")));
        }
        let plan = Plan::change(
            acts(host, &file, &text),
            one("alias", name),
            format!("Removed alias {name}"),
        );
        Ok(plan.or_would(format!("Alias {name} is set to be removed"), Some(Args::new())))
    }
}

fn name<'c>(call: &Call<'c>) -> Result<&'c str, Stop> {
    let name = call.name();
    if name.is_empty() || name.starts_with('#') || name.contains([':', ' ', '\t', '\n']) {
        return Err(Stop::Failed(format!("{name:?} is no name mail can be for")));
    }
    Ok(name)
}

/// Name, where its mail goes, and the remark with the blanks before it.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.trim_end_matches(['\n', '\r']);
    let (alias, rest) = line
        .split_once(':')
        .filter(|(alias, _)| !alias.trim_start().starts_with('#'))?;
    let at = rest
        .find('#')
        .map_or(rest.len(), |at| rest[..at].trim_end().len());
    Some((alias.trim(), rest[..at].trim(), rest[at..].trim_end()))
}

/// Writes the file, and has the mail server's own copy made anew where there is one.
fn acts(host: &Host<'_>, file: &Whole, text: &str) -> Vec<Act> {
    let fresh = Meta {
        mode: 0o644,
        ..Meta::default()
    };
    let run = "if command -v newaliases > /dev/null; then newaliases; fi";
    vec![
        file.write(host, text, fresh),
        Act::Run {
            command: Command {
                timeout: Some(60),
                ..Command::sh(run)
            },
            undo: None,
            verify: None,
            touches: vec![format!("{FILE}.db")],
        },
    ]
}
