//! Text of a host must stay text (requirement C1): what a host answered may fill a scalar of an sls, it may not
//! change the structure.
//!
//! Texts that could do so are remembered when an answer is read. Every place of such a text in a rendered sls has to
//! be inside one scalar, or a comment; a place that is not was taken for structure. What the author wrote
//! himself does not count. Text that a template changed before printing it is not recognised.

use proto::Answer;
use serde_json::Value as Json;

use super::yaml::{self, Mark};

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

/// The first line (from 1) on which a text of the host became structure, and the text. `written` is the template.
pub(crate) fn found<'t>(texts: &'t [String], rendered: &str, written: &str) -> Option<(u32, &'t str)> {
    let mut spans: Option<Vec<(Mark, Mark)>> = None;
    for text in texts {
        let mut places = rendered.match_indices(text.as_str()).peekable();
        if places.peek().is_none() {
            continue;
        }
        let spans = spans.get_or_insert_with(|| yaml::scalar_spans(rendered));
        let outside: Vec<u32> = places
            .filter_map(|(at, _)| outside(rendered, at, text, spans))
            .collect();
        if outside.len() > written.matches(text.as_str()).count() {
            return outside.last().map(|line| (*line, text.as_str()));
        }
    }
    None
}

/// The line of a place that no scalar and no comment holds.
fn outside(rendered: &str, at: usize, text: &str, spans: &[(Mark, Mark)]) -> Option<u32> {
    let start = position(&rendered[..at]);
    let end = position(&rendered[..at + text.len()]);
    let before = spans.partition_point(|(from, _)| *from <= start);
    if before > 0 && spans[before - 1].1 >= end {
        return None;
    }
    let line = rendered[..at].rsplit('\n').next().unwrap_or_default();
    let comment = line.trim_start().starts_with('#') || line.contains(" #");
    (!comment || text.contains('\n')).then_some(start.line)
}

fn position(before: &str) -> Mark {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    Mark {
        line: number(line),
        column: number(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let check = |rendered: &str, written: &str| found(&texts, rendered, written).map(|(line, _)| line);
        assert_eq!(check(&format!("id_{evil}\n"), "id_{{ v }}\n"), Some(1));
        assert_eq!(check("x: 1 # a: b\n", "x: 1 # {{ v }}\n"), None);
        assert_eq!(
            check(
                "k: \"a: b\"\nl: {a: b}\n",
                "k: {{ v | yaml_encode }}\nl: {{{ v }}}\n"
            ),
            Some(2)
        );
        assert_eq!(check("k:\n  a: b\n", "k:\n  {{ v }}\n"), Some(2));
        assert_eq!(check("k: 'a: b'\n", "k: '{{ v }}'\n"), None);
        assert_eq!(check("a: b\n", "a: b\n"), None);
        assert_eq!(check("a: b\nk:\n  a: b\n", "a: b\nk:\n  {{ v }}\n"), Some(3));
    }
}
