//! Salt's `git` state module.

mod latest;
mod remote;

pub use latest::Latest;
