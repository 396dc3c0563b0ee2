//! The harness of salt-rs' tests: real hosts on one machine, scratch projects, and the built programs.
//!
//! `lab` makes hosts, `project` makes git repositories to apply to them, `program` runs what was built,
//! `relay` makes a wire long or cuts it, `bench` measures, `tour` walks through the README. Nothing here knows
//!  what salt-rs should do: that is said in `tests/it`, one behaviour per file.

pub mod bench;
pub mod conformance;
pub mod lab;
pub mod os;
pub mod program;
pub mod project;
pub mod relay;
pub mod tour;

pub use lab::{Host, HostSpec, Lab, LabError};
pub use program::{Ran, minion_path, salt_rs, salt_rs_path, static_agent};
pub use project::Project;
