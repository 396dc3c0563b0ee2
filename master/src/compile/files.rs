//! The file server: environments of a tree, sls names, and files by their path below a file root.
//!
//! Names are listed once per tree ([`Layout`]) and shared by all hosts; contents are read through the host's own
//! [`Source`], which may record them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::diagnostic::Diagnostic;
use super::jinja::Kept;
use crate::tree::{Kind, Source};

/// Largest file that is rendered.
const LONGEST: usize = 16 << 20;

/// Directories of a tree by environment, first match wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// File roots.
    pub states: IndexMap<String, Vec<String>>,
    /// Pillar roots.
    pub pillar: IndexMap<String, Vec<String>>,
}

/// What a tree holds, by name.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    pub(crate) states: Listing,
    pub(crate) pillar: Listing,
    /// Parsed templates of the file roots and of the pillar roots, for all hosts.
    kept: Arc<(Kept, Kept)>,
}

/// Files of one kind of roots.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    envs: IndexMap<String, Env>,
}

#[derive(Debug, Clone, Default)]
struct Env {
    /// Path below the root to path in the tree and kind.
    files: BTreeMap<String, Entry>,
    names: Vec<String>,
}

/// A file or link of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Path in the tree.
    pub(crate) full: String,
    /// What it is once links are followed.
    pub(crate) kind: Kind,
    /// What the link holds, if it is one.
    pub(crate) link: Option<String>,
}

impl Layout {
    /// Lists all roots.
    ///
    /// # Errors
    /// A directory that cannot be listed. One that does not exist is empty.
    pub fn of(tree: &dyn Source, roots: &Roots) -> Result<Self, Box<Diagnostic>> {
        Ok(Self {
            states: list(tree, &roots.states)?,
            pillar: list(tree, &roots.pillar)?,
            kept: Arc::default(),
        })
    }
}

fn list(tree: &dyn Source, roots: &IndexMap<String, Vec<String>>) -> Result<Listing, Box<Diagnostic>> {
    let mut listing = Listing::default();
    for (env, dirs) in roots {
        let mut files = BTreeMap::new();
        for dir in dirs {
            let walked = tree
                .walk(dir)
                .map_err(|error| Diagnostic::error(error.to_string()).in_file(dir.as_str()))?;
            for entry in walked.into_iter().flatten() {
                let full = if dir.is_empty() {
                    entry.path.clone()
                } else {
                    format!("{dir}/{}", entry.path)
                };
                let found = Entry {
                    full,
                    kind: entry.kind,
                    link: entry.link,
                };
                files.entry(entry.path).or_insert(found);
            }
        }
        let names: BTreeSet<String> = files
            .iter()
            .filter(|(_, entry)| matches!(entry.kind, Kind::File { .. }))
            .filter_map(|(path, _)| sls_name(path))
            .collect();
        listing.envs.insert(
            env.clone(),
            Env {
                files,
                names: names.into_iter().collect(),
            },
        );
    }
    Ok(listing)
}

/// The sls name of a path: `a/b.sls` is `a.b`, `a/init.sls` is `a`.
fn sls_name(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".sls")?;
    Some(stem.strip_suffix("/init").unwrap_or(stem).replace('/', "."))
}

/// An sls file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlsFile {
    /// Path below the file root.
    pub(crate) path: String,
    /// Path in the tree.
    pub(crate) full: String,
    /// It is an `init.sls`.
    pub(crate) init: bool,
}

/// The files one host sees.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    tree: Arc<dyn Source>,
    layout: Arc<Layout>,
    which: Which,
}

/// Kinds of roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    States,
    Pillar,
}

impl Files {
    pub(crate) fn new(tree: &super::Tree, which: Which) -> Self {
        Self {
            tree: tree.source.clone(),
            layout: tree.layout.clone(),
            which,
        }
    }

    /// The roots of the pillar, seen from the state tree, and the other way round.
    pub(crate) fn other(&self) -> Self {
        Self {
            which: match self.which {
                Which::States => Which::Pillar,
                Which::Pillar => Which::States,
            },
            ..self.clone()
        }
    }

