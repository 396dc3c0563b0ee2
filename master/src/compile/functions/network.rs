//! `network.*`: arithmetic on addresses, and what the host says of its interfaces and routes.

use core::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value as Json, json};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("calc_net", |_, args| {
        let text = args.text("ip_addr")?;
        let net = match args.some("netmask") {
            Some(mask) => Net::parse(&format!("{text}/{}", python::text(&mask)))?,
            None => Net::parse(&text)?,
        };
        Ok(net.to_string().into())
    }),
    ("convert_cidr", convert_cidr),
    ("default_route", |oracle, args| {
        let family = args.text_or("family", "");
        let routes = routes(oracle, &family)?;
        let is_default = |route: &&Json| {
            ["0.0.0.0", "::/0"].iter().any(|all| route["destination"] == *all) && route["flags"] != "!n"
        };
        Ok(routes.iter().filter(is_default).cloned().collect())
    }),
    ("get_route", get_route),
    ("hw_addr", |oracle, args| {
        of_link(oracle, args, |link| link.get("hwaddr").cloned())
    }),
    ("hwaddr", |oracle, args| {
        of_link(oracle, args, |link| link.get("hwaddr").cloned())
    }),
    ("interface_ip", |oracle, args| {
        of_link(oracle, args, |link| {
            link.get("inet")?.get(0)?.get("address").cloned()
        })
    }),
    ("interfaces", |oracle, _| links(oracle).map(Json::Object)),
    ("ifacestartswith", |oracle, args| {
        let start = args.text("cidr")?;
        let names = links(oracle)?.into_iter().filter(|(_, link)| {
            let four = link["inet"].as_array().into_iter().flatten();
            four.filter_map(|one| one["address"].as_str())
                .any(|address| address.starts_with(&start))
        });
        Ok(names.map(|(name, _)| Json::from(name)).collect())
    }),
    ("interface", |oracle, args| {
        of_link(oracle, args, |link| link.get("inet").cloned())
    }),
    ("ip_in_subnet", |_, args| {
        let ip = args.text("ip_addr")?;
        let net = Net::parse(&args.text("cidr")?);
        let (Ok(net), Ok(ip)) = (net, ip.parse::<IpAddr>()) else {
            return Ok(false.into());
        };
        Ok(net.holds(ip).into())
    }),
    ("ip_networks", networks),
    ("iphexval", |_, args| {
        let text = args.text("ip")?;
        let ip: Ipv4Addr = text.parse().map_err(|_| bad(&text))?;
        Ok(format!("{:08X}", u32::from(ip)).into())
    }),
    ("is_loopback", |_, args| {
        address(args).map(|ip| ip.is_loopback().into())
    }),
    ("is_private", |_, args| {
        address(args).map(|ip| is_private(ip).into())
    }),
    ("reverse_ip", |_, args| address(args).map(|ip| reverse(ip).into())),
    ("routes", |oracle, args| {
        let family = args.text_or("family", "");
        routes(oracle, &family).map(Json::from)
    }),
    ("subnets", networks),
];

fn bad(text: &str) -> String {
    format!(
        "{} does not appear to be an IPv4 or IPv6 address or network",
        python::quoted(text)
    )
}

fn address(args: &mut Args) -> Result<IpAddr, String> {
    let text = args.text("ip_addr")?;
    text.parse().map_err(|_| bad(&text))
}

/// A network: its first address and how many bits of it are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Net {
    base: IpAddr,
    bits: u32,
}

impl Net {
    fn parse(text: &str) -> Result<Self, String> {
        let (ip, mask) = text.split_once('/').unwrap_or((text, ""));
        let ip: IpAddr = ip.trim().parse().map_err(|_| bad(text))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            "" => most,
            mask => match mask.parse::<Ipv4Addr>() {
                Ok(mask)
                    if ip.is_ipv4() && u32::from(mask).leading_ones() == u32::from(mask).count_ones() =>
                {
                    u32::from(mask).count_ones()
                }
                _ => mask
                    .parse()
                    .ok()
                    .filter(|bits| *bits <= most)
                    .ok_or_else(|| bad(text))?,
            },
        };
        Ok(Self {
            base: first(ip, bits),
            bits,
        })
    }

    fn holds(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.base.is_ipv4() && first(ip, self.bits) == self.base
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// The first address of the network of that many bits.
fn first(ip: IpAddr, bits: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & u32::MAX.checked_shl(32 - bits).unwrap_or(0)).into()),
        IpAddr::V6(ip) => {
            IpAddr::V6((u128::from(ip) & u128::MAX.checked_shl(128 - bits).unwrap_or(0)).into())
        }
    }
}

fn mask(bits: u32) -> Ipv4Addr {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0).into()
}

