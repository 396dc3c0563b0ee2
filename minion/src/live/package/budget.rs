//! How much of old package files is kept: over the budget the oldest go, never one that a kept generation needs (J3, J12).

use std::collections::BTreeSet;
use std::fs;
use std::time::SystemTime;

use proto::{Address, Digest, Entry, Package, Problem, Value, arrange};

use super::keep::file_name;
use crate::journal::{Journal, limits};
use crate::live::{Live, refused};

/// A kept package file.
struct Kept {
    name: String,
    since: SystemTime,
    size: u64,
}

impl Live {
    /// Makes room for a package file of `size` bytes.
    ///
    /// # Errors
    /// What is kept is needed, and leaves no room: the bytes are named.
    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own files; nothing here is a user's"
    )]
    pub(super) fn budget(&self, name: &str, package: &Package, size: u64) -> Result<(), Problem> {
        let limit = limits::load(&self.state_dir()).packages_keep;
        let mut kept = self.kept_files();
        let mut used: u64 = kept.iter().map(|kept| kept.size).sum();
        if used + size <= limit {
            return Ok(());
        }
        arrange(&mut kept, &|a, b| a.since < b.since);
        let needed = self.needed()?;
        let folder = self.state_dir().join("packages");
        for kept in kept {
            if used + size > limit && !needed.contains(&kept.name) {
                let gone = fs::remove_file(folder.join(&kept.name));
                gone.map_err(|error| refused(format!("cannot give up {}: {error}", kept.name)))?;
                used -= kept.size;
            }
        }
        if used + size <= limit {
            return Ok(());
        }
        Err(refused(format!(
            "the file of {name} {}, {size} bytes, is not kept: {used} of the {limit} bytes for \
             package files are taken by those that kept generations need (setting packages.keep)",
            package.version
        )))
    }

    fn kept_files(&self) -> Vec<Kept> {
        let entries = fs::read_dir(self.state_dir().join("packages"));
        let entries = entries.into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let digest: Digest = fs::read_to_string(entry.path()).ok()?.trim().parse().ok()?;
            Some(Kept {
                name,
                since: entry.metadata().and_then(|meta| meta.modified()).ok()?,
                size: fs::metadata(self.objects.path(&digest)).ok()?.len(),
            })
        });
        found.collect()
    }

    /// Names of package files that kept generations would put back.
    fn needed(&self) -> Result<BTreeSet<String>, Problem> {
        let journal = Journal::open(&self.state_dir());
        let history = journal.and_then(|journal| journal.history());
        let history = history.map_err(|error| refused(error.to_string()))?;
        let mut needed = BTreeSet::new();
        for entry in history.iter().flat_map(|run| &run.entries) {
            let changes = match entry {
                Entry::Done { changes, .. }
                | Entry::Failed { changes, .. }
                | Entry::Recovered { changes, .. } => changes,
                _ => continue,
            };
            for change in changes {
                // What a rollback took away comes back when that is taken back.
                for value in [&change.before, &change.after] {
                    if let (Address::Package(name), Value::Package(package)) = (&change.at, value) {
                        needed.insert(file_name(name, package));
                    }
                }
            }
        }
        Ok(needed)
    }
}
