//! Where a lab is on this machine: its directory, cgroup, cable and network, and how all of that is taken down.
//!
//! Labs of tests take a free number N and the network 10.213.N.0/24. A lab that people use has a directory and a network
//! of their choice. Either way a place belongs to one process; what one that died left behind is removed by whoever comes
//! next.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::image::short_digest;
use crate::network::Network;
use crate::os;
use crate::process::Pid;

/// Where a lab is. Two running labs never share a directory, a cgroup, a cable or a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    dir: PathBuf,
    /// Name of the cgroup, and by its end of the cable.
    name: String,
    network: Network,
}

impl Place {
    /// A place with this directory, which is made and goes with the lab, and this network.
    pub fn new(dir: &Path, network: Network) -> Self {
        Place {
            dir: dir.to_owned(),
            name: format!(
                "salt-rs-lab-{}",
                &short_digest(&[&dir.display().to_string()])[..8]
            ),
            network,
        }
    }

    fn numbered(number: u8) -> Self {
        let name = format!("salt-rs-lab{number}");
        Place {
            dir: Path::new("/run").join(&name),
            name,
            network: Network::of(Ipv4Addr::new(10, 213, number, 0), 24),
        }
    }

    /// Takes a free number, after removing what labs left behind whose owner was killed together with its reaper.
    pub(crate) fn any(cache: &Path) -> Result<Self, LabError> {
        let _claiming = os::lock_dir(cache)?;
        for place in (0..=255).map(Place::numbered) {
            place.sweep()?;
        }
        let taken = addresses()?;
        for place in (0..=255).map(Place::numbered) {
            if place.rival(&taken).is_none() && os::claim_dir(&place.dir)? {
                place.sign()?;
                return Ok(place);
            }
        }
        Err(LabError::NoNetwork)
    }

    /// Takes this very place, after removing what was left behind there.
    ///
    /// # Errors
    /// When a lab is there already, or this machine has an address in the network.
    pub(crate) fn take(&self) -> Result<(), LabError> {
        let above = self.dir.parent().unwrap_or(Path::new("/"));
        os::make_dir(above)?;
        let _claiming = os::lock_dir(above)?;
        if self.owned() {
            return Err(LabError::AlreadyUp(self.dir.clone()));
        }
        self.clear()?;
        self.alone()?;
        if !os::claim_dir(&self.dir)? {
            return Err(LabError::NotOurs(self.dir.clone()));
        }
        os::chmod(&self.dir, 0o700)?;
        self.sign()
    }

    /// Whether this place could be taken, as far as can be seen without taking it.
    ///
    /// # Errors
    /// As when it is taken.
    pub fn vacant(&self) -> Result<(), LabError> {
        if self.owned() {
            return Err(LabError::AlreadyUp(self.dir.clone()));
        }
        self.alone()
    }

    fn alone(&self) -> Result<(), LabError> {
        let own = self.link();
        let mut addresses = addresses()?;
        // What was left behind here goes before the place is taken.
        addresses.retain(|(interface, _)| *interface != own);
        match self.rival(&addresses) {
            Some((interface, address)) => Err(LabError::NetworkTaken {
                network: self.network.to_string(),
                interface,
                address,
            }),
            None => Ok(()),
        }
    }

    /// Whether the process a lab here belongs to is alive.
    pub fn owned(&self) -> bool {
        let owner = os::read_text(&self.dir.join("owner")).ok();
        owner.and_then(|text| Pid::parse(&text)).is_some_and(Pid::alive)
    }

    fn sign(&self) -> Result<(), LabError> {
        Ok(os::write(&self.dir.join("owner"), Pid::own()?.text())?)
    }

    fn sweep(&self) -> Result<(), LabError> {
        if self.dir.exists() && !self.owned() {
            self.clear()?;
        }
        Ok(())
    }

    /// Takes down whatever there is of a lab here, running or left behind, whoever it belongs to. Nothing is no error.
    ///
    /// # Errors
    /// When that cannot be tried.
    pub fn clear(&self) -> Result<(), LabError> {
        os::checked(self.reaper()?.env("OWNER", ""))?;
        Ok(())
    }

    /// The program that takes this lab down when its input closes, if it still is this process's.
    pub(crate) fn reaper(&self) -> Result<std::process::Command, LabError> {
        let mut reaper = os::command("setsid");
        reaper.args(["sh", "-c", include_str!("reaper.sh")]);
        reaper
            .env("LINK", self.link())
            .env("CGROUP", self.cgroup()?)
            .env("CGROUPS", cgroups()?)
            .env("DIR", &self.dir)
            .env("OWNER", Pid::own()?.text().trim());
        Ok(reaper)
    }

    /// Directory for what belongs to the running lab. It goes when the lab goes.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The network of its hosts.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The cgroup all of its processes are in.
    pub(crate) fn cgroup(&self) -> Result<PathBuf, LabError> {
        Ok(cgroups()?.join(&self.name))
    }

    /// Its cable, on this machine's side.
    pub fn link(&self) -> String {
        self.name.replace("salt-rs-lab", "srlab")
    }

    /// Name and address of an interface of this machine that has an address in the same network.
    fn rival(&self, addresses: &[(String, String)]) -> Option<(String, String)> {
        // A point-to-point link names its own address without a prefix.
        let whole = |address: &str| {
            if address.contains('/') {
                String::new()
            } else {
                "/32".to_owned()
            }
        };
        let clash = |address: &str| {
            let network = (address.to_owned() + &whole(address)).parse::<Network>();
            network.is_ok_and(|network| network.overlaps(self.network))
        };
        addresses.iter().find(|(_, address)| clash(address)).cloned()
    }
}

/// Where cgroups of version 2 are mounted.
pub(crate) fn cgroups() -> Result<PathBuf, LabError> {
    let mounts = os::read_text(Path::new("/proc/self/mounts"))?;
    let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let line = lines
        .find(|words| words.get(2) == Some(&"cgroup2"))
        .ok_or(LabError::NoFeature {
            what: "cgroup version 2",
            why: "no cgroup2 file system is mounted".to_owned(),
        })?;
    Ok(PathBuf::from(line[1]))
}

/// Interfaces of this machine with their addresses.
fn addresses() -> Result<Vec<(String, String)>, LabError> {
    let lines = os::run("ip", &["-o", "-4", "addr"])?;
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "inet")?;
        let name = words.get(1)?.split('@').next()?;
        Some((name.to_owned(), (*words.get(at + 1)?).to_owned()))
    };
    Ok(lines.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_kernel() {
        let place = Place::new(
            Path::new("/var/lib/salt-rs/lab/run"),
            "192.168.56.0/24".parse().unwrap(),
        );
        assert!(place.link().len() <= 15, "{}", place.link());
        assert_eq!(Place::numbered(255).link(), "srlab255");
        assert_ne!(
            place,
            Place::new(Path::new("/var/lib/salt-rs/lab2/run"), place.network())
        );
    }

    #[test]
    fn a_rival_is_any_address_of_the_network() {
        let place = Place::numbered(7);
        let at = |text: &str| vec![("eth0".to_owned(), text.to_owned())];
        assert!(place.rival(&at("10.213.7.1/24")).is_some());
        assert!(place.rival(&at("10.213.7.9")).is_some());
        assert!(place.rival(&at("10.0.0.1/8")).is_some());
        assert!(place.rival(&at("10.213.8.1/24")).is_none());
    }
}
