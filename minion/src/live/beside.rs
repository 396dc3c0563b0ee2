//! Small files beside the object store that say which kept material belongs to what: package files, account lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use super::Live;

impl Live {
    /// The directory the agent keeps its things in.
    pub(crate) fn state_dir(&self) -> PathBuf {
        let store = self.objects.root();
        store.parent().unwrap_or(store).to_owned()
    }

    /// Keeps a small file under `kind/name`, mode 0600; durable when it returns.
    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own files; nothing here is a user's"
    )]
    pub(crate) fn keep_beside(&self, kind: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.foreseeing || self.kept_beside(kind, name).as_deref() == Some(bytes) {
            return Ok(());
        }
        let folder = self.state_dir().join(kind);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let temp = folder.join(format!(".{name}"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, folder.join(name))?;
        File::open(&folder)?.sync_all()
    }

    /// What was kept under `kind/name`.
    pub(crate) fn kept_beside(&self, kind: &str, name: &str) -> Option<Vec<u8>> {
        fs::read(self.state_dir().join(kind).join(name)).ok()
    }

    /// A directory of the agent's own for work in progress, empty, mode 0700.
    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own files; nothing here is a user's"
    )]
    pub(crate) fn staging(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.state_dir().join("staging").join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        Ok(folder)
    }

    /// Removes such a directory.
    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own files; nothing here is a user's"
    )]
    pub(crate) fn unstage(&self, name: &str) {
        // What stays is removed by the next use.
        fs::remove_dir_all(self.state_dir().join("staging").join(name)).ok();
    }
}
