//! Filters on IP addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Table;
use crate::compile::jinja::args::{Bound, CallArgs, expect_text};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::text::{quote, refuse, str};
use crate::compile::jinja::values::{Dict, Value, items};

/// Most addresses `network_hosts` lists.
const HOSTS: u128 = 1 << 17;

pub(super) static FILTERS: Table = &[
    ("is_ip", |_, value, args| is(&value, args, None)),
    ("is_ipv4", |_, value, args| is(&value, args, Some(4))),
    ("is_ipv6", |_, value, args| is(&value, args, Some(6))),
    ("ipv4", |_, value, args| filter(&value, args, Some(4))),
    ("ipv6", |_, value, args| filter(&value, args, Some(6))),
    ("ipaddr", |_, value, args| filter(&value, args, None)),
    ("ip_host", |_, value, args| {
        each(&value, args, |address| Ok(Value::from(address.interface())))
    }),
    ("network_hosts", |_, value, args| {
        each(&value, args, |address| address.hosts())
    }),
    ("network_size", |_, value, args| {
        each(&value, args, |address| {
            let bits = address.width() - address.prefix;
            match 1i128.checked_shl(bits) {
                Some(size) if bits < 127 => Ok(Value::Int(size)),
                _ => Err(fault::other("the number is too large")),
            }
        })
    }),
    ("filter_by_networks", |_, value, args| {
        let networks = args.bind("filter_by_networks", ["networks"], 1)?.value(0);
        if matches!(networks, Value::None) {
            return Ok(value);
        }
        let mut parsed = Vec::new();
        for network in items::collect(&networks)? {
            let text = str(&network)?;
            let network = Address::parse(&text).ok_or_else(|| {
                fault::other(format!(
                    "{} does not appear to be an IPv4 or IPv6 network",
                    quote(&text)
                ))
            })?;
            if network.network() != network.bits() {
                return Err(fault::other(format!("{text} has host bits set")));
            }
            parsed.push(network);
        }
        match &value {
            Value::Dict(dict) => {
                let result = Dict::default();
                for (key, addresses) in dict.pairs() {
                    result.insert(key, inside(&addresses, &parsed)?);
                }
                Ok(Value::dict(result))
            }
            Value::List(_) | Value::Tuple(_) | Value::Str(_) => inside(&value, &parsed),
            other => Err(fault::other(format!(
                "Do not know how to filter a <class '{}'>",
                other.type_name()
            ))),
        }
    }),
    ("ipwrap", |_, value, _| {
        let wrap = |value: &Value| match value {
            Value::Str(text) => match Address::parse(text) {
                Some(address) if !address.ip.is_ipv4() => {
                    let bare = text.trim_start_matches('[').trim_end_matches(']');
                    match Address::parse(bare) {
                        Some(address) if !address.slash => Ok(Value::from(format!("[{}]", address.text()))),
                        _ => Err(fault::other(format!(
                            "{} does not appear to be an IPv4 or IPv6 address",
                            quote(text)
                        ))),
                    }
                }
                _ => Ok(value.clone()),
            },
            other => Ok(other.clone()),
        };
        match &value {
            Value::List(_) | Value::Tuple(_) => Ok(Value::list(
                items::collect(&value)?.iter().map(wrap).collect::<Res<_>>()?,
            )),
            other => wrap(other),
        }
    }),
];

