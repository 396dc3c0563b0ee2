//! `network.system`: the host's name, at the next boot and now.

use proto::{Act, Address, Args, Meta, Question, Value};

use crate::file::whole::Whole;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `network.system`.
#[derive(Debug)]
pub struct System;

/// The name from the next boot on.
const STATIC: &str = "/etc/hostname";
/// Names of addresses, this host's own among them.
const HOSTS: &str = "/etc/hosts";
/// The name now.
const LIVE: &str = "kernel.hostname";

static SPEC: Spec = Spec {
    state: "network",
    fun: "system",
    doc: "Set the name of the host.\n\nThe name stands in /etc/hostname; with `apply_hostname` it counts at once, and \
          /etc/hosts knows the host by it. Interfaces and routes are not managed, and networking is never restarted.",
    params: &[
        Param::required("hostname", Kind::Text, "The name."),
        Param::new(
            "apply_hostname",
            Kind::Flag,
            "Use the name at once, and in /etc/hosts instead of the old one.",
        ),
        Param::new(
            "enabled",
            Kind::Flag,
            "Accepted when true: networking stays as it is.",
        ),
        Param::new("networking", Kind::Flag, "The same as `enabled`."),
        Param::new(
            "retain_settings",
            Kind::Flag,
            "Accepted; what is not given always stays.",
        ),
        Param::new(
            "require_reboot",
            Kind::Flag,
            "Accepted; networking is never restarted.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for System {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = args.text("hostname").unwrap_or_default();
        if !good(&name) {
            return Err(Stop::Failed(format!(
                "Invalid network setting hostname {name:?}: labels of letters, digits and dashes, 64 at most in all"
            )));
        }
        if !args.flag("enabled", true) || !args.flag("networking", true) {
            return Err(Stop::failed(
                "Switching networking off is not supported: this host is managed over it",
            ));
        }
        let now = args.flag("apply_hostname", false);
        host.expect(Whole::questions(STATIC));
        if now {
            host.expect(Whole::questions(HOSTS));
            host.expect([Question::Read(Address::Sysctl(LIVE.to_owned()))]);
        }
        let kept = Whole::read(host, STATIC)?;
        let old = named(&kept.text);
        let (mut before, mut after) = (format!("hostname={old}\n"), format!("hostname={name}\n"));
        let mut acts = Vec::new();
        if old != name {
            let fresh = Meta {
                mode: 0o644,
                ..Meta::default()
            };
            acts.push(kept.write(host, &format!("{name}\n"), fresh));
        }
        if now {
            let live = host.read(Address::Sysctl(LIVE.to_owned()))?;
            let is = match live {
                Value::Text(text) => text.as_str(),
                _ => "",
            };
            let hosts = Whole::read(host, HOSTS)?;
            // The name of a machine that had none is no name to be replaced.
            let local = |old: &str| old == name || old.starts_with("localhost");
            let olds = [old, is].map(|old| if local(old) { "" } else { old });
            let renamed = renamed(&hosts.text, &olds, &name);
            if renamed != hosts.text {
                acts.push(hosts.write(host, &renamed, Meta::default()));
            }
            if is != name {
                let to = Value::Text(name.clone());
                acts.push(Act::assign(Address::Sysctl(LIVE.to_owned()), live.clone(), to));
            }
            before.push_str(&format!("live={is}\n"));
            after.push_str(&format!("live={name}\n"));
        }
        let fine = "Global network settings are up to date.";
        if acts.is_empty() {
            return Ok(Plan::met(fine));
        }
        let diff = text::diff(&before, &after);
        let diff = diff.trim_end();
        let would = format!("Global network settings are set to be updated:\n{diff}");
        Ok(Plan::change(acts, one("network_settings", diff), fine).or_would(would, Some(Args::new())))
    }
}

/// The name in /etc/hostname.
fn named(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default()
}

fn good(name: &str) -> bool {
    let label = |label: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(fine) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 64 && name.split('.').all(label)
}

/// The text with the old names replaced, everything else letter by letter.
fn renamed(text: &str, olds: &[&str], new: &str) -> String {
    let mut all = String::new();
    for line in text.split_inclusive('\n') {
        let (names, remark) = line.split_at(line.find('#').unwrap_or(line.len()));
        for word in names.split_inclusive(char::is_whitespace) {
            let bare = word.trim_end();
            if !bare.is_empty() && olds.contains(&bare) {
                all.push_str(new);
                all.push_str(&word[bare.len()..]);
            } else {
                all.push_str(word);
            }
        }
        all.push_str(remark);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_replaced() {
        let text = "127.0.1.1\told.example.com old # old\n10.0.0.2 older\n";
        assert_eq!(
            renamed(text, &["old", ""], "new"),
            "127.0.1.1\told.example.com new # old\n10.0.0.2 older\n"
        );
    }

    #[test]
    fn names_of_hosts() {
        for good_one in ["web1", "web-1.example.com", "A"] {
            assert!(good(good_one), "{good_one}");
        }
        for bad in ["", "-a", "a..b", "a_b", "a b", "a/b"] {
            assert!(!good(bad), "{bad}");
        }
    }
}
