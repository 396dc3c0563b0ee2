//! `salt-rs lab check`: the stack's own acceptance checks, each with what it measured beside its limit.
//!
//! A check breaks what it must and puts it back, also when it fails or is interrupted ([`guard`]), and ends only when the
//! lab is whole again ([`Scene::whole`]). Nothing is waited for but by a condition.

mod backup;
mod converged;
mod failover;
mod guard;
mod interrupt;
mod loss;
mod notes;
mod path;
mod replication;
mod rolling;
mod scene;
mod scrape;
mod stats;
mod tree;

use std::time::Instant;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::cli::context::with_cause;
use crate::compile::diagnostic::did_you_mean;
use crate::failure::{Failure, Kind};
use crate::report::screen::{Screen, Tone, Volume, tame};

pub(super) use converged::causes;
pub(super) use failover::LIMIT as FAILOVER;
pub(super) use interrupt::{interrupted, watch};
pub(super) use scene::Scene;

/// Check the stack that runs on the lab
///
/// Each check prints one line: what it measured, its limit, ok or FAILED, and how long it took. The lab is left as it was
/// found. Without names all are run, in this order: converged, path, replication, failover-cut, failover-kill,
/// failover-reboot, loss-web, loss-app, rolling, scrape, backup. Exit status 1 when one fails.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Checks to run; all of them when none is named
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
}

/// One of the checks.
pub(super) struct Spec {
    /// As typed.
    pub(super) name: &'static str,
    run: fn(&Scene) -> Result<Finding, Trouble>,
}

/// All of them, in the order they are run.
pub(super) static CHECKS: &[Spec] = &[
    Spec {
        name: "converged",
        run: converged::run,
    },
    Spec {
        name: "path",
        run: path::run,
    },
    Spec {
        name: "replication",
        run: replication::run,
    },
    Spec {
        name: "failover-cut",
        run: failover::cut,
    },
    Spec {
        name: "failover-kill",
        run: failover::kill,
    },
    Spec {
        name: "failover-reboot",
        run: failover::reboot,
    },
    Spec {
        name: "loss-web",
        run: loss::web,
    },
    Spec {
        name: "loss-app",
        run: loss::app,
    },
    Spec {
        name: "rolling",
        run: rolling::run,
    },
    Spec {
        name: "scrape",
        run: scrape::run,
    },
    Spec {
        name: "backup",
        run: backup::run,
    },
];

/// What a check measured.
#[derive(Debug)]
pub(super) struct Finding {
    /// Whether it is within its limit.
    pub(super) holds: bool,
    /// The measure, in words.
    pub(super) measured: String,
    /// The limit, in words.
    pub(super) limit: String,
    /// The measure as numbers, for scripts.
    pub(super) figures: Map<String, Json>,
}

impl Finding {
    /// From what was measured; `figures` is a JSON object.
    pub(super) fn new(
        holds: bool,
        measured: impl Into<String>,
        limit: impl Into<String>,
        figures: Json,
    ) -> Self {
        Self {
            holds,
            measured: measured.into(),
            limit: limit.into(),
            figures: figures.as_object().cloned().unwrap_or_default(),
        }
    }
}

/// Why a check has nothing measured.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something did not come about, or could not be asked.
    Said(String),
    /// Ctrl-C.
    Interrupted,
}

impl From<String> for Trouble {
    fn from(cause: String) -> Self {
        Self::Said(cause)
    }
}

impl From<&str> for Trouble {
    fn from(cause: &str) -> Self {
        Self::Said(cause.to_owned())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        if failure.kind == Kind::Interrupted {
            return Self::Interrupted;
        }
        let causes: Vec<_> = failure
            .diagnostics
            .iter()
            .map(|one| one.message.clone())
            .collect();
        Self::Said(causes.join("; "))
    }
}

impl From<lab::http::HttpError> for Trouble {
    fn from(error: lab::http::HttpError) -> Self {
        Self::Said(error.to_string())
    }
}

impl From<lab::os::OsError> for Trouble {
    fn from(error: lab::os::OsError) -> Self {
        Self::Said(with_cause(&error))
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Said(format!("not JSON: {error}"))
    }
}

/// A check that was run.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) name: &'static str,
    /// What it measured, or why it could not.
    pub(super) finding: Result<Finding, String>,
    pub(super) seconds: f64,
}

impl Done {
    /// Whether it is within its limit.
    pub(super) fn holds(&self) -> bool {
        self.finding.as_ref().is_ok_and(|finding| finding.holds)
    }

    /// The line people read.
    pub(super) fn line(&self, screen: &Screen) -> String {
        let (word, tone) = if self.holds() {
            ("ok", Tone::Good)
        } else {
            ("FAILED", Tone::Bad)
        };
        let said = match &self.finding {
            Ok(finding) => format!("{} (limit: {})", tame(&finding.measured), finding.limit),
            Err(cause) => tame(cause),
        };
        format!(
            "{:<16} {} {said}  {:.1}s",
            self.name,
            screen.paint(tone, format!("{word:<6}")),
            self.seconds
        )
    }

