//! Going back as a group, in two phases (J9): every host compares, checks what it kept, and holds its lock; only when all
//! have, and the decision is written down, are they told to go. A line that ends lets the lock go.

use std::time::Instant;

use proto::FromMaster;
use proto::codec::control;
use proto::frame::Rollback;

use super::exchange::{answer, open};
use super::{Contact, Fleet, Host, Told, Trouble};
use crate::report::progress::Event;

/// A host in the first phase: what it said, and the line over which it holds its lock.
#[derive(Debug)]
pub struct Standing {
    /// What it said.
    pub told: Told,
    contact: Option<Contact>,
}

/// The first phase on one host. The line stays open.
pub async fn stand(fleet: Fleet, host: Host, request: Rollback) -> Standing {
    fleet.tell(Event::Step(host.id.clone(), "looking")).await;
    let (told, contact) = open(&fleet, host, FromMaster::Rollback(request)).await;
    Standing { told, contact }
}

/// Lets a host go that was not told to go back.
pub async fn leave(standing: Standing) -> Told {
    let Standing { told, contact } = standing;
    if let (Some(mut contact), Ok(bye)) = (contact, control(&FromMaster::Bye)) {
        // Gone already is as good.
        contact.link.send(&bye).await.ok();
    }
    told
}

/// The second phase on one host, over the line that holds its lock.
pub async fn commit(fleet: &Fleet, standing: Standing, request: &Rollback) -> Told {
    let Standing { mut told, contact } = standing;
    let since = Instant::now();
    fleet.tell(Event::Step(told.host.id.clone(), "going back")).await;
    let Some(mut contact) = contact else {
        return told;
    };
    let asked = FromMaster::Rollback(request.clone());
    told.answer = async {
        let flight = control(&asked)?;
        contact.link.send(&flight).await?;
        answer(
            fleet,
            &mut contact,
            &mut told.host,
            &mut told.settled,
            &mut told.doubt,
        )
        .await
    }
    .await;
    if let Err(Trouble::Link(_) | Trouble::Session(_)) = &told.answer {
        // What was decided is told again at the next contact; a host that heard it does it once.
        told.host.memory.epoch = told.host.memory.epoch.max(request.epoch);
    }
    told.traffic = contact.traffic();
    told.duration_ms += u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    told
}
