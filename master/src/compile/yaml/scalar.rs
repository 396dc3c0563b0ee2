//! Scalars of YAML 1.1, as PyYAML resolves them and Salt's loader changes them.
//!
//! No positions and no structure here; `yaml` owns both.

use base64::Engine as _;

use super::Value;

/// A scalar with its tag; `plain` says it was written without quotes and without a tag.
pub(super) fn construct(text: String, tag: Option<&str>, plain: bool) -> Result<Value, String> {
    let Some(tag) = tag.filter(|tag| *tag != "!") else {
        return if plain {
            resolve(&text)
        } else {
            Ok(Value::Text(text))
        };
    };
    let short = tag.strip_prefix("tag:yaml.org,2002:");
    match short {
        Some("str" | "timestamp") => Ok(Value::Text(text)),
        Some("null") => Ok(Value::Null),
        Some("bool") => boolean(&text.to_lowercase())
            .map(Value::Bool)
            .ok_or_else(|| format!("'{text}' is not a boolean")),
        Some("int") => whole(&text).ok_or_else(|| format!("'{text}' is not a whole number")),
        Some("float") => float(&text)
            .map(Value::Float)
            .ok_or_else(|| format!("'{text}' is not a number")),
        Some("binary") => {
            if !text.is_ascii() {
                return Err("failed to convert base64 data into ascii".to_owned());
            }
            // Python passes over what is no such character, and ends at the padding.
            let whole = text.split_inclusive('=').next().unwrap_or_default();
            let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
            let packed: String = whole.chars().filter(known).collect();
            let padded = text.contains('=') || packed.len().is_multiple_of(4);
            if !padded {
                return Err("failed to decode base64 data: Incorrect padding".to_owned());
            }
            base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(packed)
                .map(Value::Bytes)
                .map_err(|error| format!("failed to decode base64 data: {error}"))
        }
        _ => Err(super::unknown_tag(tag)),
    }
}

/// A scalar written plainly.
pub(super) fn resolve(text: &str) -> Result<Value, String> {
    let Some(first) = text.chars().next() else {
        return Ok(Value::Null);
    };
    match first {
        '~' | 'n' | 'N' if matches!(text, "~" | "null" | "Null" | "NULL") => return Ok(Value::Null),
        '=' if text == "=" => return Err(super::unknown_tag("tag:yaml.org,2002:value")),
        '<' if text == "<<" => return Err(super::unknown_tag("tag:yaml.org,2002:merge")),
        'y' | 'Y' | 'n' | 'N' | 't' | 'T' | 'f' | 'F' | 'o' | 'O' => {
            if let Some(value) = boolean(text) {
                return Ok(Value::Bool(value));
            }
        }
        '-' | '+' | '0'..='9' | '.' => {
            if is_whole(text) {
                return whole(text).ok_or_else(|| format!("the number {text} is too large"));
            }
            if is_float(text) {
                return Ok(float(text).map_or_else(|| Value::Text(text.to_owned()), Value::Float));
            }
        }
        _ => {}
    }
    Ok(Value::Text(text.to_owned()))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(|byte| allowed(byte) || byte == b'_')
}

/// Hours, minutes, seconds: every part after the first is a number below 60.
fn is_sixties<'a>(mut parts: impl Iterator<Item = &'a str>) -> bool {
    parts.all(|part| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
        _ => false,
    })
}

fn is_whole(text: &str) -> bool {
    let text = unsigned(text);
    if let Some(digits) = text.strip_prefix("0b") {
        return !digits.is_empty() && all(digits, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && all(digits, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix('0') {
        return all(digits, |byte| (b'0'..=b'7').contains(&byte));
    }
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let starts = first
        .as_bytes()
        .first()
        .is_some_and(|byte| (b'1'..=b'9').contains(byte));
    starts && all(first, |byte| byte.is_ascii_digit()) && is_sixties(parts)
}

fn is_float(text: &str) -> bool {
    let bare = unsigned(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((before, after)) = bare.split_once('.') else {
        return false;
    };
    let digits = |byte: u8| byte.is_ascii_digit();
    if let Some((first, rest)) = before.split_once(':') {
        let starts = first.as_bytes().first().is_some_and(u8::is_ascii_digit);
        return starts && all(first, digits) && is_sixties(rest.split(':')) && all(after, digits);
    }
    let (fraction, exponent) = match after.find(['e', 'E']) {
        Some(place) => (&after[..place], Some(&after[place + 1..])),
        None => (after, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let number_fits = if before.is_empty() {
        bare.len() == text.len() && fraction.as_bytes().first().is_some_and(u8::is_ascii_digit)
    } else {
        before.as_bytes()[0].is_ascii_digit() && all(before, digits)
    };
    number_fits && exponent_fits && all(fraction, digits)
}

/// The number; Salt drops leading zeros of unsigned text, PyYAML reads signed ones as octal.
fn whole(text: &str) -> Option<Value> {
    let text: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let number = if let Some(bits) = digits.strip_prefix("0b") {
        i128::from_str_radix(bits, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') && !digits.contains(':') {
        if digits.len() == text.len() {
            let rest = digits.trim_start_matches('0');
            if rest.is_empty() { 0 } else { rest.parse().ok()? }
        } else {
            i128::from_str_radix(digits, 8).ok()?
        }
    } else {
        let mut total: i128 = 0;
        for part in digits.split(':') {
            total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
        }
        if digits.contains(':') {
            total
        } else {
            digits.parse().ok()?
        }
    };
    Some(Value::Int(if negative { -number } else { number }))
}

fn float(text: &str) -> Option<f64> {
    let text: String = text.to_lowercase().chars().filter(|c| *c != '_').collect();
    let bare = unsigned(&text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let number = match bare {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(f64::NAN),
        _ => {
            let mut total = 0.0;
            for part in bare.split(':') {
                total = total * 60.0 + part.parse::<f64>().ok()?;
            }
            total
        }
    };
    Some(sign * number)
}

/// A float as Python writes it.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        }
    } else if value != 0.0 && !(1e-4..1e16).contains(&value.abs()) {
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, power)) => {
                let (sign, power) = power.strip_prefix('-').map_or(("+", power), |rest| ("-", rest));
                format!("{digits}e{sign}{power:0>2}")
            }
            None => text,
        }
    } else if value.fract() == 0.0 {
        format!("{value:.1}")
    } else {
        value.to_string()
    }
}

impl Value {
    /// The value as Python's `str()` prints it.
    pub fn python_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            _ => self.python_repr(),
        }
    }

    /// The value as Python's `repr()` prints it.
    pub fn python_repr(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float_text(*value),
            Self::Text(text) => quoted(text),
            Self::Bytes(bytes) => format!("b{}", quoted(&String::from_utf8_lossy(bytes))),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.value.python_repr()).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", key.value.python_repr(), value.value.python_repr()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// Text in Python's quotes.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
