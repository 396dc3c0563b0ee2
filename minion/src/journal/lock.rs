//! One run at a time per host, and the fence against an older or foreign master (T8).
//!
//! The lock is an advisory lock on the file `lock`: the kernel drops it with its last holder, so nothing has to be
//! cleaned up after a crash. The text inside names the holder for people and decides nothing.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use proto::Digest;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::{JournalError, place};

/// Who holds the lock, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// The master's id of the run.
    pub run: String,
    /// Seconds since 1970.
    pub since: u64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "process {}, run {}, since {}",
            self.pid,
            self.run,
            crate::clock::date(self.since)
        )
    }
}

/// The held lock; dropping it lets go, unless it was shared: then its last holder's end does.
#[derive(Debug)]
pub struct Lock {
    file: File,
    shared: Cell<bool>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Other descriptors of the same open file (a standard input, say) would go on holding it.
        if !self.shared.get() {
            // Only a closed descriptor can fail, and that holds nothing.
            rustix::fs::flock(&self.file, FlockOperation::Unlock).ok();
        }
    }
}

impl Lock {
    /// Takes the lock of the journal under `dir`, or says who holds it.
    ///
    /// # Errors
    /// [`JournalError::Busy`], or the file cannot be opened.
    pub fn take(dir: &Path, run: &str) -> Result<Self, JournalError> {
        let file = open(dir)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(JournalError::Busy(read(&file))),
            Err(cause) => return Err(JournalError::io(&dir.join("lock"), cause.into())),
        }
        let lock = Self {
            file,
            shared: Cell::new(false),
        };
        lock.sign(dir, run)?;
        Ok(lock)
    }

    /// The lock that another process took and handed over as an open file.
    ///
    /// # Errors
    /// It is not the lock file, or not held.
    pub fn inherit(dir: &Path, file: File, run: &str) -> Result<Self, JournalError> {
        // Taking a lock one already holds through the same open file succeeds; any other file would be refused.
        let own = open(dir)?;
        let same = rustix::fs::fstat(&own)
            .and_then(|own| {
                rustix::fs::fstat(&file).map(|other| (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
            })
            .map_err(|cause| JournalError::io(&dir.join("lock"), cause.into()))?;
        if !same || rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(JournalError::Busy(read(&own)));
        }
        let lock = Self {
            file,
            shared: Cell::new(false),
        };
        lock.sign(dir, run)?;
        Ok(lock)
    }

    /// The open file, to hand the lock on to a process that is started.
    ///
    /// # Errors
    /// No more file descriptors.
    pub fn share(&self) -> std::io::Result<File> {
        self.shared.set(true);
        self.file.try_clone()
    }

    fn sign(&self, dir: &Path, run: &str) -> Result<(), JournalError> {
        let holder = Holder {
            pid: std::process::id(),
            run: run.to_owned(),
            since: crate::clock::now(),
        };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(|cause| JournalError::io(&dir.join("lock"), cause))
    }
}

/// Who holds the lock now, if anybody does.
///
/// # Errors
/// The file cannot be opened.
pub fn holder(dir: &Path) -> Result<Option<Holder>, JournalError> {
    if !dir.join("lock").exists() {
        return Ok(None);
    }
    let file = open(dir)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(_) => Ok(Some(read(&file))),
    }
}

fn read(mut file: &File) -> Holder {
    let mut text = String::new();
    // The text is for people: an unreadable one names nobody, and the lock still holds.
    match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) => serde_json::from_slice(text.as_bytes()).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the journal's own lock file")]
fn open(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|cause| JournalError::io(&path, cause))
}

/// What stands before the checksum of a fence: the SHA-256 of all before it.
const SUM: &str = ",\"sum\":\"";

/// What the host was told last: the fence (T8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The highest epoch it has seen.
    pub epoch: u64,
    /// The master it belongs to; empty is none yet.
    pub master: String,
    /// The catalog told with that epoch; `None` is a rollback.
    pub catalog: Option<Digest>,
}

