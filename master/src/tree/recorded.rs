//! A source that remembers what was read from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Source, TreeEntry, TreeError, Walked};

/// What was read: path to the id of what was there, `None` where nothing was. A catalog made from these reads
/// is still good for any tree that answers the same.
pub type ReadSet = BTreeMap<String, Option<String>>;

/// Records every read of the source behind it, also of paths that are not there.
#[derive(Debug)]
pub struct Recorded<S> {
    source: S,
    reads: Mutex<ReadSet>,
}

impl<S: Source> Recorded<S> {
    /// Begins with nothing read.
    pub fn new(source: S) -> Self {
        Self {
            source,
            reads: Mutex::default(),
        }
    }

    /// Everything read so far.
    pub fn reads(&self) -> ReadSet {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, path: &str) -> Result<(), TreeError> {
        let id = self.source.digest_of(path)?;
        self.reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), id);
        Ok(())
    }
}

impl<S: Source> Source for Recorded<S> {
    fn rev(&self) -> &str {
        self.source.rev()
    }

    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, TreeError> {
        self.note(path)?;
        self.source.read(path)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, TreeError> {
        self.note(dir)?;
        self.source.list(dir)
    }

    fn walk(&self, dir: &str) -> Result<Option<Vec<Walked>>, TreeError> {
        self.note(dir)?;
        let found = self.source.walk(dir)?;
        // What a link leads to is not covered by the directory's own id.
        for entry in found.iter().flatten().filter(|entry| entry.link.is_some()) {
            self.note(&super::listing::join(dir.trim_end_matches('/'), &entry.path))?;
        }
        Ok(found)
    }

    fn digest_of(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.note(path)?;
        self.source.digest_of(path)
    }
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn rev(&self) -> &str {
        (**self).rev()
    }

    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, TreeError> {
        (**self).read(path)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, TreeError> {
        (**self).list(dir)
    }

    fn walk(&self, dir: &str) -> Result<Option<Vec<Walked>>, TreeError> {
        (**self).walk(dir)
    }

    fn digest_of(&self, path: &str) -> Result<Option<String>, TreeError> {
        (**self).digest_of(path)
    }
}
