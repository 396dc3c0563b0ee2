//! Units of systemd: one `systemctl show` for all that are asked; enablement and running state assigned step by step.
//!
//! Enablement is links in `/etc/systemd/system`. Besides the unit itself every link that came or went is told as a path, so that
//! also an enablement nobody's `[Install]` section describes comes back exactly.

mod offline;
mod workers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::{Address, Change, Fidelity, Gather, Performed, Poke, PreImage, Problem, Unit, Value};

use super::{Live, as_expected, botched, command, failed, refused};
use crate::system::Botched;

/// Where an administrator's unit files and the links of enablement lie.
const LINKS: &str = "/etc/systemd/system";
/// How long a started unit may take to say that it is active.
const SETTLE: Duration = Duration::from_secs(5);
const PROPERTIES: &str = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,DropInPaths,Type,Result,SubState,NRestarts,MainPID";

/// What `systemctl show` says of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown(BTreeMap<String, String>);

impl Shown {
    fn get(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }

    /// How often systemd has started it again by itself.
    fn restarts(&self) -> u64 {
        self.get("NRestarts").parse().unwrap_or(0)
    }

    fn unit(&self) -> Unit {
        let masked = self.get("LoadState") == "masked";
        Unit {
            known: !matches!(self.get("LoadState"), "not-found" | ""),
            active: matches!(
                self.get("ActiveState"),
                "active" | "reloading" | "activating" | "refreshing"
            ),
            enablement: if masked && self.get("UnitFileState").is_empty() {
                "masked".to_owned()
            } else {
                self.get("UnitFileState").to_owned()
            },
        }
    }
}

/// A unit before it is reloaded; nothing, before it is started.
#[derive(Debug, Default)]
struct Before {
    /// How often systemd had started it again by itself.
    restarts: u64,
    /// Its processes, where new ones must come.
    workers: Option<Vec<String>>,
}

impl Live {
    /// Whether systemd runs this host.
    pub(crate) fn has_systemd(&self) -> bool {
        self.real("/run/systemd/system").is_dir()
    }

    /// A unit's value.
    pub(crate) fn read_unit(&mut self, name: &str) -> Result<Value, Problem> {
        if let Some(unit) = self.units.get(name) {
            return Ok(Value::Unit(unit.clone()));
        }
        self.learn_units(&[name])?;
        Ok(Value::Unit(self.units.remove(name).unwrap_or_default()))
    }

