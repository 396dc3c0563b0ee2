//! Methods of texts.

use std::rc::Rc;

use super::cases::{capitalize, casefold, swapcase, title};
use super::{encoding, native};
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::args::{Bound, CallArgs, expect_text};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::text::{printable, quote};
use crate::compile::jinja::values::{Value, items};

pub(super) const NAMES: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub(super) fn call(text: &Rc<str>, name: &str, args: CallArgs) -> Res<Value> {
    let own = |value: String| Ok(Value::from(value));
    match name {
        "lower" => own(text.to_lowercase()),
        "casefold" => own(casefold(text)),
        "upper" => own(text.to_uppercase()),
        "capitalize" => own(capitalize(text)),
        "title" => own(title(text)),
        "swapcase" => own(swapcase(text)),
        "strip" | "lstrip" | "rstrip" => strip(text, name, args),
        "split" | "rsplit" => split(text, name, args),
        "splitlines" => {
            let keep = args.bind(name, ["keepends"], 0)?.int(0, 0)? != 0;
            Ok(Value::list(
                lines(text, keep).into_iter().map(Value::str).collect(),
            ))
        }
        "partition" | "rpartition" => {
            let separator = args.bind(name, ["sep"], 1)?.value(0);
            let separator = native::text(&separator, |kind| format!("must be str, not {kind}"))?;
            if separator.is_empty() {
                return Err(fault::other("empty separator"));
            }
            let last = name == "rpartition";
            let found = if last {
                text.rsplit_once(&separator)
            } else {
                text.split_once(&separator)
            };
            let parts = match found {
                Some((before, after)) => [before, &separator, after],
                None if last => ["", "", &**text],
                None => [&**text, "", ""],
            };
            Ok(Value::tuple(parts.iter().map(Value::str).collect()))
        }
        "join" => {
            let all = args.bind(name, ["iterable"], 1)?.value(0);
            if !all.is_undefined() && !items::iterable(&all) {
                return Err(fault::other("can only join an iterable"));
            }
            let all = items::collect(&all)?;
            let mut out = String::new();
            for (index, item) in all.iter().enumerate() {
                if index > 0 {
                    out.push_str(text);
                }
                match item {
                    Value::Str(part) => out.push_str(part),
                    Value::Undefined(_) => out.push_str(&expect_text(item)?),
                    other => {
                        return Err(fault::other(format!(
                            "sequence item {index}: expected str instance, {} found",
                            other.type_name()
                        )));
                    }
                }
                if out.len() > OUTPUT {
                    return Err(fault::other("the text grows beyond the limit"));
                }
            }
            own(out)
        }
        "replace" => {
            let bound = args.bind(name, ["old", "new", "count"], 2)?;
            own(replace(
                text,
                &native::text(&bound.value(0), |kind| {
                    format!("replace() argument 1 must be str, not {kind}")
                })?,
                &native::text(&bound.value(1), |kind| {
                    format!("replace() argument 2 must be str, not {kind}")
                })?,
                bound.int(2, -1)?,
            )?)
        }
        "startswith" | "endswith" => affix(text, name, args),
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, name, args),
        "center" | "ljust" | "rjust" => {
            let bound = args.bind(name, ["width", "fillchar"], 1)?;
            let wanted = bound.int(0, 0)?;
            let fill = match bound.get(1) {
                None => " ".to_owned(),
                Some(fill) => native::text(fill, |kind| {
                    format!("The fill character must be a unicode character, not {kind}")
                })?,
            };
            let mut chars = fill.chars();
            let (Some(fill), None) = (chars.next(), chars.next()) else {
                return Err(fault::other(
                    "The fill character must be exactly one character long",
                ));
            };
            own(pad(text, width(wanted)?, fill, name))
        }
        "zfill" => {
            let width = width(args.bind(name, ["width"], 1)?.int(0, 0)?)?;
            let (sign, digits) = match text.chars().next() {
                Some(c @ ('+' | '-')) => (c.to_string(), &text[1..]),
                _ => (String::new(), &**text),
            };
            own(sign.clone() + &pad(digits, width.saturating_sub(sign.len()), '0', "rjust"))
        }
        "expandtabs" => {
            let size = width(args.bind(name, ["tabsize"], 0)?.int(0, 8)?)?;
            let mut out = String::new();
            let mut column = 0;
            for c in text.chars() {
                match c {
                    '\t' if size > 0 => {
                        let blanks = size - column % size;
                        out.push_str(&" ".repeat(blanks));
                        column += blanks;
                    }
                    '\t' => {}
                    _ => {
                        out.push(c);
                        column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
                    }
                }
                if out.len() > OUTPUT {
                    return Err(fault::other("the text grows beyond the limit"));
                }
            }
            own(out)
        }
        "removeprefix" => {
            let part = args.bind(name, ["prefix"], 1)?.value(0);
            let part = native::text(&part, |kind| {
                format!("removeprefix() argument must be str, not {kind}")
            })?;
            own(text.strip_prefix(part.as_str()).unwrap_or(text).to_owned())
        }
        "removesuffix" => {
            let part = args.bind(name, ["suffix"], 1)?.value(0);
            let part = native::text(&part, |kind| {
                format!("removesuffix() argument must be str, not {kind}")
            })?;
            own(text.strip_suffix(part.as_str()).unwrap_or(text).to_owned())
        }
        "encode" => encoding::encode(text, args),
        "translate" => translate(text, &args.bind(name, ["table"], 1)?.value(0)),
        _ => Ok(Value::Bool(is(text, name))),
    }
}

