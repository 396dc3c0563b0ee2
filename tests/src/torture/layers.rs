//! What a host on an overlay differs in from the image below it: a digest of the whole tree, read from the few entries that
//! were ever written.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use lab::{Attributes, matches};

use super::{Torn, torn};
use crate::os;

/// Every path that is not as in the image, with what is there now; `None` where it was removed.
pub type Written = BTreeMap<String, Option<Attributes>>;

/// The name under which overlays keep that a directory hides what the image has there.
const OPAQUE: &str = "trusted.overlay.opaque";

/// Reads what differs from `base`: `upper` says where to look, `merged` what is there. A path that a pattern of `noise` names
/// is left out.
///
/// # Errors
/// An entry cannot be read.
pub fn written(upper: &Path, base: &Path, merged: &Path, noise: &[&str]) -> Result<Written, Torn> {
    let mut paths = BTreeSet::new();
    walk(upper, base, "", &mut paths)?;
    let mut found = Written::new();
    for path in paths {
        if noise.iter().any(|pattern| matches(pattern, &path)) {
            continue;
        }
        let inside = path.trim_start_matches('/');
        let before = plain(Attributes::of(&base.join(inside))?);
        let now = plain(Attributes::of(&merged.join(inside))?);
        if before != now {
            found.insert(path, now);
        }
    }
    Ok(found)
}

/// Without what the overlay itself notes at entries.
fn plain(found: Option<Attributes>) -> Option<Attributes> {
    found.map(|mut found| {
        found.xattrs.retain(|key, _| !key.starts_with("trusted.overlay."));
        found
    })
}

fn walk(upper: &Path, base: &Path, below: &str, paths: &mut BTreeSet<String>) -> Result<(), Torn> {
    let here = upper.join(below.trim_start_matches('/'));
    for name in os::names(&here)? {
        let path = format!("{below}/{name}");
        let full = upper.join(path.trim_start_matches('/'));
        let meta = std::fs::symlink_metadata(&full).map_err(torn("cannot look at an entry"))?;
        // Where an entry of the image was removed, or something else took its place, all below it went too.
        let hides = meta.file_type().is_char_device() && meta.rdev() == 0
            || !meta.is_dir()
            || Attributes::of(&full)?.is_some_and(|found| found.xattrs.contains_key(OPAQUE));
        if hides {
            everything(base, &path, paths)?;
        }
        if meta.is_dir() {
            walk(upper, base, &path, paths)?;
        }
        paths.insert(path);
    }
    Ok(())
}

fn everything(base: &Path, path: &str, paths: &mut BTreeSet<String>) -> Result<(), Torn> {
    let here = base.join(path.trim_start_matches('/'));
    if std::fs::symlink_metadata(&here).is_ok_and(|meta| meta.is_dir()) {
        for name in os::names(&here)? {
            everything(base, &format!("{path}/{name}"), paths)?;
        }
    }
    paths.insert(path.to_owned());
    Ok(())
}

/// What differs between two states, a line each.
pub fn difference(before: &Written, after: &Written) -> Vec<String> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let shown = |found: Option<&Option<Attributes>>| match found {
        None => "as in the image".to_owned(),
        Some(None) => "absent".to_owned(),
        Some(Some(found)) => format!(
            "{} {:o} {}:{} {} bytes {:.12} {} mtime {} {:?}",
            found.kind,
            found.mode,
            found.uid,
            found.gid,
            found.size,
            found.sha256,
            found.target.display(),
            found.mtime,
            found.xattrs.keys().collect::<Vec<_>>()
        ),
    };
    let different = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path));
    different
        .map(|path| {
            format!(
                "{path}: {} -> {}",
                shown(before.get(path)),
                shown(after.get(path))
            )
        })
        .collect()
}

/// The same without times of modification, which no two runs share.
pub fn timeless(found: &Written) -> Written {
    let mut found = found.clone();
    for entry in found.values_mut().flatten() {
        entry.mtime = 0;
    }
    found
}
