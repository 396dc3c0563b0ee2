//! What rpm and dnf record of packages: rpm's database, dnf's reasons, the list of locked versions.
//!
//! The database is asked through `rpm`. Reasons are in a database of dnf's, and asking dnf takes half a second: they are kept
//! beside the object store for as long as neither database changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use proto::{Gather, Problem};

use super::order::Order;
use super::status::{Stanza, Status, World, stamp};
use crate::live::{Live, failed, refused};

/// Databases of rpm and dnf, with the journals where fresh records are.
const DATABASES: &[&str] = &[
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    "/var/lib/dnf/history.sqlite",
    "/var/lib/dnf/history.sqlite-wal",
];
/// Locks that rpm takes for a transaction.
const LOCKS: &[&str] = &["/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"];
/// Where the plugin `versionlock` keeps what is held, for dnf and for yum.
const HELD: &[&str] = &[
    "/etc/dnf/plugins/versionlock.list",
    "/etc/yum/pluginconf.d/versionlock.list",
];
/// Endings rpm gives to configuration files that are in each other's way.
const ASIDE: &[&str] = &[".rpmnew", ".rpmorig", ".rpmsave"];

impl Live {
    /// rpm's and dnf's records as they are now.
    pub(super) fn rpm(&mut self) -> Result<Arc<Status>, Problem> {
        let files = [DATABASES, HELD].concat();
        let now = stamp(self, &files);
        if let Some((then, status)) = &self.packages.status
            && *then == now
        {
            return Ok(Arc::clone(status));
        }
        let format = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";
        let text = self.must(&["rpm", "-qa", "--qf", format])?;
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        let mut status = parse(&text, &machine);
        if !status.packages.is_empty() {
            status.auto = self.reasons()?;
        }
        let held = self.held_lines();
        for stanza in status.packages.values_mut() {
            if held.iter().any(|line| locks(line, &stanza.name)) {
                "hold".clone_into(&mut stanza.want);
            }
        }
        let status = Arc::new(status);
        // Looking may have closed a journal.
        self.packages.status = Some((stamp(self, &files), Arc::clone(&status)));
        Ok(status)
    }

    /// Name and architecture of packages that came because others need them.
    fn reasons(&self) -> Result<BTreeSet<(String, String)>, Problem> {
        if self.program("dnf").is_none() {
            return Ok(BTreeSet::new());
        }
        let seen = |live: &Self| format!("{:?}\n", stamp(live, DATABASES));
        let known = self.kept_beside("packages", "reasons");
        let known = String::from_utf8_lossy(&known.unwrap_or_default()).into_owned();
        let text = match known.strip_prefix(&seen(self)) {
            Some(text) => text.to_owned(),
            None => {
                let format = "%{name}\t%{arch}\t%{reason}";
                let ask = ["dnf", "-q", "-C", "repoquery", "--installed", "--qf", format];
                let mut text = self.must(&ask)?;
                text.retain(|c| c != '\r');
                let kept = self.keep_beside("packages", "reasons", (seen(self) + &text).as_bytes());
                kept.map_err(|error| refused(format!("cannot keep dnf's reasons: {error}")))?;
                text
            }
        };
        let auto = text.lines().filter_map(|line| {
            let mut words = line.split('\t');
            let (name, arch, reason) = (words.next()?, words.next()?, words.next()?);
            matches!(reason, "dependency" | "weak-dependency" | "clean")
                .then(|| (name.to_owned(), arch.to_owned()))
        });
        Ok(auto.collect())
    }

    fn held_lines(&self) -> Vec<String> {
        let lists = HELD.iter().filter_map(|path| self.text(path));
        lists
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// Locks versions and lets go of them, as `dnf versionlock` does.
    #[expect(
        clippy::disallowed_methods,
        reason = "the package manager's own list, the file stays the same one"
    )]
    pub(super) fn hold_versions(&mut self, hold: &[&str], release: &[&str]) -> Result<(), Problem> {
        let status = self.packages()?;
        let Some(path) = HELD.iter().find(|path| self.real(path).exists()) else {
            return Err(refused(
                "holding packages needs the plugin versionlock of dnf, which is not installed: add `python3-dnf-plugin-versionlock`",
            ));
        };
        let text = self.text(path).unwrap_or_default();
        let name = |key: &str| {
            status
                .packages
                .get(key)
                .map_or(key.to_owned(), |one| one.name.clone())
        };
        let mut list: String = text
            .split_inclusive('\n')
            .filter(|line| !release.iter().any(|key| locks(line, &name(key))))
            .collect();
        for key in hold {
            if let Some(stanza) = status.packages.get(*key) {
                let version = &stanza.version;
                let epoch = if version.contains(':') { "" } else { "0:" };
                _ = writeln!(list, "{}-{epoch}{version}.*", stanza.name);
            }
        }
        std::fs::write(self.real(path), list)
            .map_err(|error| failed(format!("cannot write {path}: {error}")))?;
        self.packages.status = None;
        Ok(())
    }

    /// Configuration files of installed packages, what somebody changed of their other files, and what rpm may put beside.
    pub(super) fn rpm_configuration(&self, names: &[&str]) -> Result<BTreeSet<String>, Problem> {
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let text = self.tool(&[&["rpm", "-qc", "--"], names].concat())?.stdout;
        let mut paths = with_aside(&text);
        // Its exit code says that something differs, which is the question.
        let verify = ["rpm", "-V", "--nodeps", "--noscripts", "--"];
        let changed = self.tool(&[&verify, names].concat())?.stdout;
        paths.extend(changed.lines().filter_map(|line| {
            let other_bytes = line.as_bytes().get(2) == Some(&b'5');
            other_bytes
                .then(|| line.find('/').map(|at| line[at..].to_owned()))
                .flatten()
        }));
        Ok(paths)
    }

    /// Configuration files of packages that are put back, and what rpm may put beside.
    pub(super) fn configuration_put_back(&self, order: &Order) -> Result<BTreeSet<String>, Problem> {
        let words = order.anew.iter().map(String::as_str);
        let files: Vec<&str> = words.filter(|word| word.starts_with('/')).collect();
        if order.world != World::Rpm || files.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ask = ["rpm", "-qcp", "--nosignature", "--"];
        let text = self.tool(&[&ask, files.as_slice()].concat())?.stdout;
        Ok(with_aside(&text))
    }

    /// Every path of packages.
    pub(super) fn rpm_files(&self, names: &[String]) -> BTreeSet<String> {
        let mut argv = vec!["rpm", "-ql", "--"];
        argv.extend(names.iter().map(String::as_str));
        let text = self.tool(&argv).map(|output| output.stdout).unwrap_or_default();
        text.lines().map(str::to_owned).gather()
    }

    /// The process that holds rpm's lock now, as the kernel tells.
    pub(super) fn rpm_lock_holder(&self) -> Option<String> {
        let inodes: Vec<String> = LOCKS
            .iter()
            .filter_map(|path| std::fs::metadata(self.real(path)).ok())
            .map(|meta| format!(":{}", meta.ino()))
            .collect();
        if inodes.is_empty() {
            return None;
        }
        let locks = self.text("/proc/locks")?;
        locks
            .lines()
            .filter(|line| !line.contains("->"))
            .find_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let (kind, pid, file) = (words.get(3)?, words.get(4)?, words.get(5)?);
                let held = *kind == "WRITE" && inodes.iter().any(|inode| file.ends_with(inode.as_str()));
                held.then(|| format!("process {pid}"))
            })
    }
}

