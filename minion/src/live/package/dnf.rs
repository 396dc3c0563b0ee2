//! Asking and running dnf (or yum, where that is all there is): candidates, simulations, transactions.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Output, Package, PreImage, Problem, arrange};
use states::pkg::version::compare_rpm;

use super::offers::{Offer, Simulation};
use super::order::Order;
use super::status::{Stanza, Status};
use super::{Wanted, apt, rpm};
use crate::live::{Live, failed, refused};

/// What decides on candidates, besides the packages themselves.
pub(super) const DECISIVE: &[&str] = &[
    "/etc/dnf/dnf.conf",
    "/etc/dnf/plugins/versionlock.list",
    "/etc/yum.conf",
    "/etc/yum.repos.d",
    "/var/cache/dnf",
];
/// The transaction as lines for dnf's shell, where it brings and removes at once.
const SHELL: &str = "transaction";

/// The package manager: dnf, else yum.
pub(super) fn program(live: &Live) -> Option<&'static str> {
    ["dnf", "yum"]
        .into_iter()
        .find(|name| live.program(name).is_some())
}

impl Live {
    /// The start of a command of dnf's that asks nothing and does not wait for a lock without end.
    fn dnf(&self, answer: &str) -> Result<Vec<String>, Problem> {
        let program = program(self).ok_or_else(|| refused("dnf is not on this host any more"))?;
        let words = [program, answer, "--setopt=exit_on_lock=True", "--color=never"];
        Ok(words.map(str::to_owned).to_vec())
    }

    /// What the repositories have of these.
    pub(super) fn dnf_offers(&mut self, names: &[&str]) -> Result<BTreeMap<String, Offer>, Problem> {
        let status = self.packages()?;
        // With "yes": a repository that signs its lists is not read before its key is accepted, as an installation would do.
        let mut argv = self.dnf("-y")?;
        let format = "%{name}\t%{arch}\t%{evr}";
        argv.extend(["-q", "repoquery", "--qf", format, "--"].map(str::to_owned));
        argv.extend(names.iter().map(|&name| name.to_owned()));
        let output = self.patiently(&argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        if output.code != 0 {
            return Err(failed(format!("dnf repoquery failed: {}", apt::said(&output))));
        }
        Ok(offers(&output.stdout, &status))
    }

    /// What an upgrade would bring.
    pub(super) fn upgrades_dnf(&mut self) -> Result<BTreeMap<String, String>, Problem> {
        let status = self.packages()?;
        let mut argv = self.dnf("-y")?;
        argv.extend(["-q", "check-update"].map(str::to_owned));
        let output = self.patiently(&argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        // 100 is "there are some".
        if !matches!(output.code, 0 | 100) {
            return Err(failed(format!("dnf check-update failed: {}", apt::said(&output))));
        }
        let lines = output.stdout.lines();
        let found = lines
            .take_while(|line| !line.starts_with("Obsoleting"))
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (name, arch) = words.next()?.rsplit_once('.')?;
                let (version, _) = (words.next()?, words.next()?);
                Some((status.key(name, arch), version.to_owned()))
            });
        Ok(found.collect())
    }

