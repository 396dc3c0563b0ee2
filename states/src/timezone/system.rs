//! `timezone.system`: the host's time zone, and what its hardware clock tells.

use proto::{Act, Address, Args, Meta, Question, Value};

use crate::file::whole::Whole;
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `timezone.system`.
#[derive(Debug)]
pub struct System;

/// Where all zones are.
const ZONES: &str = "/usr/share/zoneinfo";
/// The zone of the host: a link, or a copy.
const LOCAL: &str = "/etc/localtime";
/// Its name once more, where Debian has it.
const NAMED: &str = "/etc/timezone";
/// What hwclock(8) knows of the hardware clock; without the file it tells UTC.
const CLOCK: &str = "/etc/adjtime";

static SPEC: Spec = Spec {
    state: "timezone",
    fun: "system",
    doc: "Set the time zone of the host, such as `Europe/Berlin`.\n\nPrograms that run keep the zone they started with.",
    params: &[Param::new(
        "utc",
        Kind::Flag,
        "The hardware clock tells UTC (default true); false leaves it as it is.",
    )],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for System {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let utc = call.args().flag("utc", true);
        let zone = paths::clean(&format!("{ZONES}/{name}")).unwrap_or_default();
        host.expect([Question::Follow(zone.clone()), Question::Follow(ZONES.to_owned())]);
        host.expect([Question::Read(Address::Path(LOCAL.to_owned()))]);
        host.expect(Whole::questions(NAMED).into_iter().chain(Whole::questions(CLOCK)));
        let plain = !name.is_empty() && paths::below(&zone, ZONES) == Some(name);
        let there = plain && matches!(host.follow(&zone)?, Value::File { .. });
        // An earlier state of the run may bring all zones.
        let later = plain && call.test && host.follow(ZONES)?.is_absent();
        if !there && !later {
            return Err(Stop::Failed(format!(
                "Unable to compare desired timezone '{name}' to system timezone: Can't find a local timezone \"{name}\""
            )));
        }
        let local = host.path(LOCAL)?;
        let mut acts = Vec::new();
        if !is_zone(host, local, &zone)? {
            let to = Value::Link {
                to: zone,
                meta: Perms::default().fresh(None, 0o777),
            };
            acts.push(Act::assign(Address::Path(LOCAL.to_owned()), local.clone(), to));
        }
        let named = Whole::read(host, NAMED)?;
        if !named.value.is_absent() && named.text.trim() != name {
            acts.push(named.write(host, &format!("{name}\n"), Meta::default()));
        }
        let clock = Whole::read(host, CLOCK)?;
        let (set_zone, set_clock) = (!acts.is_empty(), utc && is_local(&clock.text));
        if set_clock {
            let text = clock.text.replace("LOCAL", "UTC");
            acts.push(clock.write(host, &text, Meta::default()));
        }
        if acts.is_empty() {
            let mut comment = format!("Timezone {name} already set");
            if utc {
                comment.push_str(&format!(", UTC already set to {name}"));
            }
            return Ok(Plan::met(comment));
        }
        let (mut changes, mut did, mut would) = (Args::new(), Vec::new(), Vec::new());
        if set_zone {
            changes.insert("timezone".to_owned(), name.into());
            did.push(format!("Set timezone {name}"));
            would.push(format!("Timezone {name} needs to be set"));
        }
        if set_clock {
            changes.insert("utc".to_owned(), true.into());
            did.push("Set UTC to True".to_owned());
            would.push("UTC needs to be set to True".to_owned());
        }
        let verdict = Verdict::WouldChange;
        let plan = Plan::change(if later { Vec::new() } else { acts }, changes, did.join(", "));
        Ok(Plan { verdict, ..plan }.or_would(would.join(", "), Some(Args::new())))
    }
}

/// Whether the host's zone is this one: a link to it, or a copy of it.
fn is_zone(host: &Host<'_>, local: &Value, zone: &str) -> Result<bool, Stop> {
    Ok(match local {
        Value::Link { to, .. } => paths::clean(&paths::join("/etc", to)).as_deref() == Some(zone),
        Value::File { content, .. } => {
            matches!(host.follow(zone)?, Value::File { content: wanted, .. } if wanted == content)
        }
        _ => false,
    })
}

/// Whether the hardware clock tells local time.
fn is_local(text: &str) -> bool {
    text.lines().nth(2).is_some_and(|line| line.trim() == "LOCAL")
}