/// Paths a query listed, and what may come to lie beside each.
fn with_aside(text: &str) -> BTreeSet<String> {
    let paths = text.lines().filter(|line| line.starts_with('/'));
    paths
        .flat_map(|path| {
            let aside = ASIDE.iter().map(move |ending| format!("{path}{ending}"));
            std::iter::once(path.to_owned()).chain(aside)
        })
        .collect()
}

/// Whether a path is one that rpm puts beside a configuration file.
pub(super) fn aside(path: &str) -> bool {
    ASIDE.iter().any(|ending| path.ends_with(ending))
}

/// Whether a line of the list locks a package: `name-epoch:version-release.arch`, or `name-*`, or the bare name.
fn locks(line: &str, name: &str) -> bool {
    let line = line.trim();
    let parts: Vec<&str> = line.rsplitn(3, '-').collect();
    match parts.as_slice() {
        [_, _, package] => *package == name,
        ["*", package] => *package == name,
        _ => line == name,
    }
}

/// Reads the lines name, version, architecture. Of a kernel several may be there; of all else that is a transaction cut off.
fn parse(text: &str, machine: &str) -> Status {
    let mut status = Status {
        world: World::Rpm,
        native: machine.to_owned(),
        packages: BTreeMap::new(),
        auto: BTreeSet::new(),
    };
    for line in text.lines() {
        let mut words = line.split('\t');
        let (Some(name), Some(version), Some(arch)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if name == "gpg-pubkey" {
            continue;
        }
        let version = version.strip_prefix("0:").unwrap_or(version);
        let key = status.key(name, arch);
        if let Some(other) = status.packages.get_mut(&key) {
            _ = write!(other.version, ",{version}");
            if !name.starts_with("kernel") {
                "half-installed".clone_into(&mut other.state);
            }
            continue;
        }
        let stanza = Stanza {
            name: name.to_owned(),
            arch: arch.to_owned(),
            version: version.to_owned(),
            want: "install".to_owned(),
            state: "installed".to_owned(),
            conffiles: Vec::new(),
        };
        status.packages.insert(key, stanza);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_read() {
        let text = "nginx\t1:1.20.1-13.el9\tx86_64\nbash\t0:5.1-1\tx86_64\nglibc\t2.34-1\tx86_64\nglibc\t2.34-1\ti686\n\
            tzdata\t2024a-1\tnoarch\ngpg-pubkey\t1-2\t(none)\nkernel-core\t5.14.0-1\tx86_64\nkernel-core\t5.14.0-2\tx86_64\n\
            cut\t1-1\tx86_64\ncut\t2-1\tx86_64\n";
        let status = parse(text, "x86_64");
        let version = |name: &str| status.packages[name].version.as_str();
        assert_eq!(version("nginx"), "1:1.20.1-13.el9");
        assert_eq!(version("bash"), "5.1-1");
        assert_eq!(version("glibc.i686"), "2.34-1");
        assert_eq!(version("kernel-core"), "5.14.0-1,5.14.0-2");
        assert!(status.packages["kernel-core"].installed());
        assert!(status.packages["cut"].interrupted());
        assert_eq!(status.key_of("tzdata.noarch"), "tzdata");
        assert_eq!(status.key_of("glibc.x86_64"), "glibc");
        assert_eq!(status.key_of("python3.11"), "python3.11");
        assert!(!status.packages.contains_key("gpg-pubkey"));
    }

    #[test]
    fn locked_versions_are_found_by_name() {
        for (line, name) in [
            ("nginx-1:1.20.1-13.el9.*", "nginx"),
            ("nginx-mod-stream-0:1-2.*\n", "nginx-mod-stream"),
            ("nginx-*", "nginx"),
            ("nginx", "nginx"),
        ] {
            assert!(locks(line, name), "{line}");
        }
        assert!(!locks("nginx-mod-stream-0:1-2.*", "nginx"));
        assert!(!locks("!nginx-1:1.20.1-13.el9.*", "nginx"));
        assert!(!locks("# nginx", "nginx"));
    }
}
