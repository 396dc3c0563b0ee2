//! `network.*`: names, interfaces and addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value as Json, json};

use super::{Args, Function};
use crate::live::Live;
use crate::live::grains::interfaces;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "network.get_hostname",
        params: "",
        run: |live, _| Ok(live.grain("nodename").unwrap_or_default()),
    },
    Function {
        name: "network.get_fqdn",
        params: "",
        run: |live, _| Ok(live.grain("fqdn").unwrap_or_default()),
    },
    Function {
        name: "network.ip_addrs",
        params: "interface=None, include_loopback=False, cidr=None",
        run: four,
    },
    Function {
        name: "network.ipaddrs",
        params: "interface=None, include_loopback=False, cidr=None",
        run: four,
    },
    Function {
        name: "network.ip_addrs6",
        params: "interface=None, include_loopback=False",
        run: six,
    },
    Function {
        name: "network.ipaddrs6",
        params: "interface=None, include_loopback=False",
        run: six,
    },
    Function {
        name: "network.interfaces",
        params: "",
        run: |live, _| {
            let all = interfaces(live).into_iter().map(|link| {
                let mut shown = Map::new();
                shown.insert("up".to_owned(), json!(link.up));
                shown.insert("hwaddr".to_owned(), json!(link.hardware));
                let label = |ip: &Ipv4Addr| json!({"address": ip.to_string(), "label": link.name});
                if !link.four.is_empty() {
                    shown.insert("inet".to_owned(), link.four.iter().map(label).collect());
                }
                if !link.six.is_empty() {
                    let address = |ip: &Ipv6Addr| json!({"address": ip.to_string()});
                    shown.insert("inet6".to_owned(), link.six.iter().map(address).collect());
                }
                (link.name.clone(), Json::Object(shown))
            });
            Ok(Json::Object(all.collect()))
        },
    },
    Function {
        name: "network.interface_ip",
        params: "iface",
        run: |live, args| {
            let name = args.need("iface")?;
            let found = interfaces(live).into_iter().find(|link| link.name == name);
            Ok(json!(
                found
                    .and_then(|link| link.four.first().map(ToString::to_string))
                    .unwrap_or_default()
            ))
        },
    },
    Function {
        name: "network.hw_addr",
        params: "iface",
        run: |live, args| {
            let name = args.need("iface")?;
            let found = interfaces(live).into_iter().find(|link| link.name == name);
            Ok(json!(found.map(|link| link.hardware).unwrap_or_default()))
        },
    },
    Function {
        name: "network.in_subnet",
        params: "cidr",
        run: |live, args| {
            let cidr = args.need("cidr")?;
            let network = Network::parse(&cidr).ok_or_else(|| format!("Invalid CIDR '{cidr}'"))?;
            Ok(json!(
                addresses(live, args, false)
                    .into_iter()
                    .any(|ip| network.holds(ip))
            ))
        },
    },
];

/// An IPv4 network.
#[derive(Debug, Clone, Copy)]
struct Network {
    base: u32,
    mask: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/').unwrap_or((text, "32"));
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
        Some(Self {
            base: u32::from(base.parse::<Ipv4Addr>().ok()?) & mask,
            mask,
        })
    }

    fn holds(self, ip: Ipv4Addr) -> bool {
        u32::from(ip) & self.mask == self.base
    }
}

fn addresses(live: &Live, args: &Args, loopback: bool) -> Vec<Ipv4Addr> {
    let only = args.text("interface");
    let mut found: Vec<Ipv4Addr> = interfaces(live)
        .into_iter()
        .filter(|link| only.as_ref().is_none_or(|only| link.name == *only))
        .flat_map(|link| link.four)
        .filter(|ip| loopback || !ip.is_loopback())
        .collect();
    found.sort();
    found
}

fn four(live: &mut Live, args: &Args) -> Result<Json, String> {
    let network = match args.text("cidr") {
        Some(cidr) => Some(Network::parse(&cidr).ok_or_else(|| format!("Invalid CIDR '{cidr}'"))?),
        None => None,
    };
    let found = addresses(live, args, args.flag("include_loopback", false));
    Ok(found
        .into_iter()
        .filter(|ip| network.is_none_or(|network| network.holds(*ip)))
        .map(|ip| json!(ip.to_string()))
        .collect())
}

fn six(live: &mut Live, args: &Args) -> Result<Json, String> {
    let only = args.text("interface");
    let loopback = args.flag("include_loopback", false);
    let mut found: Vec<Ipv6Addr> = interfaces(live)
        .into_iter()
        .filter(|link| only.as_ref().is_none_or(|only| link.name == *only))
        .flat_map(|link| link.six)
        .filter(|ip| loopback || !ip.is_loopback())
        .collect();
    found.sort();
    Ok(found.into_iter().map(|ip| json!(ip.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let network = Network::parse("10.1.0.0/16").expect("a network");
        assert!(network.holds(Ipv4Addr::new(10, 1, 200, 3)) && !network.holds(Ipv4Addr::new(10, 2, 0, 1)));
        assert!(
            Network::parse("0.0.0.0/0")
                .expect("all")
                .holds(Ipv4Addr::new(1, 2, 3, 4))
        );
        assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("x").is_none());
    }
}
