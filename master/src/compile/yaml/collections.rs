//! Lists and mappings by their tag: ordered mappings and pairs are lists of pairs, a set is the list of its members.

use super::{Mark, Node, Value, YamlError, unknown_tag, wrong};

fn short(tag: Option<&str>) -> Option<&str> {
    tag.map(|tag| tag.strip_prefix("tag:yaml.org,2002:").unwrap_or(tag))
}

/// What a list is by its tag.
pub(super) fn sequence(items: Vec<Node>, tag: Option<&str>, at: Mark) -> Result<Value, YamlError> {
    match (short(tag), tag) {
        (None | Some("seq" | "!"), _) => Ok(Value::List(items)),
        (Some("omap" | "pairs"), _) => items
            .into_iter()
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Some("map" | "set"), _) => wrong("expected a mapping node, but found sequence", at),
        (_, tag) => wrong(unknown_tag(tag.unwrap_or_default()), at),
    }
}

fn pair(item: Node) -> Result<Node, YamlError> {
    match item.value {
        Value::Map(mut entries) if entries.len() == 1 => {
            let both = entries.pop().map(|(key, value)| vec![key, value]);
            Ok(Node {
                value: Value::List(both.unwrap_or_default()),
                at: item.at,
            })
        }
        Value::Map(entries) => wrong(
            format!(
                "expected a single mapping item, but found {} items",
                entries.len()
            ),
            item.at,
        ),
        _ => wrong(
            "expected a mapping of length 1, but found something else",
            item.at,
        ),
    }
}

/// What a mapping is by its tag.
pub(super) fn mapping(entries: Vec<(Node, Node)>, tag: Option<&str>, at: Mark) -> Result<Value, YamlError> {
    match (short(tag), tag) {
        (None | Some("map" | "!"), _) => Ok(Value::Map(entries)),
        (Some("set"), _) => Ok(Value::List(entries.into_iter().map(|(key, _)| key).collect())),
        (Some("omap" | "pairs"), _) => wrong("expected a sequence, but found mapping", at),
        (Some("seq"), _) => wrong("expected a sequence node, but found mapping", at),
        (_, tag) => wrong(unknown_tag(tag.unwrap_or_default()), at),
    }
}
