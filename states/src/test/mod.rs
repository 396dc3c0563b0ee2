//! Salt's `test` state module: states that touch nothing.

mod check_pillar;
mod configurable;
mod fail;
mod nop;
mod notification;
mod succeed;

use proto::Args;

use crate::plan::one;
use crate::{ArgsExt, Call, Plan, Verdict};

pub use check_pillar::CheckPillar;
pub use configurable::ConfigurableTestState;
pub use fail::{FailWithChanges, FailWithoutChanges};
pub use nop::Nop;
pub use notification::ShowNotification;
pub use succeed::{SucceedWithChanges, SucceedWithoutChanges};

/// The changes these states pretend to make.
fn pretended() -> Args {
    let mut change = one("old", "Unchanged");
    change.insert("new".to_owned(), "Something pretended to change".into());
    one("testing", change)
}

/// What all of them say when something they watch has changed.
fn watched(call: &Call<'_>) -> Plan {
    let args = call.args();
    let who: Vec<String> = call
        .watched
        .iter()
        .map(|chunk| format!("{}: {}", chunk.state, chunk.id))
        .collect();
    let changes = match args.get("changes") {
        None => one("Requisites with changes", who),
        Some(serde_json::Value::Object(changes)) => changes.clone(),
        Some(_) => {
            return Plan {
                comment: "An exception occurred in this state: 'Changes' should be a dictionary.".to_owned(),
                verdict: Verdict::Failed,
                ..Plan::default()
            };
        }
    };
    Plan {
        changes,
        comment: args
            .text("comment")
            .unwrap_or_else(|| "Watch statement fired.".to_owned()),
        verdict: if args.flag("result", true) {
            Verdict::ByActs
        } else {
            Verdict::Failed
        },
        ..Plan::default()
    }
}
