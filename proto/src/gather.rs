//! Collecting into sets and maps, for an agent that stays small.

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
