//! Salt's `archive` state module.

mod extracted;

pub use extracted::Extracted;
