//! Filters on numbers, and those that make numbers and truth values of text.

use super::Table;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::dict::hashable;
use crate::compile::jinja::values::text::{refuse, str};
use crate::compile::jinja::values::{Value, items, numbers, ops};

pub(super) static FILTERS: Table = &[
    ("abs", |_, value, _| match &value {
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => match other.as_int().and_then(i128::checked_abs) {
            Some(number) => Ok(Value::Int(number)),
            None => match other {
                Value::Undefined(undefined) => Err(refuse(undefined)),
                _ => Err(fault::other(format!(
                    "bad operand type for abs(): '{}'",
                    other.type_name()
                ))),
            },
        },
    }),
    ("int", |_, value, args| {
        let bound = args.bind("do_int", ["default", "base"], 0)?;
        let base = u32::try_from(bound.int(1, 10)?).unwrap_or(0);
        let exact = match &value {
            Value::Str(text) => numbers::parse_int(text, base),
            Value::Undefined(_) | Value::None => None,
            // Python's whole numbers have no end; ours do, and to say 0 would be worse than to say so.
            Value::Float(number) if number.is_finite() => Some(numbers::int(&value)?),
            other => numbers::int(other).ok(),
        };
        if let Some(number) = exact {
            return Ok(Value::Int(number));
        }
        if let Value::Undefined(undefined) = &value
            && !undefined.lenient
        {
            return Err(refuse(undefined));
        }
        let whole = numbers::float(&value)
            .ok()
            .and_then(|number| numbers::int(&Value::Float(number)).ok());
        Ok(match whole {
            Some(number) => Value::Int(number),
            None => bound.get(0).cloned().unwrap_or(Value::Int(0)),
        })
    }),
    ("float", |_, value, args| {
        let bound = args.bind("do_float", ["default"], 0)?;
        if let Value::Undefined(undefined) = &value
            && !undefined.lenient
        {
            return Err(refuse(undefined));
        }
        Ok(match numbers::float(&value) {
            Ok(number) => Value::Float(number),
            Err(_) => bound.get(0).cloned().unwrap_or(Value::Float(0.0)),
        })
    }),
    ("round", |_, value, args| {
        let bound = args.bind("do_round", ["precision", "method"], 0)?;
        let precision = i32::try_from(bound.int(0, 0)?).unwrap_or(0).clamp(-300, 300);
        let method = bound.text_or(1, "common")?;
        match method.as_str() {
            "common" => round(&value, precision),
            "ceil" | "floor" => {
                let factor = 10f64.powi(precision);
                let scaled = numbers::float(&value)? * factor;
                let whole = if method == "ceil" {
                    scaled.ceil()
                } else {
                    scaled.floor()
                };
                Ok(Value::Float(whole / factor))
            }
            _ => Err(fault::syntax("method must be common, ceil or floor")),
        }
    }),
    ("filesizeformat", |_, value, args| {
        let binary = args.bind("do_filesizeformat", ["binary"], 0)?.truth(0, false)?;
        Ok(Value::from(file_size(numbers::float(&value)?, binary)))
    }),
    ("avg", |_, value, _| {
        if hashable(&value) {
            return numbers::float(&value).map(Value::Float);
        }
        let all = items::collect(&value)?;
        if all.is_empty() {
            return Err(fault::other("division by zero"));
        }
        let mut sum = 0.0;
        for item in &all {
            sum += numbers::float(item)?;
        }
        Ok(Value::Float(sum / all.len() as f64))
    }),
    ("to_num", |_, value, _| to_num(&value)),
    ("str_to_num", |_, value, _| to_num(&value)),
    ("is_hex", |_, value, _| {
        Ok(matches!(&value, Value::Str(text) if numbers::parse_int(text, 16).is_some()).into())
    }),
    ("to_bool", |_, value, _| {
        Ok(match &value {
            Value::None | Value::Undefined(_) => false,
            Value::Bool(value) => *value,
            Value::Str(text) => matches!(text.to_lowercase().as_str(), "yes" | "1" | "true"),
            Value::Int(number) => *number > 0,
            other if !hashable(other) => ops::length(other)? > 0,
            _ => false,
        }
        .into())
    }),
    ("human_to_bytes", |_, value, args| human_to_bytes(&value, args)),
];

/// `round(value, precision)`.
fn round(value: &Value, precision: i32) -> Res<Value> {
    if let Some(number) = value.as_int() {
        if precision >= 0 {
            return Ok(Value::Int(number));
        }
        let Some(unit) = 10i128.checked_pow(precision.unsigned_abs()) else {
            return Ok(Value::Int(0));
        };
        let (down, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
        let up = rest * 2 > unit || (rest * 2 == unit && down % 2 != 0);
        return Ok(Value::Int((down + i128::from(up)) * unit));
    }
    let Value::Float(number) = value else {
        return Err(super::text::wrong_type("type cannot be rounded", value));
    };
    if !number.is_finite() {
        return Ok(value.clone());
    }
    if precision >= 0 {
        // The exact decimal expansion is what Python rounds, too.
        let digits = usize::try_from(precision).unwrap_or(0);
        return Ok(Value::Float(
            format!("{number:.digits$}").parse().unwrap_or(*number),
        ));
    }
    let unit = 10f64.powi(-precision);
    Ok(Value::Float((number / unit).round_ties_even() * unit))
}

fn file_size(bytes: f64, binary: bool) -> String {
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return "1 Byte".to_owned();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let letters = if binary { "KMGTPEZY" } else { "kMGTPEZY" };
    let mut shown = String::new();
    for (index, letter) in letters.chars().enumerate() {
        let unit = base.powi(i32::try_from(index).unwrap_or(0) + 2);
        shown = format!(
            "{:.1} {letter}{}",
            base * bytes / unit,
            if binary { "iB" } else { "B" }
        );
        if bytes < unit {
            break;
        }
    }
    shown
}

/// A number where the text is one, else the value itself.
pub(super) fn to_num(value: &Value) -> Res<Value> {
    match value {
        Value::Str(text) => Ok(match (numbers::parse_int(text, 10), numbers::parse_float(text)) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Float(number),
            _ => value.clone(),
        }),
        other => numbers::int(other).map(Value::Int),
    }
}

fn human_to_bytes(value: &Value, args: CallArgs) -> Res<Value> {
    let bound = args.bind("human_to_bytes", ["default_unit", "handle_metric"], 0)?;
    let text = str(value)?;
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let unit = if unit.is_empty() {
        bound.text_or(0, "B")?
    } else {
        unit.to_owned()
    }
    .to_lowercase();
    let zero = Ok(Value::Int(0));
    let Some(number) = numbers::parse_float(number) else {
        return zero;
    };
    let mut letters = unit.chars();
    let Some(power) = letters.next().and_then(|first| "bkmgtpezy".find(first)) else {
        return zero;
    };
    let rest = letters.as_str();
    let metric = rest == "b" && power > 0;
    if !(metric || rest.is_empty() || (rest == "ib" && power > 0)) {
        return zero;
    }
    let power = i32::try_from(power).unwrap_or(0);
    let factor = if metric && bound.truth(1, false)? {
        1000f64.powi(power)
    } else {
        1024f64.powi(power)
    };
    Ok(Value::Int((number * factor) as i128))
}
