//! The harness of salt-rs' tests: scratch projects and the built programs, on the hosts of the crate `lab`.
//!
//! `project` makes git repositories to apply to hosts, `program` runs what was built, `relay` makes a wire long or cuts
//! it, `stage` holds a lab of the product itself, `bench` measures, `tour` walks through the README. Nothing here knows what salt-rs should do: that is said in
//! `tests/it`, one behaviour per file.

pub mod bench;
pub mod conformance;
pub mod debs;
pub mod foreign;
pub mod fuzz;
pub mod program;
pub mod project;
pub mod relay;
pub mod stage;
pub mod torture;
pub mod tour;

pub use lab::{self, os};
pub use lab::{Host, HostSpec, Lab, LabError};
pub use program::{Ran, minion_path, salt_rs, salt_rs_path, static_agent};
pub use project::Project;
pub use stage::Stage;
