//! Salt's `module` state module: execution functions as states.

mod run;

pub use run::{Run, Wait};