/// An address with its prefix.
struct Address {
    ip: IpAddr,
    prefix: u32,
    /// Whether a prefix was written.
    slash: bool,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().ok()?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let length = match prefix {
            None => width,
            Some(prefix) if prefix.bytes().all(|b| b.is_ascii_digit()) => {
                prefix.parse().ok().filter(|n| *n <= width)?
            }
            Some(mask) if ip.is_ipv4() => {
                let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
                if mask.leading_ones() + mask.trailing_zeros() == 32 || mask == 0 {
                    mask.leading_ones()
                } else if mask.leading_zeros() + mask.trailing_ones() == 32 {
                    mask.leading_zeros()
                } else {
                    return None;
                }
            }
            Some(_) => return None,
        };
        Some(Self {
            ip,
            prefix: length,
            slash: prefix.is_some(),
        })
    }

    fn version(&self) -> u8 {
        if self.ip.is_ipv4() { 4 } else { 6 }
    }

    fn width(&self) -> u32 {
        if self.ip.is_ipv4() { 32 } else { 128 }
    }

    fn bits(&self) -> u128 {
        match self.ip {
            IpAddr::V4(ip) => u32::from(ip).into(),
            IpAddr::V6(ip) => ip.into(),
        }
    }

    fn network(&self) -> u128 {
        let host = self.width() - self.prefix;
        if host >= 128 {
            0
        } else {
            self.bits() >> host << host
        }
    }

    /// As Python prints an address, or an interface when a prefix was written.
    fn text(&self) -> String {
        if self.slash {
            self.interface()
        } else {
            address_text(self.ip)
        }
    }

    fn interface(&self) -> String {
        format!("{}/{}", address_text(self.ip), self.prefix)
    }

    fn hosts(&self) -> Res<Value> {
        let host = self.width() - self.prefix;
        let size = if host >= 127 { u128::MAX } else { 1u128 << host };
        if size > HOSTS {
            return Err(fault::other(format!(
                "the network {} has too many hosts to list",
                self.interface()
            )));
        }
        let (first, last) = (self.network(), self.network() + size - 1);
        let (first, last) = match (size, self.ip.is_ipv4()) {
            (1 | 2, _) => (first, last),
            (_, true) => (first + 1, last - 1),
            (_, false) => (first + 1, last),
        };
        let v4 = self.ip.is_ipv4();
        Ok(Value::list(
            (first..=last)
                .map(|bits| {
                    let ip = match u32::try_from(bits) {
                        Ok(bits) if v4 => IpAddr::V4(bits.into()),
                        _ => IpAddr::V6(bits.into()),
                    };
                    Value::from(address_text(ip))
                })
                .collect(),
        ))
    }

    fn within(&self, networks: &[(&str, u32)]) -> bool {
        networks.iter().any(|(network, prefix)| {
            network.parse::<IpAddr>().is_ok_and(|ip| {
                let network = Self {
                    ip,
                    prefix: *prefix,
                    slash: true,
                };
                network.holds(self)
            })
        })
    }

    fn holds(&self, other: &Self) -> bool {
        if self.version() != other.version() {
            return false;
        }
        let host = self.width() - self.prefix;
        host >= 128 || self.bits() >> host == other.bits() >> host
    }
}

/// An address as Python prints it: no dotted tail in IPv6.
fn address_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            // The longest run of two or more zeros, the first of equals.
            let (mut best, mut at) = ((0, 0), 0);
            while at < 8 {
                let run = segments[at..].iter().take_while(|segment| **segment == 0).count();
                if run > best.1 {
                    best = (at, run);
                }
                at += run.max(1);
            }
            let join = |part: &[u16]| {
                part.iter()
                    .map(|s| format!("{s:x}"))
                    .collect::<Vec<_>>()
                    .join(":")
            };
            if best.1 < 2 {
                return join(&segments);
            }
            format!(
                "{}::{}",
                join(&segments[..best.0]),
                join(&segments[best.0 + best.1..])
            )
        }
    }
}

const PRIVATE: &[(&str, u32)] = &[
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 29),
    ("192.0.0.170", 31),
    ("192.0.2.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("240.0.0.0", 4),
    ("255.255.255.255", 32),
    ("::1", 128),
    ("::", 128),
    ("::ffff:0:0", 96),
    ("100::", 64),
    ("2001::", 23),
    ("2001:2::", 48),
    ("2001:db8::", 32),
    ("2001:10::", 28),
    ("fc00::", 7),
    ("fe80::", 10),
];
const RESERVED: &[(&str, u32)] = &[
    ("240.0.0.0", 4),
    ("::", 8),
    ("100::", 8),
    ("200::", 7),
    ("400::", 6),
    ("800::", 5),
    ("1000::", 4),
    ("4000::", 3),
    ("6000::", 3),
    ("8000::", 3),
    ("a000::", 3),
    ("c000::", 3),
    ("e000::", 4),
    ("f000::", 5),
    ("f800::", 6),
    ("fe00::", 9),
];

/// Whether an address has a property the options of the filters name.
fn has(address: &Address, option: &str) -> Option<bool> {
    Some(match option {
        "global" | "public" => !address.within(PRIVATE),
        "private" => address.within(PRIVATE),
        "link-local" | "linklocal" | "ll" | "link_local" => {
            address.within(&[("169.254.0.0", 16), ("fe80::", 10)])
        }
        "loopback" | "lo" => address.within(&[("127.0.0.0", 8), ("::1", 128)]),
        "multicast" => address.within(&[("224.0.0.0", 4), ("ff00::", 8)]),
        "reserved" => address.within(RESERVED),
        "site-local" | "sl" | "site_local" => address.within(&[("fec0::", 10)]),
        "unspecified" => address.within(&[("0.0.0.0", 32), ("::", 128)]),
        _ => return None,
    })
}

