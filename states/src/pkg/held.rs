//! `pkg.held` and `pkg.unheld`: upgrades leave packages alone, or do not.

use proto::{Args, Command};

use super::{Named, old_new, read};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.held`.
#[derive(Debug)]
pub struct Held;

/// `pkg.unheld`.
#[derive(Debug)]
pub struct Unheld;

const VERSION: Param = Param::new(
    "version",
    Kind::Text,
    "Accepted; apt and dnf hold whatever version is there.",
);

static HELD: Spec = Spec {
    state: "pkg",
    fun: "held",
    doc: "Make sure that upgrades leave packages alone.\n\nThey must be installed.",
    params: &[
        Param::new("pkgs", Kind::List, "Several packages instead of the name."),
        VERSION,
        Param::new(
            "replace",
            Kind::Flag,
            "Let go of all others that are held (where apt manages packages).",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static UNHELD: Spec = Spec {
    state: "pkg",
    fun: "unheld",
    doc: "Make sure that upgrades do not leave packages alone.",
    params: &[
        Param::new("pkgs", Kind::List, "Several packages instead of the name."),
        VERSION,
        Param::new(
            "all",
            Kind::Flag,
            "All packages that are held (where apt manages packages).",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Held {
    fn spec(&self) -> &'static Spec {
        &HELD
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let others = call.args().flag("replace", false);
        plan(call, host, true, others)
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        Report::of(plan, done)
    }
}

impl State for Unheld {
    fn spec(&self) -> &'static Spec {
        &UNHELD
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let others = call.args().flag("all", false);
        plan(call, host, false, others)
    }
}

fn plan(call: &Call<'_>, host: &Host<'_>, hold: bool, others: bool) -> Result<Plan, Stop> {
    let named = super::named(call)?;
    if named.is_empty() && !others {
        let word = if hold { "held" } else { "unheld" };
        return Ok(Plan::met(format!("No packages to be {word} provided")));
    }
    let names: Vec<String> = named.iter().map(|one| one.name.clone()).collect();
    let mut all = read(host, named)?;
    if others {
        let more = held(host)?.into_iter().filter(|name| !names.contains(name));
        all.extend(read(host, more.map(|name| Named::new(&name, None)).collect())?);
    }
    let (mut acts, mut changes) = (Vec::new(), Args::new());
    let (mut would, mut did) = (Vec::new(), Vec::new());
    for seen in &all {
        let name = &seen.named.name;
        let want = hold && names.contains(name);
        if seen.held() == want {
            continue;
        }
        let Some(version) = seen.version() else {
            return Err(Stop::Failed(format!("Package {name} was not held")));
        };
        let (would_be, comment, new) = if want {
            ("held", format!("Package {name} is now being held"), "hold")
        } else {
            let comment = format!("Package {name} is no longer being held.");
            ("unheld", comment, "install")
        };
        would.push(format!("The following package would be {would_be}: {name}"));
        // The execution function's own result is what Salt tells as the change.
        let mut told = Args::new();
        told.insert("name".to_owned(), name.clone().into());
        let old = if want { "install" } else { "hold" };
        told.insert("changes".to_owned(), old_new(old, new).into());
        told.insert("result".to_owned(), true.into());
        let dot = if want { "." } else { "" };
        told.insert("comment".to_owned(), format!("{comment}{dot}").into());
        changes.insert(name.clone(), told.into());
        did.push(comment);
        acts.push(seen.install(version, want));
    }
    if acts.is_empty() {
        return Ok(Plan::met("No changes made"));
    }
    Ok(Plan::change(acts, changes, did.join("\n")).or_would(would.join("\n"), Some(Args::new())))
}

/// All packages that are held.
fn held(host: &Host<'_>) -> Result<Vec<String>, Stop> {
    let output = host.command(Command::program(&["apt-mark", "showhold"]))?;
    if output.code != 0 {
        return Err(Stop::failed(
            "which packages are held can only be told by apt-mark",
        ));
    }
    Ok(output.stdout.lines().map(str::to_owned).collect())
}
