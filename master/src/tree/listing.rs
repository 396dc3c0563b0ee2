//! Names and kinds of everything in a tree, and how a path leads through it. No bytes, no I/O.

use std::collections::BTreeMap;

use super::{DEPTH, ENTRIES, TreeError};

/// Most links followed on the way to one path (requirement G1).
const HOPS: usize = 8;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Whether it is executable; git knows no other permission.
        executable: bool,
    },
    /// A directory.
    Dir,
    /// A symbolic link and what it holds.
    Link {
        /// The target as written.
        to: String,
    },
    /// A submodule, or something that is no file: reading it is refused.
    Other,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// The name without directories.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// An entry met on a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// The path below the directory that was walked.
    pub path: String,
    /// What it is once links are followed; `Link` only when the link leads to nothing.
    pub kind: Kind,
    /// What the link holds, if the entry itself is a link.
    pub link: Option<String>,
}

/// A directory: names to items.
#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) id: String,
    pub(super) entries: BTreeMap<String, Item>,
}

/// One item of the tree.
#[derive(Debug)]
pub(super) enum Item {
    Dir(Dir),
    File { id: String, executable: bool },
    Link { to: String },
    Submodule,
    Odd,
}

impl Item {
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Dir(dir) => Some(dir.id.clone()),
            Self::File { id, .. } => Some(id.clone()),
            Self::Link { .. } | Self::Submodule | Self::Odd => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Dir(_) => Kind::Dir,
            Self::File { executable, .. } => Kind::File {
                executable: *executable,
            },
            Self::Link { to } => Kind::Link { to: to.clone() },
            Self::Submodule | Self::Odd => Kind::Other,
        }
    }
}

/// The whole tree.
#[derive(Debug)]
pub(super) struct Listing {
    root: Item,
}

impl Listing {
    pub(super) fn new(root: Dir) -> Self {
        Self {
            root: Item::Dir(root),
        }
    }

    /// The file or directory a path leads to, links followed; `None` when there is nothing, never a link.
    pub(super) fn resolve(&self, path: &str) -> Result<Option<&Item>, TreeError> {
        let mut pending: Vec<&str> = names(path).rev().collect();
        // The directories passed, the root first; `..` takes one off.
        let mut way: Vec<&Item> = vec![&self.root];
        let mut link = None;
        let mut hops = 0;
        while let Some(name) = pending.pop() {
            if name == ".." {
                way.pop();
                if way.is_empty() {
                    return Err(outside(path, link));
                }
                continue;
            }
            let Some(Item::Dir(dir)) = way.last() else {
                return Ok(None);
            };
            match dir.entries.get(name) {
                None => return Ok(None),
                Some(Item::Submodule) => return Err(TreeError::Submodule(path.to_owned())),
                Some(Item::Odd) => return Err(TreeError::Odd(path.to_owned())),
                Some(Item::Link { to }) => {
                    hops += 1;
                    if hops > HOPS {
                        return Err(TreeError::LinkLoop(path.to_owned()));
                    }
                    if to.starts_with('/') {
                        return Err(outside(path, Some(to)));
                    }
                    link = Some(to);
                    pending.extend(names(to).rev());
                }
                Some(item) => way.push(item),
            }
        }
        Ok(way.pop())
    }

    pub(super) fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, TreeError> {
        let Some(Item::Dir(dir)) = self.resolve(dir)? else {
            return Ok(None);
        };
        let entry = |(name, item): (&String, &Item)| TreeEntry {
            name: name.clone(),
            kind: item.kind(),
        };
        Ok(Some(dir.entries.iter().map(entry).collect()))
    }

    pub(super) fn walk(&self, dir: &str) -> Result<Option<Vec<Walked>>, TreeError> {
        let Some(Item::Dir(start)) = self.resolve(dir)? else {
            return Ok(None);
        };
        let base: Vec<&str> = names(dir).collect();
        let mut found = Vec::new();
        self.descend(start, &base.join("/"), "", 0, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Some(found))
    }

    fn descend(
        &self,
        dir: &Dir,
        base: &str,
        below: &str,
        depth: usize,
        found: &mut Vec<Walked>,
    ) -> Result<(), TreeError> {
        for (name, item) in &dir.entries {
            let path = join(below, name);
            if depth > DEPTH {
                return Err(TreeError::TooDeep(join(base, &path)));
            }
            if found.len() >= ENTRIES {
                return Err(TreeError::TooMany);
            }
            let whole = join(base, &path);
            let (item, link) = match item {
                Item::Link { to } => (self.resolve(&whole)?.unwrap_or(item), Some(to.clone())),
                Item::Submodule => return Err(TreeError::Submodule(whole)),
                Item::Odd => return Err(TreeError::Odd(whole)),
                _ => (item, None),
            };
            found.push(Walked {
                path: path.clone(),
                kind: item.kind(),
                link,
            });
            if let Item::Dir(inner) = item {
                self.descend(inner, base, &path, depth + 1, found)?;
            }
        }
        Ok(())
    }
}

/// The names of a path, without empty ones and `.`.
pub(super) fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

pub(super) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() {
        name.to_owned()
    } else {
        format!("{dir}/{name}")
    }
}

fn outside(path: &str, link: Option<&String>) -> TreeError {
    match link {
        Some(to) => TreeError::LinkOut {
            path: path.to_owned(),
            to: to.clone(),
        },
        None => TreeError::Outside(path.to_owned()),
    }
}
