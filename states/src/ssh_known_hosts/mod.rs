//! Salt's `ssh_known_hosts` state module: keys that hosts are known by.

mod absent;
mod file;
mod present;

pub use absent::Absent;
pub use present::Present;
