//! Whether a target means this host: the matchers of `target`, fed with just the grains they look at.

use serde_json::{Map, Value as Json};

use super::oracle::{Grains, Oracle};
use super::python::{self, fnmatch};

impl Oracle {
    /// Whether a target of that kind means this host.
    ///
    /// # Errors
    /// A target that is malformed, or of an unknown kind.
    pub(crate) fn matches(&self, kind: &str, target: &Json) -> Result<bool, String> {
        let grains = self.grains_for(kind, target);
        self.matches_with(kind, target, &grains)
    }

    /// As [`Oracle::matches`], by the grains the master vouches for alone.
    pub(crate) fn matches_asserted(&self, kind: &str, target: &Json) -> Result<bool, String> {
        self.matches_with(kind, target, self.grains.asserted())
    }

    fn matches_with(&self, kind: &str, target: &Json, grains: &Map<String, Json>) -> Result<bool, String> {
        let text = python::text(target);
        Ok(match kind {
            "list" => text.split(',').any(|one| one.trim() == self.minion),
            "grain" => {
                let (key, glob) = text.split_once(':').unwrap_or((&text, ""));
                match grains.get(key) {
                    Some(Json::Array(items)) => items.iter().any(|item| fnmatch(&python::text(item), glob)),
                    Some(one) => fnmatch(&python::text(one), glob),
                    None => false,
                }
            }
            _ => fnmatch(self.minion, &text),
        })
    }

    fn grains_for(&self, kind: &str, target: &Json) -> Map<String, Json> {
        if let Grains::Complete(all) = self.grains {
            return all.clone();
        }
        let mut found = self.grains.asserted().clone();
        for key in self.grain_keys(kind, &python::text(target), 0) {
            if !found.contains_key(&key)
                && let Some(value) = self.grain(&key)
            {
                found.insert(key, value);
            }
        }
        found
    }

    /// Keys of the grains a target looks at.
    fn grain_keys(&self, kind: &str, target: &str, depth: usize) -> Vec<String> {
        let first = |text: &str, delimiter: char| text.split(delimiter).next().unwrap_or_default().to_owned();
        match kind {
            "grain" | "grain_pcre" => vec![first(target, ':')],
            "ipcidr" => vec!["ipv4".to_owned(), "ipv6".to_owned()],
            "nodegroup" if depth < 8 => {
                let words = self
                    .options
                    .nodegroups
                    .get(target)
                    .map(|words| words.join(" "))
                    .unwrap_or_default();
                self.grain_keys("compound", &words, depth + 1)
            }
            "compound" if depth < 8 => {
                let mut keys = Vec::new();
                for word in target.split_whitespace() {
                    let Some((engine, rest)) = word.trim_start_matches('(').split_once('@') else {
                        continue;
                    };
                    let mut chars = engine.chars();
                    let kind = match chars.next() {
                        Some('G' | 'P') => {
                            keys.push(first(rest, chars.next().unwrap_or(':')));
                            continue;
                        }
                        Some('S') => "ipcidr",
                        Some('N') => "nodegroup",
                        _ => continue,
                    };
                    keys.extend(self.grain_keys(kind, rest.trim_end_matches(')'), depth + 1));
                }
                keys
            }
            _ => Vec::new(),
        }
    }
}
