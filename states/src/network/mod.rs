//! Salt's `network` state module: the host's name.

mod system;

pub use system::System;
