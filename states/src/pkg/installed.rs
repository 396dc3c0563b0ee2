//! `pkg.installed`: packages are installed, at a version where one is asked for.

use proto::{Act, Args};

use super::version::Wanted;
use super::{Named, Seen, candidate, changed, files, hold, named, old_new, read, versions};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `pkg.installed`.
#[derive(Debug)]
pub struct Installed;

static SPEC: Spec = Spec {
    state: "pkg",
    fun: "installed",
    doc: "Make sure that packages are installed.\n\nWithout a version any that is installed will do. All packages of `pkgs` are \
          one transaction. When a package is not known the lists are read anew first.",
    params: &[
        Param::new(
            "version",
            Kind::Text,
            "The version: `1.2-1`, with `*`, conditions such as `>=1.2,<2`, or `latest`.",
        ),
        Param::new(
            "pkgs",
            Kind::List,
            "Several packages instead of the name; an entry may be `name: version`.",
        ),
        Param::new(
            "sources",
            Kind::List,
            "Package files instead of repositories: `name: salt://…`, a path or a URL.",
        ),
        Param::new(
            "refresh",
            Kind::Flag,
            "Read the package lists anew before installing something.",
        ),
        Param::new(
            "fromrepo",
            Kind::Text,
            "The repository, or with apt the release, it is to come from.",
        ),
        Param::new(
            "hold",
            Kind::Flag,
            "Keep the packages from being upgraded (true), or do not (false).",
        ),
        Param::new("update_holds", Kind::Flag, "Accepted."),
        Param::new(
            "allow_updates",
            Kind::Flag,
            "A newer version than `version` will do.",
        ),
        Param::new(
            "ignore_epoch",
            Kind::Flag,
            "Accepted; an epoch counts where the version names one.",
        ),
        Param::new(
            "skip_verify",
            Kind::Flag,
            "Accepted; signatures are the package manager's affair.",
        ),
        Param::new("skip_suggestions", Kind::Flag, "Accepted."),
        Param::new("normalize", Kind::Flag, "Accepted."),
        Param::new(
            "reinstall",
            Kind::Flag,
            "Accepted; a package that is installed is left alone.",
        ),
        Param::new(
            "pkg_verify",
            Kind::Any,
            "Accepted; a package that is installed is left alone.",
        ),
        Param::new("cache_valid_time", Kind::Number, "Accepted."),
        Param::new(
            "install_recommends",
            Kind::Flag,
            "Accepted; the host's configuration decides.",
        ),
        Param::new("resolve_capabilities", Kind::Flag, "Accepted."),
        Param::new("only_upgrade", Kind::Flag, "Accepted."),
        Param::new("debconf", Kind::Text, "Accepted."),
    ],
    free: true,
    watch: true,
    undo: Undo::Kept,
};

impl State for Installed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.any("sources").is_some() && args.any("pkgs").is_some() {
            return Err(Stop::failed("Only one of \"pkgs\" and \"sources\" is permitted."));
        }
        let all = named(call)?;
        if all.is_empty() {
            return Ok(Plan::met("No packages to install provided"));
        }
        let all = read(host, all)?;
        let (targets, specified) = if args.any("sources").is_some() {
            (files::targets(call, host, &all)?, false)
        } else {
            targets(call, host, &all)?
        };
        if targets.is_empty() {
            return Ok(nothing_to_install(call, &all, specified));
        }
        plan(call, host, &all, &targets)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        if plan.acts.is_empty() || !plan.acts.iter().any(installs) {
            return Report::of(plan, done);
        }
        report(call, plan, done).unwrap_or_else(|_| Report::of(plan, done))
    }
}

/// A package that has to be installed, and its version; empty is the candidate.
pub(super) struct Target<'s, 'a> {
    pub(super) seen: &'s Seen<'a>,
    pub(super) version: String,
    pub(super) known: Option<String>,
}

