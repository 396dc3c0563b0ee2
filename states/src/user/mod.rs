//! Salt's `user` state module.

mod absent;
mod facts;
mod named;
mod present;
mod shadow;

pub use absent::Absent;
pub use present::Present;
