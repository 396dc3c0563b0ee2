//! What comes along with planned packages: the package manager is asked, and what it says is laid over the host as well.

use proto::{Act, Address, Change, Fidelity, PreImage, Problem, Value};

use super::Dry;
use crate::system::System;

/// Where is written what archives there are.
const SOURCES: &str = "/etc/apt/";

impl<S: System> Dry<S> {
    /// Adds what a transaction of packages brings along to the pre-images, and tells how well each will go back.
    pub(super) fn foresee_packages(
        &mut self,
        acts: &[Act],
        images: &mut Vec<PreImage>,
    ) -> Result<(), Problem> {
        self.along.clear();
        let packages = |act: &Act| {
            matches!(
                act,
                Act::Assign {
                    at: Address::Package(_),
                    ..
                }
            )
        };
        if acts.is_empty() || !acts.iter().all(packages) {
            return Ok(());
        }
        let known = self.transactions.len();
        self.transactions.extend(acts.iter().cloned());
        let sources = |at: &Address| matches!(at, Address::Path(path) if path.starts_with(SOURCES));
        if self.refreshed || self.over.keys().any(sources) {
            let text =
                "what comes along, and what of it can be undone, shows when the package lists were read anew";
            for image in images {
                image.fidelity = Fidelity::Compensated(text.to_owned());
            }
            return Ok(());
        }
        let foreseen = match self.inner.foresee_packages(&self.transactions) {
            Ok(foreseen) => foreseen,
            Err(problem) => {
                self.transactions.truncate(known);
                return Err(problem);
            }
        };
        for one in foreseen {
            let Change { at, after, .. } = one.change;
            if let Some(image) = images.iter_mut().find(|image| image.at == at) {
                image.fidelity = one.fidelity;
                continue;
            }
            let before = self.read(&at);
            if before != after {
                images.push(PreImage {
                    at: at.clone(),
                    was: before.clone(),
                    fidelity: one.fidelity,
                });
                self.along.push(Change { at, before, after });
            }
        }
        Ok(())
    }
}

/// Lines for the packages that come or go with a transaction without being named in it.
pub(crate) fn along(acts: &[Act], changes: &[Change]) -> Vec<String> {
    let named = |change: &Change| {
        let mut acts = acts.iter();
        acts.any(|act| matches!(act, Act::Assign { at, .. } if *at == change.at))
    };
    let version = |value: &Value| match value {
        Value::Package(package) if !package.config_only => Some(package.version.clone()),
        _ => None,
    };
    let more = changes.iter().filter(|change| !named(change));
    more.filter_map(|change| {
        let Address::Package(name) = &change.at else {
            return None;
        };
        Some(match (version(&change.before), version(&change.after)) {
            (None, Some(new)) => format!("{name} {new} comes along"),
            (Some(old), None) => format!("{name} {old} goes along"),
            (Some(old), Some(new)) if old != new => format!("{name} {old} becomes {new} along"),
            _ => return None,
        })
    })
    .collect()
}
