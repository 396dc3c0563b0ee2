//! Salt's `locale` state module.

mod present;
mod system;

pub use present::Present;
pub use system::System;
