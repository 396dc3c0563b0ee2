//! Asking and running apt: candidates, simulations, transactions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::{Command, Output, Problem};

use super::dpkg::STATUS;
use super::offers::{Offer, Simulation};
use super::order::Order;
use crate::live::{Live, command, failed, locked, refused};

/// What decides on candidates, besides the packages themselves.
pub(super) const DECISIVE: &[&str] = &[
    STATUS,
    "/var/lib/apt/lists",
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/apt/preferences",
    "/etc/apt/preferences.d",
];

impl Live {
    /// What apt's lists have of these.
    pub(super) fn apt_offers(&self, names: &[&str]) -> Result<BTreeMap<String, Offer>, Problem> {
        if self.program("apt-cache").is_none() {
            return Err(refused(
                "no supported package manager on this host: apt is missing",
            ));
        }
        let argv = [&["apt-cache", "-q", "policy", "--"], names].concat();
        Ok(policy(&self.must_run(&apt(&argv))?))
    }

    /// Tells what apt would do.
    pub(super) fn simulate_apt(&self, order: &Order) -> Result<Simulation, Problem> {
        let mut argv = vec!["apt-get", "-s", "-q", "-y", "-o", "Debug::NoLocking=1"];
        argv.extend(order.options.iter().map(String::as_str));
        argv.extend(["install", "--"]);
        argv.extend(order.words.iter().map(String::as_str));
        let output = self.run(&apt(&argv))?;
        if output.code != 0 {
            return Err(refused(format!("apt cannot do that: {}", said(&output))));
        }
        Ok(simulation(&output.stdout))
    }

    /// What an upgrade would bring.
    pub(super) fn upgrades_apt(&self, verb: &str) -> Result<BTreeMap<String, String>, Problem> {
        let argv = ["apt-get", "-s", "-q", "-y", "-o", "Debug::NoLocking=1", verb];
        let text = self.must_run(&apt(&argv))?;
        Ok(text.lines().filter_map(upgraded).collect())
    }

