//! Which catalogs were made true here last, by scope: a state that is declared as it was then, and would change something
//! all the same, meets a host that somebody else changed.
//!
//! The file `told` is a convenience for what people read; no decision hangs on it, so it is not synced.

use std::fs;

use proto::{Catalog, Chunk, Digest, Outcome, RunHeader};

use super::files::{Durable, stage};
use super::ledger::line;
use super::{Journal, JournalError};

/// So many scopes are remembered.
const SCOPES: usize = 16;

impl Journal {
    fn told(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.dir.join("told")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_slice(line.as_bytes()).ok())
            .collect()
    }

    /// Notes that a run made its catalog true.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_made(&self, header: &RunHeader, outcome: Outcome) -> Result<(), JournalError> {
        let Some(catalog) = header
            .catalog
            .filter(|_| matches!(outcome, Outcome::Ok | Outcome::Changed))
        else {
            return Ok(());
        };
        let made = vec![header.scope.clone(), catalog.to_string()];
        let mut told = self.told();
        if told.first() == Some(&made) {
            return Ok(());
        }
        told.retain(|known| known.first() != made.first());
        told.insert(0, made);
        told.truncate(SCOPES);
        let text: String = told
            .iter()
            .map(|words| line(words.iter().map(String::as_str)))
            .collect();
        stage(&self.dir.join("told"), text.as_bytes(), Durable::No)
    }

    /// The catalog that was made true last over a scope, where it is still kept.
    pub fn made(&self, scope: &str) -> Option<Catalog> {
        let told = self.told();
        let words = told
            .iter()
            .find(|words| words.first().is_some_and(|known| known == scope))?;
        let digest: Digest = words.get(1)?.parse().ok()?;
        serde_json::from_slice(&self.objects.get(&digest).ok()?).ok()
    }
}

/// Whether `catalog` declares just what `chunk` does.
pub fn declares(catalog: &Catalog, chunk: &Chunk) -> bool {
    let mut same = catalog.chunks.iter().filter(|known| known.id == chunk.id);
    same.any(|known| known.args == chunk.args && known.sources == chunk.sources && known.slots == chunk.slots)
}
