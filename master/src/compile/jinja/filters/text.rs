//! Filters on text.

use super::Table;
use super::regex::glob;
use crate::compile::jinja::args::{CallArgs, expect_text};
use crate::compile::jinja::error::fault;
use crate::compile::jinja::methods::cases::capitalize;
use crate::compile::jinja::methods::percent;
use crate::compile::jinja::methods::strings::{lines, pad, replace, width};
use crate::compile::jinja::values::text::{quote, str};
use crate::compile::jinja::values::{Value, items, ops};

pub(super) static FILTERS: Table = &[
    ("capitalize", |_, value, _| {
        Ok(Value::from(capitalize(&str(&value)?)))
    }),
    ("lower", |_, value, _| {
        Ok(Value::from(str(&value)?.to_lowercase()))
    }),
    ("upper", |_, value, _| {
        Ok(Value::from(str(&value)?.to_uppercase()))
    }),
    ("string", |_, value, _| Ok(Value::from(str(&value)?))),
    ("skip", |_, _, _| Ok(Value::str(""))),
    ("title", |_, value, _| Ok(Value::from(title(&str(&value)?)))),
    ("center", |_, value, args| {
        let room = width(args.bind("do_center", ["width"], 0)?.int(0, 80)?)?;
        Ok(Value::from(pad(&str(&value)?, room, ' ', "center")))
    }),
    ("trim", |_, value, args| {
        let text = str(&value)?;
        let bound = args.bind("do_trim", ["chars"], 0)?;
        Ok(match bound.some(0) {
            None => Value::str(text.trim()),
            Some(chars) => {
                let set: Vec<char> = expect_text(chars)?.chars().collect();
                Value::str(text.trim_matches(|c| set.contains(&c)))
            }
        })
    }),
    ("replace", |_, value, args| {
        let bound = args.bind("do_replace", ["old", "new", "count"], 2)?;
        let count = if bound.some(2).is_some() {
            bound.int(2, -1)?
        } else {
            -1
        };
        replace(&str(&value)?, &bound.printed(0)?, &bound.printed(1)?, count).map(Value::from)
    }),
    ("format", |_, value, args| {
        if !args.positional.is_empty() && !args.keywords.is_empty() {
            return Err(fault::syntax(
                "can't handle positional and keyword arguments at the same time",
            ));
        }
        let values = if args.keywords.is_empty() {
            Value::tuple(args.positional)
        } else {
            let dict = crate::compile::jinja::values::Dict::default();
            for (key, value) in &args.keywords {
                dict.set(key, value.clone());
            }
            Value::dict(dict)
        };
        percent::format(&str(&value)?, &values).map(Value::from)
    }),
    ("indent", |_, value, args| {
        let bound = args.bind("do_indent", ["width", "first", "blank"], 0)?;
        let indention = match bound.get(0) {
            Some(Value::Str(text)) => text.to_string(),
            _ => " ".repeat(width(bound.int(0, 4)?)?),
        };
        let (first, blank) = (bound.truth(1, false)?, bound.truth(2, false)?);
        match &value {
            Value::Str(_) | Value::Undefined(_) => {}
            Value::List(_) => return Err(fault::other("'list' object has no attribute 'splitlines'")),
            other => {
                return Err(fault::other(format!(
                    "unsupported operand type(s) for +=: {} and 'str'",
                    quote(other.type_name())
                )));
            }
        }
        Ok(Value::from(indent(
            &expect_text(&value)?,
            &indention,
            first,
            blank,
        )))
    }),
    ("truncate", |_, value, args| {
        let bound = args.bind("do_truncate", ["length", "killwords", "end", "leeway"], 0)?;
        let length = width(bound.int(0, 255)?)?;
        let end = bound.text_or(2, "...")?;
        let leeway = if bound.some(3).is_some() {
            width(bound.int(3, 5)?)?
        } else {
            5
        };
        let mark = end.chars().count();
        if length < mark {
            return Err(fault::other(format!("expected length >= {mark}, got {length}")));
        }
        if ops::length(&value)? <= length + leeway {
            return Ok(value);
        }
        let text: Vec<char> = expect_text(&value)?.chars().collect();
        let cut: String = text[..length - mark].iter().collect();
        let kept = if bound.truth(1, false)? {
            cut.as_str()
        } else {
            cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept)
        };
        Ok(Value::from(format!("{kept}{end}")))
    }),
    ("wordcount", |_, value, _| {
        let text = str(&value)?;
        let words = text.split(|c: char| c != '_' && !c.is_alphanumeric());
        Ok(words.filter(|word| !word.is_empty()).count().into())
    }),
    ("quote", |_, value, _| {
        if !ops::truth(&value)? {
            return Ok(Value::str("''"));
        }
        Ok(Value::from(shell_quote(&expect_text(&value)?)))
    }),
    ("contains_whitespace", |_, value, _| {
        for part in items::collect(&value)? {
            let part = expect_text(&part)?;
            if !part.is_empty() && part.chars().all(char::is_whitespace) {
                return Ok(true.into());
            }
        }
        Ok(false.into())
    }),
    ("substring_in_list", |_, value, args| {
        let list = args.bind("substr_in_list", ["list_to_search"], 1)?.value(0);
        for item in items::collect(&list)? {
            if ops::contains(&item, &value)? {
                return Ok(true.into());
            }
        }
        Ok(false.into())
    }),
    ("to_camelcase", |_, value, args| {
        let upper = args
            .bind("snake_to_camel_case", ["uppercamel"], 0)?
            .truth(0, false)?;
        let text = expect_text(&value)?;
        let words = text.split('_').enumerate();
        Ok(Value::from(
            words
                .map(|(index, word)| {
                    if index > 0 || upper {
                        capitalize(word)
                    } else {
                        word.to_owned()
                    }
                })
                .collect::<String>(),
        ))
    }),
    ("to_snake_case", |_, value, _| {
        let text: Vec<char> = expect_text(&value)?.chars().collect();
        if text.is_empty() {
            return Err(fault::other("string index out of range"));
        }
        let mut out = String::new();
        for (index, c) in text.iter().enumerate() {
            let lower_after = text.get(index + 1).is_some_and(|next| next.is_lowercase());
            let boundary = index > 0 && c.is_uppercase() && (text[index - 1].is_lowercase() || lower_after);
            if boundary {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        Ok(Value::from(out))
    }),
    ("check_whitelist_blacklist", |_, value, args| {
        let bound = args.bind("check_whitelist_blacklist", ["whitelist", "blacklist"], 0)?;
        let mut matched = [None, None];
        for (index, hit) in matched.iter_mut().enumerate() {
            let Some(list) = bound.some(index) else { continue };
            if !ops::truth(list)? {
                continue;
            }
            let patterns = if matches!(list, Value::Str(_)) {
                vec![list.clone()]
            } else {
                items::collect(list)?
            };
            let mut any = false;
            for pattern in patterns {
                any |= expression_matches(&value, &pattern)?;
            }
            *hit = Some(any);
        }
        Ok(match matched {
            [None, None] => true,
            [Some(white), None] => white,
            [None, Some(black)] => !black,
            [Some(white), Some(black)] => white && !black,
        }
        .into())
    }),
    ("method_call", |it, value, args| {
        let mut args = args;
        if args.positional.is_empty() {
            return Err(fault::other(
                "method_call() missing 1 required positional argument: 'f_name'",
            ));
        }
        let name = expect_text(&args.positional.remove(0))?;
        match it.own_attr(&value, &name)? {
            Some(method) => it.call(&method, args),
            None => Ok(Value::None),
        }
    }),
    ("to_bytes", |_, value, _| match &value {
        Value::Bytes(_) => Ok(value),
        Value::Str(text) => Ok(Value::Bytes(text.as_bytes().into())),
        other => Err(fault::other(format!(
            "expected str, bytes, or bytearray not {}",
            other.type_name()
        ))),
    }),
    ("path_join", |_, value, args| {
        let mut parts = vec![expect_text(&value)?];
        for part in &args.positional {
            parts.push(expect_text(part)?);
        }
        Ok(Value::from(path_join(&parts)))
    }),
    ("default", |_, value, args| default(&value, args)),
    ("d", |_, value, args| default(&value, args)),
    ("attr", |it, value, args| {
        let name = args.bind("do_attr", ["name"], 1)?.text(0)?;
        Ok(match it.own_attr(&value, &name)? {
            Some(found) => found,
            None => it.missing_attr(&value, &name),
        })
    }),
];

fn default(value: &Value, args: CallArgs) -> crate::compile::jinja::error::Res<Value> {
    let bound = args.bind("do_default", ["default_value", "boolean"], 0)?;
    let missing = value.is_undefined() || (bound.truth(1, false)? && !ops::truth(value)?);
    Ok(if missing {
        bound.get(0).cloned().unwrap_or_else(|| Value::str(""))
    } else {
        value.clone()
    })
}

/// Jinja's title case: words also begin after `-`, `(`, `{`, `[` and `<`.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if matches!(c, '-' | '(' | '{' | '[' | '<') || c.is_whitespace() {
            out.push(c);
            start = true;
        } else if start {
            out.extend(c.to_uppercase());
            start = false;
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// Jinja's `indent`: a final line end does not make a line of its own.
pub(super) fn indent(text: &str, indention: &str, first: bool, blank: bool) -> String {
    let text = format!("{text}\n");
    let lines = lines(&text, false);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(indention);
            }
        } else if first {
            out.push_str(indention);
        }
        out.push_str(line);
    }
    out
}

