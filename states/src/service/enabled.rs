//! `service.enabled` and `service.disabled`: whether a unit starts at boot.

use super::{After, Seen, running, toggle};
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `service.enabled`.
#[derive(Debug)]
pub struct Enabled;

/// `service.disabled`.
#[derive(Debug)]
pub struct Disabled;

static ENABLED: Spec = Spec {
    state: "service",
    fun: "enabled",
    doc: "Make sure that a service starts at boot.\n\nWhether it runs now is left as it is.",
    params: &[],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

static DISABLED: Spec = Spec {
    state: "service",
    fun: "disabled",
    doc: "Make sure that a service does not start at boot.\n\nWhether it runs now is left as it is.",
    params: &[],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Enabled {
    fn spec(&self) -> &'static Spec {
        &ENABLED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let seen = Seen::read(host, call.name())?;
        if !seen.unit.known {
            return running::absent(call, "enabled");
        }
        Ok(set(call, &seen, true))
    }
}

impl State for Disabled {
    fn spec(&self) -> &'static Spec {
        &DISABLED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let seen = Seen::read(host, call.name())?;
        if !seen.unit.known {
            return Ok(Plan::met(format!(
                "The named service {} is not available",
                call.name()
            )));
        }
        Ok(set(call, &seen, false))
    }
}

fn set(call: &Call<'_>, seen: &Seen, want: bool) -> Plan {
    let given = call.name();
    let (sentence, changed) = toggle(seen, given, want, After::Desired);
    let word = if want { "enabled" } else { "disabled" };
    match changed {
        None => Plan::met(sentence),
        Some(enablement) => Plan::change(
            vec![seen.set(seen.unit.active, enablement)],
            one(given, true),
            sentence,
        )
        .or_would(
            format!("Service {given} set to be {word}"),
            Some(proto::Args::new()),
        ),
    }
}