/// The `is…` methods.
fn is(text: &str, name: &str) -> bool {
    let some = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isalnum" => some(char::is_alphanumeric),
        "isalpha" => some(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" | "isdigit" => some(|c| c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())),
        "isnumeric" => some(char::is_numeric),
        "isspace" => some(char::is_whitespace),
        "isprintable" => text.chars().all(printable),
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "isidentifier" => {
            text.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
                && text.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        "istitle" => {
            let cased = text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
            cased && title(text) == text
        }
        _ => false,
    }
}

/// A width that fits the limits.
pub(crate) fn width(width: i128) -> Res<usize> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    if width > OUTPUT {
        return Err(fault::other("the text grows beyond the limit"));
    }
    Ok(width)
}

/// Lines by all ends Python knows.
pub(crate) fn lines(text: &str, keep: bool) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        ) {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
            chars.next();
            end += 1;
        }
        out.push(&text[start..if keep { end } else { at }]);
        start = end;
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

pub(crate) fn pad(text: &str, width: usize, fill: char, how: &str) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = match how {
        "ljust" => 0,
        "rjust" => missing,
        // Python puts the odd one left when both the room and the width are odd.
        _ => missing / 2 + (missing & width & 1),
    };
    let blanks = |n: usize| std::iter::repeat_n(fill, n).collect::<String>();
    format!("{}{text}{}", blanks(left), blanks(missing - left))
}

/// `str.replace`; `count` below zero replaces all.
pub(crate) fn replace(text: &str, old: &str, new: &str, count: i128) -> Res<String> {
    let room = (text.len() + 1).saturating_mul(new.len().max(1) + 1);
    let hits = if room > OUTPUT {
        text.matches(old).count()
    } else {
        0
    };
    if hits.saturating_mul(new.len()) > OUTPUT {
        return Err(fault::other("the text grows beyond the limit"));
    }
    Ok(match usize::try_from(count) {
        Ok(count) => text.replacen(old, new, count),
        Err(_) => text.replace(old, new),
    })
}

fn strip(text: &str, name: &str, args: CallArgs) -> Res<Value> {
    let bound = args.bind(name, ["chars"], 0)?;
    let set: Option<Vec<char>> = match bound.some(0) {
        None => None,
        Some(chars) => {
            let chars = native::text(chars, |_| format!("{name} arg must be None or str"))?;
            Some(chars.chars().collect())
        }
    };
    let test = |c: char| {
        set.as_ref()
            .map_or_else(|| c.is_whitespace(), |set| set.contains(&c))
    };
    Ok(Value::str(match name {
        "strip" => text.trim_matches(test),
        "lstrip" => text.trim_start_matches(test),
        _ => text.trim_end_matches(test),
    }))
}

