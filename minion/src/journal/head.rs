//! Generations: which run the host believes it is at.
//!
//! A generation is published by creating an empty file named by its number in `head/` and then removing the older ones,
//! so a crash leaves two and the reader takes the higher. There is no lock here; a run holds the only one.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::JournalError;

/// The newest published generation; 0 before the first.
///
/// # Errors
/// The directory cannot be read.
pub fn current(head: &Path) -> Result<u64, JournalError> {
    Ok(numbers(head)?.into_iter().max().unwrap_or(0))
}

/// Publishes a generation; durable when it returns.
///
/// # Errors
/// The file cannot be made.
#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
pub fn publish(head: &Path, generation: u64) -> Result<(), JournalError> {
    let failed = |cause| JournalError::io(head, cause);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(head.join(generation.to_string()))
        .map_err(failed)?;
    let folder = File::open(head).map_err(failed)?;
    folder.sync_all().map_err(failed)?;
    for old in numbers(head)?.into_iter().filter(|old| *old < generation) {
        fs::remove_file(head.join(old.to_string())).map_err(failed)?;
    }
    folder.sync_all().map_err(failed)
}

/// The numbers that name the entries of a directory.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let failed = |cause| JournalError::io(folder, cause);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the leftovers of a crash")]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_higher_of_two_wins_and_the_older_goes() {
        let scratch = Scratch::new();
        let head = scratch.root();
        assert_eq!(current(head).expect("readable"), 0);
        publish(head, 1).expect("room");
        fs::write(head.join("2"), "").expect("room");
        fs::write(head.join("nonsense"), "").expect("room");
        assert_eq!(current(head).expect("readable"), 2);
        publish(head, 3).expect("room");
        assert_eq!(numbers(head).expect("readable"), [3]);
    }
}
