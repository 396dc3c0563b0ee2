//! A transaction in the package manager's words.

use proto::{Package, Problem, Value};

use super::status::{Status, World};
use super::{Wanted, apt, dnf};
use crate::live::path::told;
use crate::live::{Live, refused};

/// A transaction in the words of apt or dnf.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) world: World,
    /// Versions, removals and package files; empty when only marks change. dnf's removals are in `purge`.
    pub(super) words: Vec<String>,
    pub(super) options: Vec<String>,
    /// To be purged, after the transaction where it leaves their configuration. rpm knows only this kind of removal.
    pub(super) purge: Vec<String>,
    /// Purged ones that are to be removed-but-configured again: name and version.
    pub(super) leave: Vec<(String, Package)>,
    /// Words of what is not there and has its version and architecture all the same: it is put back.
    pub(super) anew: Vec<String>,
}

impl Order {
    /// Whether there is a transaction to simulate and to run.
    pub(super) fn any(&self) -> bool {
        !self.words.is_empty() || self.world == World::Rpm && !self.purge.is_empty()
    }
}

impl Live {
    /// Puts the transaction in the package manager's words.
    pub(super) fn order(&mut self, status: &Status, wanted: &[Wanted<'_>]) -> Result<Order, Problem> {
        let world = status.world;
        let mut order = Order {
            world,
            ..Order::default()
        };
        let (mut exact, mut installs, mut removes) = (true, false, 0);
        let mut held = false;
        let mut from = "";
        for one in wanted {
            let name = status.key_of(one.name);
            if !valid(world, &name) {
                return Err(refused(format!("{:?} is no package name", one.name)));
            }
            let is = status.value(&name);
            let installed = matches!(&is, Value::Package(package) if !package.config_only);
            held |= matches!(&is, Value::Package(package) if package.hold);
            match one.to {
                to if cut_off(to) => {}
                Value::Absent
                | Value::Package(Package {
                    config_only: true, ..
                }) if world == World::Rpm => {
                    if !is.is_absent() {
                        order.purge.push(name);
                    }
                }
                Value::Absent
                | Value::Package(Package {
                    config_only: true, ..
                }) => {
                    // What a removal leaves is of the version that was there: another one's is made anew.
                    let anew = match (one.to, &is) {
                        (Value::Package(to), Value::Package(is)) => is.version != to.version,
                        (Value::Package(_), _) => true,
                        _ => false,
                    };
                    if let Value::Package(to) = one.to
                        && anew
                    {
                        order.leave.push((name.clone(), to.clone()));
                    }
                    if one.to.is_absent() || anew && !is.is_absent() {
                        order.purge.push(name.clone());
                    }
                    if installed || cut_off(&is) {
                        removes += 1;
                        order.words.push(format!("{name}-"));
                    }
                }
                Value::Package(to) => {
                    let same =
                        matches!(&is, Value::Package(is) if is.version == to.version && !is.config_only);
                    if same {
                        continue;
                    }
                    installs = true;
                    from = &to.from;
                    let known = !to.version.is_empty() && !to.arch.is_empty();
                    exact &= known;
                    let word = self.install_word(&name, status, to)?;
                    if known && !installed {
                        order.anew.push(word.clone());
                    }
                    order.words.push(word);
                }
                other => return Err(refused(format!("package {name} cannot become {}", told(other)))),
            }
        }
        let again = self.unpacked_again(status, wanted);
        if !again.is_empty() {
            order.options.push("--reinstall".to_owned());
            order.words.extend(again);
        }
        if !from.is_empty() && !valid_repository(from) {
            return Err(refused(format!("{from:?} is no repository's name")));
        }
        let purges = order.purge.len();
        let mut option = |text: &str| order.options.push(text.to_owned());
        match world {
            World::Dpkg => {
                if !from.is_empty() {
                    option(&format!("--target-release={from}"));
                }
                if held {
                    option("--allow-change-held-packages");
                }
                if installs && exact {
                    // Putting back what was there: nothing may come along.
                    option("--no-install-recommends");
                }
                if removes > 0 && purges >= removes {
                    option("--purge");
                }
                option("--allow-downgrades");
            }
            World::Rpm => {
                // As with apt, what nothing needs any more stays until somebody asks for its removal.
                option("--setopt=clean_requirements_on_remove=False");
                if !from.is_empty() {
                    option("--disablerepo=*");
                    option(&format!("--enablerepo={from}"));
                }
                if held {
                    option("--disableplugin=versionlock");
                }
                if installs && exact {
                    option("--setopt=install_weak_deps=False");
                }
            }
        }
        Ok(order)
    }

    /// Words for packages that were not even unpacked whole: apt leaves them so unless it is told, and nothing else mends
    /// them. One that nobody offers any more stays as it is.
    fn unpacked_again(&mut self, status: &Status, wanted: &[Wanted<'_>]) -> Vec<String> {
        let half = status
            .packages
            .iter()
            .filter(|(_, stanza)| stanza.state == "half-installed");
        let named = |name: &String| wanted.iter().any(|one| status.key_of(one.name) == *name);
        let names: Vec<String> = half
            .map(|(name, _)| name.clone())
            .filter(|name| !named(name))
            .collect();
        let mut offered = |name: &String| self.offer(name).is_ok_and(|offer| offer.candidate.is_some());
        names.into_iter().filter(|name| offered(name)).collect()
    }

    /// `name`, `name=version` (dnf: `name-version.arch`), or the path of the kept file of that version.
    fn install_word(&mut self, name: &str, status: &Status, to: &Package) -> Result<String, Problem> {
        if to.version.is_empty() {
            return Ok(name.to_owned());
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".+-~:*^_".contains(c);
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
        if status.world == World::Rpm {
            return Ok(dnf::word(name, to));
        }
        let name = if name.contains(':') || to.arch.is_empty() {
            name.to_owned()
        } else {
            status.key(name, &to.arch)
        };
        Ok(format!("{name}={}", to.version))
    }
}

/// Whether a value is that of a package whose installation was cut off: half-way in dpkg's world, twice in rpm's database.
/// That is finished once and never brought back.
pub(crate) fn cut_off(value: &Value) -> bool {
    matches!(value, Value::Package(package) if package.cut_off || package.config_only && package.version.contains(','))
}

/// A repository's name, several with commas, or a release's; nothing else reaches the package manager.
fn valid_repository(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || "*_".contains(c))
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-._~:,*/=".contains(c))
}

/// A package's name as its world allows it; nothing else reaches the package manager.
pub(super) fn valid(world: World, name: &str) -> bool {
    match world {
        World::Dpkg => apt::valid(name),
        World::Rpm => dnf::valid(name),
    }
}
