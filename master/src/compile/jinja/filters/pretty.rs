//! `pprint`: Python's layout of nested data in 80 columns, mappings sorted.

use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::methods::strings::lines;
use crate::compile::jinja::values::text::{NESTING, quote, repr};
use crate::compile::jinja::values::{Key, Value, sorting};

const WIDTH: usize = 80;

/// `pprint.pformat(value)`.
pub(super) fn format(value: &Value) -> Res<String> {
    let mut out = String::new();
    write(value, 0, 0, 0, &mut out)?;
    Ok(out)
}

fn sorted(value: &Value) -> Vec<(Key, Value)> {
    let Value::Dict(dict) = value else {
        return Vec::new();
    };
    let pairs = dict.pairs();
    let keys = pairs.iter().map(|(key, _)| key.value().clone()).collect();
    let places = (0..pairs.len()).map(Value::from).collect();
    match sorting::sort_by_key(places, keys, false) {
        Ok(order) => order
            .iter()
            .filter_map(|place| usize::try_from(place.as_int()?).ok())
            .filter_map(|place| pairs.get(place).cloned())
            .collect(),
        // Keys that cannot be compared: Python goes by the names of their types.
        Err(_) => pairs,
    }
}

/// `repr` with mappings sorted.
fn plain(value: &Value, depth: usize) -> Res<String> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    let join = |items: &[Value]| -> Res<String> {
        let all = items
            .iter()
            .map(|item| plain(item, depth + 1))
            .collect::<Res<Vec<_>>>()?;
        Ok(all.join(", "))
    };
    Ok(match value {
        Value::Dict(_) => {
            let mut all = Vec::new();
            for (key, value) in sorted(value) {
                all.push(format!(
                    "{}: {}",
                    plain(key.value(), depth + 1)?,
                    plain(&value, depth + 1)?
                ));
            }
            format!("{{{}}}", all.join(", "))
        }
        Value::List(list) => format!("[{}]", join(&list.items.borrow())?),
        Value::Tuple(tuple) => {
            let comma = if tuple.items.len() == 1 { "," } else { "" };
            format!("({}{comma})", join(&tuple.items)?)
        }
        other => repr(other)?,
    })
}

fn write(value: &Value, indent: usize, allowance: usize, level: usize, out: &mut String) -> Res<()> {
    let flat = plain(value, level)?;
    if flat.chars().count() + indent + allowance <= WIDTH {
        out.push_str(&flat);
        return Ok(());
    }
    let newline = |out: &mut String, indent: usize| {
        out.push_str(",\n");
        out.push_str(&" ".repeat(indent));
    };
    let members = |items: &[Value], allowance: usize, out: &mut String| -> Res<()> {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                newline(out, indent + 1);
            }
            let last = index + 1 == items.len();
            write(item, indent + 1, if last { allowance } else { 1 }, level + 1, out)?;
        }
        Ok(())
    };
    match value {
        Value::Dict(_) => {
            out.push('{');
            let pairs = sorted(value);
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    newline(out, indent + 1);
                }
                let name = plain(key.value(), level + 1)?;
                let last = index + 1 == pairs.len();
                out.push_str(&name);
                out.push_str(": ");
                let room = indent + 1 + name.chars().count() + 2;
                write(value, room, if last { allowance + 1 } else { 1 }, level + 1, out)?;
            }
            out.push('}');
        }
        Value::List(list) => {
            out.push('[');
            let items = list.items.borrow().clone();
            members(&items, allowance + 1, out)?;
            out.push(']');
        }
        Value::Tuple(tuple) => {
            let end = if tuple.items.len() == 1 { ",)" } else { ")" };
            out.push('(');
            members(&tuple.items, allowance + end.len(), out)?;
            out.push_str(end);
        }
        Value::Str(text) if !text.is_empty() => long_text(text, indent, allowance, level == 0, out),
        _ => out.push_str(&flat),
    }
    Ok(())
}

/// A text too long for its line: adjacent literals, broken after line ends and blanks.
fn long_text(text: &str, indent: usize, allowance: usize, top: bool, out: &mut String) {
    let (indent, allowance) = if top {
        (indent + 1, allowance + 1)
    } else {
        (indent, allowance)
    };
    let len = |text: &str| quote(text).chars().count();
    let mut chunks: Vec<String> = Vec::new();
    let all = lines(text, true);
    for (index, line) in all.iter().enumerate() {
        let last = index + 1 == all.len();
        let room = WIDTH.saturating_sub(indent);
        if len(line) <= room.saturating_sub(if last { allowance } else { 0 }) {
            chunks.push(quote(line));
            continue;
        }
        let words: Vec<&str> = words(line);
        let mut current = String::new();
        for (place, word) in words.iter().enumerate() {
            let final_word = last && place + 1 == words.len();
            let candidate = format!("{current}{word}");
            if len(&candidate) > room.saturating_sub(if final_word { allowance } else { 0 }) {
                if !current.is_empty() {
                    chunks.push(quote(&current));
                }
                current = (*word).to_owned();
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(quote(&current));
        }
    }
    if let [one] = &chunks[..] {
        out.push_str(one);
        return;
    }
    let body = chunks.join(&format!("\n{}", " ".repeat(indent)));
    if top {
        out.push_str(&format!("({body})"));
    } else {
        out.push_str(&body);
    }
}

/// Words with the blanks after them.
fn words(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut blank = false;
    for (at, c) in line.char_indices() {
        if blank && !c.is_whitespace() {
            out.push(&line[start..at]);
            start = at;
        }
        blank = c.is_whitespace();
    }
    if start < line.len() {
        out.push(&line[start..]);
    }
    out
}
