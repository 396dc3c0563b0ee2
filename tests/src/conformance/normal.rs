//! What no two runs share is taken out of answers: scratch paths, owners, names of temporary files, Python's tracebacks.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::os;

/// Longer texts are compared by digest.
const TEXT: usize = 4000;

static TRACE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*"));
static TEMPORARY: LazyLock<Regex> = LazyLock::new(|| pattern(r"/(?:[\w.-]+/)*__salt\.tmp\.[\w.-]+"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|err| panic!("{err}"))
}

/// Turns what a run in one scratch directory said into the corpus' words.
#[derive(Debug, Clone)]
pub struct Normal {
    root: String,
    sandbox: String,
    owner: String,
}

impl Normal {
    /// For runs in this directory.
    pub fn new(root: &Path) -> Normal {
        let owner = std::fs::metadata(root).map_or((0, 0), |meta| (meta.uid(), meta.gid()));
        let owner = format!(
            "owned by {}:{}",
            named("/etc/passwd", owner.0),
            named("/etc/group", owner.1)
        );
        Normal {
            root: root.display().to_string(),
            sandbox: root.join("sandbox").display().to_string(),
            owner,
        }
    }

    /// Puts this directory into a text of the corpus.
    pub fn fill(&self, text: &str) -> String {
        text.replace("@SANDBOX@", &self.sandbox)
            .replace("@ROOT@", &self.root)
    }

    /// One text.
    pub fn text(&self, text: &str) -> String {
        let text = text
            .replace(&self.sandbox, "@SANDBOX@")
            .replace(&self.root, "@ROOT@");
        let text = TRACE.replace_all(&text, "<TRACEBACK>\n");
        let text = text.replace(&self.owner, "owned by @USER@:@GROUP@");
        let text = TEMPORARY.replace_all(&text, "<TMPFILE>").into_owned();
        match text.strip_prefix("One or more requisite failed: ") {
            Some(list) => {
                let mut list: Vec<&str> = list.split(", ").collect();
                list.sort_unstable();
                format!("One or more requisite failed: {}", list.join(", "))
            }
            None => text,
        }
    }

    /// Every text in a value, keys too.
    pub fn value(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.text(text).into(),
            Json::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Json::Object(map) => Json::Object(
                map.iter()
                    .map(|(key, value)| (self.text(key), self.value(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Everything in the sandbox: text or digest, mode, link, number of names.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn listing(&self) -> Result<Json, os::OsError> {
        let mut out = Map::new();
        self.list(Path::new(&self.sandbox), "", &mut out)?;
        Ok(Json::Object(out))
    }

    fn list(&self, dir: &Path, prefix: &str, out: &mut Map<String, Json>) -> Result<(), os::OsError> {
        for name in os::names(dir)? {
            let path = dir.join(&name);
            let shown = format!("{prefix}{name}");
            let meta = os::stat(&path)?;
            let mode = format!("{:04o}", meta.permissions().mode() & 0o7777);
            let entry = if meta.is_symlink() {
                let target = std::fs::read_link(&path).unwrap_or_default();
                json!({ "link": self.text(&target.display().to_string()) })
            } else if meta.is_dir() {
                if name == ".git" {
                    continue;
                }
                self.list(&path, &format!("{shown}/"), out)?;
                json!({ "dir": true, "mode": mode })
            } else {
                let bytes = os::read(&path)?;
                let mut entry = match std::str::from_utf8(&bytes) {
                    Ok(text) if text.chars().count() <= TEXT => json!({ "text": self.text(text) }),
                    _ => json!({ "sha256": hex(&bytes) }),
                };
                entry["mode"] = mode.into();
                if meta.nlink() > 1 {
                    entry["nlink"] = meta.nlink().into();
                }
                entry
            };
            out.insert(self.text(&shown), entry);
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The name of a number in `/etc/passwd` or `/etc/group`.
fn named(file: &str, number: u32) -> String {
    let text = os::read_text(Path::new(file)).unwrap_or_default();
    let number = number.to_string();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    found.unwrap_or(number)
}