fn convert_cidr(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let net = Net::parse(&args.text("cidr")?)?;
    let IpAddr::V4(base) = net.base else {
        let last = u128::MAX.checked_shr(net.bits).unwrap_or(0);
        let IpAddr::V6(base) = net.base else {
            return Ok(Json::Null);
        };
        return Ok(json!({
            "network": base.to_string(),
            "netmask": first(IpAddr::V6(u128::MAX.into()), net.bits).to_string(),
            "broadcast": core::net::Ipv6Addr::from(u128::from(base) | last).to_string(),
        }));
    };
    Ok(json!({
        "network": base.to_string(),
        "netmask": mask(net.bits).to_string(),
        "broadcast": Ipv4Addr::from(u32::from(base) | !u32::from(mask(net.bits))).to_string(),
    }))
}

/// What Python's `ipaddress` takes for private.
fn is_private(ip: IpAddr) -> bool {
    const FOUR: [&str; 14] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/29",
        "192.0.0.170/31",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "255.255.255.255/32",
    ];
    const SIX: [&str; 10] = [
        "::1/128",
        "::/128",
        "::ffff:0:0/96",
        "100::/64",
        "2001::/23",
        "2001:2::/48",
        "2001:db8::/32",
        "2001:10::/28",
        "fc00::/7",
        "fe80::/10",
    ];
    FOUR.iter()
        .chain(&SIX)
        .filter_map(|net| Net::parse(net).ok())
        .any(|net| net.holds(ip))
}

fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits = format!("{:032x}", u128::from(ip));
            let mut out: String = digits.chars().rev().flat_map(|digit| [digit, '.']).collect();
            out.push_str("ip6.arpa");
            out
        }
    }
}

/// All interfaces in Salt's shape; as far as the agent knows them where the host has no program `ip`.
fn links(oracle: &Oracle) -> Result<Map<String, Json>, String> {
    let output = asked::output(oracle, &["ip", "addr", "show"])?;
    if output.code == 0 {
        return Ok(interfaces(&output.stdout));
    }
    match asked::call(oracle, "network.interfaces", &[])? {
        Json::Object(links) => Ok(links),
        _ => Ok(Map::new()),
    }
}

/// What `ip addr show` tells.
fn interfaces(text: &str) -> Map<String, Json> {
    let mut all = Map::new();
    let mut name = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1).copied()
        };
        if !line.starts_with(' ') {
            let Some(full) = words.get(1) else { continue };
            name = full
                .trim_end_matches(':')
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned();
            let flags = words.get(2).map_or("", |flags| flags.trim_matches(['<', '>']));
            let up = flags.split(',').any(|flag| flag == "UP");
            let mut link = Map::from_iter([("up".to_owned(), up.into())]);
            if let Some((_, parent)) = full.trim_end_matches(':').split_once('@') {
                link.insert("parent".to_owned(), parent.into());
            }
            all.insert(name.clone(), Json::Object(link));
            continue;
        }
        let Some(link) = all.get_mut(&name).and_then(Json::as_object_mut) else {
            continue;
        };
        let (kind, value) = (
            words.first().copied().unwrap_or_default(),
            words.get(1).copied().unwrap_or_default(),
        );
        let (ip, bits) = value.split_once('/').unwrap_or((value, ""));
        let shown = match kind {
            "inet" => {
                let bits = bits.parse().unwrap_or(32);
                json!({
                    "address": ip, "netmask": mask(bits).to_string(), "broadcast": after("brd"),
                    "label": words.last(),
                })
            }
            "inet6" => json!({"address": ip, "prefixlen": bits, "scope": after("scope")}),
            kind if kind.starts_with("link/") => {
                link.insert("hwaddr".to_owned(), value.into());
                continue;
            }
            _ => continue,
        };
        // Further addresses of the same network have a place of their own.
        let (key, shown) = if words.contains(&"secondary") {
            let mut shown = shown;
            shown["type"] = kind.into();
            ("secondary", shown)
        } else {
            (kind, shown)
        };
        match link.entry(key).or_insert_with(|| Json::Array(Vec::new())) {
            Json::Array(list) => list.push(shown),
            _ => continue,
        }
    }
    all
}

/// Something of one interface, or Salt's sentence that there is none.
fn of_link(oracle: &Oracle, args: &mut Args, what: fn(&Json) -> Option<Json>) -> Result<Json, String> {
    let name = args.text("iface")?;
    let links = links(oracle)?;
    Ok(match links.get(&name) {
        Some(link) => what(link).unwrap_or(Json::Null),
        None => no_such(&name, &links).into(),
    })
}

fn no_such(name: &str, links: &Map<String, Json>) -> String {
    let names: Vec<String> = links.keys().map(|name| format!("\"{name}\"")).collect();
    format!(
        "Interface \"{name}\" not in available interfaces: {}",
        names.join(", ")
    )
}

