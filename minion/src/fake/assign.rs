//! What assignments do to the host in memory.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Account, Address, Change, Checkout, Group, Meta, Mount, MysqlKind, Package, Unit, Value};

use super::{Fake, grants_of};

impl Fake {
    /// A unit that can be sick goes up when it is poked, or down; the change when it went down.
    pub(super) fn falls(&mut self, name: &str) -> Option<Change> {
        let at = Address::Unit(name.to_owned());
        let well = self.path(self.sick.get(name)?).is_absent();
        let Value::Unit(was) = self.at(&at) else {
            return None;
        };
        let now = Unit {
            active: well,
            ..was.clone()
        };
        self.world.insert(at.clone(), Value::Unit(now.clone()));
        (!well).then_some(Change {
            at,
            before: Value::Unit(was),
            after: Value::Unit(now),
        })
    }

    pub(super) fn free_id(&self) -> u32 {
        let ids = self.world.values().filter_map(|value| match value {
            Value::User(account) => account.uid,
            Value::Group(group) => group.gid,
            _ => None,
        });
        ids.max().map_or(1000, |id| id + 1)
    }

    /// Makes it so, with all that comes along.
    pub(super) fn assign(&mut self, at: &Address, to: &Value) {
        match (at, to) {
            (Address::Path(path), to) => {
                if !matches!(to, Value::Dir { .. }) {
                    for gone in self.below(path) {
                        self.world.remove(&gone);
                    }
                }
                self.set(at, to.clone());
            }
            (Address::Package(name), Value::Package(wanted)) => {
                let mut all = BTreeSet::new();
                self.closure(name, &mut all);
                for other in &all {
                    self.install(other, other != name);
                }
                if let Some(Value::Package(package)) = self.world.get_mut(at) {
                    package.hold = wanted.hold;
                    package.auto = wanted.auto;
                    if !wanted.version.is_empty() {
                        package.version.clone_from(&wanted.version);
                    }
                }
            }
            (Address::Package(name), _) => {
                for gone in self.dependents(name) {
                    self.uninstall(&gone);
                }
            }
            (Address::User(name), Value::User(wanted)) => self.account(at, name, wanted),
            (Address::User(name), _) => {
                self.world.remove(at);
                self.world.remove(&Address::Group(name.clone()));
            }
            (at, Value::Group(wanted)) => {
                let gid = wanted.gid.or_else(|| Some(self.free_id()));
                let group = Group {
                    gid,
                    system: false,
                    ..wanted.clone()
                };
                self.set(at, Value::Group(group));
            }
            (Address::Mount(path), Value::Mount(wanted)) => self.mount(path, wanted),
            (Address::Mount(path), _) => self.unmount(path),
            (Address::Swap(_), Value::Text(_)) => self.set(at, Value::Text("file 1024 -2".to_owned())),
            (Address::Checkout(_), Value::Checkout(wanted)) => {
                let seen = Checkout {
                    user: String::new(),
                    depth: 0,
                    force: false,
                    ..wanted.clone()
                };
                self.set(at, Value::Checkout(seen));
            }
            (Address::Mysql(place), Value::Absent) => {
                if place.kind == MysqlKind::User {
                    self.world.remove(&grants_of(place));
                }
                self.world.remove(at);
            }
            (at, to) => self.set(at, to.clone()),
        }
    }

    /// An assignment that is cut off in the middle, where a real one can be.
    pub(super) fn halve(&mut self, at: &Address, to: &Value) {
        match (at, self.at(at)) {
            (Address::Path(path), Value::Dir { .. }) if !matches!(to, Value::Dir { .. }) => {
                for gone in self.below(path).into_iter().rev().take(1) {
                    self.world.remove(&gone);
                }
            }
            (Address::Path(path), Value::Absent) if !to.is_absent() => {
                self.write(path, "half");
            }
            (Address::Path(_), _) if !matches!(to, Value::Dir { .. }) => drop(self.world.remove(at)),
            (Address::Package(name), live) if live.is_absent() != to.is_absent() => {
                let offer = self.repo.get(name).cloned().unwrap_or_default();
                for (path, text) in &offer.files {
                    if to.is_absent() {
                        if !matches!(self.path(path), Value::Dir { .. }) {
                            self.world.remove(&Address::Path(path.clone()));
                        }
                    } else if self.path(path).is_absent() {
                        self.write(path, text);
                    }
                }
                for need in offer.needs.iter().filter(|_| !to.is_absent()) {
                    if self.at(&Address::Package(need.clone())).is_absent() {
                        self.install(need, true);
                    }
                }
            }
            (Address::User(name), live) => {
                self.assign(at, to);
                if live.is_absent() {
                    self.world.remove(&Address::Group(name.clone()));
                }
            }
            (Address::Unit(_), Value::Unit(live)) => {
                if let Value::Unit(wanted) = to {
                    let half = Unit {
                        active: wanted.active,
                        ..live
                    };
                    self.set(at, Value::Unit(half));
                }
            }
            _ => {}
        }
    }

