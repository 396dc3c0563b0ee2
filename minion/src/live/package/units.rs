//! Units that packages bring: scripts start, stop, enable and disable them, and going back puts them as they were.

use std::collections::BTreeSet;

use proto::{Address, Change, Fidelity, PreImage, Problem};

use super::status::{Status, World};
use crate::live::Live;

/// Where packages put units.
const SHIPPED: [&str; 2] = ["/lib/systemd/system/", "/usr/lib/systemd/system/"];
/// Where they are enabled.
const ENABLED: &str = "/etc/systemd/system";

impl Live {
    /// Units among the files of installed packages; templates are none.
    fn units_of(&self, status: &Status, names: &BTreeSet<String>) -> BTreeSet<String> {
        let mut units = BTreeSet::new();
        if status.world != World::Dpkg {
            return units;
        }
        for line in names.iter().flat_map(|name| self.listed(status, name)) {
            let unit = SHIPPED.iter().find_map(|folder| line.strip_prefix(folder));
            if let Some(unit) = unit
                && !unit.contains(['/', '@'])
                && crate::live::unit::valid(unit)
            {
                units.insert(unit.to_owned());
            }
        }
        units
    }

    /// Links that enable, mask or name such a unit.
    pub(super) fn unit_links(&self, status: &Status, names: &BTreeSet<String>) -> BTreeSet<String> {
        let units = self.units_of(status, names);
        if units.is_empty() {
            return units;
        }
        let entries = |folder: &str| -> Vec<String> {
            let read = std::fs::read_dir(self.real(folder))
                .into_iter()
                .flatten()
                .flatten();
            read.filter_map(|entry| Some(format!("{folder}/{}", entry.file_name().to_str()?)))
                .collect()
        };
        let top = entries(ENABLED);
        let below = top
            .iter()
            .filter(|path| path.ends_with(".wants") || path.ends_with(".requires"));
        let below: Vec<String> = below.flat_map(|folder| entries(folder)).collect();
        let links = top.into_iter().chain(below);
        links
            .filter(|path| path.rsplit('/').next().is_some_and(|name| units.contains(name)))
            .collect()
    }

    /// What those units are now.
    pub(super) fn observe_units(
        &mut self,
        status: &Status,
        names: &BTreeSet<String>,
    ) -> Result<Vec<PreImage>, Problem> {
        let units = self.units_of(status, names);
        let all: Vec<&str> = units.iter().map(String::as_str).collect();
        self.learn_units(&all)?;
        units
            .iter()
            .map(|unit| {
                Ok(PreImage {
                    was: self.read_unit(unit)?,
                    at: Address::Unit(unit.clone()),
                    fidelity: Fidelity::Exact,
                })
            })
            .collect()
    }

    /// Which of the observed units are otherwise now.
    pub(super) fn units_since(&mut self, before: &[PreImage]) -> Result<Vec<Change>, Problem> {
        let mut changes = Vec::new();
        self.units.clear();
        for image in before {
            let Address::Unit(name) = &image.at else { continue };
            let after = self.read_unit(name)?;
            if !after.same(&image.was) {
                changes.push(Change {
                    at: image.at.clone(),
                    before: image.was.clone(),
                    after,
                });
            }
        }
        Ok(changes)
    }
}
