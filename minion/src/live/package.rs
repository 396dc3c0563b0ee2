//! Packages of dpkg's and of rpm's world. Several assignments are one transaction of apt's or dnf's.
//!
//! What comes along is found by simulating first; what changed is found by comparing the database before and after. Accounts
//! that package scripts make or remove are told too, so that taking the packages back takes them back.
//!
//! The two worlds meet in four places: the database as it is (`status`), what archives offer (`offers`), a transaction in the
//! package manager's words (`order`) and its run (`transact`). `dpkg` and `apt` fill these for one, `rpm` and `dnf` for the other.

pub(crate) mod apt;
mod budget;
mod dnf;
pub(crate) mod dpkg;
mod foresee;
mod keep;
mod lock;
mod offers;
pub(crate) mod order;
mod residue;
mod rpm;
mod status;
mod transact;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::{Address, Change, Fidelity, Gather, Package, Performed, PreImage, Problem, Value};

use super::{Live, as_expected, botched, refused};
use crate::system::Botched;
use status::{Status, World};

/// What is remembered of packages between questions.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    world: Option<World>,
    status: Option<(status::Stamp, Arc<Status>)>,
    offers: offers::Offers,
    /// The package manager's locks, from the simulation to the end of the transaction.
    locks: Vec<std::fs::File>,
}

/// A configuration file, and what dpkg lays beside it or takes away there.
const LEFT: [&str; 5] = ["", ".dpkg-dist", ".dpkg-old", ".dpkg-new", ".dpkg-bak"];

/// One assignment of a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) expect: &'a Value,
    pub(crate) to: &'a Value,
}

impl Live {
    /// What is at a package's address.
    pub(crate) fn read_package(&mut self, name: &str) -> Result<Value, Problem> {
        Ok(self.packages()?.value(name))
    }

    /// Which package manager this host has. Where both are there, the family of its system decides.
    fn world(&mut self) -> Result<World, Problem> {
        if let Some(world) = self.packages.world {
            return Ok(world);
        }
        let family = self.grain("os_family");
        let like_red_hat = family.as_ref().is_some_and(|family| family == "RedHat");
        let world = if self.real(dpkg::STATUS).exists() && !like_red_hat {
            World::Dpkg
        } else if self.program("rpm").is_some() && dnf::program(self).is_some() {
            World::Rpm
        } else {
            return Err(refused(
                "no supported package manager on this host: neither dpkg nor rpm with dnf or yum is there",
            ));
        };
        self.packages.world = Some(world);
        Ok(world)
    }

    /// All packages as they are now.
    pub(crate) fn packages(&mut self) -> Result<Arc<Status>, Problem> {
        match self.world()? {
            World::Dpkg => Ok(self.dpkg()),
            World::Rpm => self.rpm(),
        }
    }