    fn mount(&mut self, path: &str, wanted: &Mount) {
        if self.hidden.contains_key(path) {
            self.unmount(path);
        }
        let top = Address::Path(path.to_owned());
        let mut under: BTreeMap<Address, Value> = BTreeMap::new();
        for at in self.below(path).into_iter().chain([top.clone()]) {
            if let Some(value) = self.world.remove(&at) {
                under.insert(at, value);
            }
        }
        self.hidden.insert(path.to_owned(), under);
        let asked = wanted.asked.clone().unwrap_or_default();
        let inside = self.volumes.remove(&asked.device).unwrap_or_default();
        self.world.extend(inside);
        self.world.entry(top).or_insert_with(super::dir);
        let seen = Mount {
            device: asked.device.clone(),
            fstype: asked.fstype.clone(),
            options: format!("rw,{}", asked.opts),
            asked: Some(asked),
            ..wanted.clone()
        };
        self.world
            .insert(Address::Mount(path.to_owned()), Value::Mount(seen));
    }

    /// What lies on it stays on it.
    fn unmount(&mut self, path: &str) {
        let Some(Value::Mount(mount)) = self.world.remove(&Address::Mount(path.to_owned())) else {
            return;
        };
        let top = Address::Path(path.to_owned());
        let mut inside = BTreeMap::new();
        for at in self.below(path).into_iter().chain([top.clone()]) {
            if let Some(value) = self.world.remove(&at) {
                inside.insert(at, value);
            }
        }
        // An empty file system is as good as one that was never looked at.
        if inside.len() > 1 || inside.get(&top) != Some(&super::dir()) {
            self.volumes.insert(mount.device, inside);
        }
        self.world.extend(self.hidden.remove(path).unwrap_or_default());
    }

    fn uninstall(&mut self, name: &str) {
        self.world.remove(&Address::Package(name.to_owned()));
        let offer = self.repo.get(name).cloned().unwrap_or_default();
        for (path, _) in &offer.files {
            // A directory in the place of a file is not the package's.
            if !matches!(self.path(path), Value::Dir { .. }) {
                self.world.remove(&Address::Path(path.clone()));
            }
        }
        if let Some(unit) = offer.unit {
            self.world.remove(&Address::Unit(unit));
        }
    }

    fn install(&mut self, name: &str, auto: bool) {
        let offer = self.repo.get(name).cloned().unwrap_or_default();
        for (path, text) in &offer.files {
            if self.path(path).is_absent() {
                self.write(path, text);
            }
        }
        if let Some(unit) = offer.unit {
            let known = Unit {
                known: true,
                active: false,
                enablement: "disabled".to_owned(),
            };
            self.world.insert(Address::Unit(unit), Value::Unit(known));
        }
        let package = Package {
            version: offer.version,
            auto,
            ..Package::default()
        };
        self.world
            .insert(Address::Package(name.to_owned()), Value::Package(package));
    }

    fn account(&mut self, at: &Address, name: &str, wanted: &Account) {
        let new = self.at(at).is_absent();
        let uid = wanted.uid.unwrap_or_else(|| self.free_id());
        let gid = wanted.gid.unwrap_or(uid);
        let account = Account {
            uid: Some(uid),
            gid: Some(gid),
            create_home: false,
            system: false,
            ..wanted.clone()
        };
        self.world.insert(at.clone(), Value::User(account));
        if new {
            let group = Address::Group(name.to_owned());
            self.world.entry(group).or_insert_with(|| {
                Value::Group(Group {
                    gid: Some(gid),
                    ..Group::default()
                })
            });
            if wanted.create_home && self.path(&wanted.home).is_absent() {
                let meta = Meta {
                    mode: 0o755,
                    uid,
                    gid,
                    ..Meta::default()
                };
                self.world
                    .insert(Address::Path(wanted.home.clone()), Value::Dir { meta });
            }
        }
    }
}
