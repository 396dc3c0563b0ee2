//! `pkg.group_installed`: the packages of one of dnf's groups are installed.

use std::collections::BTreeSet;

use proto::{Act, Args, Command};

use super::{Named, changed, old_new, read};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.group_installed`.
#[derive(Debug)]
pub struct GroupInstalled;

static SPEC: Spec = Spec {
    state: "pkg",
    fun: "group_installed",
    doc: "Make sure that a group of packages is installed: what it must have and what it has by default.\n\nWhere dnf or yum \
          manages packages.",
    params: &[
        Param::new("skip", Kind::List, "Leave these out of its default packages."),
        Param::new(
            "include",
            Kind::List,
            "Also these, such as some of its optional packages.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Kept,
};

/// Members by kind: what must be, what is by default, what may be.
type Members = [BTreeSet<String>; 3];
const KINDS: [&str; 3] = ["Mandatory", "Default", "Optional"];

impl State for GroupInstalled {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        for key in ["skip", "include"] {
            if args.any(key).is_some_and(|value| !value.is_array()) {
                return Err(Stop::Failed(format!("{key} must be formatted as a list")));
            }
        }
        let (skip, include) = (args.texts("skip"), args.texts("include"));
        let mut members = Members::default();
        learn(host, call.name(), &mut members, &mut BTreeSet::new())?;
        let never: Vec<&str> = members[0]
            .iter()
            .filter(|name| skip.contains(name))
            .map(String::as_str)
            .collect();
        if !never.is_empty() {
            return Err(Stop::Failed(format!(
                "The following mandatory packages cannot be skipped: {}",
                never.join(", ")
            )));
        }
        let named = members
            .iter()
            .flatten()
            .chain(&include)
            .map(|name| Named::new(name, None));
        let all = read(host, named.collect())?;
        let name = call.name();
        let mut seen = BTreeSet::new();
        let targets: Vec<_> = all
            .iter()
            .filter(|one| {
                let name = &one.named.name;
                let wanted = members[0].contains(name)
                    || members[1].contains(name) && !skip.contains(name)
                    || include.contains(name);
                one.version().is_none() && wanted && seen.insert(name)
            })
            .collect();
        if targets.is_empty() {
            return Ok(Plan::met(format!("Group '{name}' is already installed")));
        }
        let partly = all.iter().any(|one| one.version().is_some());
        let acts: Vec<Act> = targets.iter().map(|one| one.install("", false)).collect();
        let changes: Args = targets
            .iter()
            .map(|one| (one.named.name.clone(), old_new("", "installed").into()))
            .collect();
        let (would, did) = if partly {
            ("is partially installed and will be updated", "updated")
        } else {
            ("will be installed", "installed")
        };
        let plan = Plan::change(acts, changes, format!("Group '{name}' was {did}"));
        Ok(plan.or_would(format!("Group '{name}' {would}"), Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if !plan.acts.is_empty() {
            report.changes = changed(done);
        }
        report
    }
}

/// What dnf says of a group, and of the groups it is made of.
fn learn(host: &Host<'_>, name: &str, into: &mut Members, known: &mut BTreeSet<String>) -> Result<(), Stop> {
    if !known.insert(name.to_owned()) || known.len() > 100 {
        return Ok(());
    }
    let output = host.command(Command::program(&["dnf", "--quiet", "groupinfo", name]))?;
    let mut kind = None;
    let environment = output
        .stdout
        .lines()
        .any(|line| line.trim().starts_with("Environment Group:"));
    let group = output
        .stdout
        .lines()
        .any(|line| line.trim().starts_with("Group:"));
    if !group && !environment {
        return Err(Stop::Failed(format!(
            "An error was encountered while installing/updating group '{name}': Group '{name}' not found."
        )));
    }
    for line in output.stdout.lines() {
        let line = line.trim();
        if let Some(head) = line
            .strip_suffix(" Packages:")
            .or_else(|| line.strip_suffix(" Groups:"))
        {
            kind = KINDS.iter().position(|kind| *kind == head);
            continue;
        }
        let member = line.trim_start_matches(['+', '-', '=']).trim();
        let Some(place) = kind.filter(|_| !member.is_empty()) else {
            continue;
        };
        if environment {
            // What an environment may have is asked for by its own name.
            if place < 2 {
                learn(host, member, into, known)?;
            }
        } else {
            into[place].insert(member.to_owned());
        }
    }
    Ok(())
}
