//! Versions of packages: their order in dpkg's world (Debian policy 5.6.12) and in rpm's (rpm-version(7)), and the conditions a
//! state puts on them.

use std::cmp::Ordering;

use crate::regex;

/// Compares two versions as dpkg does: epoch, upstream version, revision.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (split(one), split(other));
    one.0
        .cmp(&other.0)
        .then_with(|| compare_part(one.1, other.1))
        .then_with(|| compare_part(one.2, other.2))
}

/// Compares two versions as rpm does: epoch, version, release, each as runs of digits and of letters. `~` sorts before the
/// end, `^` after it and before everything else, digits after letters; other characters only part the runs.
pub fn compare_rpm(one: &str, other: &str) -> Ordering {
    let (one, other) = (split(one), split(other));
    one.0
        .cmp(&other.0)
        .then_with(|| compare_rpm_part(one.1, other.1))
        .then_with(|| compare_rpm_part(one.2, other.2))
}

fn compare_rpm_part(one: &str, other: &str) -> Ordering {
    let part = |text: &'_ str| -> usize {
        text.find(|c: char| c.is_ascii_alphanumeric() || "~^".contains(c))
            .unwrap_or(text.len())
    };
    let (mut one, mut other) = (one, other);
    loop {
        (one, other) = (&one[part(one)..], &other[part(other)..]);
        let first = |text: &str| text.bytes().next();
        match (first(one), first(other)) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (one, other) = (&one[1..], &other[1..]);
                continue;
            }
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            _ => {}
        }
        let (a, b) = (digit_run(one), digit_run(other));
        let order = match (a.is_empty(), b.is_empty()) {
            (false, false) => {
                let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                (one, other) = (&one[a.len()..], &other[b.len()..]);
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (true, true) => {
                let letters = |text: &'_ str| -> usize {
                    text.find(|c: char| !c.is_ascii_alphabetic())
                        .unwrap_or(text.len())
                };
                let (x, y) = (&one[..letters(one)], &other[..letters(other)]);
                (one, other) = (&one[x.len()..], &other[y.len()..]);
                x.cmp(y)
            }
            (number, _) => return if number { Ordering::Less } else { Ordering::Greater },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Epoch (0 when there is none), upstream version, revision.
fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Without the epoch.
fn bare(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

/// Alternating runs of other characters and of digits.
fn compare_part(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        if one.is_empty() && other.is_empty() {
            return Ordering::Equal;
        }
        let (a, b) = (text_run(one), text_run(other));
        let length = a.len().max(b.len());
        for at in 0..length {
            let weight = |run: &str| run.as_bytes().get(at).map_or(0, |&c| weight(c));
            match weight(a).cmp(&weight(b)) {
                Ordering::Equal => {}
                different => return different,
            }
        }
        (one, other) = (&one[a.len()..], &other[b.len()..]);
        let (a, b) = (digit_run(one), digit_run(other));
        let trim = |run: &'_ str| run.trim_start_matches('0').to_owned();
        let (x, y) = (trim(a), trim(b));
        match x.len().cmp(&y.len()).then_with(|| x.cmp(&y)) {
            Ordering::Equal => {}
            different => return different,
        }
        (one, other) = (&one[a.len()..], &other[b.len()..]);
    }
}

/// `~` sorts before everything, even the end; letters before all other characters.
const fn weight(c: u8) -> i32 {
    match c {
        b'~' => -1,
        c if c.is_ascii_alphabetic() => c as i32,
        c => c as i32 + 256,
    }
}

fn text_run(text: &str) -> &str {
    &text[..text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len())]
}

fn digit_run(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

/// What a state asks of a version: nothing, the newest, or conditions such as `>=1.2,<2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any version.
    Any,
    /// The newest there is.
    Latest,
    /// All of these; the text is as written.
    Conditions(String),
}

/// One condition.
struct Condition<'a> {
    less: bool,
    greater: bool,
    equal: bool,
    version: &'a str,
}

