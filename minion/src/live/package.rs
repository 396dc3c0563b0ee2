//! Packages of dpkg's world. Several assignments are one transaction of apt's.
//!
//! What comes along is found by simulating first; what changed is found by comparing the status file before and after. Accounts
//! that package scripts make or remove are told too, so that taking the packages back takes them back.

pub(crate) mod apt;
pub(crate) mod dpkg;
mod keep;
mod residue;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::{Address, Change, Fidelity, Output, Package, Performed, PreImage, Problem, Value};

use super::path::told;
use super::{Live, as_expected, botched, failed, refused};
use crate::system::Botched;
use apt::valid;
use dpkg::Status;

/// What is remembered of packages between questions.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    status: Option<(dpkg::Stamp, Arc<Status>)>,
    offers: apt::Offers,
}

/// One assignment of a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) expect: &'a Value,
    pub(crate) to: &'a Value,
}

/// A transaction in apt's words.
#[derive(Debug, Default)]
struct Order {
    /// Versions, removals and package files; empty when only marks change.
    words: Vec<String>,
    options: Vec<&'static str>,
    /// To be purged, after the transaction where it leaves their configuration.
    purge: Vec<String>,
    /// Purged ones that are to be removed-but-configured again: name and version.
    leave: Vec<(String, Package)>,
}

impl Live {
    /// What is at a package's address.
    pub(crate) fn read_package(&mut self, name: &str) -> Result<Value, Problem> {
        if self.text(dpkg::STATUS).is_none() {
            return Err(refused(
                "no supported package manager on this host: dpkg is missing",
            ));
        }
        Ok(self.dpkg().value(name))
    }

