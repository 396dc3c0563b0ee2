//! What the master's settings allow this host, as the last run was told: also for what runs here without a master.

use std::path::Path;

use proto::frame::Limits;

use super::{JournalError, place};

/// The file's name.
const FILE: &str = "limits";

/// The limits last told; the defaults where none were, or where they cannot be read.
pub(crate) fn load(dir: &Path) -> Limits {
    let text = std::fs::read(dir.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Keeps them.
///
/// # Errors
/// They cannot be written.
pub(crate) fn store(dir: &Path, limits: &Limits) -> Result<(), JournalError> {
    let text = serde_json::to_vec(limits).unwrap_or_default();
    place(&dir.join(FILE), &text)
}