    fn document(&self) -> Json {
        let mut object = json!({ "name": self.name, "ok": self.holds(), "seconds": rounded(self.seconds) });
        if let Json::Object(map) = &mut object {
            match &self.finding {
                Ok(finding) => {
                    map.insert("measured".into(), finding.measured.clone().into());
                    map.insert("limit".into(), finding.limit.clone().into());
                    map.insert("figures".into(), finding.figures.clone().into());
                }
                Err(cause) => {
                    map.insert("error".into(), cause.clone().into());
                }
            }
        }
        object
    }
}

pub(super) fn run(command: &Check, scene: &Scene, screen: Screen) -> Result<u8, Failure> {
    let specs = chosen(&command.names)?;
    let done = all(&specs, scene, |done| {
        if !screen.json {
            screen.out(done.line(&screen));
        } else if screen.volume != Volume::Quiet {
            screen.err(done.line(&screen));
        }
    })?;
    let failed = done.iter().filter(|one| !one.holds()).count();
    if screen.json {
        screen.document(&document(&done));
    } else {
        let many = if done.len() == 1 { "check" } else { "checks" };
        let seconds: f64 = done.iter().map(|one| one.seconds).sum();
        let line = format!("{} {many}, {failed} failed  {seconds:.1}s", done.len());
        screen.out(screen.paint(Tone::Strong, line));
    }
    Ok(if failed == 0 { 0 } else { Kind::State.exit_code() })
}

/// Runs checks one after another; `show` sees each as it ends. One that fails does not keep the others from running.
///
/// # Errors
/// Interrupted.
pub(super) fn all(specs: &[&Spec], scene: &Scene, mut show: impl FnMut(&Done)) -> Result<Vec<Done>, Failure> {
    interrupt::watch()?;
    let mut all = Vec::new();
    for spec in specs {
        let start = Instant::now();
        let finding = match (spec.run)(scene) {
            Ok(finding) => Ok(finding),
            Err(Trouble::Said(cause)) => Err(cause),
            Err(Trouble::Interrupted) => {
                let text = format!(
                    "interrupted in the check {}; the lab is as it was before",
                    spec.name
                );
                return Err(Failure::new(Kind::Interrupted, text));
            }
        };
        let done = Done {
            name: spec.name,
            finding,
            seconds: start.elapsed().as_secs_f64(),
        };
        show(&done);
        all.push(done);
    }
    Ok(all)
}

/// The contract's document of checks.
pub(super) fn document(done: &[Done]) -> Json {
    let failed = done.iter().filter(|one| !one.holds()).count();
    let checks: Vec<Json> = done.iter().map(Done::document).collect();
    json!({ "checks": checks, "summary": { "checks": done.len(), "ok": done.len() - failed, "failed": failed } })
}

/// The checks of these names, in the order they are always run; all where none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Spec>, Failure> {
    let known = || CHECKS.iter().map(|check| check.name);
    if let Some(wrong) = names.iter().find(|name| !known().any(|check| check == *name)) {
        let help = did_you_mean(wrong, known())
            .unwrap_or_else(|| format!("there are {}", known().collect::<Vec<_>>().join(", ")));
        return Err(Failure::usage(format!("there is no check `{wrong}`")).hint(help));
    }
    let wanted = |check: &&Spec| names.is_empty() || names.iter().any(|name| name == check.name);
    Ok(CHECKS.iter().filter(wanted).collect())
}

/// Seconds as a number people read: to the millisecond.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Vec<String> {
        wanted.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn checks_are_chosen_by_name_and_run_in_their_own_order() {
        let chosen_names = |wanted: &[&str]| {
            let specs = chosen(&names(wanted)).unwrap();
            specs.iter().map(|spec| spec.name).collect::<Vec<_>>()
        };
        assert_eq!(chosen_names(&["backup", "path"]), ["path", "backup"]);
        assert_eq!(chosen_names(&[]).len(), CHECKS.len());
        let failure = chosen(&names(&["pathh"])).err().unwrap();
        assert_eq!(failure.kind, Kind::Usage);
        assert!(failure.diagnostics[0].to_string().contains("path"), "{failure:?}");
        let help = <Check as clap::Args>::augment_args(clap::Command::new("check")).render_long_help();
        let listed: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        let words = help.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&listed.join(", ")), "{words}");
    }

    #[test]
    fn a_line_says_measure_limit_and_time() {
        let screen = Screen {
            json: false,
            color: false,
            volume: Volume::Normal,
            live: false,
        };
        let done = |finding| Done {
            name: "failover-cut",
            finding,
            seconds: 12.34,
        };
        let held = done(Ok(Finding::new(
            true,
            "2.9 s without an answer",
            "4.0 s",
            json!({ "gap_seconds": 2.9 }),
        )));
        assert_eq!(
            held.line(&screen),
            "failover-cut     ok     2.9 s without an answer (limit: 4.0 s)  12.3s"
        );
        let broken = done(Err("nobody answers".to_owned()));
        assert_eq!(
            broken.line(&screen),
            "failover-cut     FAILED nobody answers  12.3s"
        );
        assert_eq!(
            document(&[held, broken]),
            json!({
                "checks": [
                    { "name": "failover-cut", "ok": true, "seconds": 12.34, "measured": "2.9 s without an answer",
                      "limit": "4.0 s", "figures": { "gap_seconds": 2.9 } },
                    { "name": "failover-cut", "ok": false, "seconds": 12.34, "error": "nobody answers" },
                ],
                "summary": { "checks": 2, "ok": 1, "failed": 1 },
            })
        );
    }
}
