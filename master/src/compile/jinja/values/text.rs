//! How values print: Python's `str` and `repr`, and what Salt's `{{ … }}` prints for mappings.

use super::{Missing, Undefined, Value};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::wanted::Among;

/// Deepest nesting that is printed, compared or dumped; Python stops at about a thousand frames.
pub(crate) const NESTING: usize = 200;

/// `repr` of a text.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(mark);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if printable(c) => out.push(c),
            c if (c as u32) <= 0xff => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) <= 0xffff => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push(mark);
    out
}

/// A `repr` in ASCII alone, as `ascii()` makes it.
pub(crate) fn ascii(repr: &str) -> String {
    let mut out = String::with_capacity(repr.len());
    for c in repr.chars() {
        match c as u32 {
            0..=0x7f => out.push(c),
            code @ ..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ ..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

/// What `str.isprintable` says, near enough: no control, format, separator (but space) or private characters.
pub(crate) fn printable(c: char) -> bool {
    if c == ' ' {
        return true;
    }
    let code = c as u32;
    !(c.is_control()
        || c.is_whitespace()
        || matches!(code, 0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e)
        || matches!(code, 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f)
        || matches!(code, 0xd7fc..=0xf8ff | 0xfeff | 0xfff9..=0xfffb)
        || (0xe0000..=0xe0fff).contains(&code)
        || code >= 0xf0000
        || code & 0xfffe == 0xfffe)
}

/// `repr` of bytes.
fn quote_bytes(bytes: &[u8]) -> String {
    let mark = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        b'"'
    } else {
        b'\''
    };
    let mut out = String::from("b");
    out.push(char::from(mark));
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if *byte == mark => {
                out.push('\\');
                out.push(char::from(mark));
            }
            0x20..=0x7e => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(char::from(mark));
    out
}

/// `repr` of a float: the shortest digits that read back, scientific below 1e-4 and from 1e16 on.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// Using an undefined value as text: nothing where that is allowed, else the error.
pub(crate) fn undefined_text(undefined: &Undefined) -> Res<String> {
    if undefined.lenient {
        return Ok(String::new());
    }
    Err(refuse(undefined))
}

/// The error of using an undefined value.
pub(crate) fn refuse(undefined: &Undefined) -> Box<crate::compile::jinja::error::Fault> {
    match &undefined.what {
        Missing::Unsafe(said) => fault::syntax(said.clone()),
        Missing::Name(name) => fault::undefined(undefined.sentence()).wanting(name, Among::Variables),
        Missing::Lacks { of, name, .. } => {
            fault::undefined(undefined.sentence()).wanting(name, Among::of(of))
        }
        _ => fault::undefined(undefined.sentence()),
    }
}

/// `str(value)`.
pub(crate) fn str(value: &Value) -> Res<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Undefined(undefined) => undefined_text(undefined),
        _ => repr(value),
    }
}

/// `repr(value)`.
pub(crate) fn repr(value: &Value) -> Res<String> {
    let mut out = String::new();
    write_repr(value, &mut out, 0, false)?;
    Ok(out)
}

/// What `{{ value }}` prints: `str`, but texts with line ends inside mappings become YAML's double-quoted form.
pub(crate) fn print(value: &Value) -> Res<String> {
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let mut out = String::new();
            write_repr(value, &mut out, 0, true)?;
            Ok(out)
        }
        Value::Dict(_) => print_dict(value, 0),
        _ => str(value),
    }
}

fn print_dict(value: &Value, depth: usize) -> Res<String> {
    let Value::Dict(dict) = value else {
        return str(value);
    };
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    let mut out = String::from("{");
    for (index, (key, value)) in dict.pairs().into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_repr(key.value(), &mut out, depth + 1, false)?;
        out.push_str(": ");
        match &value {
            Value::Str(text) => out.push_str(&yaml_safe(text)),
            Value::Dict(_) => out.push_str(&print_dict(&value, depth + 1)?),
            Value::Undefined(undefined) => out.push_str(&undefined_text(undefined)?),
            _ => write_repr(&value, &mut out, depth + 1, true)?,
        }
    }
    out.push('}');
    Ok(out)
}

fn yaml_safe(text: &str) -> String {
    if text.contains(['\n', '\r', '\t']) {
        crate::compile::jinja::yaml_dump::double_quoted(text)
    } else {
        quote(text)
    }
}

fn write_repr(value: &Value, out: &mut String, depth: usize, yaml: bool) -> Res<()> {
    if depth > NESTING {
        // A list that holds itself, or something as bad.
        out.push_str("[...]");
        return Ok(());
    }
    if out.len() > crate::compile::jinja::OUTPUT {
        return Err(fault::other("the text grows beyond the limit"));
    }
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Str(text) => out.push_str(&quote(text)),
        Value::Bytes(bytes) => out.push_str(&quote_bytes(bytes)),
        Value::List(list) => {
            out.push('[');
            write_items(&list.items.borrow().clone(), out, depth, yaml)?;
            out.push(']');
        }
        Value::Tuple(tuple) if yaml && !tuple.names.is_empty() => {
            // Salt copies what it prints, and cannot copy the groups of `groupby`.
            return Err(fault::other(
                "_GroupTuple.__new__() missing 1 required positional argument: 'list'",
            ));
        }
        Value::Tuple(tuple) => {
            out.push('(');
            write_items(&tuple.items, out, depth, yaml)?;
            if tuple.items.len() == 1 {
                out.push(',');
            }
            out.push(')');
        }
        Value::Dict(dict) if dict.ordered && !yaml => {
            out.push_str("OrderedDict(");
            if dict.len() > 0 {
                let pairs = dict.pairs().into_iter();
                let pairs = pairs.map(|(key, value)| Value::tuple(vec![key.value().clone(), value]));
                write_repr(&Value::list(pairs.collect()), out, depth + 1, yaml)?;
            }
            out.push(')');
        }
        Value::Dict(dict) => {
            out.push('{');
            for (index, (key, value)) in dict.pairs().into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(key.value(), out, depth + 1, false)?;
                out.push_str(": ");
                match &value {
                    Value::Str(text) if yaml => out.push_str(&yaml_safe(text)),
                    _ => write_repr(&value, out, depth + 1, yaml)?,
                }
            }
            out.push('}');
        }
        Value::Object(object) => out.push_str(&object.repr()?),
    }
    Ok(())
}

fn write_items(items: &[Value], out: &mut String, depth: usize, yaml: bool) -> Res<()> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_repr(item, out, depth + 1, yaml)?;
    }
    Ok(())
}
