//! `str.format` and `str.format_map`.

use super::spec;
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::{ascii, quote, repr, str};

struct Source<'a> {
    positional: &'a [Value],
    keyword: &'a dyn Fn(&str) -> Option<Value>,
    /// The next number for `{}`; negative once explicit numbers were used.
    auto: i64,
}

pub(super) fn format(it: &mut Interp<'_>, template: &str, args: &CallArgs) -> Res<String> {
    let keyword = |name: &str| {
        args.keywords
            .iter()
            .find(|(key, _)| **key == *name)
            .map(|(_, value)| value.clone())
    };
    let mut source = Source {
        positional: &args.positional,
        keyword: &keyword,
        auto: 0,
    };
    render(it, template, &mut source, 2)
}

pub(super) fn format_map(it: &mut Interp<'_>, template: &str, mapping: Value) -> Res<String> {
    let mapping = it.plain(&mapping)?;
    let keyword = |name: &str| match &mapping {
        Value::Dict(dict) => dict.get_text(name),
        _ => None,
    };
    let mut source = Source {
        positional: &[],
        keyword: &keyword,
        auto: 0,
    };
    render(it, template, &mut source, 2)
}

fn render(it: &mut Interp<'_>, template: &str, source: &mut Source<'_>, depth: usize) -> Res<String> {
    if depth == 0 {
        return Err(fault::other("Max string recursion exceeded"));
    }
    let mut out = String::new();
    let chars: Vec<char> = template.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        match c {
            '{' if chars.get(at) == Some(&'{') => {
                at += 1;
                out.push('{');
            }
            '}' if chars.get(at) == Some(&'}') => {
                at += 1;
                out.push('}');
            }
            '}' => return Err(fault::other("Single '}' encountered in format string")),
            '{' => {
                let start = at;
                let mut open = 1;
                while open > 0 {
                    match chars.get(at) {
                        Some('{') => open += 1,
                        Some('}') => open -= 1,
                        Some(_) => {}
                        None if at == start => {
                            return Err(fault::other("Single '{' encountered in format string"));
                        }
                        None => return Err(fault::other("expected '}' before end of string")),
                    }
                    at += 1;
                }
                let field: String = chars[start..at - 1].iter().collect();
                out.push_str(&replacement(it, &field, source, depth)?);
            }
            _ => out.push(c),
        }
        if out.len() > OUTPUT {
            return Err(fault::other("the text grows beyond the limit"));
        }
    }
    Ok(out)
}

fn replacement(it: &mut Interp<'_>, field: &str, source: &mut Source<'_>, depth: usize) -> Res<String> {
    // The specification begins at the first colon outside brackets, a conversion before it at `!`.
    let mut brackets = 0;
    let mut cut = field.len();
    for (index, c) in field.char_indices() {
        match c {
            '[' => brackets += 1,
            ']' => brackets -= 1,
            ':' | '!' if brackets <= 0 => {
                cut = index;
                break;
            }
            _ => {}
        }
    }
    let (name, rest) = field.split_at(cut);
    let (conversion, specification) = match rest.strip_prefix('!') {
        Some(rest) => {
            let mut chars = rest.chars();
            let conversion = chars.next();
            (conversion, chars.as_str().strip_prefix(':').unwrap_or(""))
        }
        None => (None, rest.strip_prefix(':').unwrap_or("")),
    };
    let value = field_value(it, name, source)?;
    let specification = if specification.contains('{') {
        render(it, specification, source, depth - 1)?
    } else {
        specification.to_owned()
    };
    let value = match conversion {
        None => value,
        Some('s') => Value::from(str(&value)?),
        Some('r') => Value::from(repr(&value)?),
        Some('a') => Value::from(ascii(&repr(&value)?)),
        Some(other) => {
            return Err(fault::other(format!("Unknown conversion specifier {other}")));
        }
    };
    spec::apply(&value, &specification)
}

fn field_value(it: &mut Interp<'_>, name: &str, source: &mut Source<'_>) -> Res<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut rest) = name.split_at(end);
    let mut value = if first.is_empty() {
        if source.auto < 0 {
            return Err(fault::other(
                "cannot switch from manual field specification to automatic field numbering",
            ));
        }
        source.auto += 1;
        indexed(source.positional, source.auto - 1)?
    } else if let Ok(index) = first.parse::<i64>() {
        if source.auto > 0 {
            return Err(fault::other(
                "cannot switch from automatic field numbering to manual field specification",
            ));
        }
        source.auto = -1;
        indexed(source.positional, index)?
    } else {
        (source.keyword)(first).ok_or_else(|| fault::other(quote(first)))?
    };
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            value = it.attr(&value, &after[..end])?;
            rest = &after[end..];
        } else {
            let inner = rest.strip_prefix('[').unwrap_or(rest);
            let Some(end) = inner.find(']') else {
                return Err(fault::other("expected '}' before end of string"));
            };
            let key = inner[..end]
                .parse()
                .map_or_else(|_| Value::str(&inner[..end]), Value::Int);
            value = it.item(&value, &key)?;
            rest = &inner[end + 1..];
        }
    }
    Ok(value)
}

fn indexed(values: &[Value], index: i64) -> Res<Value> {
    usize::try_from(index)
        .ok()
        .and_then(|index| values.get(index))
        .cloned()
        .ok_or_else(|| fault::other("tuple index out of range"))
}
