//! Reading numbers from text as Python's `int()` and `float()` do.

use super::Value;
use super::text::quote;
use crate::compile::jinja::error::{Res, fault};

/// `int(text, base)`; `None` where Python raises `ValueError`. Base 0 takes the base from the prefix.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |prefix: &str, of: u32| {
        (base == of || base == 0)
            .then(|| lower.strip_prefix(prefix))
            .flatten()
    };
    let (digits, base) = if let Some(rest) = prefixed("0x", 16) {
        (rest.strip_prefix('_').unwrap_or(rest).to_owned(), 16)
    } else if let Some(rest) = prefixed("0o", 8) {
        (rest.strip_prefix('_').unwrap_or(rest).to_owned(), 8)
    } else if let Some(rest) = prefixed("0b", 2) {
        (rest.strip_prefix('_').unwrap_or(rest).to_owned(), 2)
    } else if base == 0 {
        if lower.len() > 1 && lower.starts_with('0') && lower.bytes().any(|b| b != b'0' && b != b'_') {
            return None;
        }
        (lower, 10)
    } else {
        (lower, base)
    };
    if !(2..=36).contains(&base)
        || digits.is_empty()
        || digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__")
        || digits.starts_with(['+', '-'])
    {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(if negative { -value } else { value })
}

/// `float(text)`; `None` where Python raises `ValueError`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let bare = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(bare.as_str(), "inf" | "infinity" | "nan") {
        return text.to_ascii_lowercase().parse().ok();
    }
    if bare.starts_with('_')
        || bare.ends_with('_')
        || bare.contains("__")
        || !bare
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'_' | b'+' | b'-'))
    {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// `int(value)`.
pub(crate) fn int(value: &Value) -> Res<i128> {
    match value {
        Value::Bool(value) => Ok(i128::from(*value)),
        Value::Int(value) => Ok(*value),
        Value::Float(value) if value.is_nan() => Err(fault::other("cannot convert float NaN to integer")),
        Value::Float(value) if value.is_infinite() => {
            Err(fault::other("cannot convert float infinity to integer"))
        }
        Value::Float(value) if value.abs() < 1e38 => Ok(value.trunc() as i128),
        Value::Float(_) => Err(fault::other("Python int too large")),
        Value::Str(text) => parse_int(text, 10)
            .ok_or_else(|| fault::other(format!("invalid literal for int() with base 10: {}", quote(text)))),
        Value::Undefined(undefined) => Err(super::text::refuse(undefined)),
        _ => Err(fault::other(format!(
            "int() argument must be a string, a bytes-like object or a real number, not {}",
            quote(value.type_name())
        ))),
    }
}

/// `float(value)`.
pub(crate) fn float(value: &Value) -> Res<f64> {
    match value {
        Value::Bool(value) => Ok(f64::from(u8::from(*value))),
        Value::Int(value) => Ok(*value as f64),
        Value::Float(value) => Ok(*value),
        Value::Str(text) => parse_float(text)
            .ok_or_else(|| fault::other(format!("could not convert string to float: {}", quote(text)))),
        Value::Undefined(undefined) => Err(super::text::refuse(undefined)),
        _ => Err(fault::other(format!(
            "float() argument must be a string or a real number, not {}",
            quote(value.type_name())
        ))),
    }
}
