//! Salt's `host` state module: lines of /etc/hosts.

mod absent;
mod file;
mod present;

pub use absent::Absent;
pub use present::Present;
