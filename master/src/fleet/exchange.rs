//! One request, one answer: rollback, log, run, call, ask.

use proto::codec::control;
use proto::frame::PROTOCOL;
use proto::{FromMaster, FromMinion, Report};

use super::{Contact, Fleet, Gate, Host, Trouble};
use crate::session::{SessionError, greeting};
use crate::transport::Traffic;

/// What a host answered.
#[derive(Debug)]
pub struct Told {
    /// The host, its memory brought up to date.
    pub host: Host,
    /// Its answer.
    pub answer: Result<FromMinion, Trouble>,
    /// The result of the run named in the memory's `unsettled`, when it was heard.
    pub settled: Option<Report>,
    /// What the session moved.
    pub traffic: Traffic,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// Greets a host, sends it one request in the same flight, and returns its answer.
pub async fn exchange(fleet: Fleet, mut host: Host, request: FromMaster) -> Told {
    let since = std::time::Instant::now();
    let mut settled = None;
    let mut contact = None;
    let answer = talk(&fleet, &mut host, &request, &mut settled, &mut contact).await;
    if settled.is_some() {
        host.memory.unsettled = None;
    }
    Told {
        host,
        answer,
        settled,
        traffic: contact.as_ref().map(Contact::traffic).unwrap_or_default(),
        duration_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

async fn talk(
    fleet: &Fleet,
    host: &mut Host,
    request: &FromMaster,
    settled: &mut Option<Report>,
    slot: &mut Option<Contact>,
) -> Result<FromMinion, Trouble> {
    let mut flight = greeting(
        &fleet.master,
        host.memory.unsettled.as_ref().map(ToString::to_string),
        fleet.take_over,
        &fleet.limits,
        None,
    )?;
    flight.extend(control(request)?);
    let contact = slot.insert(Contact::open(fleet, host, &flight, Gate::opened()).await?);
    host.memory.agent = Some(fleet.agent.sha256.to_owned());
    loop {
        match contact.link.next(fleet.patience).await? {
            FromMinion::Welcome { protocol, .. } if protocol != PROTOCOL => {
                return Err(SessionError::Version(protocol).into());
            }
            FromMinion::Welcome { settled: report, .. } => *settled = report,
            // A rollback's entries stream by; its report ends it.
            FromMinion::Entry(_) | FromMinion::Alive => {}
            FromMinion::Fault(text) => return Err(Trouble::Fault(text)),
            answer => return Ok(answer),
        }
    }
}
