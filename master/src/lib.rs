//! The master of salt-rs as a library: tree, compile, target, transport, store, report.

pub mod compile;
