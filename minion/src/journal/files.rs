//! Small files of the journal, put in place whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::JournalError;

/// Whether a small file must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Yes,
    No,
}

/// Puts a small file in place, whole and durable.
pub(crate) fn place(path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    stage(path, bytes, Durable::Yes)
}

/// Puts a small file in place, whole.
#[expect(clippy::disallowed_methods, reason = "the journal's own files")]
pub(super) fn stage(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), JournalError> {
    let failed = |cause| JournalError::io(path, cause);
    let temp = path.with_extension(format!("tmp-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temp)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if durable == Durable::Yes {
        file.sync_all().map_err(failed)?;
    }
    fs::rename(&temp, path).map_err(failed)?;
    match path.parent() {
        Some(folder) if durable == Durable::Yes => sync_dir(folder),
        _ => Ok(()),
    }
}

/// Makes a directory that only root may enter.
pub(crate) fn make_dir(path: &Path) -> Result<(), JournalError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| JournalError::io(path, cause))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), JournalError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|cause| JournalError::io(path, cause))
}

/// Whether the process that wrote a temporary file, named by its number there, has ended.
pub(super) fn gone(writer: &str) -> bool {
    !Path::new("/proc").join(writer).exists()
}

/// Directories of small files that belong to objects; [`crate::live`] stages them as `.name` beside their place.
const BESIDE: [&str; 5] = ["accounts", "logins", "mounts", "packages", "residue"];

/// Removes what was being written there. Only a run does, under its lock.
#[expect(clippy::disallowed_methods, reason = "the agent's own files")]
pub(super) fn sweep_beside(dir: &Path) -> io::Result<()> {
    for folder in BESIDE {
        let Ok(entries) = fs::read_dir(dir.join(folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
