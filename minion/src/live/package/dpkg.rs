//! What dpkg and apt record of packages: the status file and the marks, read without starting a program.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use proto::{Package, Value};

use crate::live::Live;

/// dpkg's database.
pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// apt's marks.
const MARKS: &str = "/var/lib/apt/extended_states";

/// One package of the status file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub(crate) name: String,
    pub(crate) arch: String,
    pub(crate) version: String,
    /// What is wanted: `install`, `hold`, `deinstall`, `purge`.
    pub(crate) want: String,
    /// What is: `installed`, `config-files`, `half-configured`, …
    pub(crate) state: String,
    /// Configuration files, without those the package no longer has.
    pub(crate) conffiles: Vec<String>,
}

/// All packages dpkg knows, by `name`, or `name:arch` where that is not the native architecture.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) native: String,
    pub(crate) packages: BTreeMap<String, Stanza>,
    auto: BTreeSet<(String, String)>,
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
    /// Reads the texts of the status file and of apt's marks.
    pub(crate) fn parse(status: &str, marks: &str) -> Self {
        let stanzas: Vec<Stanza> = status.split("\n\n").filter_map(stanza).collect();
        let native = stanzas
            .iter()
            .find(|stanza| stanza.name == "dpkg")
            .map(|stanza| stanza.arch.clone())
            .unwrap_or_default();
        let auto = marks
            .split("\n\n")
            .filter(|text| field(text, "Auto-Installed") == Some("1"))
            .filter_map(|text| {
                let arch = field(text, "Architecture").unwrap_or_default();
                Some((field(text, "Package")?.to_owned(), arch.to_owned()))
            })
            .collect();
        let mut parsed = Self {
            native,
            packages: BTreeMap::new(),
            auto,
        };
        for stanza in stanzas {
            let key = parsed.key(&stanza.name, &stanza.arch);
            parsed.packages.insert(key, stanza);
        }
        parsed
    }

    /// The name a package is known under here.
    pub(crate) fn key(&self, name: &str, arch: &str) -> String {
        if arch.is_empty() || arch == "all" || arch == "any" || arch == self.native {
            name.to_owned()
        } else {
            format!("{name}:{arch}")
        }
    }

    /// The same for `name` or `name:arch` as somebody wrote it.
    pub(crate) fn key_of(&self, written: &str) -> String {
        match written.split_once(':') {
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
        })
    }

    /// Names whose values differ between two readings.
    pub(crate) fn differing(&self, other: &Self) -> BTreeSet<String> {
        self.packages
            .keys()
            .chain(other.packages.keys())
            .filter(|key| self.value(key) != other.value(key))
            .cloned()
            .collect()
    }
}

fn stanza(text: &str) -> Option<Stanza> {
    let status = field(text, "Status")?;
    let mut words = status.split_whitespace();
    let (want, _, state) = (words.next()?, words.next()?, words.next()?);
    Some(Stanza {
        name: field(text, "Package")?.to_owned(),
        arch: field(text, "Architecture").unwrap_or_default().to_owned(),
        version: field(text, "Version").unwrap_or_default().to_owned(),
        want: want.to_owned(),
        state: state.to_owned(),
        conffiles: conffiles(text),
    })
}

/// The value of a one-line field.
pub(super) fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        Some(value.trim())
    })
}

/// The lines ` PATH MD5 [flag]` after `Conffiles:`.
fn conffiles(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != "Conffiles:")
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .filter_map(|line| {
            let (rest, last) = line.trim_start().rsplit_once(' ')?;
            match last {
                "obsolete" | "remove-on-upgrade" => rest.rsplit_once(' ').map(|(path, _)| path.to_owned()),
                _ => Some(rest.to_owned()),
            }
        })
        .collect()
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

impl Live {
    /// dpkg's and apt's records as they are now.
    pub(crate) fn dpkg(&mut self) -> Arc<Status> {
        let now = stamp(self, &[STATUS, MARKS]);
        if let Some((then, status)) = &self.packages.status
            && *then == now
        {
            return Arc::clone(status);
        }
        let texts = [STATUS, MARKS].map(|path| self.text(path).unwrap_or_default());
        let status = Arc::new(Status::parse(&texts[0], &texts[1]));
        self.packages.status = Some((now, Arc::clone(&status)));
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n\n\
        Package: nginx\nStatus: hold ok installed\nArchitecture: all\nVersion: 1:1.22.1-9\n\
        Conffiles:\n /etc/nginx/nginx.conf 0123\n /etc/nginx/old file 4567 obsolete\nDescription: x\n y\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n\
        Package: cut\nStatus: install ok half-configured\nArchitecture: amd64\nVersion: 1\n";

    #[test]
    fn states_marks_and_architectures_are_read() {
        let marks = "Package: nginx\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: dpkg\nArchitecture: amd64\nAuto-Installed: 0\n";
        let status = Status::parse(SAMPLE, marks);
        assert_eq!(status.native, "amd64");
        let package = |version: &str, arch: &str, hold, auto, config_only| {
            Value::Package(Package {
                version: version.to_owned(),
                arch: arch.to_owned(),
                hold,
                auto,
                config_only,
            })
        };
        assert_eq!(
            status.value("nginx"),
            package("1:1.22.1-9", "all", true, true, false)
        );
        assert_eq!(
            status.value("dpkg:amd64"),
            package("1.21.22", "amd64", false, false, false)
        );
        assert_eq!(
            status.value("libc6:i386"),
            package("2.36", "i386", false, false, false)
        );
        assert_eq!(status.value("libc6"), Value::Absent);
        assert_eq!(status.value("gone"), package("1", "amd64", false, false, true));
        assert_eq!(status.value("cut"), package("1", "amd64", false, false, true));
        assert_eq!(
            status.packages["nginx"].conffiles,
            ["/etc/nginx/nginx.conf", "/etc/nginx/old file"]
        );
        let other = Status::parse(&SAMPLE.replace("2.36", "2.37"), marks);
        assert_eq!(
            status.differing(&other).into_iter().collect::<Vec<_>>(),
            ["libc6:i386"]
        );
    }
}
