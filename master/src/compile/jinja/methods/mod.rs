//! Methods of texts, bytes, lists, tuples, mappings and numbers.
//!
//! `has` says which there are, `call` runs one. Names that begin with `_` are not handed out (the sandbox's rule).

pub(crate) mod dicts;
mod lists;
pub(crate) mod percent;
pub(crate) mod spec;
pub(crate) mod strings;
mod template;

use super::args::CallArgs;
use super::error::{Res, fault};
use super::eval::Interp;
use super::values::Value;
use super::values::text::quote;

/// Whether `value` has a method of this name.
pub(crate) fn has(value: &Value, name: &str) -> bool {
    let names: &[&str] = match value {
        Value::Str(_) => strings::NAMES,
        Value::Bytes(_) => &["decode", "hex", "startswith", "endswith"],
        Value::List(_) => lists::NAMES,
        Value::Tuple(_) => &["count", "index"],
        Value::Dict(_) => dicts::NAMES,
        Value::Int(_) | Value::Bool(_) => &["bit_length"],
        Value::Float(_) => &["is_integer"],
        _ => &[],
    };
    names.contains(&name)
}

/// Calls a method that `has` knows.
pub(crate) fn call(it: &mut Interp<'_>, value: &Value, name: &str, args: CallArgs) -> Res<Value> {
    match value {
        Value::Str(text) if name == "format" => template::format(it, text, &args).map(Value::from),
        Value::Str(text) if name == "format_map" => {
            let mapping = args.bind(name, ["mapping"], 1)?.value(0);
            template::format_map(it, text, mapping).map(Value::from)
        }
        Value::Str(text) => strings::call(text, name, args),
        Value::Bytes(bytes) => match name {
            "decode" => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => Ok(Value::from(text)),
                Err(error) => Err(fault::other(error.to_string())),
            },
            "hex" => Ok(Value::from(crate::compile::jinja::filters::hex(bytes))),
            _ => match args.bind(name, ["prefix"], 1)?.value(0) {
                Value::Bytes(part) if name == "startswith" => Ok(bytes.starts_with(&part).into()),
                Value::Bytes(part) => Ok(bytes.ends_with(&part).into()),
                other => Err(fault::other(format!(
                    "{name} first arg must be bytes or a tuple of bytes, not {}",
                    other.type_name()
                ))),
            },
        },
        Value::List(list) => lists::call(it, list, name, args),
        Value::Tuple(tuple) => lists::search(&tuple.items, "tuple", name, args),
        Value::Dict(dict) => dicts::call(dict, name, args),
        Value::Int(_) | Value::Bool(_) => {
            let value = value.as_int().unwrap_or(0);
            Ok(Value::Int(i128::from(128 - value.unsigned_abs().leading_zeros())))
        }
        Value::Float(value) => Ok(Value::Bool(value.fract() == 0.0)),
        other => Err(fault::other(format!(
            "{} object has no attribute {}",
            quote(other.type_name()),
            quote(name)
        ))),
    }
}
