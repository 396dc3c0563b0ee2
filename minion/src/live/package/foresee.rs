//! What a transaction of packages will do, told before it is done: what comes along, what goes along, what is finished
//! first, and how well each can be taken back (J5, J12). Nothing is changed, fetched or kept for it.

use std::collections::BTreeMap;

use proto::{Address, Change, Fidelity, Package, Problem, Value};

use super::order::Order;
use super::status::Status;
use super::{Wanted, order};
use crate::live::{Live, refused};
use crate::system::Foreseen;

impl Live {
    /// Simulates the transaction.
    ///
    /// # Errors
    /// The package manager says it cannot be done.
    pub(crate) fn foresee_transaction(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Foreseen>, Problem> {
        let status = self.packages()?;
        let order = self.order(&status, wanted)?;
        self.all_at_hand(&status, wanted, &order)?;
        let simulated = if order.any() {
            let simulated = self.simulate(&order);
            self.clear_stage();
            simulated?
        } else {
            Default::default()
        };
        let mut after: BTreeMap<String, Value> = BTreeMap::new();
        for (name, version) in &simulated.install {
            let key = status.key_of(name);
            let was = status.value(&key);
            let package = match was {
                Value::Package(ref is) if !is.config_only => is.clone(),
                _ => Package {
                    auto: true,
                    ..Package::default()
                },
            };
            let version = version.clone();
            after.insert(key, Value::Package(Package { version, ..package }));
        }
        for name in &simulated.remove {
            let key = status.key_of(name);
            let left = match status.value(&key) {
                Value::Package(is) if !order.purge.contains(&key) => Value::Package(Package {
                    config_only: true,
                    auto: false,
                    hold: false,
                    ..is
                }),
                _ => Value::Absent,
            };
            after.insert(key, left);
        }
        for one in wanted {
            let key = status.key_of(one.name);
            let mut to = one.to.clone();
            if let (Value::Package(to), Some(Value::Package(seen))) = (&mut to, after.get(&key)) {
                to.version.clone_from(&seen.version);
            }
            after.insert(key, to);
        }
        let cut = status.packages.iter().filter(|(_, stanza)| stanza.interrupted());
        for (name, stanza) in cut {
            after.entry(name.clone()).or_insert_with(|| {
                Value::Package(Package {
                    version: stanza.version.clone(),
                    arch: stanza.arch.clone(),
                    ..Package::default()
                })
            });
        }
        let changing = after.into_iter().filter(|(name, to)| status.value(name) != *to);
        let changes: Vec<(String, Value)> = changing.collect();
        let names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
        // Where the lists cannot be read nothing is offered.
        self.learn_offers(&names).ok();
        let told = changes.into_iter().map(|(name, after)| {
            let before = status.value(&name);
            Foreseen {
                fidelity: self.outlook(&name, &before, &after),
                change: Change {
                    at: Address::Package(name),
                    before,
                    after,
                },
            }
        });
        Ok(told.collect())
    }

    /// Refuses when a version that is wanted back is nowhere, before the package manager says so less plainly.
    fn all_at_hand(&mut self, status: &Status, wanted: &[Wanted<'_>], order: &Order) -> Result<(), Problem> {
        let mut missing = Vec::new();
        for (name, package) in &order.leave {
            if self.kept_deb(name, package).is_none() {
                missing.push(gone(name, &package.version));
            }
        }
        for one in wanted {
            let name = status.key_of(one.name);
            let Value::Package(to) = one.to else { continue };
            let is = status.value(&name);
            let same = matches!(&is, Value::Package(is) if is.version == to.version && !is.config_only);
            // A state that names a version leaves the architecture open; what goes back does not.
            let exact = !to.version.is_empty() && !to.arch.is_empty() && !to.config_only;
            if exact && !same && !self.obtainable(&name, to) {
                missing.push(gone(&name, &to.version));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.clear_stage();
        Err(refused(missing.join("; ")))
    }

    /// How well a package's change will go back, as far as that can be told without fetching anything.
    fn outlook(&mut self, name: &str, before: &Value, after: &Value) -> Fidelity {
        if order::cut_off(before) {
            return finished(name);
        }
        match (before, after) {
            (Value::Package(is), Value::Package(to))
                if is.version == to.version && is.config_only == to.config_only =>
            {
                Fidelity::Exact
            }
            (Value::Package(is), _) if self.obtainable(name, is) => Fidelity::Kept,
            (Value::Package(is), _) => Fidelity::Lost(gone(name, &is.version)),
            _ => Fidelity::Exact,
        }
    }

    /// Whether the file of a version is kept, at hand, or offered.
    pub(super) fn obtainable(&mut self, name: &str, package: &Package) -> bool {
        let at_hand = |live: &Self| {
            let places = live.places_of(name, package);
            places.iter().any(|place| live.real(place).exists())
        };
        self.kept_deb(name, package).is_some()
            || at_hand(self)
            || self
                .offer(name)
                .is_ok_and(|offer| offer.versions.contains(&package.version))
    }
}

/// What is said of a package whose installation was cut off before us.
pub(super) fn finished(name: &str) -> Fidelity {
    Fidelity::Compensated(format!(
        "the installation of {name} was cut off before: it is finished first, and stays so"
    ))
}

/// What is said of a version whose file nobody has.
pub(super) fn gone(name: &str, version: &str) -> String {
    format!(
        "the file of {name} {version} is neither kept, nor in the package manager's cache, nor offered any more"
    )
}

/// A package that was interrupted and is not to go.
pub(super) fn unfinished(status: &Status, wanted: &[Wanted<'_>]) -> Vec<String> {
    let goes = |name: &str| {
        let mut going = wanted.iter().filter(|one| !order::cut_off(one.to));
        going.any(|one| {
            let removed = matches!(one.to, Value::Package(to) if to.config_only) || one.to.is_absent();
            removed && status.key_of(one.name) == name
        })
    };
    let cut = status.packages.iter().filter(|(_, stanza)| stanza.interrupted());
    cut.map(|(name, _)| name.clone())
        .filter(|name| !goes(name))
        .collect()
}
