//! `pkg.removed` and `pkg.purged`: packages are not installed.

use proto::{Act, Args, Package, Value, arrange};

use super::{Seen, changed, named, old_new, read};
use crate::{Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.removed`.
#[derive(Debug)]
pub struct Removed;

/// `pkg.purged`.
#[derive(Debug)]
pub struct Purged;

static PARAMS: &[Param] = &[
    Param::new(
        "pkgs",
        Kind::List,
        "Several packages instead of the name; an entry may be `name: version`.",
    ),
    Param::new(
        "version",
        Kind::Text,
        "Only this version, or one that meets the conditions.",
    ),
    Param::new("normalize", Kind::Flag, "Accepted."),
    Param::new("ignore_epoch", Kind::Flag, "Accepted."),
];

static REMOVED: Spec = Spec {
    state: "pkg",
    fun: "removed",
    doc: "Make sure that packages are not installed.\n\nConfiguration files stay.",
    params: PARAMS,
    free: true,
    watch: false,
    undo: Undo::Kept,
};

static PURGED: Spec = Spec {
    state: "pkg",
    fun: "purged",
    doc: "Make sure that packages are not installed, and their configuration files are gone.\n\nPackages that were removed \
          earlier are purged too.",
    params: PARAMS,
    free: true,
    watch: false,
    undo: Undo::Kept,
};

/// How far a removal goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Remove,
    Purge,
}

impl Way {
    const fn word(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Purge => "purge",
        }
    }
}

impl State for Removed {
    fn spec(&self) -> &'static Spec {
        &REMOVED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        plan(call, host, Way::Remove)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done, Way::Remove)
    }
}

impl State for Purged {
    fn spec(&self) -> &'static Spec {
        &PURGED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        plan(call, host, Way::Purge)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done, Way::Purge)
    }
}

fn plan(call: &Call<'_>, host: &Host<'_>, way: Way) -> Result<Plan, Stop> {
    let all = read(host, named(call)?)?;
    let mut specified = false;
    let mut targets: Vec<&Seen<'_>> = Vec::new();
    for seen in &all {
        let fits = match seen.version() {
            Some(version) => {
                specified |= !seen.named.text.is_empty();
                seen.named.wanted.accepts(version, false)
            }
            None => way == Way::Purge && !seen.value.is_absent(),
        };
        if fits {
            targets.push(seen);
        }
    }
    arrange(&mut targets, &|one, other| one.named.name < other.named.name);
    if targets.is_empty() {
        return Ok(Plan::met(match way {
            Way::Remove if specified => {
                "All specified packages (matching specified versions) are already absent"
            }
            Way::Remove => "All specified packages are already absent",
            Way::Purge => "None of the targeted packages are installed or partially installed",
        }));
    }
    let acts: Vec<Act> = targets
        .iter()
        .map(|seen| {
            let to = match (way, seen.value) {
                (Way::Remove, Value::Package(package)) => Value::Package(Package {
                    config_only: true,
                    cut_off: false,
                    hold: false,
                    ..package.clone()
                }),
                _ => Value::Absent,
            };
            Act::assign(seen.address(), seen.value.clone(), to)
        })
        .collect();
    let word = way.word();
    let changes: Args = targets
        .iter()
        .map(|seen| (seen.named.name.clone(), old_new("", format!("{word}d")).into()))
        .collect();
    let list: Vec<&str> = targets.iter().map(|seen| seen.named.name.as_str()).collect();
    let would = format!("The following packages will be {word}d: {}.", list.join(", "));
    Ok(Plan::change(acts, changes, "").or_would(would, None))
}

fn report(call: &Call<'_>, plan: &Plan, done: &Done<'_>, way: Way) -> Report {
    if plan.acts.is_empty() {
        return Report::of(plan, done);
    }
    let word = way.word();
    let mut changes = changed(done);
    let mut targets: Vec<&String> = plan.changes.keys().collect();
    targets.sort();
    let join = |names: &[String]| names.join(", ");
    let targets: Vec<String> = targets.into_iter().cloned().collect();
    let (result, comment) = match done.failed {
        Some(problem) => (
            false,
            format!(
                "The following packages failed to {word}: {}.\n{}",
                join(&targets),
                problem.text
            ),
        ),
        None => {
            let all = named(call).unwrap_or_default();
            let mut others: Vec<String> = all.into_iter().map(|named| named.name).collect();
            others.retain(|name| !targets.contains(name));
            others.sort();
            let comment = if others.is_empty() {
                format!("All targeted packages were {word}d.")
            } else {
                format!(
                    "The following packages were not installed: {} The following packages were {word}d: {}.",
                    join(&others),
                    join(&targets)
                )
            };
            (true, comment)
        }
    };
    // Purging what was removed before changes no version: Salt tells it all the same.
    if way == Way::Purge && result {
        for name in &targets {
            changes
                .entry(name.clone())
                .or_insert_with(|| old_new("", "purged").into());
        }
    }
    Report {
        result: Some(result),
        changes,
        comment,
        warnings: plan.warnings.clone(),
    }
}
