//! The files as they lie (`--worktree`): for trying things out before a commit.
//!
//! The files are read once when opening, for their digest; a file that has another content later is an error,
//! so a run never mixes two states of the tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::Digest;

use super::listing::{Dir, Item, Listing, join, names};
use super::memory::{place, revision, seal};
use super::{BLOB, Content, DEPTH, ENTRIES, Tree, TreeError};

/// A tree of files on disk.
pub type WorkTree = Tree<Files>;

/// Where each content lies.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// SHA-256 to the path below the root.
    places: HashMap<String, String>,
}

/// Opens the directories `below` of `root`, and whatever links in them lead to inside `root`; an empty list means
/// all of it. Directories that are not there are left out, and so is `.git`.
///
/// # Errors
/// No such root, a file that cannot be read, a tree beyond the limits.
pub fn open(root: &Path, below: &[String]) -> Result<WorkTree, TreeError> {
    if !root.is_dir() {
        return Err(TreeError::Missing(root.to_owned()));
    }
    let mut scan = Scan {
        root,
        items: BTreeMap::new(),
        places: HashMap::new(),
        waiting: Vec::new(),
    };
    scan.waiting = if below.is_empty() {
        vec![String::new()]
    } else {
        below.to_vec()
    };
    let mut seen = BTreeSet::new();
    while let Some(path) = scan.waiting.pop() {
        if seen.insert(path.clone()) {
            scan.enter(&path)?;
        }
    }
    let mut dir = Dir::default();
    // Sorted, so a directory comes before what is in it.
    for (path, item) in scan.items {
        place(&mut dir, &path, item);
    }
    seal(&mut dir);
    let rev = revision(&dir.id);
    Ok(Tree::new(
        rev,
        Listing::new(dir),
        Files {
            root: root.to_owned(),
            places: scan.places,
        },
    ))
}

impl Content for Files {
    fn content(&self, path: &str, id: &str) -> Result<Arc<[u8]>, TreeError> {
        let place = self
            .places
            .get(id)
            .ok_or_else(|| TreeError::Changed(path.to_owned()))?;
        let bytes = bytes(&self.root.join(place), path)?;
        if Digest::of(&bytes).hex() != id {
            return Err(TreeError::Changed(path.to_owned()));
        }
        Ok(Arc::from(bytes))
    }
}

/// One reading of the directory. Links are written down and never followed on disk.
struct Scan<'a> {
    root: &'a Path,
    items: BTreeMap<String, Item>,
    places: HashMap<String, String>,
    /// Paths below the root that are still to be looked at.
    waiting: Vec<String>,
}

impl Scan<'_> {
    /// Walks to a path name by name, so that a link on the way is seen, and reads what is there.
    fn enter(&mut self, path: &str) -> Result<(), TreeError> {
        let parts: Vec<&str> = names(path).collect();
        let mut whole = String::new();
        for (index, part) in parts.iter().enumerate() {
            whole = join(&whole, part);
            let Some(found) = self.look(&whole)? else {
                return Ok(());
            };
            if found.is_symlink() {
                let rest = parts.get(index + 1..).unwrap_or_default().join("/");
                return self.link(&whole, &rest);
            }
            if index + 1 < parts.len() && !found.is_dir() {
                return Ok(());
            }
        }
        self.read(&whole, parts.len())
    }

    fn look(&self, path: &str) -> Result<Option<fs::Metadata>, TreeError> {
        let place = self.root.join(path);
        match fs::symlink_metadata(&place) {
            Ok(found) => Ok(Some(found)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(TreeError::Io(place, error)),
        }
    }

    /// Writes down a link, and that where it leads is wanted too.
    fn link(&mut self, path: &str, rest: &str) -> Result<(), TreeError> {
        let place = self.root.join(path);
        let to = fs::read_link(&place).map_err(|error| TreeError::Io(place, error))?;
        let Ok(to) = to.into_os_string().into_string() else {
            return self.add(path, Item::Odd);
        };
        let mut way: Vec<&str> = names(path).collect();
        way.pop();
        let inside = !to.starts_with('/')
            && names(&to).chain(names(rest)).all(|name| {
                if name == ".." {
                    return way.pop().is_some();
                }
                way.push(name);
                true
            });
        if inside {
            self.waiting.push(way.join("/"));
        }
        self.add(path, Item::Link { to })
    }

    fn add(&mut self, path: &str, item: Item) -> Result<(), TreeError> {
        self.items.insert(path.to_owned(), item);
        if self.items.len() > ENTRIES {
            return Err(TreeError::TooMany);
        }
        Ok(())
    }

    /// Reads a file, a link or a whole directory.
    fn read(&mut self, path: &str, depth: usize) -> Result<(), TreeError> {
        if depth > DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()));
        }
        let Some(found) = self.look(path)? else {
            return Ok(());
        };
        if found.is_symlink() {
            return self.link(path, "");
        }
        let place = self.root.join(path);
        if found.is_file() {
            let id = Digest::of(bytes(&place, path)?).hex();
            self.places.insert(id.clone(), path.to_owned());
            return self.add(
                path,
                Item::File {
                    id,
                    executable: found.permissions().mode() & 0o100 != 0,
                },
            );
        }
        if !found.is_dir() {
            return self.add(path, Item::Odd);
        }
        self.add(path, Item::Dir(Dir::default()))?;
        for entry in fs::read_dir(&place).map_err(|error| TreeError::Io(place.clone(), error))? {
            let name = entry
                .map_err(|error| TreeError::Io(place.clone(), error))?
                .file_name();
            match name.to_str() {
                Some(".git") => {}
                Some(name) => self.read(&join(path, name), depth + 1)?,
                None => self.add(&join(path, &name.to_string_lossy()), Item::Odd)?,
            }
        }
        Ok(())
    }
}

/// A file's bytes, up to the limit.
fn bytes(place: &Path, path: &str) -> Result<Vec<u8>, TreeError> {
    let fail = |error| TreeError::Io(place.to_owned(), error);
    let file = File::open(place).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    if size > BLOB {
        return Err(TreeError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    let mut bytes = Vec::new();
    file.take(BLOB).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}
