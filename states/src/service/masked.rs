//! `service.masked` and `service.unmasked`: whether a unit can be started at all.

use proto::Args;

use super::Seen;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `service.masked`.
#[derive(Debug)]
pub struct Masked;

/// `service.unmasked`.
#[derive(Debug)]
pub struct Unmasked;

static RUNTIME: &[Param] = &[Param::new(
    "runtime",
    Kind::Flag,
    "Not supported: a mask until the next boot.",
)];

static MASKED: Spec = Spec {
    state: "service",
    fun: "masked",
    doc: "Make sure that a service cannot be started, by anyone or anything.\n\nOne that runs goes on running.",
    params: RUNTIME,
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static UNMASKED: Spec = Spec {
    state: "service",
    fun: "unmasked",
    doc: "Make sure that a service is not masked.\n\nWhether it runs now is left as it is.",
    params: RUNTIME,
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Masked {
    fn spec(&self) -> &'static Spec {
        &MASKED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        let seen = read(call, host)?;
        if seen.masked() {
            return Ok(Plan::met(format!("Service {given} is already masked")));
        }
        let acts = vec![seen.set(seen.unit.active, "masked")];
        Ok(
            Plan::change(acts, change(false), format!("Service {given} was masked"))
                .or_would(format!("Service {given} would be masked"), None),
        )
    }
}

impl State for Unmasked {
    fn spec(&self) -> &'static Spec {
        &UNMASKED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        let seen = read(call, host)?;
        if !seen.masked() {
            return Ok(Plan::met(format!("Service {given} was already unmasked")));
        }
        let acts = vec![seen.set(seen.unit.active, "disabled")];
        Ok(
            Plan::change(acts, change(true), format!("Service {given} was unmasked"))
                .or_would(format!("Service {given} would be unmasked"), None),
        )
    }
}

fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Seen, Stop> {
    if call.args().flag("runtime", false) {
        return Err(Stop::failed(
            "masking until the next boot (`runtime`) is not supported",
        ));
    }
    Seen::read(host, call.name())
}

fn change(old: bool) -> Args {
    let mut change = one("old", old);
    change.insert("new".to_owned(), (!old).into());
    one("masked", change)
}
