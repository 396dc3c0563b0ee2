//! Tests: what may stand after `is`.

use super::args::CallArgs;
use super::error::{Res, fault};
use super::filters::regex;
use super::parse::ast::CompareOp;
use super::values::text::{quote, refuse, str};
use super::values::{Value, items, ops};
use super::wanted::Among;
use super::{filters, parse::ast::MathOp};

/// All tests with a name of letters, but for the comparisons.
static NAMES: [&str; 26] = [
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "integer",
    "iterable",
    "list",
    "lower",
    "mapping",
    "match",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Whether a test of this name exists.
fn known(name: &str) -> bool {
    comparison(name).is_some() || NAMES.contains(&name)
}

fn comparison(name: &str) -> Option<CompareOp> {
    Some(match name {
        "==" | "eq" | "equalto" => CompareOp::Eq,
        "!=" | "ne" => CompareOp::Ne,
        "<" | "lt" | "lessthan" => CompareOp::Lt,
        "<=" | "le" => CompareOp::Le,
        ">" | "gt" | "greaterthan" => CompareOp::Gt,
        ">=" | "ge" => CompareOp::Ge,
        "in" => CompareOp::In,
        _ => return None,
    })
}

/// `value is name(args)`.
pub(crate) fn apply(name: &str, value: &Value, args: CallArgs) -> Res<bool> {
    if !known(name) {
        let fault = fault::syntax(format!("No test named {}.", quote(name)));
        return Err(fault.wanting(name, Among::names(NAMES)));
    }
    if value.is_pending() || args.positional.iter().any(Value::is_pending) {
        // So that the branch behind `is defined` is walked too.
        return Ok(name == "defined");
    }
    if let Some(op) = comparison(name) {
        let other = args.bind(name, ["other"], 1)?.value(0);
        return ops::compare(op, value, &other);
    }
    let lazy = matches!(value, Value::Object(object) if matches!(object.type_name(), "dict"));
    Ok(match name {
        "match" => {
            let bound = args.bind("test_match", ["rgx", "ignorecase", "multiline"], 1)?;
            let pattern = regex::compile(&bound.text(0)?, bound.truth(1, false)?, bound.truth(2, false)?)?;
            regex::matches_at_start(&pattern, &super::args::expect_text(value)?)?.is_some()
        }
        "divisibleby" => {
            let by = args.bind(name, ["num"], 1)?.value(0);
            ops::equal(&ops::math(MathOp::Mod, value, &by)?, &Value::Int(0))?
        }
        "sameas" => ops::identical(value, &args.bind(name, ["other"], 1)?.value(0)),
        _ => {
            args.bind(name, [], 0)?;
            match name {
                "defined" => !value.is_undefined(),
                "undefined" => value.is_undefined(),
                "none" => matches!(value, Value::None),
                "boolean" => matches!(value, Value::Bool(_)),
                "true" => matches!(value, Value::Bool(true)),
                "false" => matches!(value, Value::Bool(false)),
                "integer" => matches!(value, Value::Int(_)),
                "float" => matches!(value, Value::Float(_)),
                "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
                "string" => matches!(value, Value::Str(_)),
                "list" => matches!(value, Value::List(_)),
                "mapping" => matches!(value, Value::Dict(_)) || lazy,
                "sequence" => match value {
                    Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) => {
                        true
                    }
                    Value::Object(object) => lazy || object.type_name() == "range",
                    Value::Undefined(undefined) => undefined.lenient,
                    _ => false,
                },
                "iterable" => {
                    if let Value::Undefined(undefined) = value
                        && !undefined.lenient
                    {
                        return Err(refuse(undefined));
                    }
                    lazy || items::iterable(value)
                }
                "callable" => {
                    value.is_undefined() || matches!(value, Value::Object(object) if object.callable())
                }
                "escaped" => false,
                "even" | "odd" => {
                    let rest = ops::math(MathOp::Mod, value, &Value::Int(2))?;
                    ops::equal(&rest, &Value::Int(i128::from(name == "odd")))?
                }
                "lower" => cased(value, false)?,
                "upper" => cased(value, true)?,
                "filter" => value.as_str().is_some_and(filters::known),
                _ => value.as_str().is_some_and(known),
            }
        }
    })
}

/// `str(value).isupper()` or `.islower()`.
fn cased(value: &Value, upper: bool) -> Res<bool> {
    let text = str(value)?;
    let (any, other) = (
        text.chars().any(char::is_uppercase),
        text.chars().any(char::is_lowercase),
    );
    Ok(if upper { any && !other } else { other && !any })
}
