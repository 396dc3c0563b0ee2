//! Salt's `git` state module.

mod latest;
mod remote;
mod update;

pub use latest::Latest;
