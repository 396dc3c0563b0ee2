//! `kill -9` of the agent at every call that changes something: nothing is half done, and the next run converges, or going back
//! gives what was there before (R1, R2, R8).

use std::time::Instant;

use proto::Outcome;
use proto::frame::BackTo;

use super::agent::{self, Heard, Order, Watch};
use super::ground::Soil;
use super::kinds::Kind;
use super::sheet::Tally;
use super::stand::Stand;
use super::trace::{Call, Inject};
use super::trial::Trial;
use super::{Choice, Torn};

/// Which run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The one that applies.
    There,
    /// The one that goes back.
    Back,
}

impl Phase {
    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::There => "apply",
            Self::Back => "rollback",
        }
    }
}

/// Kills at the chosen points of one kind and phase.
///
/// # Errors
/// The kind cannot be tried at all.
pub fn sweep(soil: &Soil, kind: &Kind, phase: Phase, choice: &Choice) -> Result<Tally, Torn> {
    let began = Instant::now();
    let mut tally = Tally::new("kill", &format!("{} {}", kind.name, phase.word()));
    let trial = Trial::new(soil, kind)?;
    let calls: Vec<&Call> = trial.calls(phase).iter().filter(|call| call.changes).collect();
    for point in choice.at_most(kind.most).points(calls.len()) {
        let inject = Inject {
            call: calls[point].clone(),
            what: "signal=KILL".to_owned(),
            again: "",
        };
        let mut breach = |what: &str| {
            tally.breaches.push(format!(
                "torture kill --kind {} --phase {} --point {point}\n  at {}\n  {what}",
                kind.name,
                phase.word(),
                inject.call.text
            ));
        };
        let outcome = match one(&trial, phase, point, &inject) {
            Ok((outcome, wrong)) => {
                wrong.iter().for_each(|what| breach(what));
                outcome
            }
            Err(error) => {
                breach(&error.0);
                "broken"
            }
        };
        tally.count(outcome);
    }
    tally.took = began.elapsed();
    Ok(tally)
}

impl Trial<'_> {
    /// The calls of a phase.
    pub fn calls(&self, phase: Phase) -> &[Call] {
        match phase {
            Phase::There => &self.there,
            Phase::Back => &self.back,
        }
    }

    /// Does what a phase begins with, and then its run, watched.
    ///
    /// # Errors
    /// The host cannot be reached, or what comes before the phase fails.
    pub fn strike(&self, stand: &dyn Stand, phase: Phase, inject: &Inject) -> Result<Heard, Torn> {
        let watch = Watch::At(inject);
        match phase {
            Phase::There => agent::run(stand, &Order::Apply(&self.bundle), 1, &watch),
            Phase::Back => {
                let there = agent::run(stand, &Order::Apply(&self.bundle), 1, &Watch::Not)?;
                if there.outcome() != Some(Outcome::Changed) {
                    return Err(Torn(format!("not applied: {}", there.why())));
                }
                agent::run(stand, &Order::Back(BackTo::Previous), 2, &watch)
            }
        }
    }
}

/// One point: how it came out, and what must not be.
fn one(
    trial: &Trial<'_>,
    phase: Phase,
    point: usize,
    inject: &Inject,
) -> Result<(&'static str, Vec<String>), Torn> {
    let fresh = trial.fresh()?;
    let stand = fresh.stand();
    let struck = trial.strike(stand, phase, inject)?;
    let mut wrong = trial.halves(stand)?;
    // Every other point is taken forward first; all end where they began.
    let forward = point.is_multiple_of(2);
    if forward {
        let next = agent::run(stand, &Order::Apply(&trial.bundle), 5, &Watch::Not)?;
        if !matches!(next.outcome(), Some(Outcome::Changed | Outcome::Ok)) {
            wrong.push(format!("the next run does not converge: {}", next.why()));
        }
        wrong.extend(labelled(
            "after the next run",
            trial.off_wanted_again(stand, phase)?,
        ));
    }
    let to = if forward || phase == Phase::Back {
        BackTo::Generation(0)
    } else {
        BackTo::Previous
    };
    let back = agent::run(stand, &Order::Back(to), 6, &Watch::Not)?;
    if back
        .outcome()
        .is_none_or(|outcome| !matches!(outcome, Outcome::RolledBack | Outcome::Ok))
    {
        wrong.push(format!("it does not go back: {}", back.why()));
    }
    wrong.extend(labelled("after going back", trial.off_before(stand)?));
    wrong.extend(labelled("left over", trial.leftovers(stand)?));
    let outcome = match (struck.hit, forward) {
        (false, _) => "not met",
        (true, true) => "converged",
        (true, false) => "restored",
    };
    Ok((outcome, wrong))
}

/// Lines with what they are about.
pub fn labelled(what: &str, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{what}: {line}")).collect()
}
