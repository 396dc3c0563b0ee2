//! What package scripts leave behind: entries no package owns, noted when they come, removed with the package that brought them.
//!
//! A purge removes what dpkg knows of; a page copied to `/var/www` it does not. After an installation the entries that are new
//! and nobody's are noted beside the object store. When those packages are purged again, the noted ones that are still exactly
//! as they came go too, as changes like any other. A tree goes as a whole or stays as a whole: half a database is worse than
//! one too many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsFd;

use proto::{Address, Change, Gather, Problem, Value};
use serde::{Deserialize, Serialize};

use super::Live;
use super::status::{Status, World};
use crate::live::path::read::{self, Seen};
use crate::live::path::{tree, walk};

/// Where scripts put things that matter.
const TOPS: &[&str] = &[
    "/etc",
    "/opt",
    "/srv",
    "/usr/local",
    "/var/lib",
    "/var/www",
    "/var/spool",
];
/// What is somebody else's: databases of the package system, accounts, caches, whole worlds.
const OTHERS: &[&str] = &[
    "/etc/.pwd.lock",
    "/etc/alternatives",
    "/etc/group",
    "/etc/group-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/passwd-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssl/certs",
    "/etc/subgid-",
    "/etc/subuid-",
    "/var/lib/apt",
    "/var/lib/containers",
    "/var/lib/dnf",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/kubelet",
    "/var/lib/lxc",
    "/var/lib/lxcfs",
    "/var/lib/machines",
    "/var/lib/rpm",
    "/var/lib/salt-rs",
    "/var/lib/systemd/coredump",
    "/var/lib/ucf",
    "/var/lib/yum",
];
/// More entries than these are not looked through, nor noted.
const LOOKED: usize = 200_000;
const NOTED: usize = 1000;
/// Where configuration lies.
const SETTINGS: &str = "/etc/";
/// Larger files are data, not residue.
const SIZE: u64 = 1 << 20;

/// What came with a package.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Entries that are nobody's, in trees by their topmost new entry.
    trees: BTreeMap<String, Vec<(String, Value)>>,
    /// New directories that packages own; they stay when something nobody owns is still in them.
    dirs: Vec<(String, Value)>,
}

