//! `sysctl.present`: a kernel setting, now and after the next boot.

use proto::{Act, Address, Args, Meta, Question, Value};

use crate::file::place::{self, Above};
use crate::perms::Perms;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, paths};

/// `sysctl.present`.
#[derive(Debug)]
pub struct Present;

/// Where settings are kept on a host with systemd, as Salt does.
const CONFIG: &str = "/etc/sysctl.d/99-salt.conf";
/// How such a file begins.
const HEADER: &str = "#\n# Kernel sysctl configuration\n#\n";

static SPEC: Spec = Spec {
    state: "sysctl",
    fun: "present",
    doc: "Make sure that a kernel setting has a value, now and after the next boot.",
    params: &[
        Param::required("value", Kind::Text, "The value."),
        Param::new(
            "config",
            Kind::Text,
            "File that keeps it (default `/etc/sysctl.d/99-salt.conf`).",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let value = args.text("value").unwrap_or_default();
        let config = args.text("config").unwrap_or_else(|| CONFIG.to_owned());
        let config =
            paths::clean(&config).ok_or_else(|| Stop::Failed(format!("{config} is not an absolute path")))?;
        host.expect([
            Question::Read(Address::Sysctl(name.to_owned())),
            Question::Read(Address::Path(config.clone())),
            Question::Bytes(config.clone()),
        ]);
        let live = host.read(Address::Sysctl(name.to_owned()))?;
        let kept = kept(host, &config)?;
        let current = match live {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        };
        let line = kept.as_ref().and_then(|file| configured(&file.text, name));
        let right_now = current.is_some_and(|now| same(now, &value));
        let right_then = line.as_deref().is_some_and(|then| same(then, &value));
        if right_now && right_then {
            return Ok(Plan::met(format!("Sysctl value {name} = {value} is already set")));
        }
        let mut acts = Vec::new();
        if !right_now {
            let at = Address::Sysctl(name.to_owned());
            acts.push(Act::assign(at, live.clone(), Value::Text(value.clone())));
        }
        if !right_then {
            acts.extend(keep(host, &config, kept.as_ref(), name, &value)?);
        }
        let would = match (current, line.is_some()) {
            (Some(_), false) if !right_now => format!("Sysctl option {name} set to be changed to {value}"),
            (Some(_), false) => format!(
                "Sysctl value is currently set on the running system but not in a config file. Sysctl option {name} set to be changed to {value} in config file."
            ),
            (None, true) => format!(
                "Sysctl value {name} is present in configuration file but is not present in the running config. The value {name} is set to be changed to {value}"
            ),
            _ => format!("Sysctl option {name} would be changed to {value}"),
        };
        let shown = args.any("value").cloned().unwrap_or_default();
        Ok(Plan::change(
            acts,
            one(name, shown),
            format!("Updated sysctl value {name} = {value}"),
        )
        .or_would(would, Some(Args::new())))
    }
}

/// The file that keeps settings.
struct Kept {
    path: String,
    value: Value,
    meta: Meta,
    text: String,
}

fn kept(host: &Host<'_>, config: &str) -> Result<Option<Kept>, Stop> {
    let there = place::followed(host, config)?;
    match there.value {
        Value::Absent => Ok(None),
        Value::File { meta, .. } => {
            let bytes = host.bytes(config)?.unwrap_or_default();
            Ok(Some(Kept {
                path: there.path,
                value: there.value.clone(),
                meta: meta.clone(),
                text: String::from_utf8_lossy(bytes).into_owned(),
            }))
        }
        _ => Err(Stop::Failed(format!("Could not read from file: {config}"))),
    }
}

/// Acts that write the setting's line.
fn keep(
    host: &Host<'_>,
    config: &str,
    kept: Option<&Kept>,
    name: &str,
    value: &str,
) -> Result<Vec<Act>, Stop> {
    let old = kept.map_or(HEADER, |file| file.text.as_str());
    let new = rewritten(old, name, value);
    let file = |meta: Meta| Value::File {
        content: host.keep(new.as_str()),
        size: new.len() as u64,
        meta,
    };
    if let Some(kept) = kept {
        let to = file(Perms::default().onto(&kept.meta));
        return Ok(vec![Act::assign(
            Address::Path(kept.path.clone()),
            kept.value.clone(),
            to,
        )]);
    }
    let (mut acts, parent) = match place::above(host, config)? {
        Above::Dir(meta) => (Vec::new(), meta),
        Above::Missing(dirs, meta) => (place::make_dirs(&dirs, &Perms::default(), &meta, 0o755), meta),
        Above::Blocked(_) => return Err(Stop::Failed(format!("Could not write to file: {config}"))),
    };
    let to = file(Perms::default().fresh(Some(&parent), 0o644));
    acts.push(Act::assign(Address::Path(config.to_owned()), Value::Absent, to));
    Ok(acts)
}

/// Name and value of a line that sets something.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    (!name.starts_with('#')).then_some((name, value.trim()))
}

fn configured(text: &str, name: &str) -> Option<String> {
    let found = text.lines().filter_map(setting).find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned())
}

/// The text with the setting's line changed, or added at the end.
fn rewritten(text: &str, name: &str, value: &str) -> String {
    let line = format!("{name} = {value}\n");
    let mut found = false;
    let mut new = String::new();
    for old in text.split_inclusive('\n') {
        if setting(old).is_some_and(|(key, _)| key == name) {
            found = true;
            new.push_str(&line);
        } else {
            new.push_str(old);
        }
    }
    if !found {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&line);
    }
    new
}

/// Blanks between the numbers of a setting do not count.
fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
