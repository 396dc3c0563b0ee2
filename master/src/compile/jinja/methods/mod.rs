//! Methods of texts, bytes, lists, tuples, mappings and numbers.
//!
//! `has` says which there are, `call` runs one. Names that begin with `_` are not handed out (the sandbox's rule).

pub(crate) mod cases;
pub(crate) mod dicts;
mod encoding;
mod lists;
mod native;
mod numbers;
pub(crate) mod percent;
pub(crate) mod spec;
pub(crate) mod strings;
mod template;

pub(crate) use numbers::attr as number_attr;

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
        Value::Int(_) | Value::Bool(_) => numbers::WHOLE,
        Value::Float(_) => numbers::FLOAT,
        _ => &[],
    };
    names.contains(&name)
}

/// Calls a method that `has` knows.
pub(crate) fn call(it: &mut Interp<'_>, value: &Value, name: &str, args: CallArgs) -> Res<Value> {
    native::check(value.type_name(), name, &args)?;
    match value {
        Value::Str(text) if name == "format" => template::format(it, text, &args).map(Value::from),
        Value::Str(text) if name == "format_map" => {
            let mapping = args.bind(name, ["mapping"], 1)?.value(0);
            template::format_map(it, text, mapping).map(Value::from)
        }
        Value::Str(text) => strings::call(text, name, args),
        Value::Bytes(bytes) => match name {
            "decode" => encoding::decode(bytes, args),
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
        Value::Int(_) | Value::Bool(_) => numbers::whole(value.as_int().unwrap_or(0), name, args),
        Value::Float(value) => numbers::float(*value, name, args),
        other => Err(fault::other(format!(
            "{} object has no attribute {}",
            quote(other.type_name()),
            quote(name)
        ))),
    }
}
