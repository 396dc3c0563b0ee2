//! Scratch directories for tests, gone when dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A directory of its own.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

#[expect(clippy::disallowed_methods, reason = "tests' own directories")]
impl Scratch {
    pub(crate) fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Tests sync a lot: memory does as well as a disk.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let root = base.join(format!("salt-rs-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&root).expect("room for a scratch directory");
        Self(root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    #[expect(clippy::disallowed_methods, reason = "tests' own directories")]
    fn drop(&mut self) {
        // Nothing more can be done about a directory that does not go.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