    /// Looks up all `names` in one call; they are remembered until [`crate::system::System::forget`].
    pub(crate) fn learn_units(&mut self, names: &[&str]) -> Result<(), Problem> {
        let names: Vec<&str> = names.iter().copied().filter(|name| valid(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        if !self.has_systemd() {
            for name in names {
                self.units.insert(name.to_owned(), offline::unit(self, name));
            }
            return Ok(());
        }
        for (name, shown) in names.iter().zip(self.show(&names)?) {
            self.units.insert((*name).to_owned(), shown.unit());
        }
        Ok(())
    }

    fn show(&self, names: &[&str]) -> Result<Vec<Shown>, Problem> {
        let argv = [
            &["systemctl", "show", "--no-pager", "-p", PROPERTIES, "--"],
            names,
        ]
        .concat();
        let text = self.must(&argv)?;
        let blocks = shown(&text);
        if blocks.len() == names.len() {
            Ok(blocks)
        } else {
            Err(failed(format!(
                "systemctl told of {} units where {} were asked for",
                blocks.len(),
                names.len()
            )))
        }
    }

    fn fresh(&mut self, name: &str) -> Result<Unit, Problem> {
        self.units.remove(name);
        match self.read_unit(name)? {
            Value::Unit(unit) => Ok(unit),
            _ => Ok(Unit::default()),
        }
    }

    /// Pre-images of a unit and of all links of enablement.
    pub(crate) fn observe_unit(
        &mut self,
        name: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        checked(name)?;
        let was = Value::Unit(self.fresh(name)?);
        as_expected(&format!("unit {name}"), &was, expect, to)?;
        self.unit_images(name, was)
    }

    /// Pre-image of a unit that is poked.
    pub(crate) fn observe_poke(&mut self, name: &str) -> Result<Vec<PreImage>, Problem> {
        if name.is_empty() {
            return Ok(Vec::new());
        }
        checked(name)?;
        let was = Value::Unit(self.fresh(name)?);
        Ok(vec![PreImage {
            at: Address::Unit(name.to_owned()),
            was,
            fidelity: Fidelity::Exact,
        }])
    }

    fn unit_images(&mut self, name: &str, was: Value) -> Result<Vec<PreImage>, Problem> {
        let mut before: Vec<PreImage> = self
            .enablement_links()?
            .into_iter()
            .map(|(path, was)| PreImage {
                at: Address::Path(path),
                was,
                fidelity: Fidelity::Exact,
            })
            .collect();
        before.push(PreImage {
            at: Address::Unit(name.to_owned()),
            was,
            fidelity: Fidelity::Exact,
        });
        Ok(before)
    }

    /// Links and directories of enablement, directories after what is in them.
    fn enablement_links(&mut self) -> Result<Vec<(String, Value)>, Problem> {
        let entries = self.list_path(LINKS)?.unwrap_or_default();
        Ok(entries
            .into_iter()
            .rev()
            .filter(|(_, value)| matches!(value, Value::Link { .. } | Value::Dir { .. }))
            .map(|(below, value)| (format!("{LINKS}/{below}"), value))
            .collect())
    }

    /// Makes a unit as wanted.
    pub(crate) fn assign_unit(
        &mut self,
        name: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Performed, Box<Botched>> {
        checked(name)?;
        let was = self.fresh(name)?;
        as_expected(&format!("unit {name}"), &Value::Unit(was.clone()), expect, to)?;
        let Value::Unit(wanted) = to else {
            return Err(refused(format!("unit {name} cannot become {}", super::path::told(to))).into());
        };
        let links = self.enablement_links()?;
        let done = self.steer(name, &was, wanted);
        let changes = self.unit_changes(name, &was, &links);
        match (done, changes) {
            (Ok(()), Ok(changes)) => Ok(Performed {
                changes,
                output: None,
            }),
            (Err(why), changes) => Err(botched(why, changes.unwrap_or_default(), None)),
            (Ok(()), Err(why)) => Err(why.into()),
        }
    }

    fn steer(&mut self, name: &str, was: &Unit, wanted: &Unit) -> Result<(), Problem> {
        if wanted.active != was.active && !self.has_systemd() {
            return Err(no_systemd(&format!("unit {name} cannot be started or stopped")));
        }
        self.reload_if_needed(name)?;
        let masked = |text: &str| text.starts_with("masked");
        if !wanted.active && was.active {
            self.control("stop", name)?;
        }
        if wanted.enablement != was.enablement {
            if masked(&was.enablement) {
                self.control("unmask", name)?;
            }
            let now = self.fresh(name)?.enablement;
            match wanted.enablement.as_str() {
                same if same == now => {}
                "masked" => self.control("mask", name)?,
                "masked-runtime" => drop(self.must(&["systemctl", "--runtime", "mask", "--", name])?),
                "enabled" | "linked" | "alias" => self.control("enable", name)?,
                "enabled-runtime" => drop(self.must(&["systemctl", "--runtime", "enable", "--", name])?),
                "disabled" => self.control("disable", name)?,
                // Static, indirect and generated units, and units without a file, become so by their files alone.
                _ => {}
            }
        }
        if wanted.active && !was.active {
            self.control("start", name)?;
            self.settled(name, &Before::default())?;
        }
        let now = self.fresh(name)?;
        if now.active != wanted.active {
            let what = if wanted.active {
                "does not stay active"
            } else {
                "does not stop"
            };
            return Err(failed(format!("unit {name} {what}\n{}", self.last_words(name))));
        }
        Ok(())
    }

    /// A unit file that changed on disk must be read before the unit is used.
    fn reload_if_needed(&mut self, name: &str) -> Result<(), Problem> {
        if !self.has_systemd() {
            return Ok(());
        }
        let shown = self.show(&[name])?.pop().unwrap_or_default();
        let appeared = shown.get("LoadState") == "not-found" && offline::unit(self, name).known;
        // systemd does not look into a directory of drop-ins that is new to it.
        let read = shown.get("DropInPaths");
        let unread = offline::drop_ins(self, name).any(|path| !read.split(' ').any(|one| one == path));
        if appeared || unread || shown.get("NeedDaemonReload") == "yes" {
            self.must(&["systemctl", "daemon-reload"])?;
        }
        Ok(())
    }

    fn control(&mut self, verb: &str, name: &str) -> Result<(), Problem> {
        if matches!(verb, "start" | "restart" | "reload-or-restart") {
            // A unit that fell over too often is not started any more, whatever its configuration says by now.
            self.tool(&["systemctl", "reset-failed", "--", name])?;
        }
        let output = self.tool(&["systemctl", "--no-pager", "--no-ask-password", verb, "--", name])?;
        if output.code == 0 && !output.timed_out {
            return Ok(());
        }
        let said = format!("systemctl {verb} {name} ended with {}", command::ending(&output));
        Err(failed(match verb {
            "start" | "restart" | "reload-or-restart" => format!("{said}\n{}", self.last_words(name)),
            _ => said,
        }))
    }

    /// Waits until a started unit is active, and still is a moment later: a service that dies at once must be noticed, and so
    /// must one that systemd starts again and again, and one that goes on as `before`.
    fn settled(&mut self, name: &str, before: &Before) -> Result<(), Problem> {
        let until = Instant::now() + SETTLE;
        let mut good = 0;
        loop {
            let shown = self.show(&[name])?.pop().unwrap_or_default();
            let oneshot = shown.get("Type") == "oneshot" && shown.get("Result") == "success";
            // Whoever tells systemd when it is ready has said so by now; of others nobody knows.
            let enough = if matches!(shown.get("Type"), "simple" | "exec" | "idle") {
                10
            } else {
                3
            };
            let over = Instant::now() >= until;
            let falls = shown.restarts() > before.restarts || over && shown.get("SubState") == "auto-restart";
            let stays = before.workers.as_ref().is_some_and(|old| {
                self.workers(&shown)
                    .is_some_and(|now| now.iter().all(|pid| old.contains(pid)))
            });
            match shown.get("ActiveState") {
                "inactive" if oneshot => return Ok(()),
                "failed" | "inactive" => return Err(self.fell(name, "failed after it was started")),
                _ if falls => return Err(self.fell(name, "fell over and was started again by systemd")),
                "active" if stays && over => {
                    return Err(self.fell(
                        name,
                        "did not take its new configuration and goes on with the old one",
                    ));
                }
                "active" if !stays => good += 1,
                _ => good = 0,
            }
            if good >= enough || over {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn fell(&self, name: &str, how: &str) -> Problem {
        failed(format!("unit {name} {how}\n{}", self.last_words(name)))
    }

    /// What a unit said last, for people.
    fn last_words(&self, name: &str) -> String {
        let tell = |argv: &[&str]| self.tool(argv).map(|output| output.stdout).unwrap_or_default();
        // What it said a moment ago may still be on its way to the journal.
        tell(&["journalctl", "--sync"]);
        let state = tell(&["systemctl", "status", "--no-pager", "-l", "-n", "0", "--", name]);
        let said = tell(&[
            "journalctl",
            "-q",
            "--no-pager",
            "-o",
            "cat",
            "-n",
            "20",
            "-u",
            name,
        ]);
        format!("{}\n{said}", state.trim_end())
    }

    /// Links that came or went, then the unit itself: taken back in reverse, the unit's own commands come first and the links
    /// they left wrong are put right after.
    fn unit_changes(
        &mut self,
        name: &str,
        was: &Unit,
        links: &[(String, Value)],
    ) -> Result<Vec<Change>, Problem> {
        let now: BTreeMap<String, Value> = self.enablement_links()?.into_iter().gather();
        let then: BTreeMap<&str, &Value> = links.iter().map(|(path, value)| (path.as_str(), value)).gather();
        let change = |path: &str, before: &Value, after: &Value| Change {
            at: Address::Path(path.to_owned()),
            before: before.clone(),
            after: after.clone(),
        };
        let nothing = Value::Absent;
        let mut changes = Vec::new();
        for (path, before) in links {
            let after = now.get(path).unwrap_or(&nothing);
            if !before.same(after) {
                changes.push(change(path, before, after));
            }
        }
        for (path, after) in &now {
            if !then.contains_key(path.as_str()) {
                changes.push(change(path, &nothing, after));
            }
        }
        let after = self.fresh(name)?;
        if after != *was {
            changes.push(Change {
                at: Address::Unit(name.to_owned()),
                before: Value::Unit(was.clone()),
                after: Value::Unit(after),
            });
        }
        Ok(changes)
    }

    /// Restarts, reloads, or has systemd read its files anew.
    pub(crate) fn poke(&mut self, name: &str, how: Poke) -> Result<Performed, Box<Botched>> {
        if !self.has_systemd() {
            return Err(no_systemd(&format!("{name} cannot be restarted or reloaded")).into());
        }
        if how == Poke::DaemonReload {
            self.must(&["systemctl", "daemon-reload"])?;
            return Ok(Performed::default());
        }
        checked(name)?;
        let was = self.fresh(name)?;
        self.reload_if_needed(name)?;
        // A restart counts anew.
        let before = match how {
            Poke::Reload => {
                let shown = self.show(&[name])?.pop().unwrap_or_default();
                Before {
                    restarts: shown.restarts(),
                    workers: self.workers(&shown),
                }
            }
            _ => Before::default(),
        };
        let done = match how {
            Poke::Reload => self.control("reload-or-restart", name),
            Poke::FullRestart => self
                .control("stop", name)
                .and_then(|()| self.control("start", name)),
            Poke::Restart | Poke::DaemonReload => self.control("restart", name),
        };
        let done = done.and_then(|()| self.settled(name, &before));
        let after = self.fresh(name)?;
        let mut changes = Vec::new();
        if after != was {
            changes.push(Change {
                at: Address::Unit(name.to_owned()),
                before: Value::Unit(was),
                after: Value::Unit(after),
            });
        }
        match done {
            Ok(()) => Ok(Performed {
                changes,
                output: None,
            }),
            Err(why) => Err(botched(why, changes, None)),
        }
    }
}

fn no_systemd(what: &str) -> Problem {
    failed(format!(
        "systemd does not run this host (/run/systemd/system is missing): {what}"
    ))
}

fn checked(name: &str) -> Result<(), Problem> {
    if valid(name) {
        Ok(())
    } else {
        Err(refused(format!("{name:?} is no unit's name")))
    }
}

/// systemd's rule for names of units.
pub(crate) fn valid(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 256
        && name.contains('.')
        && !name.starts_with(['-', '.'])
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c))
}

/// Reads the blocks of `systemctl show`, one per unit.
fn shown(text: &str) -> Vec<Shown> {
    text.split("\n\n")
        .map(|block| {
            Shown(
                block
                    .lines()
                    .filter_map(|line| line.split_once('='))
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
            )
        })
        .filter(|shown| !shown.0.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_units() {
        let text = "Id=ssh.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n\
            Id=none.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n\n\
            Id=m.service\nLoadState=masked\nActiveState=inactive\nUnitFileState=masked\n";
        let units: Vec<Unit> = shown(text).iter().map(Shown::unit).collect();
        let unit = |known, active, enablement: &str| Unit {
            known,
            active,
            enablement: enablement.to_owned(),
        };
        assert_eq!(
            units,
            [
                unit(true, true, "enabled"),
                unit(false, false, ""),
                unit(true, false, "masked")
            ]
        );
    }

    #[test]
    fn names_are_checked() {
        assert!(valid("getty@tty1.service") && valid("dev-disk-by\\x2did.swap"));
        for bad in [
            "",
            "-x.service",
            "a b.service",
            "nginx",
            "a/b.service",
            "$(x).service",
        ] {
            assert!(!valid(bad), "{bad}");
        }
    }
}