impl Live {
    /// Names of all entries scripts may add to; `None` when there are too many to look through.
    pub(super) fn places(&self) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut ahead: Vec<String> = TOPS.iter().map(|&top| top.to_owned()).collect();
        found.extend(
            ahead
                .iter()
                .filter(|top| self.real(top).symlink_metadata().is_ok())
                .cloned(),
        );
        while let Some(folder) = ahead.pop() {
            for entry in fs::read_dir(self.real(&folder)).into_iter().flatten().flatten() {
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                let path = format!("{folder}/{name}");
                if OTHERS.contains(&path.as_str()) {
                    continue;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    ahead.push(path.clone());
                }
                found.insert(path);
            }
            if found.len() > LOOKED {
                return None;
            }
        }
        Some(found)
    }

    /// Notes what came with the packages and belongs to none.
    pub(super) fn note_residue(
        &mut self,
        packages: &[String],
        was: &BTreeSet<String>,
    ) -> Result<(), Problem> {
        let Some(now) = self.places() else { return Ok(()) };
        let owned = self.owned(packages)?;
        let new: BTreeSet<&String> = now.difference(was).gather();
        let mut noted = Note::default();
        let mut data = BTreeSet::new();
        for path in new.iter().take(NOTED) {
            let value = self.read_path(path)?;
            if owned.contains(*path) {
                if matches!(value, Value::Dir { .. }) {
                    noted.dirs.push(((*path).clone(), value));
                }
                continue;
            }
            let top = topmost(path, &new, &owned);
            match &value {
                Value::File { size, .. } if *size > SIZE => drop(data.insert(top)),
                Value::File { .. } | Value::Link { .. } | Value::Dir { .. } => {
                    noted.trees.entry(top).or_default().push(((*path).clone(), value));
                }
                _ => drop(data.insert(top)),
            }
        }
        noted.trees.retain(|top, _| !data.contains(top));
        if noted.trees.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec(&noted).unwrap_or_default();
        for package in packages {
            self.keep_beside("residue", package, &text)
                .map_err(|error| super::refused(format!("cannot note what came with {package}: {error}")))?;
        }
        Ok(())
    }

    /// Configuration files that were not there before these packages, those that scripts made as well: without being told
    /// of them a later change of one would look as if the file had always been there, and going back would keep it.
    pub(super) fn configuration_of(
        &mut self,
        packages: &[String],
        was: &BTreeSet<String>,
    ) -> Result<Vec<Change>, Problem> {
        let status = self.packages()?;
        let mut paths: BTreeSet<String> = match status.world {
            World::Dpkg => {
                let known = packages.iter().filter_map(|name| status.packages.get(name));
                known.flat_map(|stanza| stanza.conffiles.iter().cloned()).gather()
            }
            World::Rpm => self.rpm_configuration(&packages.iter().map(String::as_str).collect::<Vec<_>>())?,
        };
        let now = self.places().unwrap_or_default().into_iter();
        paths.extend(now.filter(|path| path.starts_with(SETTINGS)));
        paths.retain(|path| !was.contains(path));
        let mut changes = Vec::new();
        for path in paths {
            if let Ok(after) = self.read_path(&path)
                && matches!(after, Value::File { .. } | Value::Link { .. })
            {
                changes.push(Change {
                    at: Address::Path(path),
                    before: Value::Absent,
                    after,
                });
            }
        }
        Ok(changes)
    }

    /// Files of packages as the package manager lists them, and their configuration files.
    fn owned(&mut self, packages: &[String]) -> Result<BTreeSet<String>, Problem> {
        let status = self.packages()?;
        if status.world == World::Rpm {
            return Ok(self.rpm_files(packages));
        }
        let mut owned = BTreeSet::new();
        for package in packages {
            owned.extend(self.listed(&status, package));
            if let Some(stanza) = status.packages.get(package) {
                owned.extend(stanza.conffiles.iter().cloned());
            }
        }
        Ok(owned)
    }

    /// Files of a package as dpkg lists them.
    pub(super) fn listed(&self, status: &Status, package: &str) -> Vec<String> {
        let plain = package.split(':').next().unwrap_or(package);
        let known = status.packages.get(package);
        let arch = known.map(|stanza| stanza.arch.as_str()).unwrap_or_default();
        let mut found = Vec::new();
        for name in [plain.to_owned(), format!("{plain}:{arch}")] {
            let list = self.text(&format!("/var/lib/dpkg/info/{name}.list"));
            found.extend(list.unwrap_or_default().lines().map(str::to_owned));
        }
        found
    }

    /// Noted entries of packages that are still exactly as they came, parents first.
    pub(super) fn residue(&mut self, packages: &BTreeSet<String>) -> Vec<String> {
        let mut found = BTreeSet::new();
        for package in packages {
            let text = self.kept_beside("residue", package).unwrap_or_default();
            let noted: Note = serde_json::from_slice(&text).unwrap_or_default();
            for (top, entries) in &noted.trees {
                if self.untouched(top, entries) {
                    found.extend(entries.iter().map(|(path, _)| path.clone()));
                }
            }
            for (path, value) in noted.dirs {
                if self.read_path(&path).is_ok_and(|live| live.same(&value)) {
                    found.insert(path);
                }
            }
        }
        found.into_iter().collect()
    }

    /// Whether a tree is as it was noted, with nothing more in it. What is gone from it is no hindrance.
    fn untouched(&mut self, top: &str, entries: &[(String, Value)]) -> bool {
        let noted: BTreeMap<&str, &Value> = entries
            .iter()
            .map(|(path, value)| (path.as_str(), value))
            .gather();
        let mut now = match self.read_path(top) {
            Ok(value) => vec![(top.to_owned(), value)],
            Err(_) => return false,
        };
        if matches!(now[0].1, Value::Dir { .. }) {
            match self.list_path(top) {
                Ok(inside) => now.extend(
                    inside
                        .unwrap_or_default()
                        .into_iter()
                        .map(|(below, value)| (format!("{top}/{below}"), value)),
                ),
                Err(_) => return false,
            }
        }
        now.iter().all(|(path, live)| {
            live.is_absent() || noted.get(path.as_str()).is_some_and(|value| value.same(live))
        })
    }

    /// Removes residue whose pre-images were kept; directories only when nothing else is in them.
    pub(super) fn clear_residue(&mut self, kept: &[(String, Value)]) -> Result<(), Problem> {
        self.cleared.extend(kept.iter().map(|(path, _)| path.clone()));
        for (path, value) in kept.iter().rev() {
            let Some(place) = walk::find(&self.root, path, walk::Walk::Write)? else {
                continue;
            };
            let (dir, name) = (place.dir.as_fd(), place.name.as_os_str());
            let Ok(Some(seen)) = Seen::at(dir, name) else {
                continue;
            };
            let live = read::value(dir, name, &seen, &mut self.digests).ok();
            if live.is_some_and(|live| live.same(value)) {
                // A directory that something else is in stays, as it should.
                tree::unlink(dir, name, seen.kind).ok();
            }
        }
        Ok(())
    }
}

