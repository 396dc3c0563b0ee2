//! `log verify`: every record of the journal against its checksum and its neighbours, every kept object against its name.

use std::fs;
use std::path::Path;

use proto::{Digest, Value};
use serde_json::{Value as Json, json};

use crate::journal::{Journal, JournalError, base, entries, record};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The generation the host is at.
    pub generation: u64,
    /// How many runs are kept.
    pub runs: u64,
    /// How many records they have.
    pub entries: u64,
    /// How many objects are kept.
    pub objects: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// What is damaged or missing, by record (J1).
    pub damage: Vec<String>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
}

impl Verified {
    /// As it is sent.
    pub fn document(&self) -> Json {
        json!({
            "generation": self.generation, "runs": self.runs, "entries": self.entries, "objects": self.objects,
            "bytes": self.bytes, "damage": self.damage, "notes": self.notes,
        })
    }
}

/// Reads and checks everything.
///
/// # Errors
/// A directory cannot be read; a file that cannot be is damage.
pub fn verify(journal: &Journal) -> Result<Verified, JournalError> {
    let mut found = Verified {
        generation: journal.generation()?,
        ..Verified::default()
    };
    found.chain(journal)?;
    let root = journal.objects().root();
    for folder in listed(root)? {
        // What begins with `tmp-` is being written.
        if folder.len() == 2 {
            for name in listed(&root.join(&folder))? {
                found.object(journal, &folder, &name);
            }
        }
    }
    Ok(found)
}

impl Verified {
    fn chain(&mut self, journal: &Journal) -> Result<(), JournalError> {
        let mut numbers = journal.runs()?;
        let mut before: Option<(u64, Digest)> = Some((0, entries::origin()));
        let past = base::past(journal)?;
        self.damage
            .extend(past.swept().flat_map(|run| run.damage.clone()));
        if past.swept().next().is_some() {
            // The oldest that is kept follows what was swept; older ones are about to go.
            let oldest = past.all().map(|run| run.number).find(|number| *number > 0);
            let oldest = oldest.unwrap_or(u64::MAX);
            numbers.retain(|number| *number >= oldest);
            before = Some((oldest - 1, base::anchor(journal)?));
        }
        let mut last: Option<u64> = None;
        for number in &numbers {
            let path = journal.entries_path(*number);
            let read = match entries::read(&path) {
                Ok(read) => read,
                Err(_) if !path.exists() => continue,
                Err(error) => {
                    self.damage.push(error.to_string());
                    before = None;
                    continue;
                }
            };
            self.runs += 1;
            self.entries += read.entries.len() as u64;
            if read.torn && numbers.last() == Some(number) {
                self.notes.push(format!(
                    "run {number}: its last record was cut off; nothing was done on it"
                ));
            } else if read.torn {
                self.damage
                    .push(format!("{}: the end is cut off", path.display()));
            }
            // Runs without a generation are tidied away; over such a gap, and before the oldest, nothing can be said.
            if let Some((other, head)) = before
                && other + 1 == *number
                && head != read.first
                && !read.entries.is_empty()
            {
                let text = format!("{}:1: it does not follow the end of run {other}", path.display());
                self.damage.push(text);
            }
            before = Some((*number, read.head));
            let Some(run) = record(*number, read) else {
                continue;
            };
            if run.close.is_none() {
                self.notes
                    .push(format!("run {} goes on, or was cut off", run.header.run));
            }
            if let Some(made) = run.generation() {
                if last.is_some_and(|last| last != run.header.parent) {
                    self.damage.push(format!(
                        "run {number}: generation {} is missing before it",
                        run.header.parent
                    ));
                }
                last = Some(made);
                self.kept(journal, &run);
            }
            self.damage.extend(run.damage);
        }
        if last.unwrap_or_default() < self.generation {
            self.damage.push(format!(
                "the host is at generation {}, and the newest run that is kept made {}",
                self.generation,
                last.unwrap_or_default()
            ));
        }
        Ok(())
    }

    /// Every pre-image that a rollback would need.
    fn kept(&mut self, journal: &Journal, run: &crate::journal::RunRecord) {
        for change in run.changes() {
            let content = |value: &Value| match value {
                Value::File { content, .. } => Some(*content),
                _ => None,
            };
            if let Some(was) = content(&change.before).filter(|was| content(&change.after) != Some(*was))
                && !journal.objects().has(&was)
            {
                let text = format!(
                    "run {}: what was at {} before it is not kept",
                    run.number, change.at
                );
                self.damage.push(text);
            }
        }
    }

    fn object(&mut self, journal: &Journal, folder: &str, name: &str) {
        let path = journal.objects().root().join(folder).join(name);
        let Ok(digest) = format!("{folder}{name}").parse::<Digest>() else {
            self.notes.push(format!("{}: not an object", path.display()));
            return;
        };
        self.objects += 1;
        match journal.objects().check(&digest) {
            Ok(size) => self.bytes += size,
            Err(error) => self.damage.push(format!("{}: {error}", path.display())),
        }
    }
}

/// The names in a directory, sorted.
fn listed(dir: &Path) -> Result<Vec<String>, JournalError> {
    let failed = |cause| JournalError::io(dir, cause);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
