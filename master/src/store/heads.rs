//! Where each host's journal ended when it was last heard of (J4): `heads/HOST.json`, 0600, replaced whole.
//!
//! A journal that does not go on from there was cut, swapped or put back from a copy. What is kept is keyed with this
//! master's identity, so that it says nothing of what the journal holds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use proto::Digest;
use proto::frame::Chain;
use serde::{Deserialize, Serialize};

/// The end of one host's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The generation the host was at.
    pub generation: u64,
    /// The last record's checksum, keyed.
    pub digest: Digest,
}

impl From<&Chain> for Head {
    fn from(chain: &Chain) -> Self {
        Self {
            generation: chain.generation,
            digest: chain.digest,
        }
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Heads {
    dir: PathBuf,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the master's own state directory, not a managed host"
)]
impl Heads {
    /// Those of a state directory; nothing is made before one is kept.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.join("heads"),
        }
    }

    fn path(&self, host: &str) -> PathBuf {
        self.dir.join(format!("{}.json", host.replace(['/', '\0'], "_")))
    }

    /// The one of a host; `None` before it was first heard of.
    ///
    /// # Errors
    /// It is there and cannot be read: then nobody can say whether its journal is whole.
    pub fn load(&self, host: &str) -> io::Result<Option<Head>> {
        match fs::read(self.path(host)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps one, durably.
    ///
    /// # Errors
    /// It cannot be written; what was kept before stays.
    pub fn save(&self, host: &str, head: &Head) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let path = self.path(host);
        let fresh = path.with_extension(format!("new{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        let text = serde_json::to_vec(head).map_err(io::Error::other)?;
        file.write_all(&text).and_then(|()| file.sync_all())?;
        fs::rename(&fresh, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Forgets one: the next contact is believed.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self, host: &str) -> io::Result<()> {
        match fs::remove_file(self.path(host)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a file")]
    fn a_head_is_kept_replaced_and_forgotten_and_a_damaged_one_is_no_head() {
        let scratch = Scratch::new();
        let heads = Heads::new(scratch.path());
        assert_eq!(heads.load("web1").unwrap(), None);
        for generation in [1, 2] {
            let head = Head {
                generation,
                digest: Digest::of(generation.to_string()),
            };
            heads.save("web1", &head).unwrap();
            assert_eq!(heads.load("web1").unwrap(), Some(head));
        }
        std::fs::write(heads.path("web1"), "{").unwrap();
        assert!(heads.load("web1").is_err());
        heads.forget("web1").unwrap();
        heads.forget("web1").unwrap();
        assert_eq!(heads.load("web1").unwrap(), None);
    }
}
