//! The master of salt-rs as a library: tree, compile, target, transport, store, report.

pub mod agent;
pub mod cli;
pub mod compile;
pub mod compiler;
mod document;
pub mod failure;
pub mod fleet;
pub mod lab;
pub mod ledger;
pub mod link;
pub mod own;
pub mod pillar;
pub mod report;
pub mod roster;
#[cfg(test)]
mod scratch;
pub mod session;
pub mod settings;
pub mod store;
pub mod target;
pub mod transport;
pub mod tree;
pub mod when;
