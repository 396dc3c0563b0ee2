//! `service.running`: a unit is active.

use proto::{Act, Poke};

use super::{After, Seen, check_arguments, enable, toggle};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Plan, Spec, State, Stop, Undo, Verdict};

/// `service.running`.
#[derive(Debug)]
pub struct Running;

static SPEC: Spec = Spec {
    state: "service",
    fun: "running",
    doc: "Make sure that a service runs.\n\nA name without a suffix is that of a `.service` unit. When a watched state \
          changed the service is restarted, or reloaded with `reload: True`.",
    params: super::PARAMS,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for Running {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        check_arguments(call)?;
        let given = call.name();
        let seen = Seen::read(host, given)?;
        if !seen.unit.known {
            return absent(call, "started");
        }
        let (unmasked, base) = unmask(call, &seen);
        let enable = enable(call);
        let with = |first: String| {
            let lines = [first, unmasked.clone()];
            lines
                .into_iter()
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("\n")
        };
        if seen.unit.active {
            return Ok(already(
                call,
                &seen,
                enable,
                with(format!("The service {given} is already running")),
                base,
            ));
        }
        let mut comment = format!("Started service {given}");
        let mut enablement = base;
        if let Some(want) = enable {
            let (sentence, changed) = toggle(&seen, given, want, After::Running);
            comment = sentence;
            enablement = changed.map_or(enablement, str::to_owned);
        }
        if let Some(seconds) = call.args().number("init_delay")?.filter(|seconds| *seconds > 0) {
            comment = format!("{comment}\nDelayed return for {seconds} seconds");
        }
        let acts = vec![seen.set(true, &enablement)];
        let would = with(format!("Service {given} is set to start"));
        Ok(Plan::change(acts, one(given, true), with(comment)).or_would(would, Some(proto::Args::new())))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let given = call.name();
        let seen = Seen::read(host, given)?;
        let args = call.args();
        let poke = |how| Act::Poke {
            unit: seen.name.clone(),
            how,
        };
        let (act, done) = if !seen.unit.active {
            (seen.set(true, &seen.unit.enablement), "started")
        } else if args.flag("reload", false) {
            let forced = args.flag("force", false);
            (
                poke(Poke::Reload),
                if forced { "forcefully reloaded" } else { "reloaded" },
            )
        } else if args.flag("full_restart", false) {
            (poke(Poke::FullRestart), "fully restarted")
        } else {
            (poke(Poke::Restart), "restarted")
        };
        Ok(
            Plan::change(vec![act], one(given, true), format!("Service {done}"))
                .or_would(format!("Service is set to be {done}"), Some(proto::Args::new())),
        )
    }
}

/// It runs; whether it starts at boot may still be wrong.
fn already(call: &Call<'_>, seen: &Seen, enable: Option<bool>, comment: String, base: String) -> Plan {
    let given = call.name();
    if let Some(want) = enable {
        let (sentence, changed) = toggle(seen, given, want, After::Desired);
        if let Some(enablement) = changed {
            let word = if want { "enabled" } else { "disabled" };
            return Plan::change(vec![seen.set(true, enablement)], one(given, true), sentence).or_would(
                format!("Service {given} set to be {word}"),
                Some(proto::Args::new()),
            );
        }
    }
    if base != seen.unit.enablement {
        return Plan::change(vec![seen.set(true, &base)], one(given, true), comment);
    }
    Plan::met(comment)
}

/// `unmask: True`: Salt's sentence about it, and the enablement that goes on from there.
fn unmask(call: &Call<'_>, seen: &Seen) -> (String, String) {
    let given = call.name();
    let base = seen.unit.enablement.clone();
    if !call.args().flag("unmask", false) {
        return (String::new(), base);
    }
    if !seen.masked() {
        return (format!("Service {given} was already unmasked"), base);
    }
    let sentence = if call.test { "would be" } else { "was" };
    (
        format!("Service {given} {sentence} unmasked"),
        "disabled".to_owned(),
    )
}

/// There is no such unit.
pub(super) fn absent(call: &Call<'_>, verb: &str) -> Result<Plan, Stop> {
    let given = call.name();
    if !call.test {
        return Err(Stop::Failed(format!(
            "The named service {given} is not available"
        )));
    }
    Ok(Plan {
        verdict: Verdict::WouldChange,
        comment: format!(
            "Service {given} not present; if created in this state run, it would have been {verb}"
        ),
        ..Plan::default()
    })
}
