//! Names, interfaces, addresses, gateways and resolvers.
//!
//! IPv4 addresses come from the kernel's routing trie, which does not name their interfaces; the routing table does. Where
//! that leaves a doubt, `ip` is asked.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use proto::{Gather, arrange};
use serde_json::{Value as Json, json};

use super::{Grains, line, of};
use crate::live::Live;

pub(super) const KEYS: &[&str] = &[
    "host",
    "nodename",
    "localhost",
    "fqdn",
    "domain",
    "fqdn_ip4",
    "fqdn_ip6",
    "fqdns",
    "ip4_interfaces",
    "ip6_interfaces",
    "ip_interfaces",
    "hwaddr_interfaces",
    "ipv4",
    "ipv6",
    "ip_gw",
    "ip4_gw",
    "ip6_gw",
    "dns",
];

/// An interface with its addresses.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) hardware: String,
    pub(crate) four: Vec<Ipv4Addr>,
    pub(crate) six: Vec<Ipv6Addr>,
    /// Up, as the kernel's operational state says it (`unknown` counts: loopback and tunnels have no other).
    pub(crate) up: bool,
}

pub(super) fn read(live: &Live) -> Grains {
    let interfaces = interfaces(live);
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (fqdn, hosts) = fqdn(live, &node);
    let (host, domain) = fqdn.split_once('.').unwrap_or((&fqdn, ""));
    let mut four: Vec<Ipv4Addr> = interfaces.iter().flat_map(|link| link.four.clone()).collect();
    let mut six: Vec<Ipv6Addr> = interfaces.iter().flat_map(|link| link.six.clone()).collect();
    arrange(&mut four, &|a, b| a < b);
    four.dedup();
    arrange(&mut six, &|a, b| a < b);
    six.dedup();
    let own = |keep: &dyn Fn(&Ipv4Addr) -> bool| {
        four.iter()
            .filter(|ip| keep(ip))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let named: Vec<String> = hosts
        .iter()
        .filter(|ip| ip.parse::<Ipv4Addr>().is_ok())
        .cloned()
        .collect();
    let fqdn_ip4 = if named.is_empty() {
        own(&|ip| !ip.is_loopback())
    } else {
        named
    };
    let fqdn_ip6: Vec<&String> = hosts.iter().filter(|ip| ip.parse::<Ipv6Addr>().is_ok()).collect();
    let per = |pick: &dyn Fn(&Interface) -> Json| -> Json {
        Json::Object(
            interfaces
                .iter()
                .map(|link| (link.name.clone(), pick(link)))
                .collect(),
        )
    };
    let texts4 = |link: &Interface| link.four.iter().map(ToString::to_string).collect::<Vec<_>>();
    let texts6 = |link: &Interface| link.six.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (gate4, gate6) = gateways(live);
    let mut grains = of([
        ("localhost", json!(node)),
        ("nodename", json!(node)),
        ("fqdn", json!(fqdn)),
        ("host", json!(host)),
        ("domain", json!(domain)),
        ("fqdn_ip4", json!(fqdn_ip4)),
        ("fqdn_ip6", json!(fqdn_ip6)),
        ("fqdns", json!([])),
        ("hwaddr_interfaces", per(&|link| json!(link.hardware))),
        ("ip4_interfaces", per(&|link| json!(texts4(link)))),
        ("ip6_interfaces", per(&|link| json!(texts6(link)))),
        (
            "ip_interfaces",
            per(&|link| json!([texts4(link), texts6(link)].concat())),
        ),
        ("ipv4", json!(own(&|_| true))),
        (
            "ipv6",
            json!(six.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ),
        ("ip_gw", json!(gate4.is_some() || gate6.is_some())),
        ("ip4_gw", gate4.map_or(json!(false), |ip| json!(ip))),
        ("ip6_gw", gate6.map_or(json!(false), |ip| json!(ip))),
    ]);
    grains.insert("dns".to_owned(), resolvers(live));
    grains
}

/// The full name and the addresses `/etc/hosts` gives it.
fn fqdn(live: &Live, node: &str) -> (String, Vec<String>) {
    let hosts = live.text("/etc/hosts").unwrap_or_default();
    let lines: Vec<Vec<&str>> = hosts
        .lines()
        .map(|line| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect()
        })
        .filter(|words: &Vec<&str>| words.len() > 1)
        .collect();
    let mine = |words: &&Vec<&str>, name: &str| words.iter().skip(1).any(|word| *word == name);
    let full = if node.contains('.') {
        node.to_owned()
    } else {
        lines
            .iter()
            .filter(|words| mine(words, node))
            .flat_map(|words| words.iter().skip(1))
            .find(|word| word.starts_with(node) && word[node.len()..].starts_with('.'))
            .map_or_else(|| node.to_owned(), |word| (*word).to_owned())
    };
    let mut addresses = Vec::new();
    for words in lines.iter().filter(|words| mine(words, &full)) {
        let address = words.first().map(|word| (*word).to_owned()).unwrap_or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    (full, addresses)
}

/// All interfaces in the kernel's order.
pub(crate) fn interfaces(live: &Live) -> Vec<Interface> {
    let mut names: Vec<(u64, String)> = std::fs::read_dir(live.real("/sys/class/net"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| live.real(&format!("/sys/class/net/{name}/ifindex")).exists())
        .map(|name| {
            let index =
                line(live, &format!("/sys/class/net/{name}/ifindex")).and_then(|text| text.parse().ok());
            (index.unwrap_or(u64::MAX), name)
        })
        .collect();
    names.sort();
    let mut four = by_routes(live).or_else(|| by_ip(live)).unwrap_or_default();
    let mut six = six(live);
    names
        .into_iter()
        .map(|(_, name)| Interface {
            hardware: line(live, &format!("/sys/class/net/{name}/address")).unwrap_or_default(),
            four: four.remove(&name).unwrap_or_default(),
            six: six.remove(&name).unwrap_or_default(),
            up: matches!(
                line(live, &format!("/sys/class/net/{name}/operstate")).as_deref(),
                Some("up" | "unknown")
            ),
            name,
        })
        .collect()
}

/// Addresses by interface from files; `None` when one fits no interface, or more than one.
fn by_routes(live: &Live) -> Option<BTreeMap<String, Vec<Ipv4Addr>>> {
    let trie = live.text("/proc/net/fib_trie")?;
    let routes = live.text("/proc/net/route").unwrap_or_default();
    let nets: Vec<(String, u32, u32)> = routes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let hex = |word: &&str| {
                u32::from_str_radix(word, 16)
                    .ok()
                    .map(|raw| u32::from_be_bytes(raw.to_ne_bytes()))
            };
            let (name, net, gate, mask) = (words.first()?, words.get(1)?, words.get(2)?, words.get(7)?);
            let (net, gate, mask) = (hex(net)?, hex(gate)?, hex(mask)?);
            (gate == 0 && mask != 0).then(|| ((*name).to_owned(), net, mask))
        })
        .collect();
    let mut found: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
    for ip in trie_addresses(&trie) {
        let bits = u32::from(ip);
        let name = if ip.is_loopback() {
            "lo".to_owned()
        } else {
            let widest = nets.iter().filter(|(_, net, mask)| bits & mask == *net);
            let names: std::collections::BTreeSet<&String> = widest.map(|(name, ..)| name).gather();
            let mut names = names.into_iter();
            match (names.next(), names.next()) {
                (Some(name), None) => name.clone(),
                _ => return None,
            }
        };
        found.entry(name).or_default().push(ip);
    }
    Some(found)
}

/// Local addresses of the trie: a leaf followed by `/32 host LOCAL`.
fn trie_addresses(trie: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut leaf = None;
    for line in trie.lines() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("|-- ") {
            leaf = text.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(ip) = leaf
            && !found.contains(&ip)
        {
            found.push(ip);
        }
    }
    found
}

fn by_ip(live: &Live) -> Option<BTreeMap<String, Vec<Ipv4Addr>>> {
    live.program("ip")?;
    let output = live.tool(&["ip", "-o", "-4", "addr", "show"]).ok()?;
    let mut found: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
    for line in output.stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(name), Some(address)) = (words.get(1), words.get(3)) else {
            continue;
        };
        if let Ok(ip) = address.split('/').next().unwrap_or_default().parse() {
            found.entry((*name).to_owned()).or_default().push(ip);
        }
    }
    Some(found)
}

