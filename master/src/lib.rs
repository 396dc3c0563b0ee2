//! The master of salt-rs as a library: tree, compile, target, transport, store, report.

pub mod compile;
mod document;
pub mod pillar;
pub mod roster;
#[cfg(test)]
mod scratch;
pub mod settings;
pub mod store;
pub mod target;
pub mod transport;
pub mod tree;
