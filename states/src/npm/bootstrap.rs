//! `npm.bootstrap`: what a directory's `package.json` asks for is in its `node_modules`.

use std::collections::BTreeMap;

use proto::{Act, Args, Command, Gather};
use serde_json::Value as Json;

use super::{base, why};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `npm.bootstrap`.
#[derive(Debug)]
pub struct Bootstrap;

static SPEC: Spec = Spec {
    state: "npm",
    fun: "bootstrap",
    doc: "Make sure that what the `package.json` of a directory asks for is installed in it.\n\nThe name is the directory. \
          Where a lock file lies beside `package.json`, exactly what it says is installed (`npm ci`), and whether that is so \
          is told without npm, from the lock and what npm noted in `node_modules`.",
    params: &[
        Param::new("user", Kind::Text, "Run npm as this user."),
        Param::new("runas", Kind::Text, "The same as `user`."),
        Param::new(
            "silent",
            Kind::Flag,
            "Accepted; npm's output is shown only when it fails.",
        ),
        Param::new(
            "production",
            Kind::Flag,
            "Leave out what is needed for development only.",
        ),
        Param::new(
            "registry",
            Kind::Text,
            "URL of the registry, also for what the lock has from npmjs.org.",
        ),
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

/// Lock files that `npm ci` takes, the first that is there.
const LOCKS: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];

impl State for Bootstrap {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let dir = paths::clean(name)
            .ok_or_else(|| Stop::Failed(format!("name '{name}' is not an absolute path")))?;
        let production = call.args().flag("production", false);
        let lock = lock(host, &dir)?;
        let there = match &lock {
            Some(lock) => {
                let noted = host.bytes(&paths::join(&dir, "node_modules/.package-lock.json"))?;
                noted
                    .and_then(packages)
                    .is_some_and(|noted| fits(lock, &noted, production))
            }
            None => listed(call, host, &dir)?,
        };
        if there {
            return Ok(Plan::met("Directory is already bootstrapped"));
        }
        let mut words = vec!["npm", if lock.is_some() { "ci" } else { "install" }];
        words.extend(["--no-audit", "--no-fund", "--no-progress"]);
        if production {
            words.push("--omit=dev");
        }
        let mut argv: Vec<String> = words.into_iter().map(str::to_owned).collect();
        argv.extend(
            call.args()
                .text("registry")
                .map(|url| format!("--registry={url}")),
        );
        let mut touches = vec![paths::join(&dir, "node_modules")];
        if lock.is_none() {
            touches.push(paths::join(&dir, "package-lock.json"));
        }
        let act = Act::Run {
            command: Command {
                argv,
                timeout: Some(1800),
                ..base(call, Some(&dir))?
            },
            undo: None,
            verify: None,
            touches,
        };
        let changes = crate::plan::one(name, "Bootstrapped");
        Ok(
            Plan::change(vec![act], changes, "Directory was successfully bootstrapped")
                .or_would(format!("{name} is set to be bootstrapped"), None),
        )
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match why(done) {
            None => Report::of(plan, done),
            Some(why) => Report {
                result: Some(false),
                changes: Args::new(),
                comment: format!("Error Bootstrapping '{}': {why}", call.name()),
                warnings: plan.warnings.clone(),
            },
        }
    }
}

type Packages = BTreeMap<String, Json>;

/// What the directory's lock file says; `None` without one that names places (lock files of npm 6 do not).
fn lock(host: &Host<'_>, dir: &str) -> Result<Option<Packages>, Stop> {
    for name in LOCKS {
        let path = paths::join(dir, name);
        if let Some(bytes) = host.bytes(&path)? {
            return match serde_json::from_slice::<Json>(bytes) {
                Ok(_) => Ok(packages(bytes)),
                Err(error) => Err(Stop::Failed(format!("{path} is no JSON: {error}"))),
            };
        }
    }
    Ok(None)
}

/// Packages by the place they go to; the directory's own entry and links into it are left out.
fn packages(bytes: &[u8]) -> Option<Packages> {
    let mut all: Args = serde_json::from_slice(bytes).ok()?;
    let Some(Json::Object(packages)) = all.remove("packages") else {
        return None;
    };
    let installed = |(place, what): &(String, Json)| {
        place.contains("node_modules/") && what.get("link").and_then(Json::as_bool) != Some(true)
    };
    Some(packages.into_iter().filter(installed).gather())
}

/// Whether npm noted exactly what the lock wants.
fn fits(lock: &Packages, noted: &Packages, production: bool) -> bool {
    let is = |what: &Json, flag: &str| what.get(flag).and_then(Json::as_bool) == Some(true);
    let only_dev = |what: &Json| is(what, "dev") || is(what, "devOptional");
    let all_there = lock.iter().all(|(place, want)| match noted.get(place) {
        Some(have) => ["version", "integrity"]
            .iter()
            .all(|key| have.get(key) == want.get(key)),
        None => is(want, "optional") || is(want, "devOptional") || (production && only_dev(want)),
    });
    all_there
        && noted.keys().all(|place| {
            lock.get(place)
                .is_some_and(|want| !production || !is(want, "dev"))
        })
}

/// Without a lock npm itself says whether all is there.
fn listed(call: &Call<'_>, host: &Host<'_>, dir: &str) -> Result<bool, Stop> {
    // In a plan an earlier state may bring the directory, and npm itself.
    if call.test && host.follow(dir)?.is_absent() {
        return Ok(false);
    }
    let command = Command {
        argv: ["npm", "list", "--depth=0"].map(str::to_owned).to_vec(),
        timeout: Some(120),
        ..base(call, Some(dir))?
    };
    match host.command(command) {
        Ok(output) => Ok(output.code == 0),
        Err(Stop::Failed(_)) if call.test => Ok(false),
        Err(Stop::Failed(why)) => Err(Stop::Failed(format!(
            "Error Bootstrapping '{}': {why}",
            call.name()
        ))),
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Packages {
        packages(text.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn a_lock_and_what_is_noted() {
        let lock = read(
            r#"{"packages":{"":{},"node_modules/a":{"version":"1","integrity":"x"},
            "node_modules/b":{"version":"2","dev":true},"node_modules/c":{"version":"3","optional":true},
            "w":{"version":"1"},"node_modules/w":{"link":true}}}"#,
        );
        let noted = |text: &str| read(&format!(r#"{{"packages":{{{text}}}}}"#));
        let a = r#""node_modules/a":{"version":"1","integrity":"x"}"#;
        let b = r#""node_modules/b":{"version":"2","dev":true}"#;
        assert!(fits(&lock, &noted(&format!("{a},{b}")), false));
        assert!(!fits(&lock, &noted(a), false));
        assert!(fits(&lock, &noted(a), true));
        assert!(!fits(&lock, &noted(&format!("{a},{b}")), true));
        assert!(!fits(&lock, &noted(&a.replace('x', "y")), true));
        assert!(!fits(
            &lock,
            &noted(&format!(r#"{a},"node_modules/z":{{"version":"1"}}"#)),
            true
        ));
    }
}
