//! Salt's `ini` state module: keys and sections of ini files.
//!
//! Only the lines a state is about change; everything else stays letter by letter.

mod file;
mod options_absent;
mod options_present;
mod sections_absent;
mod sections_present;

pub use options_absent::OptionsAbsent;
pub use options_present::OptionsPresent;
pub use sections_absent::SectionsAbsent;
pub use sections_present::SectionsPresent;

use crate::{Kind, Param};

/// What stands between a key and its value.
const SEPARATOR: Param = Param::new(
    "separator",
    Kind::Text,
    "What stands between a key and its value (default `=`).",
);
/// How the file is written.
const ENCODING: Param = Param::new("encoding", Kind::Text, "Accepted: `utf-8`, which every file is.");

/// The comment of what was done.
const CHANGED: &str = "Changes take effect";
/// The comment where nothing had to be done.
const SAME: &str = "No anomaly detected";
