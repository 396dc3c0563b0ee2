//! Versions of Python packages and what they are compared with, as PEP 440 has it.

use std::cmp::Ordering;

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// `a`, `b` or `c` with its number.
    pre: Option<(char, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
    local: String,
}

/// Words for the parts of a version that are no numbers.
const PRE: &[(&str, char)] = &[
    ("alpha", 'a'),
    ("beta", 'b'),
    ("preview", 'c'),
    ("pre", 'c'),
    ("rc", 'c'),
    ("a", 'a'),
    ("b", 'b'),
    ("c", 'c'),
];

impl Version {
    /// `None` for what is no version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_prefix('v').unwrap_or(&text);
        let (text, local) = text.split_once('+').unwrap_or((text, ""));
        let (epoch, mut rest) = match text.split_once('!') {
            Some((epoch, rest)) => (epoch.parse().ok()?, rest),
            None => (0, text),
        };
        let mut version = Self {
            epoch,
            release: vec![number(&mut rest)?],
            pre: None,
            post: None,
            dev: None,
            local: local.replace(['-', '_'], "."),
        };
        while let Some(mut after) = rest.strip_prefix('.') {
            let Some(part) = number(&mut after) else { break };
            version.release.push(part);
            rest = after;
        }
        while !rest.is_empty() {
            // `1.0-2` is `1.0.post2`.
            if let Some(mut after) = rest.strip_prefix('-')
                && let Some(post) = number(&mut after)
            {
                (version.post, rest) = (Some(post), after);
                continue;
            }
            rest = rest.trim_start_matches(['.', '-', '_']);
            if let Some(after) = word(rest, &["post", "rev", "r"]).filter(|_| !rest.starts_with("rc")) {
                rest = after;
                version.post = Some(counted(&mut rest));
            } else if let Some(after) = word(rest, &["dev"]) {
                rest = after;
                version.dev = Some(counted(&mut rest));
            } else {
                let (name, letter) = PRE.iter().find(|(name, _)| rest.starts_with(name))?;
                rest = &rest[name.len()..];
                version.pre = Some((*letter, counted(&mut rest)));
            }
        }
        Some(version)
    }

    const fn is_pre(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    /// The numbers without zeros at the end.
    fn trimmed(&self) -> &[u64] {
        let end = self
            .release
            .iter()
            .rposition(|part| *part != 0)
            .map_or(0, |at| at + 1);
        &self.release[..end]
    }

    /// Everything but the local part.
    fn public(&self, other: &Self) -> Ordering {
        let pre = |version: &Self| match version.pre {
            Some((letter, number)) => (1, letter, number),
            None if version.post.is_none() && version.dev.is_some() => (0, 'a', 0),
            None => (2, 'a', 0),
        };
        let tail = |version: &Self| (version.post.map(|post| post + 1), version.dev.unwrap_or(u64::MAX));
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| self.trimmed().cmp(other.trimmed()))
            .then_with(|| pre(self).cmp(&pre(other)))
            .then_with(|| tail(self).cmp(&tail(other)))
    }

    /// Whether its first numbers are these.
    fn begins(&self, other: &Self, count: usize) -> bool {
        let part = |version: &Self, at: usize| version.release.get(at).copied().unwrap_or(0);
        self.epoch == other.epoch && (0..count).all(|at| part(self, at) == part(other, at))
    }
}

fn number(rest: &mut &str) -> Option<u64> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    let number = digits.parse().ok()?;
    *rest = after;
    Some(number)
}

/// The number after a word, 0 without one.
fn counted(rest: &mut &str) -> u64 {
    let mut after = rest.trim_start_matches(['.', '-', '_']);
    match number(&mut after) {
        Some(count) => {
            *rest = after;
            count
        }
        None => 0,
    }
}

fn word<'t>(rest: &'t str, words: &[&str]) -> Option<&'t str> {
    words.iter().find_map(|word| rest.strip_prefix(word))
}

/// Operators, longer ones first.
pub(super) const OPERATORS: [&str; 8] = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];

/// Whether a version is what all of these ask for; `None` where one of them cannot be read.
pub(super) fn fulfils(version: &str, specs: &[(String, String)]) -> Option<bool> {
    let have = Version::parse(version)?;
    let mut allows_pre = !have.is_pre() || specs.is_empty();
    for (operator, wanted) in specs {
        if operator == "===" {
            if wanted != version {
                return Some(false);
            }
            continue;
        }
        let (text, prefix) = match wanted.strip_suffix(".*") {
            Some(text) => (text, true),
            None => (wanted.as_str(), false),
        };
        let want = Version::parse(text)?;
        allows_pre |= want.is_pre();
        let order = have.public(&want);
        let same = match prefix {
            true => have.begins(&want, want.release.len()),
            false => order == Ordering::Equal && (want.local.is_empty() || want.local == have.local),
        };
        let near = have.begins(&want, want.release.len().max(have.release.len()));
        let fine = match operator.as_str() {
            "==" => same,
            "!=" => !same,
            "<=" => order != Ordering::Greater,
            ">=" => order != Ordering::Less,
            // Neither a beta of what is excluded below nor a post-release of what is excluded above.
            "<" => order == Ordering::Less && (want.is_pre() || !have.is_pre() || !near),
            ">" => order == Ordering::Greater && (want.post.is_some() || have.post.is_none() || !near),
            "~=" => order != Ordering::Less && have.begins(&want, want.release.len().saturating_sub(1)),
            _ => return None,
        };
        if !fine {
            return Some(false);
        }
    }
    Some(allows_pre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_order() {
        let order = [
            "0.9",
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0b2",
            "1.0rc1",
            "1.0",
            "1.0.post1",
            "1.0.1",
            "1.10",
            "1!0.1",
        ];
        for pair in order.windows(2) {
            let (a, b) = (Version::parse(pair[0]), Version::parse(pair[1]));
            let (a, b) = (a.expect("a version"), b.expect("a version"));
            assert_eq!(a.public(&b), Ordering::Less, "{pair:?}");
        }
        for (one, other) in [
            ("1.0", "1"),
            ("1.0-1", "1.0.post1"),
            ("v1.0.ALPHA.1", "1.0a1"),
            ("1.0+x", "1.0"),
        ] {
            let (a, b) = (Version::parse(one), Version::parse(other));
            assert_eq!(
                a.expect(one).public(&b.expect(other)),
                Ordering::Equal,
                "{one} {other}"
            );
        }
        for bad in ["", "x", "1.x", "1..2"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn specifiers_are_pips() {
        for (have, spec, want) in [
            ("1.4.2", "==1.4.*", true),
            ("1.5", "==1.4.*", false),
            ("1.4.2", "~=1.4.1", true),
            ("1.5.0", "~=1.4.1", false),
            ("1.0", "==1", true),
            ("1.0+local", "==1.0", true),
            ("2.0b1", ">=1.0", false),
            ("2.0b1", ">=1.0b1", true),
            ("2.0b1", "<2.0", false),
            ("2.0.post1", ">2.0", false),
            ("2.1", ">2.0", true),
            ("1.9", "<2.0", true),
            ("1.0", "!=1.0", false),
            ("1.0", "===1.0", true),
        ] {
            let operator = OPERATORS.iter().find(|one| spec.starts_with(**one)).expect("one");
            let specs = [((*operator).to_owned(), spec[operator.len()..].to_owned())];
            assert_eq!(fulfils(have, &specs), Some(want), "{have} {spec}");
        }
    }
}
