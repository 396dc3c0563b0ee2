//! The store in sled: an index and a cache that may be lost, never the only copy.
//!
//! sled 0.34 is not sound under a power cut, refuses to open after some crashes and panics on others. So every call
//! runs under `catch_unwind`, every record carries a version and a checksum of our own, and whoever opens a store is
//! told when it had to begin anew. No other file names sled.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use proto::Digest;

use super::{Expect, Key, Store, StoreError, Stored, Version};

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(5);
/// Bytes before a value: version, checksum.
const FRAME: usize = 16;
/// Where the last version is; no `Key` holds a NUL.
const LAST: &[u8] = b"\0last";

/// A store on disk that one process holds at a time.
#[derive(Debug)]
pub struct SledStore {
    dir: PathBuf,
    db: Option<sled::Db>,
    /// Held until the store is dropped.
    _lock: File,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: SledStore,
    /// Why it began anew and is empty now, when it did.
    pub anew: Option<String>,
}

impl SledStore {
    /// Opens the store in `dir`, made when absent; waits up to `wait` for another process to let go of it. A store
    /// that does not open is removed and begun anew.
    ///
    /// # Errors
    /// `Busy` when the other one does not let go, `Engine` when not even an empty store can be made.
    pub fn open(dir: &Path, wait: Duration) -> Result<Opened, StoreError> {
        let fail = |error: io::Error| StoreError::Engine {
            dir: dir.to_owned(),
            reason: error.to_string(),
        };
        let parent = dir.parent().unwrap_or(Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(fail)?;
        let lock = lock(&dir.with_extension("lock"), wait).map_err(fail)?;
        let lock = lock.ok_or_else(|| StoreError::Busy(dir.to_owned()))?;
        let (db, anew) = match engine(dir) {
            Ok(db) => (db, None),
            Err(reason) => {
                discard(dir).map_err(fail)?;
                let reopen = |reason| StoreError::Engine {
                    dir: dir.to_owned(),
                    reason,
                };
                (engine(dir).map_err(reopen)?, Some(reason))
            }
        };
        Ok(Opened {
            store: Self {
                dir: dir.to_owned(),
                db: Some(db),
                _lock: lock,
            },
            anew,
        })
    }

    /// Removes everything and begins anew, after damage was found in a store that opened.
    ///
    /// # Errors
    /// `Engine` when no empty store can be made.
    pub fn renew(&mut self) -> Result<(), StoreError> {
        let db = self.db.take();
        // Dropping may panic like anything else of sled's; the files are removed in any case.
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
        let fail = |reason| StoreError::Engine {
            dir: self.dir.clone(),
            reason,
        };
        discard(&self.dir).map_err(|error| fail(error.to_string()))?;
        self.db = Some(engine(&self.dir).map_err(fail)?);
        Ok(())
    }

    /// Makes everything put so far durable. sled's own flush does not survive a power cut, so its file is synced.
    ///
    /// # Errors
    /// `Engine` when flushing fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.guarded(|db| db.flush().map(drop))?;
        let synced = File::open(self.dir.join("db")).and_then(|file| file.sync_data());
        synced.map_err(|error| StoreError::Engine {
            dir: self.dir.clone(),
            reason: error.to_string(),
        })
    }

    /// Runs one call of sled's; a panic is an engine failure.
    fn guarded<T>(&self, call: impl FnOnce(&sled::Db) -> Result<T, sled::Error>) -> Result<T, StoreError> {
        let fail = |reason: String| StoreError::Engine {
            dir: self.dir.clone(),
            reason,
        };
        let db = self.db.as_ref().ok_or_else(|| fail("it is closed".to_owned()))?;
        match catch_unwind(AssertUnwindSafe(|| call(db))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(fail(error.to_string())),
            Err(_) => Err(fail("the engine panicked".to_owned())),
        }
    }

    fn next(&self) -> Result<u64, StoreError> {
        let last = self.guarded(|db| db.get(LAST))?;
        let last = match last.as_deref().map(<[u8; 8]>::try_from) {
            None => 0,
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(StoreError::Damaged("the last version".to_owned())),
        };
        let next = last.saturating_add(1);
        self.guarded(|db| db.insert(LAST, &next.to_be_bytes()))?;
        Ok(next)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // Nothing can be done about a panic here, and the next open finds out.
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
    }
}

impl Store for SledStore {
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let found = self.guarded(|db| db.get(key.as_str()))?;
        found
            .map(|bytes| unpack(key.as_str().as_bytes(), &bytes))
            .transpose()
    }

    fn put(&self, key: &Key, value: &[u8], expect: Expect) -> Result<Version, StoreError> {
        expect.holds(key, self.get(key)?.map(|stored| stored.version))?;
        // One process, one handle: nothing comes between reading and writing.
        let version = Version(self.next()?);
        let bytes = pack(key, version, value);
        self.guarded(|db| db.insert(key.as_str(), bytes))?;
        Ok(version)
    }

    fn remove(&self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        expect.holds(key, self.get(key)?.map(|stored| stored.version))?;
        self.guarded(|db| db.remove(key.as_str()))?;
        Ok(())
    }

    fn scan(&self, prefix: &Key, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let begins = format!("{prefix}/");
        let from = after
            .map_or(begins.as_str(), Key::as_str)
            .max(begins.as_str())
            .to_owned();
        let found = self.guarded(|db| {
            db.range(from.as_bytes()..)
                .filter(|entry| {
                    entry.as_ref().map_or(true, |(key, _)| {
                        Some(&key[..]) != after.map(|after| after.0.as_bytes())
                    })
                })
                .take_while(|entry| {
                    entry
                        .as_ref()
                        .map_or(true, |(key, _)| key.starts_with(begins.as_bytes()))
                })
                .take(limit)
                .collect::<Result<Vec<_>, _>>()
        })?;
        found.iter().map(|(key, bytes)| unpack(key, bytes)).collect()
    }
}

