//! What dpkg and apt record of packages: the status file and the marks, read without starting a program.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::status::{Stanza, Status, World, stamp};
use crate::live::Live;

/// dpkg's database.
pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// The last steps of a dpkg that was cut off: stanzas that count more than those of the database.
const UPDATES: &str = "/var/lib/dpkg/updates";
/// apt's marks.
const MARKS: &str = "/var/lib/apt/extended_states";

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
            world: World::Dpkg,
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

impl Live {
    /// Files of the last steps of a dpkg that was cut off, oldest first.
    pub(super) fn updates(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.real(UPDATES))
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let steps = names.filter(|name| name.chars().all(|c| c.is_ascii_digit()));
        let mut steps: Vec<String> = steps.map(|name| format!("{UPDATES}/{name}")).collect();
        steps.sort();
        steps
    }

    /// dpkg's and apt's records as they are now.
    pub(crate) fn dpkg(&mut self) -> Arc<Status> {
        let now = stamp(self, &[STATUS, MARKS, UPDATES]);
        if let Some((then, status)) = &self.packages.status
            && *then == now
        {
            return Arc::clone(status);
        }
        let mut texts = [STATUS, MARKS].map(|path| self.text(path).unwrap_or_default());
        for update in self.updates() {
            texts[0].push_str("\n\n");
            texts[0].push_str(&self.text(&update).unwrap_or_default());
        }
        let status = Arc::new(Status::parse(&texts[0], &texts[1]));
        self.packages.status = Some((now, Arc::clone(&status)));
        status
    }
}

#[cfg(test)]
mod tests {
    use proto::{Package, Value};

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
                ..Package::default()
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
        let cut = status.value("cut");
        assert!(
            matches!(&cut, Value::Package(cut) if cut.config_only && cut.cut_off),
            "{cut:?}"
        );
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
