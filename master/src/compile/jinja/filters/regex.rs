//! Regular expressions as Python's `re` understands them, and globs.

use fancy_regex::{Captures, Regex, RegexBuilder};

use super::Table;
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::args::{CallArgs, expect_text};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;

pub(super) static FILTERS: Table = &[
    ("regex_search", |_, value, args| {
        let (regex, text) = prepared(&value, args)?;
        let found = regex.captures(text.as_str()).map_err(failed)?;
        Ok(found.map_or(Value::None, |found| groups(&found)))
    }),
    ("regex_match", |_, value, args| {
        let (regex, text) = prepared(&value, args)?;
        Ok(matches_at_start(&regex, &text)?.map_or(Value::None, |found| groups(&found)))
    }),
    ("regex_replace", |_, value, args| {
        let bound = args.bind("regex_replace", ["rgx", "val", "ignorecase", "multiline"], 2)?;
        let regex = compile(&bound.text(0)?, bound.truth(2, false)?, bound.truth(3, false)?)?;
        substitute(&regex, &expect_text(&value)?, &bound.text(1)?).map(Value::from)
    }),
    ("regex_escape", |_, value, _| {
        let mut out = String::new();
        for c in expect_text(&value)?.chars() {
            if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        Ok(Value::from(out))
    }),
];

fn prepared(value: &Value, args: CallArgs) -> Res<(Regex, String)> {
    let bound = args.bind("regex_search", ["rgx", "ignorecase", "multiline"], 1)?;
    let regex = compile(&bound.text(0)?, bound.truth(1, false)?, bound.truth(2, false)?)?;
    Ok((regex, expect_text(value)?))
}

fn failed(error: fancy_regex::Error) -> Box<crate::compile::jinja::error::Fault> {
    fault::other(error.to_string())
}

/// The groups of a match, or the whole match when there are none.
fn groups(found: &Captures<'_, str>) -> Value {
    let group = |i: usize| found.get(i).map_or(Value::None, |part| Value::str(part.as_str()));
    if found.len() <= 1 {
        return Value::tuple(vec![group(0)]);
    }
    Value::tuple((1..found.len()).map(group).collect())
}

/// Compiles a Python pattern.
pub(crate) fn compile(pattern: &str, ignorecase: bool, multiline: bool) -> Res<Regex> {
    let mut translated = translate(pattern, multiline);
    if ignorecase || multiline {
        let flags = format!(
            "{}{}",
            if ignorecase { "i" } else { "" },
            if multiline { "m" } else { "" }
        );
        translated = format!("(?{flags}){translated}");
    }
    RegexBuilder::new(&translated)
        .backtrack_limit(1_000_000)
        .build()
        .map_err(failed)
}

/// A match that begins with the text.
pub(crate) fn matches_at_start<'t>(regex: &Regex, text: &'t str) -> Res<Option<Captures<'t, str>>> {
    // Anchoring the pattern itself also finds matches a leftmost search at 0 would prefer otherwise.
    let anchored = RegexBuilder::new(&format!("\\A(?:{})", regex.as_str()))
        .backtrack_limit(1_000_000)
        .build()
        .map_err(failed)?;
    anchored.captures(text).map_err(failed)
}

/// Rewrites what Python and the regex crates read differently.
fn translate(pattern: &str, multiline: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Z') if !class => out.push_str("\\z"),
                Some(
                    literal @ ('<' | '>' | '\'' | '"' | '`' | '/' | '%' | '@' | '!' | ',' | ';' | ':' | '='),
                ) => {
                    out.push(literal);
                }
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push('\\'),
            },
            '[' if !class => {
                class = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    out.push('^');
                }
                class_start = true;
                continue;
            }
            // A bracket that comes first is itself.
            ']' if class && class_start => out.push_str("\\]"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '[' | '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '$' if !class && !multiline => out.push_str("(?:(?=\\n\\z)|\\z)"),
            '{' if !class => {
                // Braces that are no repetition are themselves.
                let ahead: String = chars.clone().take_while(|c| *c != '}').collect();
                let repetition = !ahead.is_empty()
                    && ahead.chars().all(|c| c.is_ascii_digit() || c == ',')
                    && ahead.chars().any(|c| c.is_ascii_digit())
                    && chars.clone().any(|c| c == '}');
                if repetition {
                    out.push('{');
                    if ahead.starts_with(',') {
                        out.push('0');
                    }
                } else {
                    out.push_str("\\{");
                }
            }
            _ => out.push(c),
        }
        class_start = false;
    }
    out
}