/// Which packages have to be installed, and whether any has a version of its own.
fn targets<'s, 'a>(
    call: &Call<'_>,
    host: &Host<'_>,
    all: &'s [Seen<'a>],
) -> Result<(Vec<Target<'s, 'a>>, bool), Stop> {
    let allow_updates = call.args().flag("allow_updates", false);
    let right = |seen: &Seen<'_>| {
        seen.version().is_some_and(|version| {
            seen.named.wanted != Wanted::Latest && seen.named.wanted.accepts(version, allow_updates)
        })
    };
    let wrong: Vec<&Seen<'_>> = all.iter().filter(|seen| !right(seen)).collect();
    host.expect(
        wrong
            .iter()
            .map(|seen| proto::Question::Candidate(seen.named.name.clone())),
    );
    let by_condition = |seen: &&&Seen<'_>| {
        matches!(seen.named.wanted, Wanted::Conditions(_)) && seen.named.wanted.exact().is_none()
    };
    host.expect(
        wrong
            .iter()
            .filter(by_condition)
            .map(|seen| proto::Question::Versions(seen.named.name.clone())),
    );
    let mut targets = Vec::new();
    let mut specified = false;
    for seen in all {
        specified |= matches!(seen.named.wanted, Wanted::Conditions(_)) && seen.version().is_some();
        if right(seen) {
            continue;
        }
        let known = candidate(host, &seen.named.name)?;
        let version = match &seen.named.wanted {
            Wanted::Any => String::new(),
            Wanted::Latest => {
                let newest = known.clone().unwrap_or_default();
                if seen.version().is_some() && !seen.older_than(&newest) {
                    specified = true;
                    continue;
                }
                newest
            }
            wanted => match wanted.exact() {
                Some(version) => version.to_owned(),
                None => choose(host, seen, known.is_none())?,
            },
        };
        targets.push(Target { seen, version, known });
    }
    Ok((targets, specified))
}

/// The newest version that meets the conditions. A package nobody knows yet may be known once the lists are read anew.
fn choose(host: &Host<'_>, seen: &Seen<'_>, unknown: bool) -> Result<String, Stop> {
    let available = versions(host, &seen.named.name)?;
    let mut fine = available
        .iter()
        .filter(|version| seen.named.wanted.accepts(version, false));
    match fine.next() {
        Some(version) => Ok((*version).clone()),
        None if unknown => Ok(String::new()),
        None => Err(Stop::Failed(format!(
            "No version matching '{}' could be found (available: {})",
            seen.named.shown(),
            available.join(", ")
        ))),
    }
}

fn plan(
    call: &Call<'_>,
    _host: &Host<'_>,
    all: &[Seen<'_>],
    targets: &[Target<'_, '_>],
) -> Result<Plan, Stop> {
    let refresh = call.args().any("refresh").map(crate::args::truth);
    let unknown = targets.iter().any(|target| target.known.is_none());
    let mut acts = Vec::new();
    if refresh.unwrap_or(unknown) {
        acts.push(Act::Refresh);
    }
    let hold = hold::wanted(call);
    let from = call.args().text("fromrepo").unwrap_or_default();
    for target in targets {
        acts.push(target.seen.install_from(
            &target.version,
            hold.unwrap_or_else(|| target.seen.held()),
            &from,
        ));
    }
    let installing: Vec<&str> = targets
        .iter()
        .map(|target| target.seen.named.name.as_str())
        .collect();
    if let Some(holds) = hold::look(call, all, &installing) {
        acts.extend(holds.acts);
    }
    let would: Args = targets
        .iter()
        .map(|target| {
            let new = match (target.version.as_str(), &target.known) {
                ("", Some(candidate)) => candidate.as_str(),
                ("", None) => "installed",
                (version, _) => version,
            };
            (target.seen.named.name.clone(), old_new("", new).into())
        })
        .collect();
    let comment = format!(
        "The following packages would be installed/updated: {}",
        installing.join(", ")
    );
    Ok(Plan::change(acts, would, "").or_would(comment, None))
}

/// All is installed; what remains is `hold`.
fn nothing_to_install(call: &Call<'_>, all: &[Seen<'_>], specified: bool) -> Plan {
    let mut comment = String::from("All specified packages are already installed");
    if specified {
        comment.push_str(" and are at the desired version");
    }
    let Some(holds) = hold::look(call, all, &[]) else {
        return Plan::met(comment);
    };
    let sentences = holds
        .changed
        .iter()
        .map(|(_, sentence)| sentence)
        .chain(&holds.unchanged);
    for sentence in sentences {
        comment.push_str(".\n");
        comment.push_str(sentence);
    }
    let mut changes = Args::new();
    holds.tell(&mut changes);
    Plan::change(holds.acts, changes, comment)
}

