//! Salt's `group` state module.

mod absent;
mod present;

pub use absent::Absent;
pub use present::Present;
