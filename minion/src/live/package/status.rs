//! The packages of a host, whichever program manages them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use proto::{Gather, Package, Value};

use crate::live::Live;

/// Who manages a host's packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum World {
    /// dpkg and apt.
    #[default]
    Dpkg,
    /// rpm and dnf, or yum.
    Rpm,
}

/// One package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub(crate) name: String,
    pub(crate) arch: String,
    pub(crate) version: String,
    /// What is wanted: `install`, `hold`, `deinstall`, `purge`.
    pub(crate) want: String,
    /// What is: `installed`, `config-files`, `half-configured`, …
    pub(crate) state: String,
    /// Configuration files, without those the package no longer has. rpm is asked for them when they matter.
    pub(crate) conffiles: Vec<String>,
}

/// All packages, by `name`, or `name:arch` (rpm: `name.arch`) where that is not the native architecture.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) world: World,
    pub(crate) native: String,
    pub(crate) packages: BTreeMap<String, Stanza>,
    /// Name and architecture of those that came as something another one needs.
    pub(super) auto: BTreeSet<(String, String)>,
}

/// Tells whether files are the ones that were read.
pub(super) type Stamp = Vec<(u64, u64, i64, i64)>;

impl Stanza {
    /// Installed and working; a trigger that is still to run does not make it less.
    pub(crate) fn installed(&self) -> bool {
        matches!(
            self.state.as_str(),
            "installed" | "triggers-awaited" | "triggers-pending"
        )
    }

    /// An installation that was cut off.
    pub(crate) fn interrupted(&self) -> bool {
        matches!(
            self.state.as_str(),
            "half-installed" | "half-configured" | "unpacked"
        )
    }
}

impl Status {
    /// The name a package is known under here.
    pub(crate) fn key(&self, name: &str, arch: &str) -> String {
        match (arch, self.world) {
            ("" | "all" | "any" | "noarch", _) => name.to_owned(),
            (arch, _) if arch == self.native => name.to_owned(),
            (arch, World::Dpkg) => format!("{name}:{arch}"),
            (arch, World::Rpm) => format!("{name}.{arch}"),
        }
    }

    /// The same for `name` or `name:arch` (rpm: `name.arch`) as somebody wrote it.
    pub(crate) fn key_of(&self, written: &str) -> String {
        let parts = match self.world {
            World::Dpkg => written.split_once(':'),
            World::Rpm => written
                .rsplit_once('.')
                .filter(|(_, arch)| *arch == "noarch" || *arch == self.native),
        };
        match parts {
            Some((name, arch)) => self.key(name, arch),
            None => written.to_owned(),
        }
    }

    /// What is at a package's address.
    pub(crate) fn value(&self, written: &str) -> Value {
        let Some(stanza) = self.packages.get(&self.key_of(written)) else {
            return Value::Absent;
        };
        if stanza.state == "not-installed" {
            return Value::Absent;
        }
        let marked = |arch: &str| self.auto.contains(&(stanza.name.clone(), arch.to_owned()));
        Value::Package(Package {
            version: stanza.version.clone(),
            arch: stanza.arch.clone(),
            hold: stanza.want == "hold",
            auto: marked(&stanza.arch) || (stanza.arch == "all" && marked(&self.native)),
            // An installation that was cut off counts as not installed, so that it is done again.
            config_only: !stanza.installed(),
            cut_off: self.world == World::Dpkg && stanza.interrupted(),
            from: String::new(),
        })
    }

    /// Names whose values differ between two readings.
    pub(crate) fn differing(&self, other: &Self) -> BTreeSet<String> {
        self.packages
            .keys()
            .chain(other.packages.keys())
            .filter(|key| self.value(key) != other.value(key))
            .cloned()
            .gather()
    }
}

/// Device, inode, size and time of each file that exists.
pub(super) fn stamp(live: &Live, paths: &[&str]) -> Stamp {
    let of = |path: &Path| {
        std::fs::metadata(path)
            .map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
            .unwrap_or_default()
    };
    paths.iter().map(|path| of(&live.real(path))).collect()
}
