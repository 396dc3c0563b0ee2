//! One request, one answer: rollback, log, run, call, ask.

use proto::codec::control;
use proto::frame::PROTOCOL;
use proto::{Entry, FromMaster, FromMinion, Report};

use super::{Contact, Fleet, Gate, Host, Trouble, hear};
use crate::report::progress::Event;
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
    /// Why its journal is not the one that was known (J4).
    pub doubt: Option<String>,
    /// What the session moved.
    pub traffic: Traffic,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// Greets a host, sends it one request in the same flight, and returns its answer.
pub async fn exchange(fleet: Fleet, host: Host, request: FromMaster) -> Told {
    open(&fleet, host, request).await.0
}

/// The same, with the line still open where the host answered.
pub(super) async fn open(fleet: &Fleet, mut host: Host, request: FromMaster) -> (Told, Option<Contact>) {
    let since = std::time::Instant::now();
    let (mut settled, mut doubt) = (None, None);
    let mut contact = None;
    let answer = async {
        let mut flight = greeting(
            &fleet.master,
            host.memory.unsettled.as_ref().map(ToString::to_string),
            fleet.take_over,
            &fleet.limits,
            host.memory.head.as_ref().map(|head| head.digest),
        )?;
        flight.extend(control(&request)?);
        let contact = contact.insert(Contact::open(fleet, &host, &flight, Gate::opened()).await?);
        host.memory.agent = Some(fleet.agent.sha256.to_owned());
        answer(fleet, contact, &mut host, &mut settled, &mut doubt).await
    }
    .await;
    if settled.is_some() {
        host.memory.unsettled = None;
    }
    let told = Told {
        host,
        answer,
        settled,
        doubt,
        traffic: contact.as_ref().map(Contact::traffic).unwrap_or_default(),
        duration_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let open = contact.filter(|_| told.answer.is_ok());
    (told, open)
}

/// Waits for the answer to what was sent.
pub(super) async fn answer(
    fleet: &Fleet,
    contact: &mut Contact,
    host: &mut Host,
    settled: &mut Option<Report>,
    doubt: &mut Option<String>,
) -> Result<FromMinion, Trouble> {
    loop {
        match contact.link.next(fleet.patience).await? {
            FromMinion::Welcome { protocol, .. } if protocol != PROTOCOL => {
                return Err(SessionError::Version(protocol).into());
            }
            FromMinion::Welcome {
                settled: report,
                chain,
                ..
            } => {
                *settled = report;
                if let Some(chain) = chain {
                    *doubt = hear(&host.id, &mut host.memory, &chain);
                }
            }
            // A rollback's entries stream by; its report ends it.
            FromMinion::Entry(Entry::Waiting(what)) => fleet.tell(Event::Waits(host.id.clone(), what)).await,
            FromMinion::Entry(_) | FromMinion::Alive => {}
            FromMinion::Fault(text) => return Err(Trouble::Fault(text)),
            answer => {
                let chain = match &answer {
                    FromMinion::RollbackReport(report) => &report.chain,
                    FromMinion::Report(report) => &report.chain,
                    _ => &None,
                };
                if let (Some(chain), None) = (chain, &doubt) {
                    host.memory.head = Some(chain.into());
                }
                return Ok(answer);
            }
        }
    }
}
