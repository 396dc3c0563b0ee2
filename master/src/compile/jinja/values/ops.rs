//! Operators: arithmetic, comparison, membership, truth, length. Errors are worded as Python's exceptions.

use std::cmp::Ordering;
use std::rc::Rc;

use super::text::{NESTING, quote, refuse};
use super::{Value, items};
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::error::{Fault, Res, fault};
use crate::compile::jinja::parse::ast::{CompareOp, MathOp};

/// Longest list an operator makes.
pub(crate) const LONGEST: usize = 1_000_000;

/// Whether a value counts as true.
pub(crate) fn truth(value: &Value) -> Res<bool> {
    Ok(match value {
        Value::Undefined(undefined) if undefined.lenient => false,
        Value::Undefined(undefined) => return Err(refuse(undefined)),
        Value::None => false,
        Value::Bool(value) => *value,
        Value::Int(value) => *value != 0,
        Value::Float(value) => *value != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(list) => !list.items.borrow().is_empty(),
        Value::Tuple(tuple) => !tuple.items.is_empty(),
        Value::Dict(dict) => dict.len() > 0,
        Value::Object(object) => match object.len()? {
            Some(len) => len > 0,
            None => true,
        },
    })
}

/// `len(value)`.
pub(crate) fn length(value: &Value) -> Res<usize> {
    Ok(match value {
        Value::Str(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items.borrow().len(),
        Value::Tuple(tuple) => tuple.items.len(),
        Value::Dict(dict) => dict.len(),
        Value::Undefined(undefined) if undefined.lenient => 0,
        Value::Undefined(undefined) => return Err(refuse(undefined)),
        Value::Object(object) => match object.len()? {
            Some(len) => len,
            None => return Err(no_len(value)),
        },
        _ => return Err(no_len(value)),
    })
}

fn no_len(value: &Value) -> Box<Fault> {
    fault::other(format!(
        "object of type {} has no len()",
        quote(value.type_name())
    ))
}

/// A number as both kinds, to compare across kinds.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

/// `a == b`.
pub(crate) fn equal(a: &Value, b: &Value) -> Res<bool> {
    equal_at(a, b, 0)
}

fn equal_at(a: &Value, b: &Value, depth: usize) -> Res<bool> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    Ok(match (a, b) {
        (Value::Undefined(x), Value::Undefined(y)) if x.lenient && y.lenient => true,
        (Value::Undefined(undefined), _) | (_, Value::Undefined(undefined)) => {
            if !undefined.lenient {
                return Err(refuse(undefined));
            }
            false
        }
        (Value::None, Value::None) => true,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let (a, b) = (a.items.borrow().clone(), b.items.borrow().clone());
            all_equal(&a, &b, depth)?
        }
        (Value::Tuple(a), Value::Tuple(b)) => all_equal(&a.items, &b.items, depth)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.pairs() {
                match b.get(key.value())? {
                    Some(other) if equal_at(&value, &other, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Object(x), Value::Object(y)) if Rc::ptr_eq(x, y) => true,
        (Value::Object(object), other) | (other, Value::Object(object)) => match object.data()? {
            Some(data) => equal_at(&data, other, depth + 1)?,
            None => false,
        },
        _ => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => match (number(a), number(b)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        },
    })
}

fn all_equal(a: &[Value], b: &[Value], depth: usize) -> Res<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal_at(a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values; `None` for NaN. `sign` is the operator for the error.
pub(crate) fn order(a: &Value, b: &Value, sign: &str) -> Res<Option<Ordering>> {
    order_at(a, b, sign, 0)
}

fn order_at(a: &Value, b: &Value, sign: &str, depth: usize) -> Res<Option<Ordering>> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(a.partial_cmp(&b));
    }
    let sequences = |a: &[Value], b: &[Value]| -> Res<Option<Ordering>> {
        for (a, b) in a.iter().zip(b) {
            if !equal_at(a, b, depth + 1)? {
                return order_at(a, b, sign, depth + 1);
            }
        }
        Ok(Some(a.len().cmp(&b.len())))
    };
    match (a, b) {
        (Value::Undefined(undefined), _) | (_, Value::Undefined(undefined)) => Err(refuse(undefined)),
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Some(a.cmp(b))),
        (Value::List(a), Value::List(b)) => {
            let (a, b) = (a.items.borrow().clone(), b.items.borrow().clone());
            sequences(&a, &b)
        }
        (Value::Tuple(a), Value::Tuple(b)) => sequences(&a.items, &b.items),
        _ => Err(fault::other(format!(
            "'{sign}' not supported between instances of {} and {}",
            quote(a.type_name()),
            quote(b.type_name())
        ))),
    }
}

