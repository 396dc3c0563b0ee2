//! Iterating over values, as Python does: a list that grows while it is read is read to its new end.

use std::cell::RefCell;
use std::rc::Rc;

use super::text::{quote, refuse};
use super::{Dict, List, Tuple, Value};
use crate::compile::jinja::error::{Res, fault};

/// An iteration under way.
pub(crate) enum Items {
    List(Rc<List>, usize),
    Tuple(Rc<Tuple>, usize),
    /// The keys of a mapping: the mapping, the place, its size at the start.
    Keys(Rc<Dict>, usize, usize),
    Chars(Rc<str>, usize),
    Range {
        at: i128,
        stop: i128,
        step: i128,
    },
    Values(std::vec::IntoIter<Value>),
    /// A generator: whoever reads takes from all.
    Shared(Rc<RefCell<Items>>),
}

impl Items {
    pub(crate) fn next(&mut self) -> Res<Option<Value>> {
        Ok(match self {
            Self::List(list, at) => {
                let item = list.items.borrow().get(*at).cloned();
                *at += 1;
                item
            }
            Self::Tuple(tuple, at) => {
                *at += 1;
                tuple.items.get(*at - 1).cloned()
            }
            Self::Keys(dict, at, size) => {
                let entries = dict.entries.borrow();
                if entries.len() != *size {
                    return Err(fault::other("dictionary changed size during iteration"));
                }
                *at += 1;
                entries.get_index(*at - 1).map(|(key, _)| key.value().clone())
            }
            Self::Chars(text, at) => {
                let c = text[*at..].chars().next();
                c.map(|c| {
                    *at += c.len_utf8();
                    Value::str(c.encode_utf8(&mut [0; 4]))
                })
            }
            Self::Range { at, stop, step } => {
                let more = if *step > 0 { *at < *stop } else { *at > *stop };
                more.then(|| {
                    let value = *at;
                    *at += *step;
                    Value::Int(value)
                })
            }
            Self::Values(values) => values.next(),
            Self::Shared(inner) => match inner.try_borrow_mut() {
                Ok(mut inner) => inner.next()?,
                Err(_) => return Err(fault::other("generator already executing")),
            },
        })
    }

    /// How many are left, where that is known without reading.
    pub(crate) fn remaining(&self) -> Option<usize> {
        Some(match self {
            Self::List(list, at) => list.items.borrow().len().saturating_sub(*at),
            Self::Tuple(tuple, at) => tuple.items.len().saturating_sub(*at),
            Self::Keys(_, at, size) => size.saturating_sub(*at),
            Self::Chars(text, at) => text[*at..].chars().count(),
            Self::Range { at, stop, step } => {
                let span = if *step > 0 { *stop - *at } else { *at - *stop };
                let step = step.abs();
                usize::try_from((span + step - 1).div_euclid(step).max(0)).unwrap_or(0)
            }
            Self::Values(values) => values.len(),
            Self::Shared(_) => return None,
        })
    }
}

/// Begins to iterate over `value`.
///
/// # Errors
/// Undefined values and what Python calls not iterable.
pub(crate) fn iterate(value: &Value) -> Res<Items> {
    Ok(match value {
        Value::List(list) => Items::List(list.clone(), 0),
        Value::Tuple(tuple) => Items::Tuple(tuple.clone(), 0),
        Value::Dict(dict) => Items::Keys(dict.clone(), 0, dict.len()),
        Value::Str(text) => Items::Chars(text.clone(), 0),
        Value::Bytes(bytes) => Items::Values(
            bytes
                .iter()
                .map(|byte| Value::Int((*byte).into()))
                .collect::<Vec<_>>()
                .into_iter(),
        ),
        Value::Undefined(undefined) if undefined.lenient => Items::Values(Vec::new().into_iter()),
        Value::Undefined(undefined) => return Err(refuse(undefined)),
        Value::Object(object) => match object.iterate()? {
            Some(items) => items,
            None => return Err(not_iterable(value)),
        },
        _ => return Err(not_iterable(value)),
    })
}

fn not_iterable(value: &Value) -> Box<crate::compile::jinja::error::Fault> {
    fault::other(format!("{} object is not iterable", quote(value.type_name())))
}

/// All items of `value`.
pub(crate) fn collect(value: &Value) -> Res<Vec<Value>> {
    match value {
        Value::List(list) => Ok(list.items.borrow().clone()),
        Value::Tuple(tuple) => Ok(tuple.items.clone()),
        Value::Dict(dict) => Ok(dict.keys()),
        _ => {
            let mut items = iterate(value)?;
            let mut all = Vec::new();
            while let Some(item) = items.next()? {
                all.push(item);
                if all.len() > super::ops::LONGEST {
                    return Err(fault::other("the list grows beyond the limit"));
                }
            }
            Ok(all)
        }
    }
}

/// Whether `iterate` would succeed.
pub(crate) fn iterable(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Str(_) | Value::Bytes(_) => true,
        Value::Undefined(_) => true,
        Value::Object(object) => matches!(object.iterate(), Ok(Some(_))),
        _ => false,
    }
}