    /// Pre-images of all packages the transaction would change, and of their configuration files.
    /// In dpkg's world the locks are held from here on, until [`Live::unlock_packages`].
    pub(crate) fn observe_packages(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<PreImage>, Problem> {
        let seen = self.observe_locked(wanted);
        if seen.is_err() {
            self.unlock_packages();
        }
        seen
    }

    fn observe_locked(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<PreImage>, Problem> {
        if self.world()? == World::Dpkg {
            self.lock_packages()?;
        }
        let status = self.packages()?;
        expected(&status, wanted)?;
        let order = self.order(&status, wanted)?;
        let mut names: BTreeSet<String> = wanted.iter().map(|one| status.key_of(one.name)).gather();
        let mut leaving: BTreeSet<String> = order.purge.iter().cloned().gather();
        let mut files = self.configuration_put_back(&order)?;
        if order.any() {
            let simulated = self.simulate(&order);
            self.clear_stage();
            let simulated = simulated?;
            let coming = simulated.install.iter().map(|(name, _)| name);
            for name in coming.chain(&simulated.remove) {
                names.insert(status.key_of(name));
                leaving.insert(status.key_of(name));
            }
            names.extend(simulated.configure.iter().map(|name| status.key_of(name)));
        }
        // What was cut off is finished first.
        let unfinished = foresee::unfinished(&status, wanted);
        names.extend(unfinished.iter().cloned());
        let installed: Vec<(String, Package)> = leaving
            .iter()
            .filter_map(|name| match status.value(name) {
                Value::Package(package) if !package.cut_off => Some((name.clone(), package)),
                _ => None,
            })
            .collect();
        let fidelities = self.keep_debs(&installed);
        let kept: BTreeMap<&String, Fidelity> =
            installed.iter().map(|(name, _)| name).zip(fidelities).gather();
        let mut before: Vec<PreImage> = names
            .iter()
            .map(|name| PreImage {
                at: Address::Package(name.clone()),
                was: status.value(name),
                fidelity: match kept.get(name) {
                    _ if unfinished.contains(name) => foresee::finished(name),
                    Some(kept) => kept.clone(),
                    None => Fidelity::Exact,
                },
            })
            .collect();
        files.extend(self.conffiles(&status, &leaving)?);
        files.extend(self.unit_links(&status, &leaving));
        let mut paths = with_parents(files);
        paths.extend(self.residue(&order.purge.iter().cloned().collect()));
        paths.sort();
        paths.dedup();
        before.extend(self.observe_entries(&paths)?);
        before.extend(self.observe_units(&status, &leaving)?);
        Ok(before)
    }

    /// Performs the transaction.
    pub(crate) fn assign_packages(
        &mut self,
        wanted: &[Wanted<'_>],
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let was = self.packages()?;
        expected(&was, wanted)?;
        let people = self.people();
        let places = self.places();
        let going: BTreeSet<String> = wanted
            .iter()
            .filter(|one| one.to.is_absent())
            .map(|one| was.key_of(one.name))
            .gather();
        let residue = residue::among(&self.residue(&going), before);
        let mut output = None;
        let mut done = self.transact(&was, wanted, before, &mut output);
        self.clear_stage();
        if done.is_ok() {
            done = self.clear_residue(&residue);
        }
        let mut changes = self.package_changes(&was, &people, before);
        if let (Ok(changes), Some(places)) = (&mut changes, &places) {
            let arrived = residue::arrived(changes);
            if !arrived.is_empty() {
                done = done.and(self.note_residue(&arrived, places));
            }
            let there = residue::there(changes);
            if !there.is_empty() {
                match self.configuration_of(&there, places) {
                    Ok(mut configuration) => {
                        configuration.retain(|new| changes.iter().all(|change| change.at != new.at));
                        changes.extend(configuration);
                    }
                    Err(why) => done = done.and(Err(why)),
                }
            }
        }
        match (done, changes) {
            (Ok(()), Ok(changes)) => Ok(Performed { changes, output }),
            (Err(why), changes) => Err(botched(why, changes.unwrap_or_default(), output)),
            (Ok(()), Err(why)) => Err(botched(why, Vec::new(), output)),
        }
    }

    /// Configuration files of packages.
    fn conffiles(&self, status: &Status, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Problem> {
        let installed = names
            .iter()
            .filter_map(|name| Some((name, status.packages.get(name)?)));
        match status.world {
            World::Dpkg => Ok(installed
                .flat_map(|(_, stanza)| &stanza.conffiles)
                .flat_map(|path| LEFT.map(|left| format!("{path}{left}")))
                .collect()),
            World::Rpm => {
                let names: Vec<&str> = installed.map(|(name, _)| name.as_str()).collect();
                self.rpm_configuration(&names)
            }
        }
    }

    /// What the transaction changed: accounts it made, packages, then files and accounts it took away. Taken back in reverse,
    /// files and accounts are there before the packages that find them, and accounts go after the packages that made them.
    fn package_changes(
        &mut self,
        was: &Status,
        people: &BTreeMap<Address, Value>,
        before: &[PreImage],
    ) -> Result<Vec<Change>, Problem> {
        let now = self.packages()?;
        let mut changes = Vec::new();
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        let people_now = self.people();
        let addresses: BTreeSet<&Address> = people.keys().chain(people_now.keys()).gather();
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
        changes.extend(self.units_since(before)?);
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
        (_, to) if order::cut_off(to) => true,
        (Value::Package(is), Value::Package(to)) if !to.config_only => {
            // An epoch counts where the wanted version names one.
            let bare = is.version.split_once(':').map(|(_, rest)| rest);
            let same = is.version == to.version || bare == Some(to.version.as_str());
            !is.config_only && (to.version.is_empty() || to.version.contains('*') || same)
        }
        (Value::Package(is), Value::Package(_)) => is.config_only,
        // Without configuration, and always with rpm, nothing is left of a removed package.
        (Value::Absent, Value::Package(to)) => to.config_only,
        (is, to) => is == to,
    }
}

/// Paths and the directories they are in, parents first.
fn with_parents(files: BTreeSet<String>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for file in files {
        let mut folder = file.as_str();
        while let Some((parent, _)) = folder.rsplit_once('/')
            && !parent.is_empty()
        {
            paths.insert(parent.to_owned());
            folder = parent;
        }
        paths.insert(file);
    }
    paths.into_iter().collect()
}