/// A comparison operator.
pub(crate) fn compare(op: CompareOp, a: &Value, b: &Value) -> Res<bool> {
    Ok(match op {
        CompareOp::Eq => equal(a, b)?,
        CompareOp::Ne => !equal(a, b)?,
        CompareOp::Lt => order(a, b, "<")? == Some(Ordering::Less),
        CompareOp::Le => matches!(order(a, b, "<=")?, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Gt => order(a, b, ">")? == Some(Ordering::Greater),
        CompareOp::Ge => matches!(order(a, b, ">=")?, Some(Ordering::Greater | Ordering::Equal)),
        CompareOp::In => contains(b, a)?,
        CompareOp::NotIn => !contains(b, a)?,
    })
}

/// `needle in haystack`.
pub(crate) fn contains(haystack: &Value, needle: &Value) -> Res<bool> {
    match haystack {
        Value::Str(text) => match needle {
            Value::Str(needle) => Ok(text.contains(&**needle)),
            Value::Undefined(undefined) if !undefined.lenient => Err(refuse(undefined)),
            other => Err(fault::other(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        Value::Dict(dict) => Ok(dict.get(needle)?.is_some()),
        Value::Undefined(undefined) if undefined.lenient => Ok(false),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        Value::Object(object) => match object.contains(needle)? {
            Some(found) => Ok(found),
            None => among(haystack, needle),
        },
        _ => among(haystack, needle),
    }
}

fn among(haystack: &Value, needle: &Value) -> Res<bool> {
    if !items::iterable(haystack) {
        return Err(fault::other(format!(
            "argument of type {} is not iterable",
            quote(haystack.type_name())
        )));
    }
    let mut all = items::iterate(haystack)?;
    while let Some(item) = all.next()? {
        if equal(&item, needle)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn unsupported(sign: &str, a: &Value, b: &Value) -> Box<Fault> {
    for value in [a, b] {
        if let Value::Undefined(undefined) = value {
            return refuse(undefined);
        }
    }
    fault::other(format!(
        "unsupported operand type(s) for {sign}: {} and {}",
        quote(a.type_name()),
        quote(b.type_name())
    ))
}

fn too_large() -> Box<Fault> {
    fault::other("the number is too large")
}

/// An arithmetic operator.
pub(crate) fn math(op: MathOp, a: &Value, b: &Value) -> Res<Value> {
    if a.is_pending() || b.is_pending() {
        return Ok(Value::pending());
    }
    match op {
        MathOp::Add => add(a, b),
        MathOp::Mul => multiply(a, b),
        MathOp::Mod if matches!(a, Value::Str(_)) => {
            super::super::methods::percent::format(a.as_str().unwrap_or_default(), b).map(Value::from)
        }
        _ => numeric(op, a, b),
    }
}

fn add(a: &Value, b: &Value) -> Res<Value> {
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => {
            if x.len() + y.len() > OUTPUT {
                return Err(fault::other("the text grows beyond the limit"));
            }
            Ok(Value::from(format!("{x}{y}")))
        }
        (Value::Bytes(x), Value::Bytes(y)) => Ok(Value::Bytes([&**x, &**y].concat().into())),
        (Value::List(x), Value::List(y)) => {
            let joined = [x.items.borrow().clone(), y.items.borrow().clone()].concat();
            if joined.len() > LONGEST {
                return Err(fault::other("the list grows beyond the limit"));
            }
            Ok(Value::list(joined))
        }
        (Value::Tuple(x), Value::Tuple(y)) => Ok(Value::tuple([x.items.clone(), y.items.clone()].concat())),
        (Value::Str(_) | Value::List(_) | Value::Tuple(_), other) if !other.is_undefined() => {
            let name = a.type_name();
            Err(fault::other(format!(
                "can only concatenate {name} (not \"{}\") to {name}",
                other.type_name()
            )))
        }
        _ => numeric(MathOp::Add, a, b),
    }
}

fn multiply(a: &Value, b: &Value) -> Res<Value> {
    let (sequence, times) = match (a, b) {
        (Value::Str(_) | Value::List(_) | Value::Tuple(_), times) => (a, times),
        (times, Value::Str(_) | Value::List(_) | Value::Tuple(_)) => (b, times),
        _ => return numeric(MathOp::Mul, a, b),
    };
    let Some(times) = times.as_int() else {
        if times.is_undefined() {
            return Err(unsupported("*", a, b));
        }
        return Err(fault::other(format!(
            "can't multiply sequence by non-int of type {}",
            quote(times.type_name())
        )));
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match sequence {
        Value::Str(text) => {
            if text.len().saturating_mul(times) > OUTPUT {
                return Err(fault::other("the text grows beyond the limit"));
            }
            Ok(Value::from(text.repeat(times)))
        }
        Value::List(list) => repeat(&list.items.borrow(), times).map(Value::list),
        Value::Tuple(tuple) => repeat(&tuple.items, times).map(Value::tuple),
        _ => Err(unsupported("*", a, b)),
    }
}

fn repeat(items: &[Value], times: usize) -> Res<Vec<Value>> {
    if items.len().saturating_mul(times) > LONGEST {
        return Err(fault::other("the list grows beyond the limit"));
    }
    let mut out = Vec::with_capacity(items.len() * times);
    for _ in 0..times {
        out.extend_from_slice(items);
    }
    Ok(out)
}

fn sign(op: MathOp) -> &'static str {
    match op {
        MathOp::Add => "+",
        MathOp::Sub => "-",
        MathOp::Mul => "*",
        MathOp::Div => "/",
        MathOp::FloorDiv => "//",
        MathOp::Mod => "%",
        MathOp::Pow => "** or pow()",
    }
}

fn numeric(op: MathOp, a: &Value, b: &Value) -> Res<Value> {
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        return integer(op, x, y);
    }
    let (Some(x), Some(y)) = (number(a), number(b)) else {
        return Err(unsupported(sign(op), a, b));
    };
    let zero = |text: &str| fault::other(text);
    Ok(Value::Float(match op {
        MathOp::Add => x + y,
        MathOp::Sub => x - y,
        MathOp::Mul => x * y,
        MathOp::Div if y == 0.0 => return Err(zero("float division by zero")),
        MathOp::Div => x / y,
        MathOp::FloorDiv if y == 0.0 => return Err(zero("float floor division by zero")),
        MathOp::FloorDiv => floor_division(x, y),
        MathOp::Mod if y == 0.0 => return Err(zero("float modulo")),
        MathOp::Mod => {
            let rest = x % y;
            if rest == 0.0 {
                0.0f64.copysign(y)
            } else if (rest < 0.0) != (y < 0.0) {
                rest + y
            } else {
                rest
            }
        }
        MathOp::Pow if x == 0.0 && y < 0.0 => {
            return Err(zero("0.0 cannot be raised to a negative power"));
        }
        MathOp::Pow if x < 0.0 && y.fract() != 0.0 => return Err(zero("complex numbers are not supported")),
        MathOp::Pow => x.powf(y),
    }))
}

/// Division rounded down, from the exact remainder as Python does it.
fn floor_division(x: f64, y: f64) -> f64 {
    let rest = x % y;
    let mut quotient = (x - rest) / y;
    if rest != 0.0 && (y < 0.0) != (rest < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0f64.copysign(x / y);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    }
}

fn integer(op: MathOp, x: i128, y: i128) -> Res<Value> {
    let value = match op {
        MathOp::Add => x.checked_add(y),
        MathOp::Sub => x.checked_sub(y),
        MathOp::Mul => x.checked_mul(y),
        MathOp::Div => {
            if y == 0 {
                return Err(fault::other("division by zero"));
            }
            return Ok(Value::Float(x as f64 / y as f64));
        }
        MathOp::FloorDiv | MathOp::Mod => {
            if y == 0 {
                return Err(fault::other(match op {
                    MathOp::Mod => "integer modulo by zero",
                    _ => "integer division or modulo by zero",
                }));
            }
            let quotient = x.checked_div(y).ok_or_else(too_large)?;
            let rest = x.checked_rem(y).unwrap_or(0);
            let down = rest != 0 && (rest < 0) != (y < 0);
            Some(match op {
                MathOp::FloorDiv => quotient - i128::from(down),
                _ if down => rest + y,
                _ => rest,
            })
        }
        MathOp::Pow => {
            if y < 0 {
                if x == 0 {
                    return Err(fault::other("0.0 cannot be raised to a negative power"));
                }
                return Ok(Value::Float((x as f64).powf(y as f64)));
            }
            match x {
                0 | 1 => Some(if y == 0 { 1 } else { x }),
                -1 => Some(if y % 2 == 0 { 1 } else { -1 }),
                _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
            }
        }
    };
    value.map(Value::Int).ok_or_else(too_large)
}

/// `-value`.
pub(crate) fn negate(value: &Value) -> Res<Value> {
    match value {
        Value::Float(value) => Ok(Value::Float(-value)),
        _ if value.is_pending() => Ok(Value::pending()),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        _ => match value.as_int() {
            Some(value) => value.checked_neg().map(Value::Int).ok_or_else(too_large),
            None => Err(fault::other(format!(
                "bad operand type for unary -: {}",
                quote(value.type_name())
            ))),
        },
    }
}

/// `+value`.
pub(crate) fn plus(value: &Value) -> Res<Value> {
    match value {
        Value::Float(_) => Ok(value.clone()),
        _ if value.is_pending() => Ok(Value::pending()),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        _ => value.as_int().map(Value::Int).ok_or_else(|| {
            fault::other(format!(
                "bad operand type for unary +: {}",
                quote(value.type_name())
            ))
        }),
    }
}

/// Whether two values are the same object, as far as that can be told.
pub(crate) fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
        (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
        (Value::Undefined(a), Value::Undefined(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}