fn six(live: &Live) -> BTreeMap<String, Vec<Ipv6Addr>> {
    let mut found: BTreeMap<String, Vec<Ipv6Addr>> = BTreeMap::new();
    for line in live.text("/proc/net/if_inet6").unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let (Some(hex), Some(name)) = (words.first(), words.last())
            && let Ok(bits) = u128::from_str_radix(hex, 16)
        {
            found
                .entry((*name).to_owned())
                .or_default()
                .push(Ipv6Addr::from(bits));
        }
    }
    for addresses in found.values_mut() {
        arrange(addresses, &|a, b| a < b);
    }
    found
}

/// The default gateways.
fn gateways(live: &Live) -> (Option<String>, Option<String>) {
    let routes = live.text("/proc/net/route").unwrap_or_default();
    let four = routes.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let gate = u32::from_str_radix(words.get(2)?, 16).ok()?;
        (*words.get(1)? == "00000000" && *words.get(7)? == "00000000" && gate != 0)
            .then(|| Ipv4Addr::from(gate.to_ne_bytes()).to_string())
    });
    let routes = live.text("/proc/net/ipv6_route").unwrap_or_default();
    let six = routes.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let gate = u128::from_str_radix(words.get(4)?, 16).ok()?;
        (words.first()?.bytes().all(|byte| byte == b'0') && *words.get(1)? == "00" && gate != 0)
            .then(|| Ipv6Addr::from(gate).to_string())
    });
    (four, six)
}

