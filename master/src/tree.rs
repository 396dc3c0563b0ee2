//! The tree: files at one commit, read without a checkout.

pub mod location;
