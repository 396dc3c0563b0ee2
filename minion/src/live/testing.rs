//! A host in a scratch directory, for tests of this room.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Live;
use crate::journal::objects::Objects;

/// A scratch host; its directory goes with it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) live: Live,
    pub(crate) root: PathBuf,
    scratch: PathBuf,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// This machine, with a scratch directory to work in: for tests that start programs.
pub(crate) fn here() -> Host {
    let mut host = empty();
    host.live.root = PathBuf::from("/");
    host
}

/// A scratch host with the least a host has.
pub(crate) fn host() -> Host {
    let host = empty();
    host.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    host.write("/etc/group", "root:x:0:\n");
    host.write(
        "/etc/os-release",
        "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
    );
    host
}

#[expect(clippy::disallowed_methods, reason = "tests make their own hosts")]
fn empty() -> Host {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let scratch = std::env::temp_dir().join(format!("salt-rs-live-{}-{number}", std::process::id()));
    let root = scratch.join("root");
    let objects = Objects::open(&scratch.join("state/objects")).expect("a scratch store");
    std::fs::create_dir_all(&root).expect("a scratch root");
    Host {
        live: Live::at(objects, &root),
        root,
        scratch,
    }
}

/// Spoils a file.
#[expect(clippy::disallowed_methods, reason = "tests make their own hosts")]
pub(crate) fn overwrite(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
}

#[expect(clippy::disallowed_methods, reason = "tests make their own hosts")]
impl Host {
    /// Writes a file with its directories.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let real = self.path(path);
        std::fs::create_dir_all(real.parent().expect("an absolute path")).expect("a directory");
        std::fs::write(real, text).expect("a file");
    }

    /// Makes a directory with its parents.
    pub(crate) fn dir(&self, path: &str) {
        std::fs::create_dir_all(self.path(path)).expect("a directory");
    }

    /// Makes a link.
    pub(crate) fn link(&self, to: &str, path: &str) {
        std::os::unix::fs::symlink(to, self.path(path)).expect("a link");
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path(path)).expect("a file");
    }

    /// Sets permission bits.
    pub(crate) fn mode(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// A path of the host.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root
            .join(Path::new(path).strip_prefix("/").expect("an absolute path"))
    }
}

impl Drop for Host {
    #[expect(clippy::disallowed_methods, reason = "tests make their own hosts")]
    fn drop(&mut self) {
        // What is left of a failed test is in the way of nothing.
        std::fs::remove_dir_all(&self.scratch).ok();
    }
}
