//! Salt's `sysctl` state module.

mod present;

pub use present::Present;