impl Fence {
    /// The fence of the journal under `dir`.
    ///
    /// # Errors
    /// The file is there and cannot be read: then nothing may be run, for it guards against an older master.
    pub fn load(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join("epoch");
        match std::fs::read(&path) {
            Ok(bytes) => {
                Self::parse(&bytes).map_err(|why| JournalError::Damaged(format!("{}: {why}", path.display())))
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(cause) => Err(JournalError::io(&path, cause)),
        }
    }

    /// Reads what [`Fence::store`] wrote. Agents before the checksum wrote none.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(bytes);
        if let Some((body, sum)) = text.rsplit_once(SUM)
            && sum.strip_suffix("\"}") != Some(Digest::of(body).hex().as_str())
        {
            return Err("its checksum does not fit".to_owned());
        }
        serde_json::from_slice(text.as_bytes()).map_err(|cause| cause.to_string())
    }

    /// Whether a master may tell this host something now: its own master, with a newer epoch, or the same again.
    pub fn admits(&self, master: &str, epoch: u64, catalog: Option<&Digest>) -> bool {
        let known = self.master.is_empty() || self.master == master;
        known && (epoch > self.epoch || (epoch == self.epoch && self.catalog.as_ref() == catalog))
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, dir: &Path) -> Result<(), JournalError> {
        let path = dir.join("epoch");
        let text = serde_json::to_string(self)
            .map_err(|cause| JournalError::io(&path, std::io::Error::other(cause)))?;
        let body = text.trim_end_matches('}');
        let sum = Digest::of(body).hex();
        place(&path, format!("{body}{SUM}{sum}\"}}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn one_holder_at_a_time_and_the_second_learns_who() {
        let scratch = Scratch::new();
        let lock = Lock::take(scratch.root(), "run-a").expect("free");
        match Lock::take(scratch.root(), "run-b") {
            Err(JournalError::Busy(holder)) => assert_eq!(holder.run, "run-a"),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            holder(scratch.root()).expect("readable").map(|holder| holder.run),
            Some("run-a".into())
        );
        let shared = lock.share().expect("a descriptor");
        drop(lock);
        assert!(
            Lock::take(scratch.root(), "run-b").is_err(),
            "the shared file still holds it"
        );
        let heir = Lock::inherit(scratch.root(), shared, "run-a2").expect("handed over");
        assert!(Lock::take(scratch.root(), "run-b").is_err());
        let copy = heir.file.try_clone().expect("a descriptor");
        drop(heir);
        assert_eq!(
            holder(scratch.root()).expect("readable"),
            None,
            "whoever ends it ends it for all copies"
        );
        drop(copy);
        assert_eq!(holder(scratch.root()).expect("readable"), None);
        Lock::take(scratch.root(), "run-b").expect("free again");
    }

    #[test]
    fn the_fence_lets_only_its_master_move_forwards() {
        let scratch = Scratch::new();
        let one = Digest::of("one");
        let fence = Fence {
            epoch: 5,
            master: "m".into(),
            catalog: Some(one),
        };
        fence.store(scratch.root()).expect("room");
        let fence = Fence::load(scratch.root()).expect("readable");
        for (master, epoch, catalog, admits) in [
            ("m", 6, Some(Digest::of("two")), true),
            ("m", 5, Some(one), true),
            ("m", 5, Some(Digest::of("two")), false),
            ("m", 5, None, false),
            ("m", 4, Some(one), false),
            ("other", 9, Some(one), false),
        ] {
            assert_eq!(
                fence.admits(master, epoch, catalog.as_ref()),
                admits,
                "{master} {epoch} {catalog:?}"
            );
        }
        assert!(Fence::default().admits("anyone", 1, None));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test damages the file")]
    fn a_flipped_bit_of_the_fence_is_noticed_or_changes_nothing() {
        let scratch = Scratch::new();
        let fence = Fence {
            epoch: 5,
            master: "m".into(),
            catalog: Some(Digest::of("one")),
        };
        fence.store(scratch.root()).expect("room");
        let whole = std::fs::read(scratch.path("epoch")).expect("just written");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(scratch.path("epoch"), &bytes).expect("room");
            if let Ok(read) = Fence::load(scratch.root()) {
                assert_eq!(read, fence, "bit {bit}");
            }
        }
        // As agents wrote it before.
        std::fs::write(
            scratch.path("epoch"),
            r#"{"epoch":4,"master":"m","catalog":null}"#,
        )
        .expect("room");
        assert_eq!(Fence::load(scratch.root()).expect("readable").epoch, 4);
    }
}
