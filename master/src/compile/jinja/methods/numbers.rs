//! Methods and attributes of numbers.

use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;

pub(super) const WHOLE: &[&str] = &[
    "as_integer_ratio",
    "bit_count",
    "bit_length",
    "conjugate",
    "to_bytes",
];
pub(super) const FLOAT: &[&str] = &["as_integer_ratio", "conjugate", "hex", "is_integer"];

/// What numbers have that is no method.
pub(crate) fn attr(of: &Value, name: &str) -> Option<Value> {
    match (of, name) {
        (Value::Float(_), "real") => Some(of.clone()),
        (Value::Float(_), "imag") => Some(Value::Float(0.0)),
        (Value::Float(_), _) => None,
        (_, "real" | "numerator") => of.as_int().map(Value::Int),
        (_, "imag") => Some(Value::Int(0)),
        (_, "denominator") => Some(Value::Int(1)),
        _ => None,
    }
}

pub(super) fn whole(value: i128, name: &str, args: CallArgs) -> Res<Value> {
    if name == "to_bytes" {
        return to_bytes(value, args);
    }
    args.bind(name, [], 0)?;
    Ok(match name {
        "bit_length" => Value::Int(i128::from(128 - value.unsigned_abs().leading_zeros())),
        "bit_count" => Value::Int(i128::from(value.unsigned_abs().count_ones())),
        "as_integer_ratio" => Value::tuple(vec![Value::Int(value), Value::Int(1)]),
        _ => Value::Int(value),
    })
}

fn to_bytes(value: i128, args: CallArgs) -> Res<Value> {
    let bound = args.bind("to_bytes", ["length", "byteorder", "signed"], 0)?;
    let length = usize::try_from(bound.int(0, 1)?)
        .map_err(|_| fault::other("length argument must be non-negative"))?;
    let signed = bound.truth(2, false)?;
    if value < 0 && !signed {
        return Err(fault::other("can't convert negative int to unsigned"));
    }
    if length > 1 << 16 {
        return Err(fault::other("the text grows beyond the limit"));
    }
    let mut bytes = vec![if value < 0 { 0xff } else { 0 }; length];
    let full = value.to_le_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    for (slot, byte) in bytes.iter_mut().zip(full) {
        *slot = byte;
    }
    let sign = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let lost = full.iter().skip(length).any(|byte| *byte != fill);
    if lost || (signed && length > 0 && sign != (value < 0)) {
        return Err(fault::other("int too big to convert"));
    }
    match bound.text_or(1, "big")?.as_str() {
        "little" => {}
        "big" => bytes.reverse(),
        _ => return Err(fault::other("byteorder must be either 'little' or 'big'")),
    }
    Ok(Value::Bytes(bytes.into()))
}

pub(super) fn float(value: f64, name: &str, args: CallArgs) -> Res<Value> {
    args.bind(name, [], 0)?;
    Ok(match name {
        "is_integer" => Value::Bool(value.is_finite() && value.fract() == 0.0),
        "hex" => Value::from(hex(value)),
        "as_integer_ratio" => ratio(value)?,
        _ => Value::Float(value),
    })
}

/// The number as a fraction in lowest terms.
fn ratio(value: f64) -> Res<Value> {
    if !value.is_finite() {
        let what = if value.is_nan() { "NaN" } else { "infinity" };
        return Err(fault::other(format!("cannot convert {what} to integer ratio")));
    }
    let too_large = || fault::other("the number is too large");
    let (mut above, mut below) = (value, 1i128);
    while above.fract() != 0.0 {
        above *= 2.0;
        below = below.checked_mul(2).ok_or_else(too_large)?;
    }
    if above.abs() >= 1e38 {
        return Err(too_large());
    }
    Ok(Value::tuple(vec![Value::Int(above as i128), Value::Int(below)]))
}

/// `float.hex`.
fn hex(value: f64) -> String {
    if !value.is_finite() {
        return crate::compile::yaml::float_text(value);
    }
    let bits = value.to_bits();
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    let exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    match (exponent, fraction) {
        (0, 0) => format!("{sign}0x0.0p+0"),
        (0, _) => format!("{sign}0x0.{fraction:013x}p-1022"),
        _ => format!("{sign}0x1.{fraction:013x}p{:+}", exponent - 1023),
    }
}
