//! Files and directories of the master as data.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value as Json};

/// Largest file.
const SIZE: u64 = 16 << 20;
/// Most files and directories of one folder.
const ENTRIES: usize = 10_000;
/// Deepest directory; links to directories may lead in a circle.
const DEPTH: usize = 32;

/// The text of a file; null when there is none.
pub(super) fn text(path: &Path) -> Result<Json, String> {
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Json::Null),
        Err(error) => return Err(fail(error)),
    };
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(SIZE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SIZE {
        return Err(format!("{} is larger than {} MiB", path.display(), SIZE >> 20));
    }
    String::from_utf8(bytes)
        .map(Json::String)
        .map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

/// A directory as a mapping: directories first, then files, by name; null when there is none.
pub(super) fn read(path: &Path, follow: bool) -> Result<Json, String> {
    if !path.is_dir() {
        return Ok(Json::Null);
    }
    within(path, follow, 0, &mut 0)
}

fn within(dir: &Path, follow: bool, depth: usize, count: &mut usize) -> Result<Json, String> {
    let fail = |error: io::Error| format!("{}: {error}", dir.display());
    if depth > DEPTH {
        return Err(format!(
            "{} is nested deeper than {DEPTH} directories",
            dir.display()
        ));
    }
    let mut entries = fs::read_dir(dir)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(fail)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let (mut dirs, mut files) = (Map::new(), Map::new());
    for entry in entries {
        *count += 1;
        if *count > ENTRIES {
            return Err(format!("{} holds more than {ENTRIES} entries", dir.display()));
        }
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| format!("a name in {} is not UTF-8", dir.display()))?;
        let link = entry.file_type().map_err(fail)?.is_symlink();
        if path.is_dir() {
            // As Salt's walk: a link to a directory that is not followed is an empty one.
            let held = if link && !follow {
                Json::Object(Map::new())
            } else {
                within(&path, follow, depth + 1, count)?
            };
            dirs.insert(name, held);
        } else if path.is_file() {
            files.insert(name, text(&path)?);
        }
    }
    dirs.extend(files);
    Ok(Json::Object(dirs))
}
