//! The store in memory: for tests, and when the index on disk is in use by somebody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Expect, Key, Store, StoreError, Stored, Version};

/// A store that ends with the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    values: BTreeMap<Key, (Version, Vec<u8>)>,
    last: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(shelf.values.get(key).map(|(version, value)| Stored {
            key: key.clone(),
            value: value.clone(),
            version: *version,
        }))
    }

    fn put(&self, key: &Key, value: &[u8], expect: Expect) -> Result<Version, StoreError> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expect.holds(key, shelf.values.get(key).map(|(version, _)| *version))?;
        shelf.last += 1;
        let version = Version(shelf.last);
        shelf.values.insert(key.clone(), (version, value.to_vec()));
        Ok(version)
    }

    fn remove(&self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expect.holds(key, shelf.values.get(key).map(|(version, _)| *version))?;
        shelf.values.remove(key);
        Ok(())
    }

    fn scan(&self, prefix: &Key, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = format!("{prefix}/");
        let found = shelf
            .values
            .iter()
            .filter(|(key, _)| key.as_str().starts_with(&begins) && after.is_none_or(|after| *key > after))
            .take(limit)
            .map(|(key, (version, value))| Stored {
                key: key.clone(),
                value: value.clone(),
                version: *version,
            });
        Ok(found.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[test]
    fn conforms() {
        conformance::suite(&|| Box::new(MemoryStore::new()));
    }
}
