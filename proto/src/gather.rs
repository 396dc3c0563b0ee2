//! Collecting and sorting, for an agent that stays small.

use std::mem;

/// Iterators that fill a collection one item at a time.
///
/// `collect` into a `BTreeMap` or `BTreeSet` sorts first, and every type of item brings a sort of its own: about 4 KB each,
/// which the agent's size notices and its few items never gain by.
pub trait Gather: Iterator + Sized {
    /// The same as `collect`; of equal keys the last one stays.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}

/// Sorts so that no item stands behind one it comes `before` of; equals keep their order.
///
/// The same as the library's sort, which is made for speed and costs the agent 4 KB for every type and every key. For names
/// and numbers that are sorted anyway, that one is used.
pub fn arrange<T>(items: &mut Vec<T>, before: &dyn Fn(&T, &T) -> bool) {
    if items.len() < 2 {
        return;
    }
    let mut right = items.split_off(items.len() / 2);
    arrange(items, before);
    arrange(&mut right, before);
    let mut left = mem::take(items).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    while let Some(next) = match (left.peek(), right.peek()) {
        (Some(a), Some(b)) if before(b, a) => right.next(),
        (None, _) => right.next(),
        _ => left.next(),
    } {
        items.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arranged_is_as_sorted() {
        for length in 0..40_u32 {
            let mut items: Vec<(u32, u32)> = (0..length).map(|at| (at * 7919 % 11, at)).collect();
            let mut sorted = items.clone();
            sorted.sort_by_key(|item| item.0);
            arrange(&mut items, &|a, b| a.0 < b.0);
            assert_eq!(items, sorted);
        }
    }
}