    /// Fetches the package lists anew.
    pub(super) fn refresh_dnf(&mut self) -> Result<Output, Problem> {
        let mut argv = self.dnf("-y")?;
        argv.extend(["-q", "makecache", "--refresh"].map(str::to_owned));
        let output = self.patiently(&argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        if output.code != 0 {
            return Err(failed(format!("dnf makecache failed: {}", apt::said(&output))));
        }
        Ok(output)
    }

    /// Tells what dnf would do.
    pub(super) fn simulate_dnf(&self, order: &Order) -> Result<Simulation, Problem> {
        let argv = self.transaction(order, "--assumeno")?;
        let output = self.patiently(&argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        let aborted =
            output.stderr.contains("Operation aborted") || output.stdout.contains("Operation aborted");
        if output.code != 0 && !aborted {
            return Err(refused(format!("dnf cannot do that: {}", apt::said(&output))));
        }
        Ok(simulation(&output.stdout))
    }

    /// The command of a transaction.
    #[expect(clippy::disallowed_methods, reason = "dnf's cache; nothing here is a user's")]
    fn transaction(&self, order: &Order, answer: &str) -> Result<Vec<String>, Problem> {
        let mut argv = self.dnf(answer)?;
        argv.extend(order.options.iter().cloned());
        let (verb, names) = match (order.words.as_slice(), order.purge.as_slice()) {
            (words, []) => ("install", words),
            ([], names) => ("remove", names),
            (words, names) => {
                // In this order: it takes no more package files once there is something to remove.
                let text = format!("install {}\nremove {}\nrun\n", words.join(" "), names.join(" "));
                let folder = self.stage();
                let file = format!("{folder}/{SHELL}");
                let written = std::fs::create_dir_all(self.real(&folder))
                    .and_then(|()| std::fs::write(self.real(&file), text));
                written.map_err(|error| refused(format!("cannot write {file}: {error}")))?;
                argv.extend(["shell".to_owned(), file]);
                return Ok(argv);
            }
        };
        argv.extend([verb.to_owned(), "--".to_owned()]);
        argv.extend(names.iter().cloned());
        Ok(argv)
    }

    /// Runs the transaction, then sets marks and holds where they differ.
    pub(super) fn transact_dnf(
        &mut self,
        was: &Status,
        wanted: &[Wanted<'_>],
        before: &[PreImage],
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        if was.packages.values().any(Stanza::interrupted) {
            let mut argv = self.dnf("-y")?;
            argv.extend(["remove", "--duplicates"].map(str::to_owned));
            self.step(&argv.iter().map(String::as_str).collect::<Vec<_>>(), said)?;
        }
        let order = self.order(was, wanted)?;
        let steady = self.configuration_put_back(&order)?;
        if order.any() {
            let argv = self.transaction(&order, "-y")?;
            self.step(&argv.iter().map(String::as_str).collect::<Vec<_>>(), said)?;
        }
        self.steady(&steady, before)?;
        let marks = super::transact::marks(&*self.packages()?, wanted);
        let of = |mark: &str| marks.get(mark).cloned().unwrap_or_default();
        for (mark, word) in [("auto", "remove"), ("manual", "install")] {
            if !of(mark).is_empty() {
                let argv = [&["dnf", "-q", "-y", "mark", word, "--"], of(mark).as_slice()].concat();
                self.step(&argv, said)?;
            }
        }
        let (hold, unhold) = (of("hold"), of("unhold"));
        if hold.is_empty() && unhold.is_empty() {
            return Ok(());
        }
        self.hold_versions(&hold, &unhold)
    }

    /// Puts configuration back that was put back before its package: rpm takes it for somebody's own, and lays it, or the
    /// package's, aside.
    fn steady(&mut self, paths: &BTreeSet<String>, before: &[PreImage]) -> Result<(), Problem> {
        for image in before {
            let proto::Address::Path(at) = &image.at else {
                continue;
            };
            // A file that was not there is the package's, unless rpm made it only now.
            if !paths.contains(at) || image.was.is_absent() && !rpm::aside(at) {
                continue;
            }
            let live = self.read_path(at)?;
            if !live.same(&image.was) {
                let kept = self.observe_path(at, &live, &image.was)?;
                self.assign_path(at, &live, &image.was, None, &kept)
                    .map_err(|botched| botched.why)?;
            }
        }
        Ok(())
    }

    /// Fetches the files of installed packages into the staging directory.
    pub(super) fn download_rpms(&self, wanted: &[String]) -> Result<(), Problem> {
        let mut argv = self.dnf("-y")?;
        argv.extend(["reinstall", "--downloadonly", "--downloaddir"].map(str::to_owned));
        argv.extend([self.stage(), "--".to_owned()]);
        argv.extend(wanted.iter().cloned());
        let output = self.patiently(&argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        if output.code != 0 {
            return Err(failed(format!("dnf could not fetch: {}", apt::said(&output))));
        }
        Ok(())
    }
}

/// `name-version.arch`.
pub(super) fn word(name: &str, to: &Package) -> String {
    let plain = name.strip_suffix(&format!(".{}", to.arch)).unwrap_or(name);
    if to.arch.is_empty() {
        format!("{plain}-{}", to.version)
    } else {
        format!("{plain}-{}.{}", to.version, to.arch)
    }
}

/// A package file's usual name.
pub(super) fn file_name(name: &str, package: &Package) -> String {
    let version = package
        .version
        .split_once(':')
        .map_or(package.version.as_str(), |(_, rest)| rest);
    let bare = Package {
        version: version.to_owned(),
        ..package.clone()
    };
    format!("{}.rpm", word(name, &bare))
}

/// A package's name, with or without an architecture; nothing else reaches dnf.
pub(super) fn valid(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-._~".contains(c))
}

/// Reads the lines name, architecture, version; another architecture than the host's is asked for by name.
fn offers(text: &str, status: &Status) -> BTreeMap<String, Offer> {
    let mut offers: BTreeMap<String, Offer> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let [name, arch, version] = words.as_slice() else {
            continue;
        };
        let version = version.strip_prefix("0:").unwrap_or(version);
        for key in [status.key(name, arch), format!("{name}.{arch}")] {
            let offer = offers.entry(key).or_default();
            if !offer.versions.iter().any(|known| known == version) {
                offer.versions.push(version.to_owned());
            }
        }
    }
    for offer in offers.values_mut() {
        arrange(&mut offer.versions, &|one, other| compare_rpm(other, one).is_lt());
        offer.candidate = offer.versions.first().cloned();
    }
    offers
}

/// Reads the table of a transaction. A long name has its line alone; what a package replaces stands indented below it.
fn simulation(text: &str) -> Simulation {
    let mut found = Simulation::default();
    let mut into: Option<bool> = None;
    let mut alone: Option<&str> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            alone = None;
            into = match words.first() {
                Some(&"Installing" | &"Installing:" | &"Upgrading:" | &"Downgrading:" | &"Reinstalling:") => {
                    Some(true)
                }
                Some(&"Removing" | &"Removing:") => Some(false),
                _ => None,
            };
            continue;
        }
        let Some(comes) = into else { continue };
        let (name, arch, version) = match (words.as_slice(), alone.take()) {
            (["replacing", name, ..], _) => {
                found.remove.push((*name).to_owned());
                continue;
            }
            ([arch, rest @ ..], Some(name)) => (name, *arch, rest.first()),
            ([name], None) => {
                alone = Some(name);
                continue;
            }
            ([name, arch, rest @ ..], None) => (*name, *arch, rest.first()),
            ([], _) => continue,
        };
        let name = format!("{name}.{arch}");
        if comes {
            let version = version.copied().unwrap_or_default();
            found.install.push((name, version.to_owned()));
        } else {
            found.remove.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_understood() {
        let text = "Dependencies resolved.\n=====\n Package  Architecture Version Repository Size\n=====\n\
            Installing:\n lab-obs   noarch  1.0-1  lab  6.3 k\n     replacing  lab-tool.noarch 1:1.0-1\n\
            Installing dependencies:\n a-package-with-a-name-that-is-longer-than-its-column\n            x86_64  2-1  lab  1 M\n\
            Downgrading:\n glibc  i686 2-1 lab 1 M\nRemoving unused dependencies:\n old noarch 1-1 @lab 31\n\n\
            Transaction Summary\n=====\nInstall  2 Packages\n\nOperation aborted.\n";
        let found = simulation(text);
        let install: Vec<String> = found
            .install
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        assert_eq!(
            install,
            [
                "lab-obs.noarch 1.0-1",
                "a-package-with-a-name-that-is-longer-than-its-column.x86_64 2-1",
                "glibc.i686 2-1"
            ]
        );
        assert_eq!(found.remove, ["lab-tool.noarch", "old.noarch"]);
    }

    #[test]
    fn offers_are_ordered_as_rpm_does() {
        let status = Status {
            native: "x86_64".to_owned(),
            world: super::super::status::World::Rpm,
            ..Status::default()
        };
        let text = "kernel\tx86_64\t0:4.18.0-80.el8\nkernel\tx86_64\t4.18.0-80.1.2.el8_0\nkernel\ti686\t9-1\nweb\tnoarch\t1:1-1\n";
        let offers = offers(text, &status);
        assert_eq!(
            offers["kernel"].versions,
            ["4.18.0-80.1.2.el8_0", "4.18.0-80.el8"]
        );
        assert_eq!(offers["kernel.i686"].candidate.as_deref(), Some("9-1"));
        assert_eq!(offers["web"].candidate.as_deref(), Some("1:1-1"));
    }

    #[test]
    fn words_name_one_package() {
        let package = |version: &str, arch: &str| Package {
            version: version.to_owned(),
            arch: arch.to_owned(),
            ..Package::default()
        };
        assert_eq!(word("nginx", &package("1:1-2", "x86_64")), "nginx-1:1-2.x86_64");
        assert_eq!(word("glibc.i686", &package("2-1", "i686")), "glibc-2-1.i686");
        assert_eq!(word("nginx", &package("1.*", "")), "nginx-1.*");
        assert_eq!(
            file_name("nginx", &package("1:1-2", "x86_64")),
            "nginx-1-2.x86_64.rpm"
        );
        assert!(
            valid("gcc-c++")
                && valid("python3.11")
                && !valid("-x")
                && !valid("a b")
                && !valid("/x.rpm")
                && !valid("a*")
        );
    }
}
