//! Elements and slices of sequences.

use super::Value;
use super::text::quote;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::objects::basic::Range;

/// `value[index]` of a sequence; `None` beyond its ends and for what is no sequence.
pub(crate) fn element(value: &Value, index: i128) -> Option<Value> {
    let at = |len: usize| -> Option<usize> {
        let len = len as i128;
        let index = if index < 0 { index + len } else { index };
        (0..len)
            .contains(&index)
            .then(|| usize::try_from(index).ok())
            .flatten()
    };
    match value {
        Value::List(list) => {
            let items = list.items.borrow();
            at(items.len()).map(|i| items[i].clone())
        }
        Value::Tuple(tuple) => at(tuple.items.len()).map(|i| tuple.items[i].clone()),
        Value::Bytes(bytes) => at(bytes.len()).map(|i| Value::Int(bytes[i].into())),
        Value::Str(text) => {
            let i = if text.is_ascii() {
                let i = at(text.len())?;
                return Some(Value::str(&text[i..=i]));
            } else {
                at(text.chars().count())?
            };
            text.chars()
                .nth(i)
                .map(|c| Value::str(c.encode_utf8(&mut [0; 4])))
        }
        _ => None,
    }
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, parts: &[Value; 3]) -> Res<Value> {
    let mut bounds = [None; 3];
    for (bound, part) in bounds.iter_mut().zip(parts) {
        *bound = match part {
            Value::None => None,
            Value::Undefined(undefined) => return Err(super::text::refuse(undefined)),
            other => Some(other.as_int().ok_or_else(|| {
                fault::other("slice indices must be integers or None or have an __index__ method")
            })?),
        };
    }
    let pick = |len: usize| indices(len, bounds);
    Ok(match value {
        Value::Object(object) if object.as_any().is::<Range>() => {
            let Some(range) = object.as_any().downcast_ref::<Range>() else {
                return Ok(Value::None);
            };
            let (start, stop, step) = limits(range.length(), bounds)?;
            Value::object(Range {
                start: range.start + start * range.step,
                stop: range.start + stop * range.step,
                step: range.step.saturating_mul(step),
            })
        }
        Value::List(list) => {
            let items = list.items.borrow();
            Value::list(pick(items.len())?.into_iter().map(|i| items[i].clone()).collect())
        }
        Value::Tuple(tuple) => Value::tuple(
            pick(tuple.items.len())?
                .into_iter()
                .map(|i| tuple.items[i].clone())
                .collect(),
        ),
        Value::Bytes(bytes) => Value::Bytes(
            pick(bytes.len())?
                .into_iter()
                .map(|i| bytes[i])
                .collect::<Vec<_>>()
                .into(),
        ),
        Value::Str(text) => {
            let chars: Vec<char> = text.chars().collect();
            Value::from(
                pick(chars.len())?
                    .into_iter()
                    .map(|i| chars[i])
                    .collect::<String>(),
            )
        }
        other => {
            return Err(fault::other(format!(
                "{} object is not subscriptable",
                quote(other.type_name())
            )));
        }
    })
}

/// The places a slice picks.
fn indices(len: usize, bounds: [Option<i128>; 3]) -> Res<Vec<usize>> {
    let (mut at, stop, step) = limits(len, bounds)?;
    let mut picked = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        picked.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    Ok(picked)
}

/// Where a slice of a sequence begins and ends, and its step.
fn limits(len: usize, [start, stop, step]: [Option<i128>; 3]) -> Res<(i128, i128, i128)> {
    let len = len as i128;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(fault::other("slice step cannot be zero"));
    }
    let clamp = |index: i128, low: i128, high: i128| {
        let index = if index < 0 { index + len } else { index };
        index.clamp(low, high)
    };
    Ok(if step > 0 {
        let start = start.map_or(0, |i| clamp(i, 0, len));
        (start, stop.map_or(len, |i| clamp(i, 0, len)), step)
    } else {
        let start = start.map_or(len - 1, |i| clamp(i, -1, len - 1));
        (start, stop.map_or(-1, |i| clamp(i, -1, len - 1)), step)
    })
}
