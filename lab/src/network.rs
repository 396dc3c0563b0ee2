//! The number of a lab and everything named by it: directory, cgroup, cable and the network 10.213.N.0/24.
//!
//! The bridge lives in a network namespace of the lab (`anchor.sh`); one cable comes out of it, so that programs of
//! this machine reach the hosts, and no setting of the machine's own network is touched.

use std::path::{Path, PathBuf};

use crate::LabError;
use crate::os;
use crate::process::Pid;

/// One lab's number. Two labs on a machine never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(u8);

impl Number {
    /// Takes a free number, after removing what labs left behind whose owner was killed together with its reaper.
    pub(crate) fn claim(cache: &Path) -> Result<Self, LabError> {
        let _claiming = os::lock_dir(cache)?;
        for number in (0..=255).map(Number) {
            number.sweep()?;
        }
        let links = os::run("ip", &["-o", "-4", "addr"])?;
        for number in (0..=255).map(Number) {
            let taken = links.contains(&format!(" 10.213.{}.", number.0));
            if !taken && os::claim_dir(&number.dir())? {
                os::write(&number.dir().join("owner"), Pid::own()?.text())?;
                return Ok(number);
            }
        }
        Err(LabError::NoNetwork)
    }

    fn sweep(self) -> Result<(), LabError> {
        if !self.dir().exists() {
            return Ok(());
        }
        let owner = os::read_text(&self.dir().join("owner")).ok();
        let alive = owner.and_then(|text| Pid::parse(&text)).is_some_and(Pid::alive);
        if !alive {
            os::checked(&mut self.reaper()?)?;
        }
        Ok(())
    }

    /// The program that takes this lab down when its input closes.
    pub(crate) fn reaper(self) -> Result<std::process::Command, LabError> {
        let mut reaper = os::command("setsid");
        reaper.args(["sh", "-c", include_str!("reaper.sh")]);
        reaper
            .env("LINK", self.link())
            .env("CGROUP", self.cgroup()?)
            .env("DIR", self.dir());
        Ok(reaper)
    }

    pub(crate) fn dir(self) -> PathBuf {
        PathBuf::from(format!("/run/salt-rs-lab{}", self.0))
    }

    pub(crate) fn cgroup(self) -> Result<PathBuf, LabError> {
        let mounts = os::read_text(Path::new("/proc/self/mounts"))?;
        let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines
            .find(|words| words.get(2) == Some(&"cgroup2"))
            .ok_or(LabError::NoCgroup)?;
        Ok(Path::new(line[1]).join(format!("salt-rs-lab{}", self.0)))
    }

    pub(crate) fn link(self) -> String {
        format!("srlab{}", self.0)
    }

    /// Address of this machine in the lab's network.
    pub(crate) fn outside(self) -> String {
        self.address(1)
    }

    /// Where hosts send what is not for the lab; it leads nowhere.
    pub(crate) fn gateway(self) -> String {
        self.address(254)
    }

    pub(crate) fn address(self, last: u8) -> String {
        format!("10.213.{}.{last}", self.0)
    }

    /// A fixed one: a host that came back with another would be unreachable until its neighbours forget the old.
    pub(crate) fn mac(self, last: u8) -> String {
        format!("02:0a:d5:00:{:02x}:{last:02x}", self.0)
    }
}

/// Puts the cable between this machine and the lab's bridge.
pub(crate) fn plug_outside(number: Number, anchor: Pid) -> Result<(), LabError> {
    let (link, pid) = (number.link(), anchor.to_string());
    os::run(
        "ip",
        &[
            "link", "add", &link, "type", "veth", "peer", "name", "outside", "netns", &pid,
        ],
    )?;
    os::run(
        "ip",
        &["addr", "add", &format!("{}/24", number.outside()), "dev", &link],
    )?;
    os::run("ip", &["link", "set", &link, "up"])?;
    inside(anchor, "ip link set outside master br0 up")
}

/// Puts the cable between the bridge and a host: `cable` on the bridge's side, `eth0` in the host.
pub(crate) fn plug_host(
    number: Number,
    anchor: Pid,
    host: Pid,
    last: u8,
    cable: &str,
) -> Result<(), LabError> {
    let mac = number.mac(last);
    inside(
        anchor,
        &format!(
            "ip link del {cable} 2> /dev/null; set -e
             ip link add {cable} type veth peer name eth0 address {mac} netns {host}
             ip link set {cable} master br0 up"
        ),
    )?;
    let (address, gateway) = (number.address(last), number.gateway());
    inside(
        host,
        &format!(
            "set -e; ip link set lo up; ip addr add {address}/24 dev eth0; ip link set eth0 up
             ip route add default via {gateway}"
        ),
    )
}

/// Runs a script in the network namespace of a process, with this machine's programs.
pub(crate) fn inside(pid: Pid, script: &str) -> Result<(), LabError> {
    os::run(
        "nsenter",
        &["--target", &pid.to_string(), "--net", "--", "sh", "-c", script],
    )?;
    Ok(())
}
