//! Sorting by Python's `<`.

use std::cmp::Ordering;

use super::Value;
use super::ops::order;
use crate::compile::jinja::error::Res;

/// Sorts as Python's `sorted`: stable, by `<`, an error where two cannot be compared.
///
/// The standard sort may panic on orders that are none (NaN), so this is a merge sort of our own.
pub(crate) fn sort_by_key(items: Vec<Value>, keys: Vec<Value>, reverse: bool) -> Res<Vec<Value>> {
    let pairs: Vec<(Value, Value)> = keys.into_iter().zip(items).collect();
    let sorted = merge_sort(pairs, reverse)?;
    Ok(sorted.into_iter().map(|(_, item)| item).collect())
}

fn merge_sort(mut pairs: Vec<(Value, Value)>, reverse: bool) -> Res<Vec<(Value, Value)>> {
    if pairs.len() < 2 {
        return Ok(pairs);
    }
    let right = pairs.split_off(pairs.len() / 2);
    let mut left = merge_sort(pairs, reverse)?.into_iter().peekable();
    let mut right = merge_sort(right, reverse)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let later_first = if reverse {
            order(a, b, "<")?
        } else {
            order(b, a, "<")?
        };
        merged.extend(if later_first == Some(Ordering::Less) {
            right.next()
        } else {
            left.next()
        });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
