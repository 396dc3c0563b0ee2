//! One tree, from a seed and an index.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::random::Random;
use super::{grow, mutate, words};
use crate::os;

/// A tree: paths and contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The files.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Case {
    /// The case with this number.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random::new(seed, index);
        let top = "base:\n  '*':\n    - a\n    - b\n";
        let mut files = vec![
            ("salt/top.sls".to_owned(), top.into()),
            ("pillar/top.sls".to_owned(), "base:\n  '*':\n    - p\n".into()),
        ];
        let places = [
            ("salt/a.sls", 1),
            ("salt/b/init.sls", 3),
            ("salt/lib.jinja", 2),
            ("salt/b/map.jinja", 4),
            ("salt/f.yaml", 3),
            ("pillar/p.sls", 3),
            ("salt/top.sls", 40),
        ];
        for (path, rare) in places {
            if random.once_in(rare) {
                files.retain(|(known, _)| known != path);
                files.push((path.to_owned(), text(&mut random)));
            }
        }
        Self { files }
    }

    /// The case that lies in a directory.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(dir: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        let mut todo = vec![PathBuf::new()];
        while let Some(below) = todo.pop() {
            for entry in std::fs::read_dir(dir.join(&below))? {
                let entry = entry?;
                let path = below.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    todo.push(path);
                } else {
                    files.push((path.to_string_lossy().into_owned(), std::fs::read(entry.path())?));
                }
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// Puts the case into a directory, in place of what is there.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        if dir.exists() {
            os::remove_tree(dir).map_err(std::io::Error::other)?;
        }
        for (path, content) in &self.files {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                os::make_dir(parent).map_err(std::io::Error::other)?;
            }
            os::write(&path, content).map_err(std::io::Error::other)?;
        }
        Ok(())
    }
}

fn text(random: &mut Random) -> Vec<u8> {
    let corpus = corpus();
    match random.below(10) {
        0..=1 => grow::sls(random).into_bytes(),
        2 => grow::yaml(random).into_bytes(),
        3 => {
            let grown = grow::sls(random).into_bytes();
            mutate::spoil(random, grown, corpus)
        }
        4 => {
            let grown = grow::yaml(random).into_bytes();
            mutate::spoil(random, grown, corpus)
        }
        _ => {
            let seed = corpus[random.below(corpus.len())].clone();
            mutate::spoil(random, seed.into_bytes(), corpus)
        }
    }
}

/// Texts that people wrote: the fixtures of the template engine and the trees of the tests.
fn corpus() -> &'static [String] {
    static CORPUS: OnceLock<Vec<String>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts: Vec<String> = words::SEEDS.iter().map(|text| (*text).to_owned()).collect();
        let mut todo = vec![
            here.join("../master/src/compile/jinja/fixtures"),
            here.join("trees"),
            here.join("cases"),
        ];
        while let Some(dir) = todo.pop() {
            let mut entries: Vec<PathBuf> = std::fs::read_dir(&dir)
                .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
                .unwrap_or_default();
            entries.sort();
            for path in entries {
                if path.is_dir() {
                    todo.push(path);
                } else if let Ok(text) = std::fs::read_to_string(&path) {
                    match path.extension().and_then(|extension| extension.to_str()) {
                        Some("txt") => texts.extend(text.split("\n=== ").filter_map(part)),
                        Some("sls" | "jinja" | "yaml" | "map") => texts.push(text),
                        _ => {}
                    }
                }
            }
        }
        texts
    })
}

/// The text of a part of a fixture that is a template.
fn part(part: &str) -> Option<String> {
    let (head, body) = part.split_once('\n')?;
    head.contains("template").then(|| body.to_owned())
}