/// The IPv4 networks of all interfaces, or of some.
fn networks(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let one_name = if args.function() == "network.subnets" {
        "interfaces"
    } else {
        "interface"
    };
    let only = args.texts(one_name);
    let loopback = args.flag("include_loopback", false);
    let mut found: Vec<Net> = Vec::new();
    for (name, link) in links(oracle)? {
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        for one in link["inet"].as_array().into_iter().flatten() {
            let (Some(ip), Some(mask)) = (one["address"].as_str(), one["netmask"].as_str()) else {
                continue;
            };
            let net = Net::parse(&format!("{ip}/{mask}"))?;
            if (loopback || !net.base.is_loopback()) && !found.contains(&net) {
                found.push(net);
            }
        }
    }
    found.sort_by_key(|net| (net.base, net.bits));
    Ok(found.iter().map(|net| Json::from(net.to_string())).collect())
}

/// Routes as `ip route` tells them, in the shape of netstat.
fn routes(oracle: &Oracle, family: &str) -> Result<Vec<Json>, String> {
    if !matches!(family, "" | "inet" | "inet6") {
        return Err(format!("Invalid address family {family}"));
    }
    let mut all = Vec::new();
    if family != "inet6" {
        for line in asked::must(oracle, &["ip", "-4", "route", "show", "table", "main"])?.lines() {
            all.extend(route(line, "inet"));
        }
    }
    if family != "inet" {
        for line in asked::must(oracle, &["ip", "-6", "route", "show", "table", "main"])?.lines() {
            all.extend(route(line, "inet6"));
        }
    }
    Ok(all)
}

fn route(line: &str, family: &str) -> Option<Json> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).copied()
    };
    let to = *words.first()?;
    let four = family == "inet";
    let (destination, netmask) = match (to, four) {
        ("default", true) => ("0.0.0.0".to_owned(), "0.0.0.0".to_owned()),
        ("default", false) => ("::/0".to_owned(), String::new()),
        (net, true) => {
            let net = Net::parse(net).ok()?;
            (net.base.to_string(), mask(net.bits).to_string())
        }
        (net, false) => (net.to_owned(), String::new()),
    };
    let via = after("via");
    let none = if four { "0.0.0.0" } else { "::" };
    Some(json!({
        "addr_family": family,
        "destination": destination,
        "gateway": via.unwrap_or(none),
        "netmask": netmask,
        "flags": if via.is_some() { "UG" } else { "U" },
        "interface": after("dev"),
    }))
}

fn get_route(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let ip = args.text("ip")?;
    let text = asked::must(oracle, &["ip", "route", "get", &ip])?;
    let words: Vec<&str> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).copied()
    };
    Ok(json!({
        "destination": words.first(),
        "gateway": after("via"),
        "interface": after("dev"),
        "source": after("src"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_counted() {
        for (text, want) in [
            ("10.1.2.3/20", "10.1.0.0/20"),
            ("172.17.0.5/255.255.255.240", "172.17.0.0/28"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("2a02:f6e:a000:80::ab/64", "2a02:f6e:a000:80::/64"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Net::parse(text).map(|net| net.to_string()).as_deref(), Ok(want));
        }
        for text in ["x", "1.2.3.4/33", "1.2.3.4/255.0.255.0", "1.2.3/8"] {
            assert!(Net::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn interfaces_have_salts_shape() {
        let text = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n\
                    \x20   link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n\
                    \x20   inet 127.0.0.1/8 scope host lo\n\
                    \x20      valid_lft forever preferred_lft forever\n\
                    2: e0@if3: <BROADCAST> mtu 1500\n\
                    \x20   link/ether 02:fc:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n\
                    \x20   inet 10.0.0.2/24 brd 10.0.0.255 scope global e0\n\
                    \x20   inet6 fe80::1/64 scope link\n";
        assert_eq!(
            Json::Object(interfaces(text)),
            json!({
                "lo": {"up": true, "hwaddr": "00:00:00:00:00:00", "inet": [
                    {"address": "127.0.0.1", "netmask": "255.0.0.0", "broadcast": null, "label": "lo"},
                ]},
                "e0": {"up": false, "parent": "if3", "hwaddr": "02:fc:00:00:00:01",
                    "inet": [{"address": "10.0.0.2", "netmask": "255.255.255.0", "broadcast": "10.0.0.255", "label": "e0"}],
                    "inet6": [{"address": "fe80::1", "prefixlen": "64", "scope": "link"}]},
            })
        );
    }

    #[test]
    fn routes_have_netstats_shape() {
        let found = route("default via 192.0.2.1 dev eth0 onlink", "inet").unwrap_or_default();
        assert_eq!(
            (&found["destination"], &found["gateway"], &found["flags"]),
            (&json!("0.0.0.0"), &json!("192.0.2.1"), &json!("UG"))
        );
        let found = route("fd00::/64 dev eth0 proto kernel", "inet6").unwrap_or_default();
        assert_eq!(
            (&found["destination"], &found["gateway"]),
            (&json!("fd00::/64"), &json!("::"))
        );
    }
}
