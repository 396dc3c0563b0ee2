//! `npm.installed`: packages of npm, in a directory or for all.

use std::collections::BTreeMap;

use proto::{Act, Args, Command, Gather, Question};
use serde_json::Value as Json;

use super::{base, why};
use crate::args::plain;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `npm.installed`.
#[derive(Debug)]
pub struct Installed;

static SPEC: Spec = Spec {
    state: "npm",
    fun: "installed",
    doc: "Make sure that packages of npm are installed, in a directory or, without `dir`, for all.\n\nA package may carry its \
          version, as in `express@4.18.2`.",
    params: &[
        Param::new("pkgs", Kind::List, "Several packages instead of the name."),
        Param::new(
            "dir",
            Kind::Text,
            "Directory whose `node_modules` it is; for all without it.",
        ),
        Param::new("user", Kind::Text, "Run npm as this user."),
        Param::new("runas", Kind::Text, "The same as `user`."),
        Param::new("force_reinstall", Kind::Flag, "Install again what is installed."),
        Param::new("registry", Kind::Text, "URL of the registry."),
        Param::new(
            "env",
            Kind::Any,
            "Environment variables, as a mapping or a list of mappings.",
        ),
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
        let packages = packages(call);
        let dir = dir(call)?;
        let have = installed(call, host, dir.as_deref())?;
        let (mut satisfied, mut missing) = (Vec::new(), Vec::new());
        for package in &packages {
            let (name, version) = split(package);
            match have.get(name) {
                Some(now)
                    if !call.args().flag("force_reinstall", false)
                        && version.is_none_or(|version| version == now) =>
                {
                    satisfied.push(format!("{name}@{now}"));
                }
                _ => missing.push(package.clone()),
            }
        }
        let satisfied_by = format!(
            "Package(s) '{}' satisfied by {}",
            packages.join(", "),
            satisfied.join(", ")
        );
        if missing.is_empty() {
            return Ok(Plan::met(satisfied_by));
        }
        let mut words = vec!["npm".to_owned(), "install".to_owned()];
        if dir.is_none() {
            words.push("--global".to_owned());
        }
        if let Some(registry) = call.args().text("registry") {
            words.push(format!("--registry={registry}"));
        }
        words.push("--".to_owned());
        words.extend(missing.iter().cloned());
        let act = Act::Run {
            command: Command {
                argv: words,
                timeout: Some(1800),
                ..base(call, dir.as_deref())?
            },
            undo: None,
            verify: None,
            touches: touches(call, host, dir.as_deref())?,
        };
        let list = missing.join(", ");
        let mut changes = crate::plan::one("old", Vec::<String>::new());
        changes.insert("new".to_owned(), missing.into());
        let mut would = format!("NPM package(s) '{list}' are set to be installed");
        if !satisfied.is_empty() {
            would.push_str(&format!(". {satisfied_by}"));
        }
        Ok(Plan::change(
            vec![act],
            changes,
            format!("Package(s) '{list}' successfully installed"),
        )
        .or_would(would, None))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match why(done) {
            None => Report::of(plan, done),
            Some(why) => Report {
                result: Some(false),
                changes: Args::new(),
                comment: format!("Error installing '{}': {why}", packages(call).join(", ")),
                warnings: plan.warnings.clone(),
            },
        }
    }
}

fn packages(call: &Call<'_>) -> Vec<String> {
    let several = call.args().texts("pkgs");
    if several.is_empty() {
        vec![call.name().to_owned()]
    } else {
        several
    }
}

/// Name and version of `express@4`, `@scope/name@1`.
fn split(package: &str) -> (&str, Option<&str>) {
    match package.char_indices().skip(1).find(|(_, c)| *c == '@') {
        Some((at, _)) => (package[..at].trim(), Some(package[at + 1..].trim())),
        None => (package.trim(), None),
    }
}

fn dir(call: &Call<'_>) -> Result<Option<String>, Stop> {
    call.args()
        .text("dir")
        .map(|dir| {
            paths::clean(&dir).ok_or_else(|| Stop::Failed(format!("dir '{dir}' is not an absolute path")))
        })
        .transpose()
}

/// What is installed, by name.
fn installed(call: &Call<'_>, host: &Host<'_>, dir: Option<&str>) -> Result<BTreeMap<String, String>, Stop> {
    let mut words = vec!["npm", "list", "--json", "--depth=0"];
    if dir.is_none() {
        words.push("--global");
    }
    let command = Command {
        argv: words.into_iter().map(str::to_owned).collect(),
        timeout: Some(120),
        ..base(call, dir)?
    };
    // In a plan an earlier state may bring the directory, and npm itself.
    if call.test
        && let Some(dir) = dir
        && host.follow(dir)?.is_absent()
    {
        return Ok(BTreeMap::new());
    }
    let output = match host.command(command) {
        Ok(output) => output,
        Err(Stop::Failed(_)) if call.test => return Ok(BTreeMap::new()),
        Err(Stop::Failed(why)) => {
            return Err(Stop::Failed(format!("Error looking up '{}': {why}", call.name())));
        }
        Err(stop) => return Err(stop),
    };
    // npm also ends with 1 when something it lists has a problem; what it prints counts.
    let Ok(Json::Object(told)) = serde_json::from_slice(output.stdout.as_bytes()) else {
        if call.test || output.code == 0 {
            return Ok(BTreeMap::new());
        }
        return Err(Stop::Failed(format!(
            "Error looking up '{}': {}",
            call.name(),
            if output.stderr.is_empty() {
                &output.stdout
            } else {
                &output.stderr
            }
        )));
    };
    let packages = told
        .get("dependencies")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    Ok(packages
        .into_iter()
        .filter_map(|(name, what)| Some((name, plain(what.get("version")?))))
        .gather())
}

/// Trees that installing changes.
fn touches(call: &Call<'_>, host: &Host<'_>, dir: Option<&str>) -> Result<Vec<String>, Stop> {
    if let Some(dir) = dir {
        let inside = ["node_modules", "package.json", "package-lock.json"];
        return Ok(inside.into_iter().map(|name| paths::join(dir, name)).collect());
    }
    const USUAL: &str = "/usr/local/lib/node_modules";
    let command = Command {
        argv: ["npm", "root", "--global"].map(str::to_owned).to_vec(),
        timeout: Some(120),
        ..base(call, None)?
    };
    host.expect([Question::Command(command.clone())]);
    let root = match host.command(command) {
        Ok(output) => paths::clean(output.stdout.trim()).unwrap_or_else(|| USUAL.to_owned()),
        Err(Stop::Failed(_)) => USUAL.to_owned(),
        Err(stop) => return Err(stop),
    };
    let mut trees = vec![root.clone()];
    // Programs are linked beside it. A distribution's own directory of programs is too much to keep a copy of.
    if root == USUAL {
        trees.push("/usr/local/bin".to_owned());
    }
    Ok(trees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_scopes() {
        assert_eq!(split("express"), ("express", None));
        assert_eq!(split("express@4.1"), ("express", Some("4.1")));
        assert_eq!(split("@a/b@1"), ("@a/b", Some("1")));
        assert_eq!(split("@a/b"), ("@a/b", None));
    }
}
