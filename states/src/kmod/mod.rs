//! Salt's `kmod` state module: modules of the kernel.

mod absent;
mod known;
mod present;

pub use absent::Absent;
pub use present::Present;

use crate::{Kind, Param};

/// Several modules.
const MODS: Param = Param::new("mods", Kind::List, "Several modules instead of the name.");
