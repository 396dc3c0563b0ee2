//! Rollbacks that were decided and of which a host has not heard: they come before anything else (J9, M1).
//!
//! A host was lost between its promise and the order, or was away and queued; or this program was killed after it had
//! written the decision down. The host does it once, however often it is told.

use std::collections::BTreeMap;

use proto::{FromMaster, Outcome};

use super::{Rollback, shown};
use crate::cli::context::Context;
use crate::failure::Failure;
use crate::fleet::{Host, confirm_back, exchange};
use crate::report::HostResult;
use crate::store::is_open;

/// Tells hosts what was decided, oldest first, and says so. Those of `hosts` that are still away are in the result: nothing
/// else may be done with them.
///
/// # Errors
/// The record cannot be read or written.
pub(in crate::cli) fn catch_up(
    context: &Context,
    hosts: &mut [Host],
) -> Result<BTreeMap<String, HostResult>, Failure> {
    let mut waiting = BTreeMap::new();
    let ids: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    for (run, id, back) in context.ledger.decided(&ids)? {
        let found = hosts.iter_mut().find(|host| host.id == id);
        let other = match &found {
            Some(_) => None,
            None => context.named([id.as_str()].into_iter())?.pop(),
        };
        let Some(host) = found
            .as_deref()
            .cloned()
            .or(other)
            .filter(|_| !waiting.contains_key(&id))
        else {
            // The roster does not have it any more.
            continue;
        };
        let (runtime, fleet, _display) = context.fleet(1)?;
        let told = runtime.block_on(async {
            let told = exchange(fleet.clone(), host, FromMaster::Rollback(back.clone())).await;
            confirm_back(fleet, told, &back).await
        });
        let mut result = shown::result(&told, &Rollback::default(), false);
        if result.outcome == Outcome::Ok {
            result.outcome = Outcome::RolledBack;
        }
        let known = told.host.clone();
        context.take_up(&BTreeMap::from([(id.clone(), told)]))?;
        context
            .ledger
            .caught_up(&run, &result, back.epoch, &context.screen)?;
        if is_open(result.outcome) {
            let text = format!("run {run} decided that it goes back, which comes first; it is still away");
            context.screen.err(format!("note: {id}: {text}"));
            if found.is_some() {
                result.error = Some((text, None));
                waiting.insert(id, result);
            }
            continue;
        }
        let why = result
            .error
            .map(|(cause, _)| format!(": {cause}"))
            .unwrap_or_default();
        let word = match result.outcome {
            Outcome::RolledBack | Outcome::Changed => "went back first",
            Outcome::Refused => "would not go back",
            _ => "could not go back",
        };
        context.screen.err(format!(
            "note: {id} {word}, as run {run} had decided while it was away{why}"
        ));
        if let Some(host) = found {
            *host = known;
        }
    }
    Ok(waiting)
}
