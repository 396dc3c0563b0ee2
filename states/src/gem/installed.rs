//! `gem.installed`: a gem of Ruby is installed.

use proto::{Act, Args};

use super::{gem, versions};
use crate::cmd::failure;
use crate::pkg::version::compare;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `gem.installed`.
#[derive(Debug)]
pub struct Installed;

static SPEC: Spec = Spec {
    state: "gem",
    fun: "installed",
    doc: "Make sure that a gem of Ruby is installed.\n\nTaken back, it is uninstalled; gems that came along stay.",
    params: &[
        Param::new(
            "version",
            Kind::Text,
            "The version, or a condition such as `>= 1.2`.",
        ),
        Param::new("user", Kind::Text, "Run as this user."),
        Param::new("gem_bin", Kind::Text, "The program (default `gem`)."),
        Param::new(
            "ruby",
            Kind::Text,
            "Not supported: a version of Ruby for rvm or rbenv.",
        ),
        Param::new(
            "rdoc",
            Kind::Flag,
            "Generate documentation, where `ri` says so too.",
        ),
        Param::new(
            "ri",
            Kind::Flag,
            "Generate documentation, where `rdoc` says so too.",
        ),
        Param::new("pre_releases", Kind::Flag, "Versions before a release will do."),
        Param::new("proxy", Kind::Text, "Proxy for downloads."),
        Param::new("source", Kind::Text, "Where gems come from."),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Installed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let there = versions(call, host, name)?;
        let version = args.text("version").filter(|version| !version.is_empty());
        let right = match &version {
            None => !there.is_empty(),
            Some(version) if version.starts_with(['<', '>']) => {
                if there.first().is_some_and(|is| meets(is, version)) {
                    return Ok(Plan::met("Installed Gem meets version requirements."));
                }
                false
            }
            Some(version) => there.contains(version),
        };
        if right {
            return Ok(Plan::met("Gem is already installed."));
        }
        let mut words = vec!["install", name];
        if let Some(version) = &version {
            words.extend(["--version", version]);
        }
        if !(args.flag("rdoc", false) && args.flag("ri", false)) {
            words.push("--no-document");
        }
        if args.flag("pre_releases", false) {
            words.push("--prerelease");
        }
        let (proxy, source) = (args.text("proxy"), args.text("source"));
        for (option, value) in [("--http-proxy", &proxy), ("--source", &source)] {
            words.extend(value.iter().flat_map(|value| [option, value]));
        }
        // Only what this brings goes again.
        let undo = match &version {
            Some(version) if !version.starts_with(['<', '>']) => {
                gem(call, &["uninstall", name, "--version", version, "-x"])?
            }
            _ if there.is_empty() => gem(call, &["uninstall", name, "-a", "-x"])?,
            _ => {
                let others: Vec<String> = there.iter().map(|version| format!("!= {version}")).collect();
                gem(call, &["uninstall", name, "-x", "--version", &others.join(", ")])?
            }
        };
        let act = Act::Run {
            command: gem(call, &words)?,
            undo: Some(undo),
            verify: None,
            touches: Vec::new(),
        };
        let plan = Plan::change(
            vec![act],
            one(name, "Installed"),
            "Gem was successfully installed",
        );
        Ok(plan.or_would(
            format!("The gem {name} would have been installed"),
            Some(Args::new()),
        ))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, "Could not install gem.")
    }
}

/// Salt's result; it does not say why.
pub(super) fn told(plan: &Plan, done: &Done<'_>, what: &str) -> Report {
    match failure(done) {
        Some(why) if !plan.acts.is_empty() => Report {
            result: Some(false),
            comment: format!("{what}\n{}", why.trim()),
            warnings: plan.warnings.clone(),
            ..Report::default()
        },
        _ => Report::of(plan, done),
    }
}

/// Whether a version meets a condition such as `>=1.2`.
fn meets(is: &str, condition: &str) -> bool {
    let wanted = condition.trim_start_matches(['<', '>', '=']);
    let order = compare(is, wanted.trim());
    let same = condition[..condition.len() - wanted.len()].contains('=') && order.is_eq();
    same || if condition.starts_with('>') {
        order.is_gt()
    } else {
        order.is_lt()
    }
}