/// The address as text, when it is one of that version with all those properties.
fn checked(value: &Value, version: u8, options: Option<&str>) -> Option<String> {
    let address = match value {
        Value::Str(text) => Address::parse(text)?,
        Value::Int(bits) => match (u32::try_from(*bits), u128::try_from(*bits)) {
            (Ok(bits), _) => Address::parse(&Ipv4Addr::from(bits).to_string())?,
            (_, Ok(bits)) => Address::parse(&Ipv6Addr::from(bits).to_string())?,
            _ => return None,
        },
        _ => return None,
    };
    if address.version() != version {
        return None;
    }
    let wanted = options.unwrap_or_default().split(',').map(str::trim);
    let fits = wanted.filter_map(|option| has(&address, option)).all(|fits| fits);
    fits.then(|| address.text())
}

fn options<const N: usize>(bound: &Bound<N>) -> Res<Option<String>> {
    bound.some(0).map(expect_text).transpose()
}

fn is(value: &Value, args: CallArgs, version: Option<u8>) -> Res<Value> {
    if let Value::Undefined(undefined) = value {
        return Err(refuse(undefined));
    }
    let options = options(&args.bind("is_ip", ["options"], 0)?)?;
    let versions = version.map_or_else(|| vec![4, 6], |version| vec![version]);
    Ok(versions
        .iter()
        .any(|version| checked(value, *version, options.as_deref()).is_some())
        .into())
}

fn filter(value: &Value, args: CallArgs, version: Option<u8>) -> Res<Value> {
    let options = options(&args.bind("ipaddr", ["options"], 0)?)?;
    Ok(filtered(value, options.as_deref(), version)?.unwrap_or(Value::None))
}

fn filtered(value: &Value, options: Option<&str>, version: Option<u8>) -> Res<Option<Value>> {
    let versions = version.map_or_else(|| vec![4, 6], |version| vec![version]);
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let all = items::collect(value)?;
            let mut out = Vec::new();
            for version in versions {
                out.extend(
                    all.iter()
                        .filter_map(|item| checked(item, version, options))
                        .map(Value::from),
                );
            }
            Ok(Some(Value::list(out)))
        }
        Value::Str(_) => Ok(versions
            .iter()
            .find_map(|version| checked(value, *version, options))
            .map(Value::from)),
        _ => Ok(None),
    }
}

/// Applies something to each address that passes, or to the one.
fn each(value: &Value, args: CallArgs, apply: impl Fn(&Address) -> Res<Value>) -> Res<Value> {
    let bound = args.bind("ip_host", ["options", "version"], 0)?;
    let options = options(&bound)?;
    let version = bound
        .some(1)
        .and_then(Value::as_int)
        .and_then(|version| u8::try_from(version).ok());
    let of = |text: &Value| match text {
        Value::Str(text) => Address::parse(text),
        _ => None,
    };
    match filtered(value, options.as_deref(), version)? {
        Some(Value::List(list)) => {
            let all = list.items.borrow();
            if all.is_empty() {
                return Ok(Value::None);
            }
            let applied = all
                .iter()
                .filter_map(of)
                .map(|address| apply(&address))
                .collect::<Res<Vec<_>>>()?;
            Ok(Value::list(applied))
        }
        Some(one) => of(&one).map_or(Ok(Value::None), |address| apply(&address)),
        None => Ok(Value::None),
    }
}

/// The addresses that lie in one of the networks, once for each.
fn inside(addresses: &Value, networks: &[Address]) -> Res<Value> {
    let mut out = Vec::new();
    for item in items::collect(addresses)? {
        let text = str(&item)?;
        let address = Address::parse(&text)
            .filter(|address| !address.slash)
            .ok_or_else(|| {
                fault::other(format!(
                    "{} does not appear to be an IPv4 or IPv6 address",
                    quote(&text)
                ))
            })?;
        out.extend(
            networks
                .iter()
                .filter(|network| network.holds(&address))
                .map(|_| item.clone()),
        );
    }
    Ok(Value::list(out))
}
