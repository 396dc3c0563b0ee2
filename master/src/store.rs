//! What the master keeps: run files, which are the truth, and an index over them that can always be rebuilt.
//!
//! `runs` writes and reads the append-only run files. `Store` is the four verbs any engine has, `sled` and `memory`
//! implement them, `index` uses them for what is remembered of each host. Everything here is a plain function;
//! callers put it on the blocking pool. No catalogs and no files are kept: they come from git again.

use std::fmt::{self, Debug};
use std::path::PathBuf;

use thiserror::Error;

#[cfg(test)]
mod conformance;
mod heads;
mod id;
mod index;
mod memory;
mod runs;
mod sled;

pub use self::sled::SledStore;
pub use heads::{Head, Heads};
pub use id::RunId;
pub(crate) use index::is_open;
pub use index::{Index, Recalled, Remembered};
pub use memory::MemoryStore;
pub use runs::{
    FORMAT as RUN_FORMAT, Host, Mode, Run, RunError, RunHeader, RunRecord, RunWriter, Runs, Summary, Tail,
    Told,
};

/// A name in the store: parts joined by `/`, such as `host/web1/answers`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Joins parts; a part may hold anything but `/` and NUL, which become `_`.
    pub fn new(parts: &[&str]) -> Self {
        let clean = |part: &&str| part.replace(['/', '\0'], "_");
        Self(parts.iter().map(clean).collect::<Vec<_>>().join("/"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts changes of the whole store; a key gets a higher one with every put, also after a remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

/// A value with its key and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The key.
    pub key: Key,
    /// The bytes.
    pub value: Vec<u8>,
    /// When it was put.
    pub version: Version,
}

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing under the key.
    Absent,
    /// Exactly this version.
    Version(Version),
    /// No matter what.
    Anything,
}

impl Expect {
    fn holds(self, key: &Key, found: Option<Version>) -> Result<(), StoreError> {
        let holds = match self {
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
            Self::Anything => true,
        };
        if holds {
            Ok(())
        } else {
            Err(StoreError::Conflict {
                key: key.clone(),
                found,
            })
        }
    }
}

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else changed the key.
    #[error("`{key}` was changed by somebody else")]
    Conflict {
        /// The key.
        key: Key,
        /// The version that is there now.
        found: Option<Version>,
    },
    /// Another process uses the store.
    #[error("the store {} is in use by another process", .0.display())]
    Busy(PathBuf),
    /// What is stored under the key is damaged.
    #[error("the record `{0}` is damaged")]
    Damaged(String),
    /// The engine failed.
    #[error("the store {} failed: {reason}", .dir.display())]
    Engine {
        /// Its directory.
        dir: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The run files, from which the store is rebuilt, cannot be read.
    #[error("cannot rebuild the index")]
    Runs(#[from] RunError),
}

impl StoreError {
    /// Whether the same call may succeed later, or after reading again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Busy(_))
    }
}

/// The four verbs: what an embedded tree, etcd, TiKV and FoundationDB all have. Plain functions rather than
/// futures, because the only engine blocks; a remote one is called through the same blocking pool.
pub trait Store: Debug {
    /// The value under a key.
    ///
    /// # Errors
    /// The engine failed, or the record is damaged.
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError>;
    /// Puts a value if the expectation holds; durable as far as the engine says.
    ///
    /// # Errors
    /// `Conflict` when it does not hold, or the engine failed.
    fn put(&self, key: &Key, value: &[u8], expect: Expect) -> Result<Version, StoreError>;
    /// Removes a value if the expectation holds; removing nothing is no error under `Anything`.
    ///
    /// # Errors
    /// `Conflict` when it does not hold, or the engine failed.
    fn remove(&self, key: &Key, expect: Expect) -> Result<(), StoreError>;
    /// Up to `limit` values whose keys begin with the parts of `prefix`, in order, beginning after `after`.
    ///
    /// # Errors
    /// The engine failed, or a record is damaged.
    fn scan(&self, prefix: &Key, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>, StoreError>;
}
