//! The simple matchers: globs, regular expressions, paths into grains and pillar, networks.

use std::net::{IpAddr, Ipv4Addr};

use fancy_regex::Regex;
use serde_json::{Map, Value as Json};

use super::TargetError;

/// Whether a shell glob means a text, as Python's `fnmatch` has it: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`; case counts;
/// a `[` without its `]` is itself.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when the newest `*` takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if let Some(length) = one(&pattern[p..], text[t]) {
            p += length;
            t += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            (p, t) = (after, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|ch| *ch == '*')
}

/// How much of the pattern one character uses up, if it fits.
fn one(pattern: &[char], ch: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            // A `]` right after the `[` or the `!` is a member.
            let negated = pattern.get(1) == Some(&'!');
            let from = if negated { 2 } else { 1 };
            let close = (from + 1..pattern.len()).find(|index| pattern[*index] == ']');
            match close {
                None => (ch == '[').then_some(1),
                Some(end) => (member(&pattern[from..end], ch) != negated).then_some(end + 1),
            }
        }
        literal => (*literal == ch).then_some(1),
    }
}

fn member(set: &[char], ch: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == '-' {
            if (set[at]..=set[at + 2]).contains(&ch) {
                return true;
            }
            at += 3;
        } else {
            if set[at] == ch {
                return true;
            }
            at += 1;
        }
    }
    false
}

/// A regular expression anchored at the start, as Python's `re.match`; `flags` such as `(?i)` come first.
pub(super) fn regex(pattern: &str, flags: &str) -> Result<Regex, TargetError> {
    let wrong = |error: fancy_regex::Error| TargetError::Regex {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    };
    Regex::new(&format!(r"{flags}\A(?:{pattern})")).map_err(wrong)
}

/// Runs one; an expression that takes too many steps is an error.
pub(super) fn is_match(pattern: &Regex, text: &str) -> Result<bool, TargetError> {
    pattern.is_match(text).map_err(|error| TargetError::Regex {
        pattern: pattern.as_str().to_owned(),
        reason: error.to_string(),
    })
}

/// A path into nested data and what its value must look like: `a:b:glob`.
///
/// Where the path ends and the value begins is not written, so every division is tried, the longest path first. Case
/// does not count in values. A list means any of its members, a mapping any of its keys.
#[derive(Debug, Clone)]
pub(super) struct Path {
    parts: Vec<String>,
    delimiter: char,
    regex: bool,
}

impl Path {
    pub(super) fn glob(text: &str, delimiter: char) -> Result<Self, TargetError> {
        Self::parse(text, delimiter, false)
    }

    pub(super) fn regex(text: &str, delimiter: char) -> Result<Self, TargetError> {
        let path = Self::parse(text, delimiter, true)?;
        // The shortest path leaves the whole expression.
        regex(&path.join(1), "(?i)").map(|_| path)
    }

    fn parse(text: &str, delimiter: char, regex: bool) -> Result<Self, TargetError> {
        let parts: Vec<String> = text.split(delimiter).map(str::to_owned).collect();
        if parts.len() < 2 {
            return Err(TargetError::NoValue(text.to_owned(), delimiter));
        }
        Ok(Self {
            parts,
            delimiter,
            regex,
        })
    }

    /// The first name of the path.
    pub(super) fn first(&self) -> &str {
        self.parts.first().map_or("*", String::as_str)
    }

    fn join(&self, from: usize) -> String {
        self.parts
            .get(from..)
            .unwrap_or_default()
            .join(&self.delimiter.to_string())
    }

    pub(super) fn matches(&self, data: &Map<String, Json>) -> Result<bool, TargetError> {
        self.below(data, &self.parts)
    }

