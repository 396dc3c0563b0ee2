//! Grains: what a host says of itself, in Salt's names and shapes, read from files wherever a file tells it.
//!
//! `id`, `roles` and everything else the roster asserts is the master's to add. A single grain is answered by computing only
//! its section.

mod hardware;
mod network;
mod os;
mod process;

use serde_json::{Map, Value as Json};

use super::Live;
pub(crate) use network::interfaces;

/// Grains of one section, in Salt's order.
pub(crate) type Grains = Map<String, Json>;

/// A section: the keys it may give, and its reader.
type Section = (&'static [&'static str], fn(&Live) -> Grains);

static SECTIONS: &[Section] = &[
    (network::KEYS, network::read),
    (os::KEYS, os::read),
    (hardware::KEYS, hardware::read),
    (process::KEYS, process::read),
];

impl Live {
    /// All grains.
    pub fn all_grains(&mut self) -> Grains {
        let mut all = Grains::new();
        for number in 0..SECTIONS.len() {
            all.extend(self.section(number).clone());
        }
        all
    }

    /// One grain; `a:b` walks into mappings, and into lists by number.
    pub fn grain(&mut self, key: &str) -> Option<Json> {
        let (top, rest) = key
            .split_once(':')
            .map_or((key, None), |(top, rest)| (top, Some(rest)));
        let number = SECTIONS.iter().position(|(keys, _)| keys.contains(&top))?;
        let value = self.section(number).get(top)?;
        match rest {
            None => Some(value.clone()),
            Some(rest) => walk(value, rest).cloned(),
        }
    }

    fn section(&mut self, number: usize) -> &Grains {
        if !self.grains.contains_key(&number) {
            let fresh = SECTIONS
                .get(number)
                .map(|(_, read)| read(self))
                .unwrap_or_default();
            self.grains.insert(number, fresh);
        }
        self.grains.entry(number).or_default()
    }
}

/// Walks `a:b:0` into a value.
pub(crate) fn walk<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    path.split(':').try_fold(value, |value, key| match value {
        Json::Object(map) => map.get(key),
        Json::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The grains of a list of pairs.
fn of<const N: usize>(pairs: [(&str, Json); N]) -> Grains {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A file's first line without blanks around it, unless it is missing or empty.
fn line(live: &Live, path: &str) -> Option<String> {
    let text = live.text(path)?;
    let line = text.lines().next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn every_grain_is_listed_in_its_section() {
        let mut host = testing::host();
        for (number, (keys, _)) in SECTIONS.iter().enumerate() {
            for key in host.live.section(number).keys() {
                assert!(keys.contains(&key.as_str()), "{key} is not listed");
            }
        }
        let all = host.live.all_grains();
        for key in [
            "os",
            "kernel",
            "num_cpus",
            "ipv4",
            "fqdn",
            "mem_total",
            "saltversion",
        ] {
            assert_eq!(all.get(key).cloned(), host.live.grain(key), "{key}");
            assert!(all.contains_key(key), "{key}");
        }
        assert_eq!(host.live.grain("nonsense"), None);
        assert_eq!(host.live.grain("osrelease_info:0"), Some(Json::from(12)));
    }
}