    /// Pre-images of all packages the transaction would change, and of their configuration files.
    pub(crate) fn observe_packages(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<PreImage>, Problem> {
        let status = self.dpkg();
        expected(&status, wanted)?;
        let order = self.order(&status, wanted)?;
        let mut names: BTreeSet<String> = wanted.iter().map(|one| status.key_of(one.name)).collect();
        let mut leaving: BTreeSet<String> = order.purge.iter().cloned().collect();
        if !order.words.is_empty() {
            let simulated = self.simulate(&order.options, &order.words);
            self.clear_stage();
            let simulated = simulated?;
            for name in simulated.install.iter().chain(&simulated.remove) {
                names.insert(status.key_of(name));
                leaving.insert(status.key_of(name));
            }
            names.extend(simulated.configure.iter().map(|name| status.key_of(name)));
        }
        // What was cut off is finished first.
        let cut = status.packages.iter().filter(|(_, stanza)| stanza.interrupted());
        names.extend(cut.map(|(name, _)| name.clone()));
        let installed: Vec<(String, Package)> = leaving
            .iter()
            .filter_map(|name| match status.value(name) {
                Value::Package(package) => Some((name.clone(), package)),
                _ => None,
            })
            .collect();
        let fidelities = self.keep_debs(&installed);
        let kept: BTreeMap<&String, Fidelity> =
            installed.iter().map(|(name, _)| name).zip(fidelities).collect();
        let mut before: Vec<PreImage> = names
            .iter()
            .map(|name| PreImage {
                at: Address::Package(name.clone()),
                was: status.value(name),
                fidelity: kept.get(name).cloned().unwrap_or(Fidelity::Exact),
            })
            .collect();
        let mut paths = conffiles(&status, &leaving);
        paths.extend(self.residue(&order.purge.iter().cloned().collect()));
        paths.sort();
        paths.dedup();
        before.extend(self.observe_entries(&paths)?);
        Ok(before)
    }

    /// Performs the transaction.
    pub(crate) fn assign_packages(
        &mut self,
        wanted: &[Wanted<'_>],
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let was = self.dpkg();
        expected(&was, wanted)?;
        let people = self.people();
        let places = self.places();
        let going: BTreeSet<String> = wanted
            .iter()
            .filter(|one| one.to.is_absent())
            .map(|one| was.key_of(one.name))
            .collect();
        let residue = residue::among(&self.residue(&going), before);
        let mut output = None;
        let mut done = self.transact(&was, wanted, &mut output);
        self.clear_stage();
        if done.is_ok() {
            done = self.clear_residue(&residue);
        }
        let mut changes = self.package_changes(&was, &people, before);
        if let (Ok(changes), Some(places)) = (&mut changes, &places) {
            let arrived = residue::arrived(changes);
            if !arrived.is_empty() {
                done = done.and(self.note_residue(&arrived, places));
                changes.extend(self.configuration_of(&arrived, places));
            }
        }
        match (done, changes) {
            (Ok(()), Ok(changes)) => Ok(Performed { changes, output }),
            (Err(why), changes) => Err(botched(why, changes.unwrap_or_default(), output)),
            (Ok(()), Err(why)) => Err(botched(why, Vec::new(), output)),
        }
    }

    fn transact(
        &mut self,
        was: &Status,
        wanted: &[Wanted<'_>],
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        if was.packages.values().any(dpkg::Stanza::interrupted) || self.has_updates() {
            self.step(
                &["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"],
                said,
            )?;
        }
        let order = self.order(was, wanted)?;
        if !order.words.is_empty() {
            let mut argv = vec![
                "apt-get",
                "-y",
                "-q",
                "-o",
                "Dpkg::Options::=--force-confdef",
                "-o",
                "Dpkg::Options::=--force-confold",
                "-o",
                "DPkg::Lock::Timeout=60",
                "-o",
                "Dpkg::Use-Pty=0",
            ];
            argv.extend(&order.options);
            argv.extend(["install", "--"]);
            argv.extend(order.words.iter().map(String::as_str));
            self.step(&argv, said)?;
        }
        let now = self.dpkg();
        let purge: Vec<&str> = order
            .purge
            .iter()
            .filter(|name| !now.value(name).is_absent())
            .map(String::as_str)
            .collect();
        if !purge.is_empty() {
            self.step(&[&["dpkg", "--purge", "--"], purge.as_slice()].concat(), said)?;
        }
        for (name, package) in &order.leave {
            self.leave_configured(name, package, said)?;
        }
        self.mark(wanted, said)?;
        let now = self.dpkg();
        for one in wanted {
            if !reached(&now.value(one.name), one.to) {
                return Err(failed(format!(
                    "package {} is {} after the transaction, not {}",
                    one.name,
                    told(&now.value(one.name)),
                    told(one.to)
                )));
            }
        }
        Ok(())
    }

    /// Brings a purged package to "removed, but configured": in and out again, without what it depends on.
    fn leave_configured(
        &mut self,
        name: &str,
        package: &Package,
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        let digest = self.kept_deb(name, package).ok_or_else(|| {
            failed(format!(
                "the file of {name} {} was not kept; its configured state cannot come back",
                package.version
            ))
        })?;
        let file = self.stage_deb(name, package, &digest)?;
        let options = ["--force-depends", "--force-confdef", "--force-confold"];
        self.step(
            &[&["dpkg"], options.as_slice(), &["--install", "--", &file]].concat(),
            said,
        )?;
        self.step(&["dpkg", "--remove", "--", name], said)
    }

    /// Sets hold and auto marks where they differ.
    fn mark(&mut self, wanted: &[Wanted<'_>], said: &mut Option<Output>) -> Result<(), Problem> {
        let now = self.dpkg();
        let mut marks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in wanted {
            let (Value::Package(is), Value::Package(to)) = (now.value(one.name), one.to) else {
                continue;
            };
            if to.config_only || is.config_only {
                continue;
            }
            if is.auto != to.auto {
                marks
                    .entry(if to.auto { "auto" } else { "manual" })
                    .or_default()
                    .push(one.name);
            }
            if is.hold != to.hold {
                marks
                    .entry(if to.hold { "hold" } else { "unhold" })
                    .or_default()
                    .push(one.name);
            }
        }
        for (mark, names) in marks {
            self.step(
                &[&["apt-mark", "-q", mark, "--"], names.as_slice()].concat(),
                said,
            )?;
        }
        Ok(())
    }

    /// One program of a transaction; the output of the longest is the one to tell.
    fn step(&mut self, argv: &[&str], said: &mut Option<Output>) -> Result<(), Problem> {
        let output = self.patiently(argv)?;
        let problem = (output.code != 0 || output.timed_out)
            .then(|| failed(format!("{} failed: {}", argv[0], apt::said(&output))));
        let longer = said
            .as_ref()
            .is_none_or(|known| known.stdout.len() < output.stdout.len());
        if longer || problem.is_some() {
            *said = Some(output);
        }
        problem.map_or(Ok(()), Err)
    }

    /// An interrupted dpkg leaves its last steps in files of their own.
    fn has_updates(&self) -> bool {
        std::fs::read_dir(self.real("/var/lib/dpkg/updates"))
            .is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Puts the transaction in apt's words.
    fn order(&mut self, status: &Status, wanted: &[Wanted<'_>]) -> Result<Order, Problem> {
        let mut order = Order::default();
        let (mut exact, mut installs, mut removes) = (true, false, 0);
        for one in wanted {
            let name = status.key_of(one.name);
            if !valid(&name) {
                return Err(refused(format!("{:?} is no package name", one.name)));
            }
            let is = status.value(&name);
            let installed = matches!(&is, Value::Package(package) if !package.config_only);
            if matches!(&is, Value::Package(package) if package.hold) {
                order.options.push("--allow-change-held-packages");
            }
            match one.to {
                Value::Absent
                | Value::Package(Package {
                    config_only: true, ..
                }) => {
                    if one.to.is_absent() {
                        order.purge.push(name.clone());
                    }
                    if installed {
                        removes += 1;
                        order.words.push(format!("{name}-"));
                    } else if let (Value::Package(to), Value::Absent) = (one.to, &is) {
                        order.leave.push((name.clone(), to.clone()));
                    }
                }
                Value::Package(to) => {
                    let same =
                        matches!(&is, Value::Package(is) if is.version == to.version && !is.config_only);
                    if same {
                        continue;
                    }
                    installs = true;
                    exact &= !to.version.is_empty() && !to.arch.is_empty();
                    order.words.push(self.install_word(&name, status, to)?);
                }
                other => return Err(refused(format!("package {name} cannot become {}", told(other)))),
            }
        }
        if installs && exact {
            // Putting back what was there: nothing may come along.
            order.options.push("--no-install-recommends");
        }
        if removes > 0 && order.purge.len() >= removes {
            order.options.push("--purge");
        }
        order.options.push("--allow-downgrades");
        Ok(order)
    }

    /// `name`, `name=version`, or the path of the kept file of that version.
    fn install_word(&mut self, name: &str, status: &Status, to: &Package) -> Result<String, Problem> {
        if to.version.is_empty() {
            return Ok(name.to_owned());
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".+-~:*".contains(c);
        if !to.version.chars().all(allowed) {
            return Err(refused(format!("{:?} is no version of a package", to.version)));
        }
        let mut package = to.clone();
        if package.arch.is_empty() {
            package.arch.clone_from(&status.native);
        }
        if let Some(digest) = self.kept_deb(name, &package) {
            return self.stage_deb(name, &package, &digest);
        }
        let name = if name.contains(':') || to.arch.is_empty() {
            name.to_owned()
        } else {
            status.key(name, &to.arch)
        };
        Ok(format!("{name}={}", to.version))
    }

    /// What the transaction changed: accounts it made, packages, then files and accounts it took away. Taken back in reverse,
    /// files and accounts are there before the packages that find them, and accounts go after the packages that made them.
    fn package_changes(
        &mut self,
        was: &Status,
        people: &BTreeMap<Address, Value>,
        before: &[PreImage],
    ) -> Result<Vec<Change>, Problem> {
        let now = self.dpkg();
        let mut changes = Vec::new();
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        let people_now = self.people();
        let addresses: BTreeSet<&Address> = people.keys().chain(people_now.keys()).collect();
        for at in addresses {
            let nothing = Value::Absent;
            let (then, today) = (
                people.get(at).unwrap_or(&nothing),
                people_now.get(at).unwrap_or(&nothing),
            );
            if then == today {
                continue;
            }
            let change = Change {
                at: at.clone(),
                before: then.clone(),
                after: today.clone(),
            };
            if then.is_absent() {
                made.push(change)
            } else {
                gone.push(change)
            }
        }
        // Users sort before groups; taken back in reverse, a user goes before its primary group.
        made.reverse();
        changes.extend(made);
        for name in was.differing(&now) {
            changes.push(Change {
                before: was.value(&name),
                after: now.value(&name),
                at: Address::Package(name),
            });
        }
        changes.extend(self.entries_since(before)?);
        changes.extend(gone);
        Ok(changes)
    }
}

/// Refuses when a package is not as it was when the transaction was planned.
fn expected(status: &Status, wanted: &[Wanted<'_>]) -> Result<(), Problem> {
    for one in wanted {
        let live = status.value(one.name);
        if !reached(&live, one.to) {
            as_expected(&format!("package {}", one.name), &live, one.expect, one.to)?;
        }
    }
    Ok(())
}

/// Whether a package is as wanted; an empty version or architecture is satisfied by any.
fn reached(is: &Value, to: &Value) -> bool {
    match (is, to) {
        (Value::Package(is), Value::Package(to)) if !to.config_only => {
            !is.config_only && (to.version.is_empty() || to.version.contains('*') || is.version == to.version)
        }
        (Value::Package(is), Value::Package(_)) => is.config_only,
        (is, to) => is == to,
    }
}

/// Configuration files of packages, and the directories they are in, parents first.
fn conffiles(status: &Status, names: &BTreeSet<String>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    let files = names
        .iter()
        .filter_map(|name| status.packages.get(name))
        .flat_map(|stanza| &stanza.conffiles);
    for file in files {
        paths.insert(file.clone());
        let mut folder = file.as_str();
        while let Some((parent, _)) = folder.rsplit_once('/')
            && !parent.is_empty()
        {
            paths.insert(parent.to_owned());
            folder = parent;
        }
    }
    paths.into_iter().collect()
}
