//! JSON as Python's `json` writes it.

use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::text::{self, NESTING, quote};
use crate::compile::jinja::values::{Value, convert, sorting};

/// How to write it.
#[derive(Default, Clone)]
pub(super) struct Style {
    pub(super) sort_keys: bool,
    pub(super) ascii: bool,
    /// What each level is indented by; `None` for one line.
    pub(super) indent: Option<String>,
    /// Between entries and after keys, when given.
    pub(super) separators: Option<(String, String)>,
}

/// `json.dumps(value)`.
pub(super) fn dumps(value: &Value, style: &Style) -> Res<String> {
    let mut out = String::new();
    write(value, style, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, style: &Style, depth: usize, out: &mut String) -> Res<()> {
    if depth > NESTING {
        return Err(fault::other("Circular reference detected"));
    }
    if out.len() > OUTPUT {
        return Err(fault::other("the text grows beyond the limit"));
    }
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Str(text) => string(text, style.ascii, out),
        Value::List(list) => array(&list.items.borrow().clone(), style, depth, out)?,
        Value::Tuple(tuple) => array(&tuple.items, style, depth, out)?,
        Value::Dict(dict) => {
            let mut pairs = dict.pairs();
            if style.sort_keys {
                let keys: Vec<Value> = pairs.iter().map(|(key, _)| key.value().clone()).collect();
                let values: Vec<Value> = pairs
                    .iter()
                    .map(|(key, value)| Value::tuple(vec![key.value().clone(), value.clone()]))
                    .collect();
                let sorted = sorting::sort_by_key(values, keys, false)?;
                pairs.clear();
                for pair in sorted {
                    if let Value::Tuple(pair) = pair
                        && let [key, value] = &pair.items[..]
                    {
                        pairs.push((
                            crate::compile::jinja::values::Key::new(key.clone())?,
                            value.clone(),
                        ));
                    }
                }
            }
            out.push('{');
            let any = !pairs.is_empty();
            for (index, (key, value)) in pairs.iter().enumerate() {
                separate(index, style, depth + 1, out);
                match key.value() {
                    Value::Float(number) => string(&float(*number), style.ascii, out),
                    key @ (Value::Str(_) | Value::None | Value::Bool(_) | Value::Int(_)) => {
                        string(&convert::key_text(key)?, style.ascii, out);
                    }
                    other => {
                        return Err(fault::other(format!(
                            "keys must be str, int, float, bool or None, not {}",
                            other.type_name()
                        )));
                    }
                }
                out.push_str(style.separators.as_ref().map_or(": ", |(_, colon)| colon));
                write(value, style, depth + 1, out)?;
            }
            close(any, style, depth, out);
            out.push('}');
        }
        Value::Undefined(undefined) if undefined.lenient => {
            return Err(fault::other("Object of type Undefined is not JSON serializable"));
        }
        Value::Undefined(undefined) => return Err(text::refuse(undefined)),
        Value::Object(object) => match object.data()? {
            Some(data) => write(&data, style, depth, out)?,
            None => return Err(unfit(value)),
        },
        Value::Bytes(_) => return Err(unfit(value)),
    }
    Ok(())
}

fn unfit(value: &Value) -> Box<crate::compile::jinja::error::Fault> {
    let name = value.type_name().rsplit('.').next().unwrap_or_default();
    fault::other(format!("Object of type {name} is not JSON serializable"))
}

fn array(items: &[Value], style: &Style, depth: usize, out: &mut String) -> Res<()> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        separate(index, style, depth + 1, out);
        write(item, style, depth + 1, out)?;
    }
    close(!items.is_empty(), style, depth, out);
    out.push(']');
    Ok(())
}

fn separate(index: usize, style: &Style, depth: usize, out: &mut String) {
    if index > 0 {
        let plain = if style.indent.is_some() { "," } else { ", " };
        out.push_str(style.separators.as_ref().map_or(plain, |(comma, _)| comma));
    }
    if let Some(indent) = &style.indent {
        out.push('\n');
        out.push_str(&indent.repeat(depth));
    }
}

fn close(any: bool, style: &Style, depth: usize, out: &mut String) {
    if let (true, Some(indent)) = (any, &style.indent) {
        out.push('\n');
        out.push_str(&indent.repeat(depth));
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        text::float(value)
    }
}

fn string(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if ascii && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What `indent` gives: a number of blanks, or the text itself.
pub(super) fn indentation(value: Option<&Value>) -> Res<Option<String>> {
    match value {
        None | Some(Value::None) => Ok(None),
        Some(Value::Str(text)) => Ok(Some(text.to_string())),
        Some(other) => match other.as_int() {
            Some(blanks) => Ok(Some(
                " ".repeat(usize::try_from(blanks.clamp(0, 100)).unwrap_or(0)),
            )),
            None => Err(fault::other(format!(
                "can't indent by {}",
                quote(other.type_name())
            ))),
        },
    }
}
