//! Salt's `host` state module: lines of /etc/hosts.

mod absent;
mod file;
mod only;
mod present;

pub use absent::Absent;
pub use only::Only;
pub use present::Present;
