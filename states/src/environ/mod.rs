//! Salt's `environ` state module.

mod setenv;

pub use setenv::{Setenv, variables};
