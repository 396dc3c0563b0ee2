//! Salt's `service` state module, on systemd.

mod dead;
mod enabled;
mod masked;
mod running;

use proto::{Act, Address, Unit, Value};

use crate::{Call, Host, Kind, Param, Stop};

pub use dead::Dead;
pub use enabled::{Disabled, Enabled};
pub use masked::{Masked, Unmasked};
pub use running::Running;

/// Suffixes that make a name a full unit name.
const SUFFIXES: &[&str] = &[
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

/// Parameters that `service.running` and `service.dead` share.
static PARAMS: &[Param] = &[
    Param::new(
        "enable",
        Kind::Flag,
        "Start it at boot (true), or do not (false); without it that is left as it is.",
    ),
    Param::new(
        "reload",
        Kind::Flag,
        "Reload instead of restarting when a watched state changed.",
    ),
    Param::new(
        "full_restart",
        Kind::Flag,
        "Stop and start instead of restarting when a watched state changed.",
    ),
    Param::new("force", Kind::Flag, "Accepted."),
    Param::new("unmask", Kind::Flag, "Unmask it first."),
    Param::new("unmask_runtime", Kind::Flag, "Accepted."),
    Param::new(
        "init_delay",
        Kind::Number,
        "Accepted; starting waits until systemd says the unit is up.",
    ),
    Param::new("no_block", Kind::Flag, "Accepted."),
    Param::new("sig", Kind::Text, "Accepted; systemd knows whether a unit runs."),
    Param::new("timeout", Kind::Number, "Accepted."),
];

/// `nginx` is `nginx.service`.
pub(crate) fn full_name(name: &str) -> String {
    if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// A unit as it is.
struct Seen {
    name: String,
    unit: Unit,
    value: Value,
}

impl Seen {
    fn read(host: &Host<'_>, name: &str) -> Result<Self, Stop> {
        let name = full_name(name);
        let value = host.read(Address::Unit(name.clone()))?.clone();
        let unit = match &value {
            Value::Unit(unit) => unit.clone(),
            _ => Unit::default(),
        };
        Ok(Self { name, unit, value })
    }

    /// What `systemctl is-enabled` counts as enabled, as Salt does.
    fn enabled(&self) -> bool {
        matches!(
            self.unit.enablement.as_str(),
            "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated" | "transient"
        )
    }

    /// Whether enabling or disabling it means anything.
    fn can_toggle(&self) -> bool {
        !matches!(
            self.unit.enablement.as_str(),
            "static" | "alias" | "indirect" | "generated" | "transient"
        )
    }

    fn masked(&self) -> bool {
        self.unit.enablement.starts_with("masked")
    }

    /// The act that makes it `active` and gives it that enablement.
    fn set(&self, active: bool, enablement: &str) -> Act {
        Act::assign(
            Address::Unit(self.name.clone()),
            self.value.clone(),
            Value::Unit(Unit {
                known: self.unit.known,
                active,
                enablement: enablement.to_owned(),
            }),
        )
    }
}

/// `enable`, which may be a text.
fn enable(call: &Call<'_>) -> Option<bool> {
    let value = call.args().get("enable").filter(|value| !value.is_null())?;
    Some(match value.as_str() {
        Some(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"),
        None => crate::args::truth(value),
    })
}

/// `enabled:` instead of `enable:` is a mistake that Salt names.
fn check_arguments(call: &Call<'_>) -> Result<(), Stop> {
    if call.args().contains_key("enabled") {
        return Err(Stop::Failed(format!(
            "Service {} uses non-existent option \"enabled\".  Perhaps \"enable\" option was intended?",
            call.name()
        )));
    }
    Ok(())
}

/// Where a service is once its state is done, as Salt's comments about enabling end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Running,
    Desired,
    Dead,
}

impl After {
    const fn words(self) -> &'static str {
        match self {
            Self::Running => "is running",
            Self::Desired => "is in the desired state",
            Self::Dead => "is dead",
        }
    }
}

/// Salt's sentence about enabling (`want`) or disabling, and the enablement to assign when it has to change.
fn toggle(seen: &Seen, given: &str, want: bool, after: After) -> (String, Option<&'static str>) {
    let (word, enablement) = if want {
        ("enabled", "enabled")
    } else {
        ("disabled", "disabled")
    };
    let end = after.words();
    let right = seen.enabled() == want || (!want && !seen.can_toggle());
    if right {
        (format!("Service {given} is already {word}, and {end}"), None)
    } else {
        (
            format!("Service {given} has been {word}, and {end}"),
            Some(enablement),
        )
    }
}