/// The topmost new entry above a path that no package owns.
fn topmost(path: &str, new: &BTreeSet<&String>, owned: &BTreeSet<String>) -> String {
    let mut top = path.to_owned();
    while let Some((parent, _)) = top.rsplit_once('/') {
        let parent = parent.to_owned();
        if !new.contains(&parent) || owned.contains(&parent) {
            break;
        }
        top = parent;
    }
    top
}

/// Residue among the pre-images of a transaction, parents first.
pub(super) fn among(paths: &[String], before: &[proto::PreImage]) -> Vec<(String, Value)> {
    before
        .iter()
        .filter_map(|image| match &image.at {
            Address::Path(path) if paths.contains(path) => Some((path.clone(), image.was.clone())),
            _ => None,
        })
        .collect()
}

/// Packages that are new.
pub(super) fn arrived(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .filter_map(|change| match (&change.at, &change.before, &change.after) {
            (Address::Package(name), Value::Absent, Value::Package(package)) if !package.config_only => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect()
}

/// Packages that are installed, and changed.
pub(super) fn there(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .filter_map(|change| match (&change.at, &change.after) {
            (Address::Package(name), Value::Package(package)) if !package.config_only => Some(name.clone()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing;

    #[test]
    fn what_scripts_put_into_etc_is_told_as_new() {
        let mut host = testing::host();
        host.write("/var/lib/dpkg/status", "");
        host.write("/etc/old.conf", "here before");
        let was = host.live.places().expect("few");
        host.write("/etc/web/made.conf", "by a script");
        host.link("made.conf", "/etc/web/default.conf");
        host.write("/var/lib/web/data", "no configuration");
        let told = host
            .live
            .configuration_of(&["web".to_owned()], &was)
            .expect("read");
        let paths: Vec<String> = told.iter().map(|change| change.at.to_string()).collect();
        assert_eq!(paths, ["/etc/web/default.conf", "/etc/web/made.conf"]);
        assert!(told.iter().all(|change| change.before.is_absent()));
    }

    #[test]
    fn what_nobody_owns_is_noted_and_goes_when_untouched() {
        let mut host = testing::host();
        host.write(
            "/var/lib/dpkg/status",
            "Package: web\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nConffiles:\n /etc/web.conf 00\n",
        );
        let was = host.live.places().expect("few");
        host.write("/var/lib/dpkg/info/web.list", "/etc\n/etc/web.d\n/var/www\n");
        host.write("/etc/web.conf", "x");
        host.dir("/etc/web.d");
        host.write("/var/www/html/index.html", "hello");
        host.write("/var/lib/web/data", "fresh");
        host.write("/var/lib/web/more", "fresh");
        host.live.note_residue(&["web".to_owned()], &was).expect("noted");
        host.write("/var/lib/web/data", "used");
        let packages = ["web".to_owned()].into();
        let found = host.live.residue(&packages);
        assert_eq!(
            found,
            [
                "/etc/web.d",
                "/var/www",
                "/var/www/html",
                "/var/www/html/index.html"
            ]
        );
        let before = host.live.observe_entries(&found).expect("kept");
        // The package's own scripts may be first.
        host.remove("/var/www/html/index.html");
        host.live.clear_residue(&among(&found, &before)).expect("cleared");
        assert!(host.live.cleared.contains("/var/www/html/index.html"));
        assert!(!host.path("/var/www/html").exists() && host.path("/var/lib/web/more").exists());
        let changes = host.live.entries_since(&before).expect("read");
        assert_eq!(changes.len(), 4);
    }
}
