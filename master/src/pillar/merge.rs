//! How one pillar document is laid over another: Salt's `pillar_source_merging_strategy`.
//!
//! Every merge of pillar goes through [`Merge::lay`]: documents of one top file, includes, external pillar, the
//! command line.

use serde_json::{Map, Value as Json};

use crate::compile::Options;
use crate::compile::data::{self, Lists};

/// A strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Mappings key by key; lists as `pillar_merge_lists` says.
    Recurse(Lists),
    /// Each key of the later document replaces the whole value.
    Overwrite,
    /// Values both have become a list of the two; keys only the later one has are dropped, as Salt does.
    List,
}

impl Merge {
    /// What the options ask for.
    pub(super) fn of(options: &Options) -> Self {
        let lists = options.pillar_lists();
        let by_renderer = |renderer: &str| {
            let last = renderer.rsplit('|').next().unwrap_or_default();
            if last == "yamlex" || renderer.starts_with("yamlex_") {
                Self::Overwrite
            } else {
                Self::Recurse(lists)
            }
        };
        match options.text("pillar_source_merging_strategy").unwrap_or("smart") {
            "smart" => by_renderer(options.text("renderer").unwrap_or("jinja|yaml")),
            "recurse" => Self::Recurse(lists),
            // Values that are not marked `!aggregate` are replaced.
            "overwrite" | "aggregate" => Self::Overwrite,
            "list" => Self::List,
            // `none`, and names Salt does not know: lists are replaced.
            _ => Self::Recurse(Lists::Replace),
        }
    }

    /// Lays `upper` over `lower`.
    pub(super) fn lay(self, lower: &mut Map<String, Json>, upper: Map<String, Json>) {
        match self {
            Self::Recurse(lists) => data::update(lower, &upper, lists),
            Self::Overwrite => lower.extend(upper),
            Self::List => {
                for (key, above) in upper {
                    if let Some(value) = lower.get_mut(&key) {
                        *value = Json::Array(vec![value.take(), above]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn laid(options: Json) -> Json {
        let options = Options {
            salt: options.as_object().cloned().unwrap_or_default(),
            ..Options::default()
        };
        let map = |value: Json| value.as_object().cloned().unwrap_or_default();
        let mut lower = map(json!({"k": 1, "m": {"x": 1, "l": [1, 2]}}));
        let upper = map(json!({"k": 2, "m": {"y": 2, "l": [2, 3]}, "n": 1}));
        Merge::of(&options).lay(&mut lower, upper);
        Json::Object(lower)
    }

    #[test]
    fn every_strategy_as_salt() {
        let strategy =
            |name: &str| json!({"pillar_source_merging_strategy": name, "pillar_merge_lists": true});
        let recursed = json!({"k": 2, "m": {"x": 1, "l": [2, 3], "y": 2}, "n": 1});
        let joined = json!({"k": 2, "m": {"x": 1, "l": [1, 2, 3], "y": 2}, "n": 1});
        let replaced = json!({"k": 2, "m": {"y": 2, "l": [2, 3]}, "n": 1});
        let listed = json!({"k": [1, 2], "m": [{"x": 1, "l": [1, 2]}, {"y": 2, "l": [2, 3]}]});
        assert_eq!(laid(json!({})), recursed);
        for (name, want) in [
            ("smart", &joined),
            ("recurse", &joined),
            ("none", &recursed),
            ("nosuch", &recursed),
            ("overwrite", &replaced),
            ("aggregate", &replaced),
            ("list", &listed),
        ] {
            assert_eq!(laid(strategy(name)), *want, "{name}");
        }
        assert_eq!(laid(json!({"renderer": "jinja|yamlex"})), replaced);
    }
}
