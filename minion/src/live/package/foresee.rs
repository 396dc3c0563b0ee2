//! How well packages could come back, for a plan: nothing is fetched, nothing kept.

use proto::{Address, Fidelity, Package, PreImage, Value};

use crate::live::Live;

impl Live {
    /// What keeping its file would come to, where a package is to go or to change its version.
    pub(crate) fn foresee_package(&mut self, name: &str, was: &Value, to: &Value) -> Vec<PreImage> {
        let fidelity = match (was, to) {
            (Value::Package(old), Value::Package(new)) if old.config_only || old.version == new.version => {
                Fidelity::Exact
            }
            (Value::Package(old), Value::Package(_) | Value::Absent) if !old.config_only => {
                self.obtainable(name, old)
            }
            _ => Fidelity::Exact,
        };
        vec![PreImage {
            at: Address::Package(name.to_owned()),
            was: was.clone(),
            fidelity,
        }]
    }

    fn obtainable(&mut self, name: &str, package: &Package) -> Fidelity {
        let at_hand = self.kept_deb(name, package).is_some()
            || self
                .places_of(name, package)
                .iter()
                .any(|path| self.real(path).exists());
        let offered = at_hand
            || self
                .offer(name)
                .is_ok_and(|offer| offer.versions.contains(&package.version));
        if offered {
            Fidelity::Kept
        } else {
            Fidelity::Lost(format!(
                "the file of {name} {} is neither in the package manager's cache nor in an archive any more",
                package.version
            ))
        }
    }
}
