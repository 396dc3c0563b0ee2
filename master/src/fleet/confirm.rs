//! Confirm or revert, the master's side (J11): a host whose run changed something is told over a new connection that the run
//! stays. Where it cannot be told, the host takes the run back by itself, and is asked about that afterwards.

use std::time::{Duration, Instant};

use proto::frame::{Probation, Rollback, Standing};
use proto::{FromMaster, FromMinion, Outcome, Report};

use super::{Fleet, Host, Told, Trouble, exchange};
use crate::report::progress::Event;

/// How long after the window a host may take to go back and be reached again.
const GRACE: Duration = Duration::from_secs(60);
/// Between two attempts, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// A run on probation on one host.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    /// The run.
    pub run: String,
    /// The epoch it was told with.
    pub epoch: u64,
    /// Its window in seconds.
    pub window: u64,
    /// Its report was not heard: whether it ever began is not known either.
    pub lost: bool,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It stays; its report where that was lost.
    Kept(Option<Box<Report>>, Vec<String>),
    /// The host took it back.
    TakenBack(Standing, String),
    /// The host has not been reached again: not known.
    Lost(String),
    /// The host knows nothing of it: it never began.
    Never,
}

/// Confirms a run, trying until the host must have taken it back.
pub(super) async fn confirm(fleet: &Fleet, host: &mut Host, probed: &Probed) -> Verdict {
    let request = FromMaster::Confirm {
        run: probed.run.clone(),
        epoch: probed.epoch,
    };
    fleet.tell(Event::Step(host.id.clone(), "confirming")).await;
    let mut until = Instant::now() + Duration::from_secs(probed.window) + GRACE;
    let mut pause = PAUSES[0];
    let mut cause = String::new();
    let mut report = None;
    loop {
        let mut asked = host.clone();
        if probed.lost {
            // Its report comes with the greeting once it has ended.
            asked.memory.unsettled = crate::store::RunId::try_from(probed.run.clone()).ok();
        }
        let told = exchange(fleet.clone(), asked, request.clone()).await;
        if probed.lost && told.settled.is_some() {
            report = told.settled.map(Box::new);
        }
        let waits_for = match told.answer {
            Ok(FromMinion::Standing(standing)) => {
                host.memory.generation = Some(standing.generation);
                match standing.how {
                    Probation::Kept => return Verdict::Kept(report, standing.notes),
                    Probation::TakenBack => return Verdict::TakenBack(standing, cause),
                    Probation::Unknown => return Verdict::Never,
                    how => {
                        // It answers, so it is only a matter of time.
                        until = until.max(Instant::now() + GRACE);
                        waits_for(how, &standing)
                    }
                }
            }
            Ok(FromMinion::Outdated { master, .. }) => {
                return Verdict::Lost(format!("the host obeys another master by now ({master})"));
            }
            Ok(_) => return Verdict::Lost("an answer out of place".to_owned()),
            Err(trouble) => {
                if cause.is_empty() {
                    let text = format!("not reached again, to confirm what it did: {trouble}");
                    fleet.tell(Event::Waits(host.id.clone(), text)).await;
                }
                cause = trouble.to_string();
                "waiting for it to be reachable again, or to take the run back"
            }
        };
        fleet.tell(Event::Step(host.id.clone(), waits_for)).await;
        if Instant::now() >= until {
            return Verdict::Lost(cause);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

const fn waits_for(how: Probation, standing: &Standing) -> &'static str {
    match (how, standing.left) {
        (Probation::Going, _) => "reached again; waiting for the run to end",
        (Probation::Leaving, None) => "waiting for it to take the run back",
        _ => "waiting for another connection to it",
    }
}

/// The sentence on a run that a host took back.
pub(super) fn taken_back(window: u64, cause: &str) -> String {
    let within =
        format!("the host took the run back: it was not confirmed over a new connection within {window} s");
    if cause.is_empty() {
        within
    } else {
        format!("{within} ({cause})")
    }
}

/// The sentence on a run whose end nobody knows, and the way out.
pub(super) fn lost(window: u64, cause: &str) -> (String, String) {
    let text = format!("it was changed, and has not been reached over a new connection since: {cause}");
    let help = format!("it takes the run back by itself {window} s after its end; the next command asks it");
    (text, help)
}

/// Confirms that a host was taken back, as any other run.
pub async fn confirm_back(fleet: Fleet, mut told: Told, request: &Rollback) -> Told {
    let (run, epoch) = (request.run.clone(), request.epoch);
    let Some(window) = request.confirm.filter(|_| !request.plan) else {
        return told;
    };
    let lost_report = match &told.answer {
        Ok(FromMinion::RollbackReport(report)) if report.generation > report.previous_generation => false,
        Err(trouble) if trouble.leaves_doubt() => true,
        _ => return told,
    };
    let probed = Probed {
        run,
        epoch,
        window,
        lost: lost_report,
    };
    match confirm(&fleet, &mut told.host, &probed).await {
        // What it did is asked for by the next command, as after every broken line.
        Verdict::Kept(..) | Verdict::Never => {}
        Verdict::TakenBack(standing, cause) => {
            let text = taken_back(window, &cause);
            match &mut told.answer {
                Ok(FromMinion::RollbackReport(report)) => {
                    report.outcome = Outcome::Failed;
                    report.generation = standing.generation;
                    report.failed.push(text);
                    report.failed.extend(standing.notes);
                }
                answer => *answer = Err(Trouble::Fault(text)),
            }
        }
        Verdict::Lost(cause) if !lost_report => {
            let (text, help) = lost(window, &cause);
            if let Ok(FromMinion::RollbackReport(report)) = &mut told.answer {
                report.outcome = Outcome::Unknown;
                report.failed.push(format!("{text}; {help}"));
            }
        }
        Verdict::Lost(_) => {}
    }
    told
}
