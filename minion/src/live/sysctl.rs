//! Kernel settings: live values under `/proc/sys`. Persisting them is a file like any other.

use proto::{Address, Change, Fidelity, Performed, PreImage, Problem, Value};

use super::{Live, as_expected, failed, refused};
use crate::system::Botched;

/// The host's name: set by its own call, which works where /proc/sys cannot be written, as in containers.
const HOSTNAME: &str = "kernel.hostname";

impl Live {
    /// A setting's live value without the final line end; absent when the kernel has no such key.
    pub(crate) fn read_sysctl(&self, key: &str) -> Result<Value, Problem> {
        let path = path(key)?;
        match std::fs::read_to_string(self.real(&path)) {
            Ok(text) => Ok(Value::Text(text.trim_end().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Absent),
            Err(error) => Err(refused(format!("cannot read sysctl {key}: {error}"))),
        }
    }

    pub(crate) fn observe_sysctl(
        &self,
        key: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let was = self.read_sysctl(key)?;
        as_expected(&format!("sysctl {key}"), &was, expect, to)?;
        match (&was, to) {
            (Value::Absent, _) => Err(refused(format!("the kernel has no setting {key}"))),
            (_, Value::Text(_)) => Ok(vec![PreImage {
                at: Address::Sysctl(key.to_owned()),
                fidelity: match one_way(key, &was, to) {
                    Some(why) => Fidelity::Lost(why),
                    None => Fidelity::Exact,
                },
                was,
            }]),
            _ => Err(refused(format!("sysctl {key} can only be set to a text"))),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the writer of kernel settings")]
    pub(crate) fn assign_sysctl(
        &self,
        key: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Performed, Box<Botched>> {
        let was = self.read_sysctl(key)?;
        as_expected(&format!("sysctl {key}"), &was, expect, to)?;
        let Value::Text(text) = to else {
            return Err(refused(format!("sysctl {key} can only be set to a text")).into());
        };
        let set = if key == HOSTNAME && self.root == std::path::Path::new("/") {
            rustix::system::sethostname(text.as_bytes()).map_err(Into::into)
        } else {
            std::fs::OpenOptions::new()
                .write(true)
                .open(self.real(&path(key)?))
                .and_then(|mut file| std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes()))
        };
        set.map_err(|error| failed(format!("cannot set sysctl {key} to {text:?}: {error}")))?;
        let after = self.read_sysctl(key)?;
        let changes = if after == was {
            Vec::new()
        } else {
            vec![Change {
                at: Address::Sysctl(key.to_owned()),
                before: was,
                after,
            }]
        };
        Ok(Performed {
            changes,
            output: None,
        })
    }
}

/// Settings the kernel lets go up only, until the next boot, and from which value on.
const ONE_WAY: &[(&str, u32)] = &[
    ("kernel.modules_disabled", 1),
    ("kernel.kexec_load_disabled", 1),
    ("kernel.unprivileged_bpf_disabled", 1),
    ("kernel.yama.ptrace_scope", 3),
];

/// Why a setting cannot go back from `to` to `was` while the kernel runs.
pub(crate) fn one_way(key: &str, was: &Value, to: &Value) -> Option<String> {
    let dotted = key.replace('/', ".");
    let (_, from) = ONE_WAY.iter().find(|(name, _)| *name == dotted)?;
    let number = |value: &Value| match value {
        Value::Text(text) => text.trim().parse::<u32>().ok(),
        _ => None,
    };
    let locked = number(to)? == *from && number(was)? != *from;
    locked.then(|| format!("the kernel keeps {key} at {from} until the next boot"))
}

/// A key's file: `.` separates, `/` stands for a dot inside a name; or the other way round when `/` comes first.
fn path(key: &str) -> Result<String, Problem> {
    let slashes = match (key.find('/'), key.find('.')) {
        (Some(slash), Some(dot)) => slash < dot,
        (Some(_), None) => true,
        _ => false,
    };
    let inner: String = if slashes {
        key.to_owned()
    } else {
        key.chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect()
    };
    let fine = !inner.is_empty()
        && inner
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if fine && !inner.contains('\0') {
        Ok(format!("/proc/sys/{inner}"))
    } else {
        Err(refused(format!("{key:?} is no kernel setting")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::system::System;
    use proto::Act;

    #[test]
    fn settings_are_read_set_and_put_back() {
        let mut host = testing::host();
        host.write("/proc/sys/net/ipv4/conf/eth0.100/forwarding", "0\n");
        let at = Address::Sysctl("net.ipv4.conf.eth0/100.forwarding".to_owned());
        let was = host.live.read(&at).expect("readable");
        assert_eq!(was, Value::Text("0".to_owned()));
        let acts = [Act::assign(at.clone(), was.clone(), Value::Text("1".to_owned()))];
        let before = host.live.observe(&acts).expect("can be kept");
        let changes = host.live.perform(&acts, &before).expect("done").changes;
        assert_eq!(changes[0].after, Value::Text("1".to_owned()));
        let back = [Act::assign(at.clone(), changes[0].after.clone(), was.clone())];
        let before = host.live.observe(&back).expect("can be kept");
        host.live.perform(&back, &before).expect("done");
        assert_eq!(host.live.read(&at), Ok(was));
        let text = |text: &str| Value::Text(text.to_owned());
        for (key, was, to, locked) in [
            ("kernel.modules_disabled", "0", "1", true),
            ("kernel/modules_disabled", "0", "1", true),
            ("kernel.modules_disabled", "1", "1", false),
            ("kernel.yama.ptrace_scope", "1", "2", false),
            ("vm.swappiness", "0", "1", false),
        ] {
            assert_eq!(
                one_way(key, &text(was), &text(to)).is_some(),
                locked,
                "{key} {was} {to}"
            );
        }
        for bad in ["", "..", "net..x", "/etc/passwd/../x"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
