//! Bytes by digest, written once: pre-images, sources, catalogs. A file is there under its name only when it is whole
//! and durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proto::Digest;

/// The object store of a host: `objects/<first two hex digits>/<the other 62>`, mode 0600, directories 0700.
#[derive(Debug, Clone)]
pub struct Objects {
    root: PathBuf,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

#[expect(
    clippy::disallowed_methods,
    reason = "the journal's own files; nothing here is a user's"
)]
impl Objects {
    /// Opens, and makes where missing, the store under `root`.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The directory it lies in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the object of that digest lies, or would.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(&hex[..2]).join(&hex[2..])
    }

    /// Whether it is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Keeps `bytes`; durable when it returns.
    ///
    /// # Errors
    /// No room, or no right; nothing half-written stays.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.has(&digest) {
            self.place(&mut io::Cursor::new(bytes), Some(digest))?;
        }
        Ok(digest)
    }

    /// Keeps all that `source` yields; durable when it returns. Returns the digest and the length.
    ///
    /// # Errors
    /// Reading or writing failed; nothing half-written stays.
    pub fn put_from(&self, source: &mut dyn Read) -> io::Result<(Digest, u64)> {
        self.place(source, None)
    }

    fn place(&self, source: &mut dyn Read, name: Option<Digest>) -> io::Result<(Digest, u64)> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temp = self.root.join(format!("tmp-{}-{number}", std::process::id()));
        let placed = self.write(&temp, source, name);
        if placed.is_err() {
            // The error that matters is the first; what is left is swept at the next start.
            fs::remove_file(&temp).ok();
        }
        placed
    }

    fn write(&self, temp: &Path, source: &mut dyn Read, name: Option<Digest>) -> io::Result<(Digest, u64)> {
        use sha2::Digest as _;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(temp)?;
        let mut hasher = Digest::hasher();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count])?;
            size += count as u64;
        }
        file.sync_all()?;
        let digest = Digest::finish(hasher);
        if name.is_some_and(|name| name != digest) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the bytes changed while they were kept",
            ));
        }
        let target = self.path(&digest);
        let folder = target.parent().unwrap_or(&self.root);
        if !folder.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        fs::rename(temp, &target)?;
        File::open(folder)?.sync_all()?;
        Ok((digest, size))
    }

    /// The object's bytes, checked against their name (J1).
    ///
    /// # Errors
    /// Missing, unreadable, or damaged (`InvalidData`): then it is never used.
    pub fn get(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path(digest))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("object {digest} is damaged"),
            ))
        }
    }

    /// Checks an object against its name without holding it in memory; its length.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub fn check(&self, digest: &Digest) -> io::Result<u64> {
        use sha2::Digest as _;
        let mut file = File::open(self.path(digest))?;
        let mut hasher = Digest::hasher();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
        }
        if Digest::finish(hasher) == *digest {
            Ok(size)
        } else {
            let text = format!("object {digest} is damaged");
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
    }

    /// Removes what interrupted writers left; those of living processes are still being written.
    ///
    /// # Errors
    /// The directory cannot be read or an entry not removed.
    pub fn sweep_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let writer = name
                .to_str()
                .and_then(|name| name.strip_prefix("tmp-")?.split('-').next());
            if let Some(writer) = writer
                && super::files::gone(writer)
            {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
