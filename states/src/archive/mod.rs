//! Salt's `archive` state module.

mod extracted;
mod members;

pub use extracted::Extracted;