    /// Salt's `subdict_match`: whether the parts lead through this mapping to a fitting value.
    fn below(&self, data: &Map<String, Json>, parts: &[String]) -> Result<bool, TargetError> {
        for split in (1..parts.len()).rev() {
            let (path, rest) = parts.split_at(split);
            if path.len() == 1 && path[0] == "*" {
                // Anything below the top: the whole expression is asked of the whole data.
                if self.of_mapping(data, parts)? {
                    return Ok(true);
                }
                continue;
            }
            let fits = match traverse(data, path) {
                None => false,
                Some(Json::Object(map)) => !map.is_empty() && self.of_mapping(map, rest)?,
                Some(Json::Array(items)) => self.of_list(items, rest)?,
                Some(value) => self.of_value(value, rest)?,
            };
            if fits {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn of_list(&self, items: &[Json], rest: &[String]) -> Result<bool, TargetError> {
        for item in items {
            if let Json::Object(map) = item
                && self.of_mapping(map, rest)?
            {
                return Ok(true);
            }
            if self.of_value(item, rest)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A mapping fits by a key, by something inside it, or after `*:` by something anywhere one level down.
    fn of_mapping(&self, map: &Map<String, Json>, rest: &[String]) -> Result<bool, TargetError> {
        let wildcard = rest.len() > 1 && rest[0] == "*";
        let rest = if wildcard { &rest[1..] } else { rest };
        let whole = rest.join(&self.delimiter.to_string());
        if whole == "*" || map.contains_key(&whole) || self.below(map, rest)? {
            return Ok(true);
        }
        if wildcard {
            for value in map.values() {
                let fits = match value {
                    Json::Object(inner) => self.of_mapping(inner, rest)?,
                    Json::Array(items) => items
                        .iter()
                        .try_fold(false, |fits, item| Ok(fits || self.of_value(item, rest)?))?,
                    value => self.of_value(value, rest)?,
                };
                if fits {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn of_value(&self, value: &Json, rest: &[String]) -> Result<bool, TargetError> {
        let pattern = rest.join(&self.delimiter.to_string());
        let text = text(value);
        if self.regex {
            // A division in the midst of the expression may leave something that is none.
            return regex(&pattern, "(?i)").map_or(Ok(false), |regex| is_match(&regex, &text));
        }
        Ok(glob(&pattern.to_lowercase(), &text.to_lowercase()))
    }
}

/// A value as Python's `str()` prints it, which is what patterns are written for.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Salt's `traverse_dict_and_list`: keys, indices of lists, and mappings inside lists.
fn traverse<'a>(data: &'a Map<String, Json>, path: &[String]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    let mut at = data.get(first)?;
    for part in rest {
        at = match at {
            Json::Object(map) => map.get(part)?,
            Json::Array(items) => items
                .iter()
                .find_map(|item| item.get(part.as_str()))
                .or_else(|| {
                    let index: i64 = part.parse().ok()?;
                    let back = || {
                        items
                            .len()
                            .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
                    };
                    let index = if index < 0 {
                        back()
                    } else {
                        usize::try_from(index).ok()
                    };
                    items.get(index?)
                })?,
            _ => return None,
        };
    }
    Some(at)
}

/// An address, or a network of them.
#[derive(Debug, Clone)]
pub(super) struct Network {
    address: IpAddr,
    /// Leading bits that count.
    bits: u32,
}

impl Network {
    pub(super) fn parse(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Network(text.to_owned());
        let (address, mask) = text
            .split_once('/')
            .map_or((text, None), |(address, mask)| (address, Some(mask)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = width(address);
        let bits = match mask {
            None => width,
            Some(mask) => prefix(mask, address)
                .filter(|bits| *bits <= width)
                .ok_or_else(wrong)?,
        };
        let network = Self { address, bits };
        // Host bits make it unclear what was meant; Salt refuses them too.
        if number(address) == masked(address, bits) {
            Ok(network)
        } else {
            Err(wrong())
        }
    }

    /// The grain it looks at.
    pub(super) fn grain(&self) -> &'static str {
        if self.address.is_ipv4() { "ipv4" } else { "ipv6" }
    }

    pub(super) fn matches(&self, grains: &Map<String, Json>) -> bool {
        let holds = |value: &Json| {
            let address = value
                .as_str()
                .and_then(|text| text.split('/').next()?.parse::<IpAddr>().ok());
            address.is_some_and(|address| {
                address.is_ipv4() == self.address.is_ipv4()
                    && masked(address, self.bits) == number(self.address)
            })
        };
        match grains.get(self.grain()) {
            Some(Json::Array(items)) => items.iter().any(holds),
            Some(value) => holds(value),
            None => false,
        }
    }
}

/// A mask as a count of bits, or in dotted form.
fn prefix(mask: &str, address: IpAddr) -> Option<u32> {
    if let (IpAddr::V4(_), Ok(dotted)) = (address, mask.parse::<Ipv4Addr>()) {
        let bits = u32::from(dotted).leading_ones();
        let whole = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        return (u32::from(dotted) == whole).then_some(bits);
    }
    mask.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| mask.parse().ok())
        .flatten()
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address with all but its leading bits cleared.
fn masked(address: IpAddr, bits: u32) -> u128 {
    let rest = width(address).saturating_sub(bits);
    number(address)
        .checked_shr(rest)
        .and_then(|kept| kept.checked_shl(rest))
        .unwrap_or(0)
}
