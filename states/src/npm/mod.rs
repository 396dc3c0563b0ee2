//! Salt's `npm` state module.

mod installed;

pub use installed::Installed;