/// Version, checksum of key, version and value, value.
fn pack(key: &Key, version: Version, value: &[u8]) -> Vec<u8> {
    let mut bytes = version.0.to_be_bytes().to_vec();
    bytes.extend(checksum(key.as_str().as_bytes(), version, value));
    bytes.extend(value);
    bytes
}

fn unpack(key: &[u8], bytes: &[u8]) -> Result<Stored, StoreError> {
    let text = String::from_utf8_lossy(key).into_owned();
    let damaged = || StoreError::Damaged(text.clone());
    let (frame, value) = bytes.split_at_checked(FRAME).ok_or_else(damaged)?;
    let (version, sum) = frame.split_at(8);
    let version = Version(u64::from_be_bytes(version.try_into().map_err(|_| damaged())?));
    if checksum(key, version, value) != sum {
        return Err(damaged());
    }
    Ok(Stored {
        key: Key(text),
        value: value.to_vec(),
        version,
    })
}

fn checksum(key: &[u8], version: Version, value: &[u8]) -> [u8; 8] {
    let parts = [
        &(key.len() as u64).to_be_bytes()[..],
        key,
        &version.0.to_be_bytes()[..],
        value,
    ]
    .concat();
    let digest = Digest::of(parts);
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest.bytes()[..8]);
    sum
}

/// Opens sled itself. The file lock of a handle that was just dropped may live a moment longer than the handle.
fn engine(dir: &Path) -> Result<sled::Db, String> {
    let start = Instant::now();
    loop {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(16 << 20)
            .flush_every_ms(None);
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(error)) => {
                let reason = error.to_string();
                if !reason.contains("could not acquire lock") || start.elapsed() > Duration::from_secs(1) {
                    return Err(reason);
                }
                thread::sleep(RETRY);
            }
            Err(_) => return Err("the engine panicked".to_owned()),
        }
    }
}

/// The lock beside the store; `None` when another process keeps it.
fn lock(path: &Path, wait: Duration) -> io::Result<Option<File>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the master's own state directory, not a managed host"
    )]
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => return Ok(None),
            Err(TryLockError::WouldBlock) => thread::sleep(RETRY),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the master's own state directory, not a managed host"
)]
fn discard(dir: &Path) -> io::Result<()> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(dir),
        Ok(_) => fs::remove_file(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::store::conformance;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn conforms() {
        let scratch = Scratch::new();
        let count = std::cell::Cell::new(0);
        conformance::suite(&|| {
            count.set(count.get() + 1);
            let dir = scratch.path().join(count.get().to_string());
            Box::new(SledStore::open(&dir, NOW).unwrap().store)
        });
    }

    #[test]
    fn keeps_what_was_put() {
        let scratch = Scratch::new();
        let dir = scratch.path().join("index");
        let key = Key::new(&["a"]);
        let first = {
            let opened = SledStore::open(&dir, NOW).unwrap();
            assert_eq!(opened.anew, None);
            let version = opened.store.put(&key, b"1", Expect::Absent).unwrap();
            opened.store.sync().unwrap();
            version
        };
        let opened = SledStore::open(&dir, NOW).unwrap();
        assert_eq!(opened.anew, None);
        assert_eq!(opened.store.get(&key).unwrap().unwrap().value, b"1");
        assert!(opened.store.put(&key, b"2", Expect::Version(first)).unwrap() > first);
    }

    #[test]
    fn a_second_handle_waits_or_is_told() {
        let scratch = Scratch::new();
        let dir = scratch.path().join("index");
        let held = SledStore::open(&dir, NOW).unwrap().store;
        assert!(matches!(SledStore::open(&dir, NOW), Err(StoreError::Busy(_))));
        let (started, begin) = std::sync::mpsc::channel();
        let waiting = thread::spawn(move || {
            started.send(()).unwrap();
            SledStore::open(&dir, Duration::from_secs(60)).is_ok()
        });
        begin.recv().unwrap();
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_record_that_was_swapped_is_damaged() {
        let bytes = pack(&Key::new(&["a"]), Version(1), b"value");
        assert!(unpack(b"a", &bytes).is_ok());
        assert!(matches!(unpack(b"b", &bytes), Err(StoreError::Damaged(_))));
        for index in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[index] ^= 1;
            assert!(
                matches!(unpack(b"a", &broken), Err(StoreError::Damaged(_))),
                "{index}"
            );
        }
        assert!(matches!(unpack(b"a", &bytes[..10]), Err(StoreError::Damaged(_))));
    }
}