    /// Runs a package manager, waiting for others to let go of their locks.
    ///
    /// # Errors
    /// `Locked` with who holds it, once the patience is over; any other failure is in the output.
    pub(super) fn patiently(&self, argv: &[&str]) -> Result<Output, Problem> {
        let patience = self.package_patience();
        let until = Instant::now() + patience;
        loop {
            // rpm would wait for its lock without end.
            let holder = match self.rpm_lock_holder() {
                Some(holder) => holder,
                None => {
                    let output = self.run(&apt(argv))?;
                    match lock_holder(&output) {
                        Some(holder) => holder,
                        None => return Ok(output),
                    }
                }
            };
            if Instant::now() >= until {
                return Err(locked(format!(
                    "another program uses the package manager since at least {} seconds: {holder}; \
                     wait for it, or end it, and run again",
                    patience.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Fetches the package lists anew.
    pub(super) fn refresh_apt(&self) -> Result<Output, Problem> {
        if self.program("apt-get").is_none() {
            return Err(refused(
                "no supported package manager on this host: apt is missing",
            ));
        }
        let output = self.patiently(&["apt-get", "-q", "update"])?;
        let broken = output.stderr.lines().any(|line| line.starts_with("E:"));
        if output.code != 0 || broken {
            return Err(failed(format!("apt-get update failed: {}", said(&output))));
        }
        Ok(output)
    }
}

/// A command of apt's with nobody to answer its questions.
fn apt(argv: &[&str]) -> Command {
    let variables = [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("NEEDRESTART_SUSPEND", "1"),
        ("UCF_FORCE_CONFFOLD", "1"),
        // Held by this process, for all that is started here.
        ("DPKG_FRONTEND_LOCKED", "true"),
    ];
    Command {
        env: variables
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        timeout: Some(3600),
        cwd: Some("/".to_owned()),
        ..Command::program(argv)
    }
}

/// A package's name as Debian's policy allows it, with or without an architecture; nothing else reaches apt.
pub(super) fn valid(name: &str) -> bool {
    let (name, arch) = name.split_once(':').unwrap_or((name, "any"));
    let fine = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.~_".contains(c))
    };
    fine(name) && fine(arch) && !name.ends_with(['+', '-'])
        || matches!(name, "g++" | "libstdc++" | "memtest86+") && fine(arch)
        || name.ends_with("++") && fine(name) && fine(arch)
}

/// The last lines of what apt or dnf said: its errors, if it named some.
pub(super) fn said(output: &Output) -> String {
    let all = format!("{}\n{}", output.stdout, output.stderr);
    let errors: Vec<&str> = all
        .lines()
        .filter(|line| {
            ["E:", "dpkg: error", "Error", " Problem", "  - "]
                .iter()
                .any(|start| line.starts_with(start))
                || line.contains("Unmet dependencies")
        })
        .collect();
    let unmet: Vec<&str> = all.lines().filter(|line| line.contains(" : Depends:")).collect();
    if errors.is_empty() {
        command::ending(output)
    } else {
        [errors, unmet].concat().join("\n")
    }
}

/// Who holds a lock the package manager wanted.
fn lock_holder(output: &Output) -> Option<String> {
    if output.code == 0 {
        return None;
    }
    let refusals = [
        "Could not get lock",
        "was locked by another process",
        "is locked by another process",
        "Unable to lock",
        "Unable to acquire the dpkg",
    ];
    let refusal = output
        .stderr
        .lines()
        .find(|line| refusals.iter().any(|text| line.contains(text)))?;
    // Who it is may have been said on either stream, and earlier, while it waited.
    let holder = [refusal]
        .into_iter()
        .chain(output.stdout.lines().rev())
        .chain(output.stderr.lines())
        .find_map(|line| {
            line.split_once("held by process ")
                .map(|(_, who)| who.trim_end_matches('.'))
        });
    Some(holder.map_or_else(|| refusal.to_owned(), |who| format!("process {who}")))
}

/// Reads `apt-cache policy`.
fn policy(text: &str) -> BTreeMap<String, Offer> {
    let mut offers = BTreeMap::new();
    let mut name = String::new();
    let mut version = String::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            name = line.trim_end_matches(':').to_owned();
            offers.insert(name.clone(), Offer::default());
            continue;
        }
        let Some(offer) = offers.get_mut(&name) else {
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let depth = line.len() - line.trim_start().len();
        match words.as_slice() {
            ["Candidate:", candidate] if *candidate != "(none)" => {
                offer.candidate = Some((*candidate).to_owned())
            }
            ["***", found, ..] => version = (*found).to_owned(),
            [found, _] if depth == 5 => version = (*found).to_owned(),
            [_, source, ..] if depth >= 8 && *source != STATUS && !offer.versions.contains(&version) => {
                offer.versions.push(version.clone());
            }
            _ => {}
        }
    }
    offers
}

/// Name and new version of a line such as `Inst bash [5.2-1] (5.2-2 Debian:12 [amd64])`.
fn upgraded(line: &str) -> Option<(String, String)> {
    let name = line.strip_prefix("Inst ")?.split(' ').next()?;
    let version = line.split_once('(')?.1.split([' ', ')']).next()?;
    Some((name.to_owned(), version.to_owned()))
}

/// Reads the lines `Inst`, `Remv` and `Purg` of a simulation.
fn simulation(text: &str) -> Simulation {
    let mut found = Simulation::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Inst"), Some(name)) => {
                let version = upgraded(line).map(|(_, version)| version);
                found.install.push((name.to_owned(), version.unwrap_or_default()));
            }
            (Some("Remv" | "Purg"), Some(name)) => found.remove.push(name.to_owned()),
            (Some("Conf"), Some(name)) => found.configure.push(name.to_owned()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_tell_candidate_and_versions() {
        let text = "bash:\n  Installed: 5.2.15-2+b8\n  Candidate: 5.2.15-2+b13\n  Version table:\n     5.2.15-2+b13 500\n        \
            500 http://deb.debian.org/debian bookworm/main amd64 Packages\n *** 5.2.15-2+b8 100\n        100 /var/lib/dpkg/status\n\
            mail-transport-agent:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n\
            curl:\n  Installed: 7.88\n  Candidate: 7.88\n  Version table:\n *** 7.88 500\n        500 file:/srv/repo ./ Packages\n        \
            100 /var/lib/dpkg/status\n     7.80 500\n        500 file:/srv/repo ./ Packages\n";
        let offers = policy(text);
        assert_eq!(offers["bash"].candidate.as_deref(), Some("5.2.15-2+b13"));
        assert_eq!(offers["bash"].versions, ["5.2.15-2+b13"]);
        assert_eq!(offers["mail-transport-agent"], Offer::default());
        assert_eq!(offers["curl"].versions, ["7.88", "7.80"]);
    }

    #[test]
    fn simulations_and_locks_are_understood() {
        let text = "Reading package lists...\nInst nginx-common (1.22.1-9 Debian:12 [all])\nInst libc6:i386 [2.35] (2.36 x [i386])\n\
            Remv apache2 [2.4]\nPurg old [1]\nConf nginx-common (1.22.1-9 Debian:12 [all])\n";
        assert_eq!(
            upgraded("Inst libc6 [2.36-9] (2.36-10 Debian:12.5 [amd64]) []"),
            Some(("libc6".to_owned(), "2.36-10".to_owned()))
        );
        let found = simulation(text);
        let install: Vec<(&str, &str)> = found
            .install
            .iter()
            .map(|(name, version)| (name.as_str(), version.as_str()))
            .collect();
        assert_eq!(install, [("nginx-common", "1.22.1-9"), ("libc6:i386", "2.36")]);
        assert_eq!(found.remove, ["apache2", "old"]);
        assert_eq!(found.configure, ["nginx-common"]);
        let output = Output {
            code: 100,
            stderr: "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)\nE: more".to_owned(),
            ..Output::default()
        };
        assert_eq!(
            lock_holder(&output).as_deref(),
            Some("process 4711 (unattended-upgr)")
        );
    }

    #[test]
    fn only_names_reach_apt() {
        for good in [
            "nginx",
            "g++",
            "libstdc++6",
            "libc6:i386",
            "python3.11",
            "a-b",
            "memtest86+",
        ] {
            assert!(valid(good), "{good}");
        }
        for bad in [
            "-oX=y", "nginx-", "a b", "", "./x.deb", "nginx=1", "a/b", "vim+", ":x",
        ] {
            assert!(!valid(bad), "{bad}");
        }
    }
}
