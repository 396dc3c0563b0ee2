//! Salt's `test` state module: states that touch nothing.

mod nop;

pub use nop::Nop;
