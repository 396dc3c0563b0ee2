//! Salt's `alternatives` state module: which of several programs has a generic name.
//!
//! The system's own `update-alternatives` does the work; its record and all links of the name are kept before, so that
//! going back gives them back as they were.

mod auto;
mod group;
mod install;
mod remove;
mod set;

pub use auto::Auto;
pub use install::Install;
pub use remove::Remove;
pub use set::Set;
