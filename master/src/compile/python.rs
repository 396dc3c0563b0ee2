//! How Python prints values: Salt's messages and templates show them so.

use serde_json::Value as Json;

use super::yaml::float_text;
pub(crate) use super::yaml::quoted;

/// `str()` of a value.
pub(crate) fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        _ => repr(value),
    }
}

/// `repr()` of a value.
pub(crate) fn repr(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number_text(number),
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), repr(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// The value as Python's `json.dumps` writes it, characters outside ASCII as they are.
pub(crate) fn json(value: &Json, sorted: bool) -> String {
    match value {
        Json::Array(items) => {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| json(item, sorted))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        Json::Object(map) => {
            let mut entries: Vec<(&String, &Json)> = map.iter().collect();
            if sorted {
                entries.sort_by_key(|(key, _)| *key);
            }
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}: {}", Json::String(key.clone()), json(value, sorted)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Json::Number(number) => number_text(number),
        other => other.to_string(),
    }
}

/// Python's name of a value's type.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// Whether Python takes the value for true.
pub(crate) fn truth(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

/// A number as Python writes it.
pub(crate) fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float_text(value),
        _ => number.to_string(),
    }
}

/// Whether `text` matches a shell pattern as Python's `fnmatch.fnmatch` does: `*`, `?`, `[seq]`, `[!seq]`.
pub(crate) fn fnmatch(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    glob(&text, &pattern)
}

/// Whether a text has characters that make it a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

fn glob(text: &[char], pattern: &[char]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) if t == text.len() => None,
            Some('?') => Some(p + 1),
            Some('[') => match class(&pattern[p..], text[t]) {
                Some((true, width)) => Some(p + width),
                Some((false, _)) => None,
                None => (text[t] == '[').then_some(p + 1),
            },
            Some(c) => (*c == text[t]).then_some(p + 1),
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((star, from))) if from < text.len() => {
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// A bracket expression at the start of `pattern`: whether `c` is in it, and its width. `None` if never closed.
fn class(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = pattern.get(1) == Some(&'!');
    let start = if negated { 2 } else { 1 };
    let close = (start + 1..pattern.len()).find(|&index| pattern[index] == ']')?;
    let body = &pattern[start..close];
    let mut found = false;
    let mut index = 0;
    while index < body.len() {
        if index + 2 < body.len() && body[index + 1] == '-' {
            found |= body[index] <= c && c <= body[index + 2];
            index += 3;
        } else {
            found |= body[index] == c;
            index += 1;
        }
    }
    Some((found != negated, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python() {
        let value = serde_json::json!({"a": [1, 1.0, null, true], "b": "it's"});
        assert_eq!(repr(&value), r#"{'a': [1, 1.0, None, True], 'b': "it's"}"#);
    }

    #[test]
    fn matches_as_fnmatch() {
        let cases = [
            ("web1", "web*", true),
            ("web1", "web?", true),
            ("web1", "web[0-2]", true),
            ("web1", "web[!0-2]", false),
            ("a.b.c", "a.*", true),
            ("abc", "*b*c", true),
            ("abc", "*b", false),
            ("[x", "[x", true),
            ("", "*", true),
            ("", "?", false),
            ("]", "[]]", true),
        ];
        for (text, pattern, want) in cases {
            assert_eq!(fnmatch(text, pattern), want, "{text} {pattern}");
        }
    }
}