/// Salt's words once the transaction is done, from what really changed.
fn report(call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Result<Report, Stop> {
    let all = named(call)?;
    let mut changes = changed(done);
    let target = |named: &&Named| {
        plan.acts.iter().any(|act| {
            matches!(act, Act::Assign { at: proto::Address::Package(name), .. } if *name == named.name)
                && installs(act)
        })
    };
    let (targets, others): (Vec<&Named>, Vec<&Named>) = all.iter().partition(target);
    let arrived = |named: &&Named| {
        let base = named.name.split(':').next().unwrap_or(&named.name);
        let new = changes
            .get(&named.name)
            .or_else(|| changes.get(base))?
            .get("new")?
            .as_str()?;
        (!new.is_empty() && named.wanted.accepts(new, true)).then_some(())
    };
    let (modified, failed): (Vec<&Named>, Vec<&Named>) =
        targets.into_iter().partition(|named| arrived(named).is_some());
    let list = |named: &[&Named]| named.iter().map(|one| one.shown()).collect::<Vec<_>>().join(", ");
    let mut comment = Vec::new();
    if !failed.is_empty() {
        comment.push(format!(
            "The following packages failed to install/update: {}",
            list(&failed)
        ));
    }
    if let Some(problem) = done.failed {
        comment.push(problem.text.clone());
    }
    if !modified.is_empty() {
        let summary = list(&modified);
        comment.push(if summary.len() < 20 {
            format!("The following packages were installed/updated: {summary}")
        } else {
            let (s, were) = if modified.len() > 1 {
                ("s", "were")
            } else {
                ("", "was")
            };
            format!("{} targeted package{s} {were} installed/updated.", modified.len())
        });
    }
    if let Some(holds) = holds_told(call, plan) {
        holds.1.tell(&mut changes);
        comment.extend(holds.0);
    }
    if !others.is_empty() {
        comment.push(if others.len() <= 20 {
            format!("The following packages were already installed: {}", list(&others))
        } else {
            format!("{} targeted packages were already installed", others.len())
        });
    }
    Ok(Report {
        result: Some(failed.is_empty() && done.failed.is_none()),
        changes,
        comment: comment.join("\n"),
        warnings: plan.warnings.clone(),
    })
}

/// What the acts of a plan do about holds, in Salt's sentences.
fn holds_told(call: &Call<'_>, plan: &Plan) -> Option<(Vec<String>, hold::Holds)> {
    let seen: Vec<Seen<'_>> = plan
        .acts
        .iter()
        .filter_map(|act| match act {
            Act::Assign {
                at: proto::Address::Package(name),
                expect,
                ..
            } => Some(Seen {
                named: Named::new(name, None),
                value: expect,
            }),
            _ => None,
        })
        .collect();
    let holds = hold::look(call, &seen, &[])?;
    let sentences = holds
        .changed
        .iter()
        .map(|(_, sentence)| sentence.clone())
        .collect();
    Some((sentences, holds))
}

/// Whether an act brings another version, rather than only a hold.
fn installs(act: &Act) -> bool {
    let version = |value: &proto::Value| match value {
        proto::Value::Package(package) if !package.config_only => Some(package.version.clone()),
        _ => None,
    };
    matches!(act, Act::Assign { at: proto::Address::Package(_), expect, to, .. } if version(expect) != version(to))
}
