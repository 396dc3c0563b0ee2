//! The objects of one commit, by libgit2: no checkout, no hooks, no filters, no replace refs (requirement G1).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags, StatusOptions};

use super::listing::{Dir, Item, Listing, join, names};
use super::{BLOB, Content, DEPTH, ENTRIES, Tree, TreeError, signature};
use crate::compile::diagnostic::nearest;

/// A tree of git objects.
pub type GitTree = Tree<Objects>;

/// The object database. libgit2's handle is not to be shared between threads, hence the lock.
pub struct Objects {
    repository: Mutex<Repository>,
    path: PathBuf,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens the repository at or above `path` and resolves `rev`: a branch, a tag, a commit or its first digits.
/// When `path` is a directory inside the work tree, the tree is that directory of the commit.
///
/// # Errors
/// No repository, somebody else's, no such commit, one that none of the `signers` signed, a tree beyond the limits.
pub fn open(path: &Path, rev: &str, signers: &[String]) -> Result<GitTree, TreeError> {
    open_as(path, rev, signers, &path.display().to_string())
}

/// The same, under the name by which the user knows the repository.
pub(super) fn open_as(path: &Path, rev: &str, signers: &[String], name: &str) -> Result<GitTree, TreeError> {
    let repository = repository(path)?;
    let at = Place {
        repository: &repository,
        path,
    };
    let commit = at.resolve(rev, name)?;
    signature::check(&repository, commit, signers)?;
    let commit_tree = repository.find_commit(commit).and_then(|commit| commit.tree());
    let mut tree = commit_tree.map_err(at.fail("the commit"))?;
    let prefix = at.prefix();
    for part in names(&prefix) {
        let none = || TreeError::NoDirectory {
            rev: commit.to_string(),
            path: prefix.clone(),
        };
        let id = tree.get_name(part).map(|entry| entry.id()).ok_or_else(none)?;
        tree = repository.find_tree(id).map_err(|_| none())?;
    }
    let root = at.scan(&tree, "", 0, &mut 0)?;
    drop(tree);
    let objects = Objects {
        repository: Mutex::new(repository),
        path: path.to_owned(),
    };
    Ok(Tree::new(commit.to_string(), Listing::new(root), objects))
}

/// Files below `roots` that differ from the commit checked out, so that a run of a commit can say what it leaves out.
/// Empty for a bare repository. Paths are relative to the work tree.
///
/// # Errors
/// No repository, or the work tree cannot be read.
pub fn uncommitted(path: &Path, roots: &[String]) -> Result<Vec<String>, TreeError> {
    let repository = repository(path)?;
    let at = Place {
        repository: &repository,
        path,
    };
    if repository.is_bare() {
        return Ok(Vec::new());
    }
    let prefix = at.prefix();
    let mut options = StatusOptions::new();
    options
        .include_untracked(true)
        .recurse_untracked_dirs(true)
        .disable_pathspec_match(true);
    for root in roots {
        let whole = names(&prefix).chain(names(root)).collect::<Vec<_>>().join("/");
        if !whole.is_empty() {
            options.pathspec(whole);
        }
    }
    let found = repository
        .statuses(Some(&mut options))
        .map_err(at.fail("the work tree"))?;
    Ok(found
        .iter()
        .map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned())
        .collect())
}

impl Content for Objects {
    fn content(&self, path: &str, id: &str) -> Result<Arc<[u8]>, TreeError> {
        let fail = |error| TreeError::Git(self.path.clone(), format!("`{path}`"), error);
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let id = Oid::from_str(id).map_err(fail)?;
        let (size, _) = repository
            .odb()
            .and_then(|odb| odb.read_header(id))
            .map_err(fail)?;
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if size > BLOB {
            return Err(TreeError::TooLarge {
                path: path.to_owned(),
                size,
            });
        }
        Ok(Arc::from(repository.find_blob(id).map_err(fail)?.content()))
    }
}

/// The repository at or above a directory.
pub(super) fn repository(path: &Path) -> Result<Repository, TreeError> {
    if !path.is_dir() {
        return Err(TreeError::Missing(path.to_owned()));
    }
    let none: [&str; 0] = [];
    Repository::open_ext(path, RepositoryOpenFlags::empty(), none).map_err(|error| match error.code() {
        ErrorCode::NotFound => TreeError::NotARepository(path.to_owned()),
        ErrorCode::Owner => TreeError::Foreign(path.to_owned()),
        _ => TreeError::Git(path.to_owned(), "the configuration".to_owned(), error),
    })
}

/// A repository and the path it was opened by.
struct Place<'a> {
    repository: &'a Repository,
    path: &'a Path,
}

