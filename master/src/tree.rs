//! The tree: the files a run is made of, all of one commit, read without a checkout.
//!
//! `Source` is what compiling sees. Three things are one: the objects of a commit (`git`), the files as they lie
//! (`worktree`) and a literal in memory. Reading them is a plain function; callers put it on the blocking pool.
//! Who signed a commit is asked in `signature`; what the files mean is asked in `compile`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use thiserror::Error;

use crate::settings::TreeSettings;
use location::Location;

mod fetch;
pub mod git;
mod listing;
pub mod location;
mod memory;
mod recorded;
pub(crate) mod signature;
pub mod worktree;

pub use listing::{Kind, TreeEntry, Walked};
pub use memory::Memory;
pub use recorded::{ReadSet, Recorded};

use listing::{Item, Listing};

/// Most entries of one tree (requirement G7).
const ENTRIES: usize = 100_000;
/// Largest file (requirement G7).
const BLOB: u64 = 16 << 20;
/// Deepest directory (requirement G7).
const DEPTH: usize = 64;
/// How much content a tree keeps in memory once read.
const CACHE: usize = 64 << 20;
/// How the pointer files of git's large file storage begin.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A tree at one commit. Paths are relative to its root, with `/` between names; links inside the tree are
/// followed (at most 8), links out of it are refused by name.
pub trait Source: Send + Sync + Debug {
    /// The commit as 40 hex digits, or `worktree+` and a digest of the files.
    fn rev(&self) -> &str;
    /// The content of a file; `None` when there is no file at that path.
    ///
    /// # Errors
    /// A link out of the tree, a submodule, a pointer of large file storage, a file above 16 MiB, damage.
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, TreeError>;
    /// The entries of a directory by name, links not followed; `None` when there is no directory at that path.
    ///
    /// # Errors
    /// A link out of the tree, a submodule.
    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, TreeError>;
    /// Everything below a directory, links followed, sorted by path; `None` when there is no such directory.
    ///
    /// # Errors
    /// A link out of the tree or in a circle, a submodule, an entry that cannot be read.
    fn walk(&self, dir: &str) -> Result<Option<Vec<Walked>>, TreeError>;
    /// What identifies the content of a file or directory: git's object id, or a SHA-256; `None` when nothing is
    /// there. Equal ids of one repository mean equal content.
    ///
    /// # Errors
    /// As for `list`.
    fn digest_of(&self, path: &str) -> Result<Option<String>, TreeError>;
}

/// Why something cannot be read from a tree. The text names the place and the way out.
#[derive(Debug, Error)]
pub enum TreeError {
    /// No such directory.
    #[error("there is no directory {}", .0.display())]
    Missing(PathBuf),
    /// `--worktree` on a remote repository.
    #[error("{0} is remote and has no files lying around: --worktree needs a tree on this machine")]
    NoFiles(String),
    /// A directory without a repository.
    #[error("{} is not in a git repository: `git init` and commit, or use --worktree to take the files as they lie", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no commit.
    #[error("the repository {} has no commit yet: commit first, or use --worktree to take the files as they lie", .0.display())]
    Empty(PathBuf),
    /// The repository belongs to another user, who could choose what is run.
    #[error("the repository {} belongs to another user: if you trust it, `git config --global --add safe.directory {}`", .0.display(), .0.display())]
    Foreign(PathBuf),
    /// No branch, tag or commit of that name.
    #[error("`{rev}` is no branch, tag or commit of {repository}: {}", .near.as_ref().map_or_else(|| format!("there are {}", .known.join(", ")), |near| format!("did you mean `{near}`?")))]
    NoSuchRev {
        /// What was asked for.
        rev: String,
        /// Where.
        repository: String,
        /// The nearest name.
        near: Option<String>,
        /// Some of the names there are.
        known: Vec<String>,
    },
    /// A name that stands for two commits.
    #[error("`{0}` is ambiguous in {1}: write refs/heads/{0}, refs/tags/{0} or more digits of the commit")]
    AmbiguousRev(String, String),
    /// Signers are configured and none of them signed it.
    #[error("commit {rev} is refused: {reason}")]
    Unsigned {
        /// The commit.
        rev: String,
        /// What is wrong with its signature.
        reason: String,
    },
    /// The commit has no such directory.
    #[error("commit {rev} has no directory `{path}`")]
    NoDirectory {
        /// The commit.
        rev: String,
        /// The directory inside the repository.
        path: String,
    },
    /// libgit2 cannot read something.
    #[error("cannot read {} of the repository {}", .1, .0.display())]
    Git(PathBuf, String, #[source] git2::Error),
    /// A path with `..` above the root.
    #[error("`{0}` leads out of the tree")]
    Outside(String),
    /// A link that leads out of the tree.
    #[error("`{path}` leads through a link to `{to}`, which is outside the tree")]
    LinkOut {
        /// The path that was read.
        path: String,
        /// What the link holds.
        to: String,
    },
    /// More links than are followed.
    #[error("`{0}` leads through too many links, or in a circle")]
    LinkLoop(String),
    /// A submodule.
    #[error("`{0}` is a submodule: its files are not part of the commit, so put them into the tree itself")]
    Submodule(String),
    /// A pointer file of git's large file storage.
    #[error(
        "`{0}` is only a pointer of git-lfs: keep the content in the repository itself, or fetch it from a URL with `source_hash`"
    )]
    Lfs(String),
    /// A file above the limit.
    #[error("`{path}` has {size} bytes; at most {BLOB} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// More entries than the limit.
    #[error("the tree has more than {ENTRIES} entries")]
    TooMany,
    /// A directory below the deepest one.
    #[error("`{0}` is nested deeper than {DEPTH} directories")]
    TooDeep(String),
    /// A name that is no text, or a device, a socket or a pipe.
    #[error("`{0}` is neither a file, a directory nor a link with a name in UTF-8")]
    Odd(String),
    /// A file that changed since the run began.
    #[error("`{0}` changed while it was being read: run again")]
    Changed(String),
    /// The file system refuses.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Fetching from a remote repository failed; the reason is what git said, without credentials.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// From where.
        url: String,
        /// Why not.
        reason: String,
    },
}