fn split(text: &str, name: &str, args: CallArgs) -> Res<Value> {
    let bound = args.bind(name, ["sep", "maxsplit"], 0)?;
    let most = usize::try_from(bound.int(1, -1)?).ok();
    let right = name == "rsplit";
    let mut parts: Vec<&str> = Vec::new();
    match bound.some(0) {
        Some(separator) => {
            let separator = native::text(separator, |kind| format!("must be str or None, not {kind}"))?;
            if separator.is_empty() {
                return Err(fault::other("empty separator"));
            }
            match (most, right) {
                (None, _) => parts.extend(text.split(separator.as_str())),
                (Some(most), false) => parts.extend(text.splitn(most.saturating_add(1), separator.as_str())),
                (Some(most), true) => {
                    parts.extend(text.rsplitn(most.saturating_add(1), separator.as_str()));
                    parts.reverse();
                }
            }
        }
        None => match most {
            None => parts.extend(text.split_whitespace()),
            Some(most) => {
                let mut rest = if right { text.trim_end() } else { text.trim_start() };
                while !rest.is_empty() && parts.len() < most {
                    if right {
                        let start = rest
                            .rfind(char::is_whitespace)
                            .map(|i| i + rest[i..].chars().next().map_or(1, char::len_utf8));
                        parts.push(&rest[start.unwrap_or(0)..]);
                        rest = rest[..start.unwrap_or(0)].trim_end();
                    } else {
                        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                        parts.push(&rest[..end]);
                        rest = rest[end..].trim_start();
                    }
                }
                if !rest.is_empty() {
                    parts.push(rest);
                }
                if right {
                    parts.reverse();
                }
            }
        },
    }
    Ok(Value::list(parts.into_iter().map(Value::str).collect()))
}

/// Byte offset of a character index, both clamped to the text, negative ones from the end.
fn offset(text: &str, index: i128, len: usize) -> usize {
    let index = if index < 0 {
        (index + len as i128).max(0)
    } else {
        index
    };
    let index = usize::try_from(index).unwrap_or(len).min(len);
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// The part of the text that `start` and `stop` arguments leave, and how many characters come before it.
fn part<'a, const N: usize>(text: &'a str, bound: &Bound<N>, first: usize) -> Res<Option<(&'a str, usize)>> {
    let len = text.chars().count();
    let edge = |index: usize, default: i128| -> Res<i128> {
        bound
            .some(index)
            .map_or(Ok(default), |value| match value.as_int() {
                Some(index) => Ok(index),
                None if value.is_undefined() => bound.int(index, default),
                None => Err(fault::other(
                    "slice indices must be integers or None or have an __index__ method",
                )),
            })
    };
    let start_index = edge(first, 0)?;
    let start = offset(text, start_index, len);
    let stop = offset(text, edge(first + 1, len as i128)?, len);
    if start > stop || start_index > len as i128 {
        return Ok(None);
    }
    Ok(Some((&text[start..stop], text[..start].chars().count())))
}

fn affix(text: &str, name: &str, args: CallArgs) -> Res<Value> {
    let bound = args.bind(name, ["prefix", "start", "end"], 1)?;
    let wanted = match bound.value(0) {
        Value::Tuple(tuple) => tuple.items.clone(),
        other => vec![other],
    };
    let Some((text, _)) = part(text, &bound, 1)? else {
        return Ok(Value::Bool(false));
    };
    for affix in wanted {
        let Value::Str(affix) = &affix else {
            if affix.is_undefined() {
                expect_text(&affix)?;
            }
            return Err(fault::other(format!(
                "{name} first arg must be str or a tuple of str, not {}",
                affix.type_name()
            )));
        };
        let fits = if name == "startswith" {
            text.starts_with(&**affix)
        } else {
            text.ends_with(&**affix)
        };
        if fits {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn search(text: &str, name: &str, args: CallArgs) -> Res<Value> {
    let bound = args.bind(name, ["sub", "start", "end"], 1)?;
    let found = part(text, &bound, 1)?;
    let needle = native::text(&bound.value(0), |kind| format!("must be str, not {kind}"))?;
    if name == "count" {
        return Ok(found
            .map_or(0, |(text, _)| text.matches(needle.as_str()).count())
            .into());
    }
    let at = found.and_then(|(text, before)| {
        let at = if name.starts_with('r') {
            text.rfind(&needle)
        } else {
            text.find(&needle)
        };
        at.map(|at| before + text[..at].chars().count())
    });
    match at {
        Some(at) => Ok(at.into()),
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => Err(fault::other("substring not found")),
    }
}

fn translate(text: &str, table: &Value) -> Res<Value> {
    let Value::Dict(table) = table else {
        return Err(fault::other(format!(
            "{} object is not subscriptable",
            quote(table.type_name())
        )));
    };
    let mut out = String::new();
    for c in text.chars() {
        match table.get(&Value::Int(c as i128))? {
            None => out.push(c),
            Some(Value::None) => {}
            Some(Value::Str(to)) => out.push_str(&to),
            Some(other) => {
                let code = other.as_int().and_then(|code| u32::try_from(code).ok());
                out.push(code.and_then(char::from_u32).unwrap_or(c));
            }
        }
    }
    Ok(Value::from(out))
}
