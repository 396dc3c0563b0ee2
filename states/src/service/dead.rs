//! `service.dead`: a unit is not active.

use super::{After, Seen, check_arguments, enable, toggle};
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo, Verdict};

/// `service.dead`.
#[derive(Debug)]
pub struct Dead;

static SPEC: Spec = Spec {
    state: "service",
    fun: "dead",
    doc: "Make sure that a service does not run.\n\nA service that does not exist is dead. `enable: False` also keeps it from \
          starting at boot.",
    params: super::PARAMS,
    free: true,
    watch: true,
    undo: Undo::Exact,
};

impl State for Dead {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        check_arguments(call)?;
        let given = call.name();
        let seen = Seen::read(host, given)?;
        if !seen.unit.known {
            let gone = Plan::met(format!("The named service {given} is not available"));
            return Ok(if call.test {
                Plan {
                    verdict: Verdict::WouldChange,
                    ..Plan::met(format!(
                        "Service {given} not present; if created in this state run, it would have been stopped"
                    ))
                }
            } else {
                gone
            });
        }
        let enable = enable(call);
        let none = Some(proto::Args::new());
        if !seen.unit.active {
            let Some(want) = enable.filter(|want| seen.enabled() != *want) else {
                return Ok(Plan::met(format!("The service {given} is already dead")));
            };
            let (sentence, changed) = toggle(&seen, given, want, After::Desired);
            let word = if want { "enabled" } else { "disabled" };
            return Ok(match changed {
                Some(enablement) => {
                    Plan::change(vec![seen.set(false, enablement)], one(given, true), sentence)
                        .or_would(format!("Service {given} set to be {word}"), none)
                }
                None => Plan::met(sentence),
            });
        }
        let mut comment = format!("Service {given} was killed");
        let mut enablement = seen.unit.enablement.clone();
        let mut value = false;
        if let Some(want) = enable {
            let (sentence, changed) = toggle(&seen, given, want, After::Dead);
            comment = sentence;
            if let Some(changed) = changed {
                changed.clone_into(&mut enablement);
                value = true;
            }
        }
        let acts = vec![seen.set(false, &enablement)];
        Ok(Plan::change(acts, one(given, value), comment)
            .or_would(format!("Service {given} is set to be killed"), none))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let seen = Seen::read(host, call.name())?;
        if !seen.unit.active {
            return Ok(Plan::met("Service is already stopped"));
        }
        let acts = vec![seen.set(false, &seen.unit.enablement)];
        Ok(Plan::change(acts, one(call.name(), true), "Service stopped")
            .or_would("Service is set to be stopped", Some(proto::Args::new())))
    }
}