impl Place<'_> {
    fn fail(&self, what: impl Into<String>) -> impl FnOnce(git2::Error) -> TreeError {
        let (path, what) = (self.path.to_owned(), what.into());
        move |error| TreeError::Git(path, what, error)
    }

    /// The directory inside the work tree that the path names.
    fn prefix(&self) -> String {
        let below = || {
            let workdir = self.repository.workdir()?.canonicalize().ok()?;
            let below = self
                .path
                .canonicalize()
                .ok()?
                .strip_prefix(&workdir)
                .ok()?
                .to_owned();
            below.into_os_string().into_string().ok()
        };
        below()
            .filter(|below| names(below).next() != Some(".git"))
            .unwrap_or_default()
    }

    /// The commit a name stands for: a full reference name, a branch, a tag, a remote's branch, digits of a
    /// commit, git's other notations. A name that stands for two commits is refused.
    fn resolve(&self, rev: &str, name: &str) -> Result<Oid, TreeError> {
        let reference = |full: String| {
            let found = self.repository.find_reference(&full).ok()?;
            found.peel_to_commit().ok().map(|commit| commit.id())
        };
        let ambiguous = || TreeError::AmbiguousRev(rev.to_owned(), name.to_owned());
        if rev.starts_with("refs/") {
            return reference(rev.to_owned()).ok_or_else(|| self.unknown(rev, name));
        }
        match (
            reference(format!("refs/heads/{rev}")),
            reference(format!("refs/tags/{rev}")),
        ) {
            (Some(branch), Some(tag)) if branch != tag => return Err(ambiguous()),
            (Some(commit), _) | (None, Some(commit)) => return Ok(commit),
            (None, None) => {}
        }
        if let Some(commit) = reference(format!("refs/remotes/origin/{rev}")) {
            return Ok(commit);
        }
        let single = self
            .repository
            .revparse_single(rev)
            .and_then(|object| object.peel(ObjectType::Commit));
        match single {
            Ok(object) => Ok(object.id()),
            Err(error) if error.code() == ErrorCode::Ambiguous => Err(ambiguous()),
            Err(_) => Err(self.unknown(rev, name)),
        }
    }

    fn unknown(&self, rev: &str, name: &str) -> TreeError {
        let mut known: Vec<String> = Vec::new();
        for reference in self.repository.references().into_iter().flatten().flatten() {
            let full = reference.name().unwrap_or_default();
            let short = ["refs/heads/", "refs/tags/", "refs/remotes/origin/"]
                .iter()
                .find_map(|dir| full.strip_prefix(dir));
            known.extend(short.filter(|short| *short != "HEAD").map(str::to_owned));
        }
        known.dedup();
        if known.is_empty() {
            return TreeError::Empty(self.path.to_owned());
        }
        let near = nearest(rev, known.iter().map(String::as_str)).map(str::to_owned);
        known.truncate(10);
        TreeError::NoSuchRev {
            rev: rev.to_owned(),
            repository: name.to_owned(),
            near,
            known,
        }
    }

    /// Everything below a tree object.
    fn scan(
        &self,
        tree: &git2::Tree<'_>,
        path: &str,
        depth: usize,
        count: &mut usize,
    ) -> Result<Dir, TreeError> {
        if depth > DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()));
        }
        let mut dir = Dir {
            id: tree.id().to_string(),
            ..Dir::default()
        };
        for entry in tree {
            *count += 1;
            if *count > ENTRIES {
                return Err(TreeError::TooMany);
            }
            let Ok(name) = entry.name() else {
                dir.entries.insert(
                    String::from_utf8_lossy(entry.name_bytes()).into_owned(),
                    Item::Odd,
                );
                continue;
            };
            let whole = join(path, name);
            let id = entry.id();
            let item = match (entry.filemode(), entry.kind()) {
                (0o120_000, _) => {
                    let blob = self
                        .repository
                        .find_blob(id)
                        .map_err(self.fail(format!("`{whole}`")))?;
                    match std::str::from_utf8(blob.content()) {
                        Ok(to) => Item::Link { to: to.to_owned() },
                        Err(_) => Item::Odd,
                    }
                }
                (_, Some(ObjectType::Tree)) => {
                    let inner = self
                        .repository
                        .find_tree(id)
                        .map_err(self.fail(format!("`{whole}`")))?;
                    Item::Dir(self.scan(&inner, &whole, depth + 1, count)?)
                }
                (mode, Some(ObjectType::Blob)) => Item::File {
                    id: id.to_string(),
                    executable: mode & 0o111 != 0,
                },
                _ => Item::Submodule,
            };
            dir.entries.insert(name.to_owned(), item);
        }
        Ok(dir)
    }
}