    fn listing(&self) -> &Listing {
        match self.which {
            Which::States => &self.layout.states,
            Which::Pillar => &self.layout.pillar,
        }
    }

    /// Parsed templates.
    pub(crate) fn kept(&self) -> &Kept {
        match self.which {
            Which::States => &self.layout.kept.0,
            Which::Pillar => &self.layout.kept.1,
        }
    }

    /// Environments in order.
    pub(crate) fn envs(&self) -> impl Iterator<Item = &str> {
        self.listing().envs.keys().map(String::as_str)
    }

    pub(crate) fn has_env(&self, env: &str) -> bool {
        self.listing().envs.contains_key(env)
    }

    /// All sls names, sorted.
    pub(crate) fn names(&self, env: &str) -> &[String] {
        self.listing()
            .envs
            .get(env)
            .map_or(&[], |env| env.names.as_slice())
    }

    /// Every file and directory below the roots of an environment, by path.
    pub(crate) fn all(&self, env: &str) -> impl Iterator<Item = (&str, &Entry)> {
        self.listing()
            .envs
            .get(env)
            .into_iter()
            .flat_map(|env| &env.files)
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// What lies at a path below the roots.
    pub(crate) fn entry(&self, env: &str, path: &str) -> Option<&Entry> {
        self.listing().envs.get(env)?.files.get(path)
    }

    /// The file of an sls: the plain file before the package's `init.sls`.
    pub(crate) fn sls(&self, env: &str, name: &str) -> Option<SlsFile> {
        let stem = name.replace('.', "/");
        let files = &self.listing().envs.get(env)?.files;
        [(format!("{stem}.sls"), false), (format!("{stem}/init.sls"), true)]
            .into_iter()
            .find_map(|(path, init)| {
                let entry = files
                    .get(&path)
                    .filter(|entry| matches!(entry.kind, Kind::File { .. }))?;
                let init = init || path.ends_with("/init.sls");
                Some(SlsFile {
                    full: entry.full.clone(),
                    path,
                    init,
                })
            })
    }

    /// The bytes of a file; `None` when there is no file.
    ///
    /// # Errors
    /// What the tree says, as text.
    pub(crate) fn read(&self, env: &str, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        match self.entry(env, path) {
            Some(Entry {
                full,
                kind: Kind::File { .. },
                ..
            }) => self.tree.read(full).map_err(|error| error.to_string()),
            _ => Ok(None),
        }
    }

    /// The text of a file by its path in the tree, for excerpts.
    pub(crate) fn text_at(&self, full: &str) -> Option<Arc<str>> {
        let bytes = self.tree.read(full).ok()??;
        std::str::from_utf8(&bytes).ok().map(Arc::from)
    }

    /// Where a file stops being UTF-8; nowhere if it is.
    pub(crate) fn foreign(&self, env: &str, path: &str) -> Option<(u32, u32)> {
        let bytes = self.read(env, path).ok()??;
        let good = std::str::from_utf8(&bytes).err()?.valid_up_to();
        let before = std::str::from_utf8(bytes.get(..good)?).ok()?;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        Some((number(before.matches('\n').count()), number(column)))
    }

    /// The text of a file.
    ///
    /// # Errors
    /// As [`Files::read`], and bytes that are no UTF-8.
    pub(crate) fn text(&self, env: &str, path: &str) -> Result<Option<Arc<str>>, String> {
        let Some(bytes) = self.read(env, path)? else {
            return Ok(None);
        };
        if bytes.len() > LONGEST {
            return Err(format!("{path} is larger than {} MiB", LONGEST >> 20));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err(format!("{path} is not UTF-8 text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sls_name;

    #[test]
    fn names_are_dotted() {
        assert_eq!(sls_name("a/b.sls").as_deref(), Some("a.b"));
        assert_eq!(sls_name("a/init.sls").as_deref(), Some("a"));
        assert_eq!(sls_name("init.sls").as_deref(), Some("init"));
        assert_eq!(sls_name("a/b.txt"), None);
    }
}