/// Opens the tree at a commit: fetches when it is remote, resolves the revision once, checks who signed it, reads
/// objects only.
///
/// # Errors
/// No repository, no such commit, one that no configured signer signed, a tree beyond the limits, a failed fetch.
pub fn open(tree: &TreeSettings, state_dir: &Path) -> Result<Arc<dyn Source>, TreeError> {
    match &tree.url {
        Location::Local(path) => Ok(Arc::new(git::open(path, &tree.rev, &tree.signers)?)),
        Location::Remote(url) => {
            let mirror = fetch::mirror(url, &tree.rev, state_dir)?;
            Ok(Arc::new(git::open_as(
                &mirror,
                &tree.rev,
                &tree.signers,
                &url.to_string(),
            )?))
        }
    }
}

/// Opens the files as they lie (`--worktree`): the file roots and pillar roots of the settings, and those of further
/// environments.
///
/// # Errors
/// A remote location, configured signers (nobody signs files), no such directory, a file that cannot be read, a tree
/// beyond the limits.
pub fn open_worktree(tree: &TreeSettings, further: &[String]) -> Result<Arc<dyn Source>, TreeError> {
    if !tree.signers.is_empty() {
        let reason = "files that are no commit are signed by nobody".to_owned();
        return Err(TreeError::Unsigned {
            rev: "worktree".to_owned(),
            reason,
        });
    }
    let below: Vec<String> = tree
        .salt
        .iter()
        .chain(&tree.pillar)
        .chain(further)
        .cloned()
        .collect();
    match &tree.url {
        Location::Local(path) => Ok(Arc::new(worktree::open(path, &below)?)),
        Location::Remote(url) => Err(TreeError::NoFiles(url.to_string())),
    }
}

/// A listing and whatever gives the bytes: the shared half of every source.
#[derive(Debug)]
pub struct Tree<C> {
    rev: String,
    listing: Listing,
    content: C,
    read: RwLock<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    blobs: HashMap<String, Arc<[u8]>>,
    size: usize,
}

/// Where the bytes of a file come from.
pub trait Content: Send + Sync + Debug {
    /// The bytes of the file with this id; `path` is for messages.
    ///
    /// # Errors
    /// Damage, a file above the limit, the file system.
    fn content(&self, path: &str, id: &str) -> Result<Arc<[u8]>, TreeError>;
}

impl<C: Content> Tree<C> {
    fn new(rev: String, listing: Listing, content: C) -> Self {
        Self {
            rev,
            listing,
            content,
            read: RwLock::default(),
        }
    }

    fn cached(&self, id: &str) -> Option<Arc<[u8]>> {
        // A poisoned cache is only a cache.
        self.read.read().ok()?.blobs.get(id).cloned()
    }

    fn keep(&self, id: &str, bytes: &Arc<[u8]>) {
        if let Ok(mut cache) = self.read.write()
            && cache.size.saturating_add(bytes.len()) <= CACHE
            && cache.blobs.insert(id.to_owned(), Arc::clone(bytes)).is_none()
        {
            cache.size += bytes.len();
        }
    }
}

impl<C: Content> Source for Tree<C> {
    fn rev(&self) -> &str {
        &self.rev
    }

    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(Item::File { id, .. }) = self.listing.resolve(path)? else {
            return Ok(None);
        };
        if let Some(bytes) = self.cached(id) {
            return Ok(Some(bytes));
        }
        let bytes = self.content.content(path, id)?;
        if bytes.starts_with(LFS) && bytes.len() < 1024 {
            return Err(TreeError::Lfs(path.to_owned()));
        }
        self.keep(id, &bytes);
        Ok(Some(bytes))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, TreeError> {
        self.listing.list(dir)
    }

    fn walk(&self, dir: &str) -> Result<Option<Vec<Walked>>, TreeError> {
        self.listing.walk(dir)
    }

    fn digest_of(&self, path: &str) -> Result<Option<String>, TreeError> {
        Ok(self.listing.resolve(path)?.and_then(Item::id))
    }
}

#[cfg(test)]
mod tests;
