//! What the archives offer, remembered as long as nothing that decides on it changes.

use std::collections::BTreeMap;

use proto::{Output, Problem};
use serde_json::json;

use super::order::{Order, valid};
use super::status::{Stamp, World, stamp};
use super::{apt, dnf};
use crate::live::Live;

/// What the archives offer of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The version that would be installed now.
    pub(crate) candidate: Option<String>,
    /// All versions that can be fetched, newest first.
    pub(crate) versions: Vec<String>,
}

/// Offers by name, as long as nothing that decides on them changes.
#[derive(Debug, Default)]
pub(super) struct Offers {
    stamp: Stamp,
    known: BTreeMap<String, Offer>,
}

/// What a transaction would do, as its simulation tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Simulation {
    /// `name` or `name:arch` of each package that would be installed, upgraded or downgraded, and its version then.
    pub(super) install: Vec<(String, String)>,
    /// The same of each that would be removed or purged.
    pub(super) remove: Vec<String>,
    /// The same of each that would be configured, be it unpacked already or by this.
    pub(super) configure: Vec<String>,
}

impl Live {
    /// Looks up what the archives offer of all `names`, in one call where something is unknown.
    ///
    /// # Errors
    /// The package lists cannot be read.
    pub(crate) fn learn_offers(&mut self, names: &[&str]) -> Result<(), Problem> {
        let world = self.world()?;
        let decisive = match world {
            World::Dpkg => apt::DECISIVE,
            World::Rpm => dnf::DECISIVE,
        };
        let now = stamp(self, decisive);
        if self.packages.offers.stamp != now {
            self.packages.offers = Offers {
                stamp: now,
                known: BTreeMap::new(),
            };
        }
        let unknown: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !self.packages.offers.known.contains_key(*name))
            .filter(|name| valid(world, name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let mut offers = match world {
            World::Dpkg => self.apt_offers(&unknown)?,
            World::Rpm => self.dnf_offers(&unknown)?,
        };
        if world == World::Rpm {
            // Looking may have fetched the lists, and that must not look like a reason to look again.
            self.packages.offers.stamp = stamp(self, decisive);
        }
        for name in unknown {
            let offer = offers.remove(name).unwrap_or_default();
            self.packages.offers.known.insert(name.to_owned(), offer);
        }
        Ok(())
    }

    /// What the archives offer of one package.
    pub(crate) fn offer(&mut self, name: &str) -> Result<Offer, Problem> {
        self.learn_offers(&[name])?;
        Ok(self.packages.offers.known.get(name).cloned().unwrap_or_default())
    }

    /// The answer to a question for all versions.
    pub(crate) fn versions(&mut self, name: &str) -> Result<serde_json::Value, Problem> {
        self.offer(name).map(|offer| json!(offer.versions))
    }

    /// Tells what a transaction would do.
    pub(super) fn simulate(&self, order: &Order) -> Result<Simulation, Problem> {
        match order.world {
            World::Dpkg => self.simulate_apt(order),
            World::Rpm => self.simulate_dnf(order),
        }
    }

    /// What an upgrade of everything (apt: `upgrade`, or `dist-upgrade`) would bring: packages and their new versions.
    ///
    /// # Errors
    /// The package manager cannot tell.
    pub(crate) fn upgrades(&mut self, verb: &str) -> Result<BTreeMap<String, String>, Problem> {
        match self.world()? {
            World::Dpkg => self.upgrades_apt(verb),
            World::Rpm => self.upgrades_dnf(),
        }
    }

    /// Fetches the package lists anew.
    pub(crate) fn refresh(&mut self) -> Result<Output, Problem> {
        let output = match self.world()? {
            World::Dpkg => self.refresh_apt(),
            World::Rpm => self.refresh_dnf(),
        };
        self.packages.offers = Offers::default();
        output
    }
}