/// `re.sub`.
fn substitute(regex: &Regex, text: &str, template: &str) -> Res<String> {
    let mut out = String::new();
    let mut at = 0;
    let mut copied = 0;
    while at <= text.len() {
        let Some(found) = regex.captures_from_pos(text, at).map_err(failed)? else {
            break;
        };
        let Some(whole) = found.get(0) else { break };
        out.push_str(&text[copied..whole.start()]);
        expand(template, &found, &mut out)?;
        copied = whole.end();
        if whole.end() > whole.start() {
            at = whole.end();
        } else {
            // Past an empty match the next character is copied.
            let Some(c) = text[whole.end()..].chars().next() else {
                break;
            };
            at = whole.end() + c.len_utf8();
        }
        if out.len() > OUTPUT {
            return Err(fault::other("the text grows beyond the limit"));
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(out)
}

/// A replacement with its groups filled in.
fn expand(template: &str, found: &Captures<'_, str>, out: &mut String) -> Res<()> {
    let mut chars = template.chars().peekable();
    let missing = |name: &str| fault::other(format!("invalid group reference {name}"));
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => return Err(fault::other("bad escape (end of pattern)")),
            Some('g') => {
                if chars.next() != Some('<') {
                    return Err(fault::other("missing <"));
                }
                let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                let part = match name.parse::<usize>() {
                    Ok(index) if index < found.len() => found.get(index),
                    Ok(_) => return Err(missing(&name)),
                    Err(_) => found.name(&name),
                };
                out.push_str(part.map_or("", |part| part.as_str()));
            }
            Some('0') => {
                let mut code = 0;
                for _ in 0..2 {
                    match chars.peek().and_then(|c| c.to_digit(8)) {
                        Some(digit) => {
                            code = code * 8 + digit;
                            chars.next();
                        }
                        None => break,
                    }
                }
                out.push(char::from_u32(code).unwrap_or('\0'));
            }
            Some(digit @ '1'..='9') => {
                let mut index = digit.to_digit(10).unwrap_or(0) as usize;
                if let Some(second) = chars.peek().and_then(|c| c.to_digit(10)) {
                    index = index * 10 + second as usize;
                    chars.next();
                }
                if index >= found.len() {
                    return Err(missing(&index.to_string()));
                }
                out.push_str(found.get(index).map_or("", |part| part.as_str()));
            }
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some('\\') => out.push('\\'),
            Some(letter) if letter.is_ascii_alphabetic() => {
                return Err(fault::other(format!("bad escape \\{letter}")));
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Ok(())
}

/// `fnmatch.fnmatchcase`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut regex = String::from("(?s)\\A");
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        at += 1;
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let mut end = at;
                if matches!(chars.get(end), Some('!')) {
                    end += 1;
                }
                if matches!(chars.get(end), Some(']')) {
                    end += 1;
                }
                while chars.get(end).is_some_and(|c| *c != ']') {
                    end += 1;
                }
                if end >= chars.len() {
                    regex.push_str("\\[");
                    continue;
                }
                let set: String = chars[at..end].iter().collect();
                let (not, set) = set.strip_prefix('!').map_or(("", set.as_str()), |set| ("^", set));
                let set = set
                    .replace('\\', "\\\\")
                    .replace('[', "\\[")
                    .replace('&', "\\&")
                    .replace('~', "\\~");
                let set = set
                    .strip_prefix(']')
                    .map_or(set.clone(), |rest| format!("\\]{rest}"));
                let set = set
                    .strip_prefix('^')
                    .map_or(set.clone(), |rest| format!("\\^{rest}"));
                regex.push_str(&format!("[{not}{set}]"));
                at = end + 1;
            }
            c => regex.push_str(&::regex::escape(&c.to_string())),
        }
    }
    regex.push_str("\\z");
    ::regex::Regex::new(&regex).is_ok_and(|regex| regex.is_match(text))
}