fn resolvers(live: &Live) -> Json {
    let text = live.text("/etc/resolv.conf").unwrap_or_default();
    let (mut servers, mut search, mut options, mut domain) =
        (Vec::new(), Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        let mut words = line
            .split(['#', ';'])
            .next()
            .unwrap_or_default()
            .split_whitespace();
        match words.next() {
            Some("nameserver") => servers.extend(words.map(str::to_owned)),
            Some("search") => search = words.map(str::to_owned).collect(),
            Some("options") => options = words.map(str::to_owned).collect(),
            Some("domain") => domain = words.next().unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    let (six, four): (Vec<String>, Vec<String>) = servers.iter().cloned().partition(|ip| ip.contains(':'));
    json!({
        "nameservers": servers,
        "ip4_nameservers": four,
        "ip6_nameservers": six,
        "sortlist": [],
        "domain": domain,
        "search": search,
        "options": options,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing;
    use super::*;

    #[test]
    fn addresses_find_their_interfaces() {
        let host = testing::host();
        let leaf = |ip: &str| format!("     |-- {ip}\n        /32 host LOCAL\n");
        let trie = ["127.0.0.1", "192.168.56.18", "192.168.56.100", "10.0.2.15"]
            .map(leaf)
            .concat();
        host.write("/proc/net/fib_trie", &trie);
        host.write(
            "/proc/net/route",
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
             eth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n\
             eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
             eth1 0038A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n",
        );
        host.write(
            "/proc/net/if_inet6",
            "00000000000000000000000000000001 01 80 10 80       lo\n",
        );
        for (index, name) in ["lo", "eth0", "eth1"].iter().enumerate() {
            host.write(
                &format!("/sys/class/net/{name}/ifindex"),
                &format!("{}\n", index + 1),
            );
            host.write(&format!("/sys/class/net/{name}/address"), "52:54:00:12:34:56\n");
        }
        let found: Vec<(String, Vec<String>)> = interfaces(&host.live)
            .into_iter()
            .map(|link| (link.name, link.four.iter().map(ToString::to_string).collect()))
            .collect();
        let wanted = [
            ("lo", vec!["127.0.0.1"]),
            ("eth0", vec!["10.0.2.15"]),
            ("eth1", vec!["192.168.56.18", "192.168.56.100"]),
        ];
        let wanted: Vec<(String, Vec<String>)> = wanted
            .into_iter()
            .map(|(name, ips)| (name.to_owned(), ips.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(found, wanted);
        assert_eq!(gateways(&host.live).0.as_deref(), Some("10.0.2.2"));
    }

    #[test]
    fn the_full_name_is_the_hosts_files() {
        let host = testing::host();
        host.write(
            "/etc/hosts",
            "127.0.0.1 localhost\n192.168.56.18 db2.example.org db2 # us\n",
        );
        let (name, addresses) = fqdn(&host.live, "db2");
        assert_eq!(
            (name.as_str(), addresses),
            ("db2.example.org", vec!["192.168.56.18".to_owned()])
        );
        assert_eq!(fqdn(&host.live, "x").0, "x");
    }
}
