//! Proves by force that the journal and the rollback hold: the agent is killed, refused by its file systems, cut from its
//! power at every call that changes something, and what it leaves is compared with what was there and what was wanted.
//!
//! `kinds` has the kinds of change, `ground` cheap hosts to try them on, `stand` what every host can do, `trace` the calls of a
//! run, `agent` runs it, `layers` tells what differs on a host; the sweeps are `kill`, `fault`, `power`, `flip` and `master`;
//! `sheet` prints what they found. `tests/it/torture.rs` runs a sample of all, `make torture` everything.

pub mod agent;
pub mod fault;
pub mod flip;
pub mod ground;
pub mod kill;
pub mod kinds;
pub mod layers;
pub mod master;
pub mod power;
pub mod sheet;
pub mod stand;
pub mod trace;
pub mod trial;

use std::path::Path;

use ground::Soil;
use kill::Phase;
use kinds::KINDS;
use sheet::Tally;

/// Why a sweep cannot be run at all. What a sweep finds is no error but a breach.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Torn(pub String);

impl From<lab::LabError> for Torn {
    fn from(error: lab::LabError) -> Self {
        Self(with_causes(&error))
    }
}

impl From<crate::os::OsError> for Torn {
    fn from(error: crate::os::OsError) -> Self {
        Self(with_causes(&error))
    }
}

impl From<serde_json::Error> for Torn {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn torn<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Torn {
    let what = what.to_owned();
    move |error| Torn(format!("{what}: {error}"))
}

/// Which points of a sweep are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Only this kind of change.
    pub kind: Option<String>,
    /// Only this point.
    pub point: Option<usize>,
    /// About so many of each kind and phase, spread over all; 0 is every one.
    pub sample: usize,
}

impl Choice {
    /// The same, with a limit where every point was asked for.
    #[must_use]
    pub fn at_most(&self, count: usize) -> Self {
        Self {
            sample: if self.sample == 0 { count } else { self.sample },
            ..self.clone()
        }
    }

    /// Whether a kind is to be tried.
    pub fn kind(&self, name: &str) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == name)
    }

    /// The points out of so many that are to be tried.
    pub fn points(&self, count: usize) -> Vec<usize> {
        match self.point {
            Some(point) => vec![point].into_iter().filter(|point| *point < count).collect(),
            None if self.sample == 0 || self.sample >= count => (0..count).collect(),
            None => (0..self.sample).map(|at| at * count / self.sample).collect(),
        }
    }
}

/// Points of the fault sweep per kind and phase, of some hundreds there are.
const FAULTS: usize = 36;

/// What is to be swept.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only this sweep.
    pub sweep: Option<String>,
    /// Only this phase: `apply` or `rollback`.
    pub phase: Option<String>,
    /// Which points.
    pub choice: Choice,
    /// Where random samples begin.
    pub seed: u64,
}

impl Plan {
    fn wants(&self, sweep: &str) -> bool {
        self.sweep.as_deref().is_none_or(|wanted| wanted == sweep)
    }
}

/// Runs what is planned with a static agent; `tell` hears of each sweep as it ends.
///
/// # Errors
/// A sweep cannot be run at all.
pub fn run(agent: &Path, plan: &Plan, tell: &dyn Fn(&Tally)) -> Result<Vec<Tally>, Torn> {
    let soil = Soil::new(agent)?;
    let mut all = Vec::new();
    let mut done = |tally: Tally| {
        tell(&tally);
        all.push(tally);
    };
    for kind in KINDS.iter().filter(|kind| plan.choice.kind(kind.name)) {
        for phase in [Phase::There, Phase::Back] {
            let wanted = plan.phase.as_deref().is_none_or(|word| word == phase.word());
            if wanted && plan.wants("kill") {
                done(or_broken(
                    "kill",
                    kind.name,
                    kill::sweep(&soil, kind, phase, &plan.choice),
                ));
            }
            if wanted && plan.wants("fault") {
                done(or_broken(
                    "fault",
                    kind.name,
                    fault::sweep(
                        &soil,
                        kind,
                        phase,
                        &plan
                            .choice
                            .at_most(if kind.most == 0 { FAULTS } else { kind.most / 2 }),
                    ),
                ));
            }
            if wanted && plan.wants("power") && power::KINDS.contains(&kind.name) {
                done(or_broken(
                    "power",
                    kind.name,
                    power::sweep(&soil, kind, phase, &plan.choice),
                ));
            }
        }
    }
    if plan.wants("flip") && plan.choice.kind.is_none() {
        done(or_broken(
            "flip",
            "all",
            flip::sweep(&soil, plan.seed, &plan.choice),
        ));
    }
    for phase in [Phase::There, Phase::Back] {
        let wanted = plan.phase.as_deref().is_none_or(|word| word == phase.word());
        if wanted && plan.wants("master") && plan.choice.kind.is_none() {
            done(or_broken(
                "master",
                phase.word(),
                master::sweep(phase, &plan.choice),
            ));
        }
    }
    Ok(all)
}

/// A sweep that could not even begin is a breach, and the others go on.
fn or_broken(sweep: &str, kind: &str, swept: Result<Tally, Torn>) -> Tally {
    swept.unwrap_or_else(|error| Tally {
        breaches: vec![format!("torture {sweep} --kind {kind}\n  {error}")],
        ..Tally::new(sweep, kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all_points() {
        let choice = |point, sample| Choice {
            kind: None,
            point,
            sample,
        };
        assert_eq!(choice(None, 0).points(3), [0, 1, 2]);
        assert_eq!(choice(None, 3).points(9), [0, 3, 6]);
        assert_eq!(choice(None, 9).points(2), [0, 1]);
        assert_eq!(choice(Some(4), 0).points(9), [4]);
        assert!(choice(Some(9), 0).points(9).is_empty());
    }
}
