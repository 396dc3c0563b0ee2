//! Salt's `debconf` state module.

mod set;

pub use set::Set;