/// `shlex.quote`.
fn shell_quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    }
}

/// A glob, else a whole regular expression; what is no text never matches text, but equals itself.
fn expression_matches(value: &Value, pattern: &Value) -> crate::compile::jinja::error::Res<bool> {
    let (Value::Str(value), Value::Str(pattern)) = (value, pattern) else {
        return Ok(false);
    };
    if glob(pattern, value) {
        return Ok(true);
    }
    match super::regex::compile(&format!("\\A(?:{pattern})\\Z"), false, false) {
        Ok(regex) => Ok(super::regex::matches_at_start(&regex, value)?.is_some()),
        Err(_) => Ok(false),
    }
}

/// Joins paths and tidies the result; a part that begins with `/` does not start over.
fn path_join(parts: &[String]) -> String {
    let normal = |path: &str| -> String {
        let absolute = path.starts_with('/');
        let mut out: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." if out.last().is_some_and(|last| *last != "..") => {
                    out.pop();
                }
                ".." if absolute => {}
                part => out.push(part),
            }
        }
        let joined = out.join("/");
        if absolute {
            format!("/{joined}")
        } else if joined.is_empty() {
            ".".to_owned()
        } else {
            joined
        }
    };
    let mut whole = normal(parts.first().map_or("", String::as_str));
    for part in parts.iter().skip(1) {
        let part = normal(part);
        let part = part.trim_start_matches('/');
        if !whole.ends_with('/') {
            whole.push('/');
        }
        whole.push_str(part);
    }
    normal(&whole)
}

/// An error about a value of the wrong type.
pub(super) fn wrong_type(what: &str, value: &Value) -> Box<crate::compile::jinja::error::Fault> {
    if let Value::Undefined(undefined) = value {
        return crate::compile::jinja::values::text::refuse(undefined);
    }
    fault::other(format!("{what}, not {}", quote(value.type_name())))
}
