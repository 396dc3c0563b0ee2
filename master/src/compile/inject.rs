//! Text of a host must stay text (requirement C1): what a host answered may fill a scalar of an sls, it may not
//! change the structure.
//!
//! Texts that could do so are remembered when an answer is read. After the sls is parsed, every place of such a text
//! in the rendered text has to be inside a scalar; a place that is not was taken for structure. What the author wrote
//! himself does not count. Text that a template changed before printing it is not recognised.

use proto::Answer;
use serde_json::Value as Json;

use super::yaml::{Node, Value};

/// Shortest text that is looked for; shorter ones cannot declare anything.
const SHORTEST: usize = 3;

/// Texts of an answer that could change the structure of YAML.
pub(crate) fn risky(answer: &Answer, into: &mut Vec<String>) {
    match answer {
        Answer::Json(value) => walk(value, into),
        Answer::Text(text) => note(text, into),
        _ => {}
    }
}

fn walk(value: &Json, into: &mut Vec<String>) {
    match value {
        Json::String(text) => note(text, into),
        Json::Array(items) => items.iter().for_each(|item| walk(item, into)),
        Json::Object(map) => {
            for (key, value) in map {
                note(key, into);
                walk(value, into);
            }
        }
        _ => {}
    }
}

fn note(text: &str, into: &mut Vec<String>) {
    let trimmed = text.trim_matches('\n');
    if trimmed.len() >= SHORTEST && !is_plain(trimmed) && !into.iter().any(|one| one == trimmed) {
        into.push(trimmed.to_owned());
    }
}

/// Whether a text is a plain scalar wherever it is put.
fn is_plain(text: &str) -> bool {
    let leading = text.starts_with(['-', '?', ':', '!', '&', '*', '|', '>', '%', '@', '`', '#', ' ']);
    let indicator = leading
        && !text
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    !indicator
        && !text.contains(['\n', '\r', '\t', '"', '\'', '[', ']', '{', '}', ','])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
}

/// The first line (from 1) on which a text of the host became structure, and the text.
pub(crate) fn found<'t>(
    texts: &'t [String],
    rendered: &str,
    written: &str,
    node: &Node,
) -> Option<(u32, &'t str)> {
    texts.iter().find_map(|text| {
        let places = rendered.matches(text.as_str()).count();
        let own = written.matches(text.as_str()).count();
        if places <= own || places - own <= inside(node, text) {
            return None;
        }
        let before = rendered.find(text.as_str())?;
        let line = rendered[..before].matches('\n').count() + 1;
        Some((u32::try_from(line).unwrap_or(u32::MAX), text.as_str()))
    })
}

/// How often a text stands inside scalars.
fn inside(node: &Node, text: &str) -> usize {
    match &node.value {
        Value::Text(scalar) => scalar.matches(text).count(),
        Value::List(items) => items.iter().map(|item| inside(item, text)).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| inside(key, text) + inside(value, text))
            .sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::yaml;

    #[test]
    fn ordinary_values_are_plain() {
        for text in [
            "web1",
            "10.0.0.1",
            "fe80::1",
            "/dev/sda1",
            "Debian GNU/Linux 12 (bookworm)",
            "-5",
            "a:b",
            "x@y",
        ] {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "a\nb", "a: b", "a #b", "[x]", "it's", "*x", "- a", "&a", "!x", "a:", "a, b",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn structure_from_a_host_is_found() {
        let evil = "x\n  cmd.run:\n    - name: reboot".to_owned();
        let texts = [evil.clone(), "a: b".to_owned()];
        let check = |rendered: &str, written: &str| {
            let node = yaml::load(rendered).expect("valid");
            found(&texts, rendered, written, &node).map(|(line, _)| line)
        };
        let raw = format!("motd:\n  test.nop\nid_{evil}\n");
        assert_eq!(
            check(&raw.replace("id_x\n", "id_x:\n"), "motd:\n"),
            None,
            "another text"
        );
        assert_eq!(check("k:\n  a: b\n", "k:\n  {{ v }}\n"), Some(2));
        assert_eq!(check("k: 'a: b'\n", "k: '{{ v }}'\n"), None);
        assert_eq!(check("a: b\n", "a: b\n"), None);
        assert_eq!(check("k:\n  a: b\na: b\n", "k:\n  {{ v }}\na: b\n"), Some(2));
    }
}