impl Wanted {
    /// From the text of a state.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text.map(str::trim) {
            None | Some("") => Self::Any,
            Some("latest") => Self::Latest,
            Some(text) => Self::Conditions(text.to_owned()),
        }
    }

    /// Whether `version` will do. The newest is judged elsewhere.
    pub(crate) fn accepts(&self, version: &str, allow_updates: bool) -> bool {
        let Self::Conditions(text) = self else {
            return true;
        };
        let conditions: Vec<Condition<'_>> = text.split(',').map(Condition::parse).collect();
        let lone = conditions.len() == 1;
        conditions.iter().all(|condition| {
            let newer_will_do =
                allow_updates && lone && condition.equal && !condition.less && !condition.greater;
            condition.holds(version)
                || (newer_will_do && compare(version, condition.version) == Ordering::Greater)
        })
    }

    /// The exact version it names, when it names one.
    pub(crate) fn exact(&self) -> Option<&str> {
        let Self::Conditions(text) = self else {
            return None;
        };
        let condition = Condition::parse(text);
        let plain = !text.contains([',', '*', '?', '[']) && !condition.less && !condition.greater;
        plain.then_some(condition.version)
    }
}

impl<'a> Condition<'a> {
    fn parse(text: &'a str) -> Self {
        let text = text.trim();
        let version = text.trim_start_matches(['<', '>', '=']).trim();
        let operator = &text[..text.len() - text.trim_start_matches(['<', '>', '=']).len()];
        Self {
            less: operator.contains('<'),
            greater: operator.contains('>'),
            equal: operator.contains('=') || operator.is_empty(),
            version,
        }
    }

    fn holds(&self, version: &str) -> bool {
        let exact = self.equal && !self.less && !self.greater;
        if exact && regex::glob(self.version, version) {
            return true;
        }
        // An epoch counts where a condition names one, or orders.
        let order = if exact && !self.version.contains(':') {
            compare(bare(version), self.version)
        } else {
            compare(version, self.version)
        };
        match order {
            Ordering::Less => self.less,
            Ordering::Equal => self.equal,
            Ordering::Greater => self.greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_dpkgs() {
        let sorted = [
            "0.9~rc1-1",
            "0.9-1",
            "0.9-1+b1",
            "1.0~~",
            "1.0~",
            "1.0",
            "1.0-0ubuntu1",
            "1.0a",
            "1.0+dfsg",
            "1.0.1",
            "1.2",
            "1.10",
            "1:0.1",
            "2:0",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for other in &sorted[at + 1..] {
                assert_eq!(compare(one, other), Ordering::Less, "{one} < {other}");
                assert_eq!(compare(other, one), Ordering::Greater, "{other} > {one}");
            }
        }
        assert_eq!(compare("0:1.0", "1.00"), Ordering::Equal);
        assert_eq!(compare("1.0-0", "1.0"), Ordering::Equal);
    }

    #[test]
    fn order_is_rpms() {
        let sorted = [
            "1.0~rc1-1",
            "1.0-1.el9",
            "1.0-1.1.el9",
            "1.0-1.1.el9_2",
            "1.0-10.el9",
            "1.0^git1-1",
            "1.0a-1",
            "1.0.1-1",
            "1.05-1",
            "1.10-1",
            "1:0.1-1",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for other in &sorted[at + 1..] {
                assert_eq!(compare_rpm(one, other), Ordering::Less, "{one} < {other}");
                assert_eq!(compare_rpm(other, one), Ordering::Greater, "{other} > {one}");
            }
        }
        assert_eq!(compare_rpm("1.0-1", "1_0-1"), Ordering::Equal);
    }

    #[test]
    fn conditions() {
        for (text, version, fine) in [
            ("1.2", "1.2", true),
            ("1.2", "1:1.2", true),
            ("1.2*", "1.2.3-1", true),
            (">=1.2", "1.2.3", true),
            (">=1.2,<2", "2.0", false),
            ("< 2", "1.9", true),
            ("==1.2", "1.3", false),
            (">1.2", "1.2", false),
        ] {
            assert_eq!(
                Wanted::parse(Some(text)).accepts(version, false),
                fine,
                "{version} {text}"
            );
        }
        assert!(Wanted::parse(Some("1.2")).accepts("1.3", true));
        assert_eq!(Wanted::parse(Some("1.2")).exact(), Some("1.2"));
        assert_eq!(Wanted::parse(Some(">=1.2")).exact(), None);
        assert_eq!(Wanted::parse(Some("1.*")).exact(), None);
    }
}
