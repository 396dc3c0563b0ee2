//! A tree written out in code: for tests of everything that reads trees.

use std::collections::HashMap;
use std::sync::Arc;

use proto::Digest;
use sha2::Digest as _;

use super::listing::{Dir, Item, Listing, names};
use super::{Content, Tree, TreeError};

/// A tree of literal files, see [`Memory::tree`].
#[derive(Debug)]
pub struct Memory(HashMap<String, Arc<[u8]>>);

impl Memory {
    /// Makes a tree of `(path, content)` pairs; `worktree+` and a digest of them is its revision.
    pub fn tree<'a, T: AsRef<[u8]> + ?Sized + 'a>(
        files: impl IntoIterator<Item = (&'a str, &'a T)>,
    ) -> Tree<Self> {
        let mut root = Dir::default();
        let mut blobs = HashMap::new();
        for (path, content) in files {
            let bytes = content.as_ref();
            let id = Digest::of(bytes).hex();
            blobs.insert(id.clone(), Arc::from(bytes));
            place(
                &mut root,
                path,
                Item::File {
                    id,
                    executable: false,
                },
            );
        }
        seal(&mut root);
        let rev = revision(&root.id);
        Tree::new(rev, Listing::new(root), Self(blobs))
    }
}

impl Content for Memory {
    fn content(&self, path: &str, id: &str) -> Result<Arc<[u8]>, TreeError> {
        self.0
            .get(id)
            .cloned()
            .ok_or_else(|| TreeError::Changed(path.to_owned()))
    }
}

/// Puts an item at a path, making the directories on the way; a directory that is there already stays.
pub(super) fn place(root: &mut Dir, path: &str, item: Item) {
    let mut dir = root;
    let mut parts: Vec<&str> = names(path).collect();
    let Some(last) = parts.pop() else { return };
    for part in parts {
        let next = dir
            .entries
            .entry(part.to_owned())
            .or_insert_with(|| Item::Dir(Dir::default()));
        let Item::Dir(next) = next else { return };
        dir = next;
    }
    dir.entries.entry(last.to_owned()).or_insert(item);
}

/// Gives every directory the digest of what is in it: mode, name and digest of each entry, in order.
pub(super) fn seal(dir: &mut Dir) {
    let mut digest = Digest::hasher();
    for (name, item) in &mut dir.entries {
        let (mode, id) = match item {
            Item::Dir(inner) => {
                seal(inner);
                ("dir", inner.id.clone())
            }
            Item::File { id, executable: true } => ("exec", id.clone()),
            Item::File {
                id,
                executable: false,
            } => ("file", id.clone()),
            Item::Link { to } => ("link", Digest::of(to.as_bytes()).hex()),
            Item::Submodule | Item::Odd => ("odd", String::new()),
        };
        // No name holds a NUL, so two different directories never give the same bytes.
        digest.update(format!("{mode} {name}\0{id}\n"));
    }
    dir.id = Digest::finish(digest).hex();
}

/// How a run over files that are no commit is recorded.
pub(super) fn revision(digest: &str) -> String {
    format!("worktree+{}", digest.get(..40).unwrap_or(digest))
}
