//! A lab's network: its addresses, and the cables in it.
//!
//! The bridge lives in a network namespace of the lab (`anchor.sh`); one cable comes out of it, so that programs of
//! this machine reach the hosts, and no setting of the machine's own network is touched.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::LabError;
use crate::cable::Cable;
use crate::os;
use crate::place::Place;
use crate::process::Pid;

/// The bridge all cables of a lab lead to.
pub(crate) const BRIDGE: &str = "br0";
/// The lab's end of the cable to this machine.
pub(crate) const OUTSIDE: &str = "outside";

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u32,
    prefix: u8,
}

impl Network {
    /// The network an address is in.
    ///
    /// # Panics
    /// When the prefix is longer than an address.
    pub fn of(address: Ipv4Addr, prefix: u8) -> Self {
        assert!(prefix <= 32, "an IPv4 address has 32 bits");
        Network {
            base: u32::from(address) & mask(prefix),
            prefix,
        }
    }

    /// Length of the part all addresses share, in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether an address is one a host can have: in the network, and neither its own name nor everybody's.
    pub fn has(self, address: Ipv4Addr) -> bool {
        let last = self.base | !mask(self.prefix);
        let address = u32::from(address);
        address & mask(self.prefix) == self.base && address != self.base && address != last
    }

    /// Address of this machine in the network: the first.
    pub fn outside(self) -> Ipv4Addr {
        self.address(1)
    }

    /// Where hosts send what is not for the lab: the last address. It leads nowhere.
    pub fn gateway(self) -> Ipv4Addr {
        (self.base | !mask(self.prefix)).wrapping_sub(1).into()
    }

    /// The address with this number.
    pub(crate) fn address(self, number: u32) -> Ipv4Addr {
        self.base.wrapping_add(number).into()
    }

    /// The number of an address in the network.
    pub(crate) fn number(self, address: Ipv4Addr) -> u32 {
        u32::from(address).wrapping_sub(self.base)
    }

    pub(crate) fn overlaps(self, other: Network) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.base & mask == other.base & mask
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// From `192.168.56.0/24`, or the address of anybody in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not a network such as 192.168.56.0/24";
        let (address, prefix) = text.split_once('/').ok_or(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong)?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(wrong)?;
        Ok(Network::of(address, prefix))
    }
}

/// A fixed hardware address: a host that came back with another would be unreachable until its neighbours forget the
/// old one.
pub(crate) fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Puts the cable between this machine and the lab's bridge.
pub(crate) fn plug_outside(place: &Place, anchor: Pid) -> Result<(), LabError> {
    let (link, pid, network) = (place.link(), anchor.to_string(), place.network());
    os::run(
        "ip",
        &[
            "link", "add", &link, "type", "veth", "peer", "name", OUTSIDE, "netns", &pid,
        ],
    )?;
    let address = format!("{}/{}", network.outside(), network.prefix());
    os::run("ip", &["addr", "add", &address, "dev", &link])?;
    os::run("ip", &["link", "set", &link, "up"])?;
    inside(anchor, &format!("ip link set {OUTSIDE} master {BRIDGE} up"))
}

/// Puts the cable between the bridge and a host, `eth0` there.
pub(crate) fn plug_host(
    network: Network,
    anchor: Pid,
    host: Pid,
    address: Ipv4Addr,
    cable: &Cable,
) -> Result<(), LabError> {
    let (mac, end) = (mac(address), cable.name());
    inside(
        anchor,
        &format!(
            "ip link del {end} 2> /dev/null; set -e
             ip link add {end} type veth peer name eth0 address {mac} netns {host}"
        ),
    )?;
    cable.plug()?;
    let (prefix, gateway) = (network.prefix(), network.gateway());
    inside(
        host,
        &format!(
            "set -e; ip link set lo up; ip addr add {address}/{prefix} dev eth0; ip link set eth0 up
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_knows_its_addresses() {
        let network: Network = "192.168.56.0/24".parse().unwrap();
        let at = |last| Ipv4Addr::new(192, 168, 56, last);
        assert_eq!((network.outside(), network.gateway()), (at(1), at(254)));
        assert!(network.has(at(10)) && network.has(at(254)));
        assert!(!network.has(at(0)) && !network.has(at(255)) && !network.has(Ipv4Addr::new(192, 168, 57, 1)));
        assert_eq!(network.number(at(20)), 20);
        assert_eq!(network.to_string(), "192.168.56.0/24");
        assert_eq!("192.168.56.9/24".parse(), Ok(network));
        for wrong in ["192.168.56.0", "192.168.56/24", "a/24", "1.2.3.4/33", ""] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
