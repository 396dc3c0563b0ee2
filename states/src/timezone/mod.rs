//! Salt's `timezone` state module.

mod system;

pub use system::System;
