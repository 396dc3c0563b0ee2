//! `clean: True`: what is in a directory and managed by nobody goes.

use std::collections::BTreeSet;

use proto::{Act, Gather, Sourced, Value};

use super::place;
use crate::{ArgsExt, Call, Stop, paths, regex};

/// An entry below a directory by relative path.
pub(super) type Entry<'v> = (&'v str, &'v Value);

/// What goes, by relative path, sorted: directories before what is in them. What the file states manage that this one
/// requires, or that require it, stays; so does what is in `keep`, each with the directories above it, and what
/// `exclude_pat` matches.
///
/// # Errors
/// [`Stop::Failed`] for a pattern that is none.
pub(super) fn superfluous<'v>(
    call: &Call<'_>,
    dir: &str,
    entries: &'v [(String, Value)],
    mut keep: BTreeSet<String>,
) -> Result<Vec<Entry<'v>>, Stop> {
    for chunk in call.related.iter().filter(|chunk| chunk.id.state == "file") {
        let Some(path) = paths::clean(&chunk.id.name) else {
            continue;
        };
        let Some(relative) = paths::below(&path, dir) else {
            continue;
        };
        let is_dir = entries
            .iter()
            .any(|(path, value)| path == relative && matches!(value, Value::Dir { .. }));
        if chunk.id.fun == "recurse" {
            for source in chunk.args.texts("source") {
                if let Some(Sourced::Dir(members)) = chunk.sources.get(&source) {
                    keep.extend(members.iter().map(|member| paths::join(relative, &member.path)));
                }
            }
        } else if is_dir {
            let inside = entries.iter().map(|(path, _)| path.as_str());
            keep.extend(
                inside
                    .filter(|path| paths::below(path, relative).is_some())
                    .map(str::to_owned),
            );
        }
        keep.insert(relative.to_owned());
    }
    let above: BTreeSet<&str> = keep
        .iter()
        .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
        .gather();
    // What a pattern matches goes all the same with a directory that none matches.
    let exclude = call.args().texts("exclude_pat");
    let mut gone = Vec::new();
    for (path, value) in entries {
        if !keep.contains(path) && !above.contains(path.as_str()) && regex::selected(path, &[], &exclude)? {
            gone.push((path.as_str(), value));
        }
    }
    Ok(gone)
}

/// Those of them that are not in a directory that goes itself: all that is taken away, and what Salt lists as removed.
pub(super) fn outermost<'v>(gone: &[Entry<'v>]) -> Vec<Entry<'v>> {
    let paths: BTreeSet<&str> = gone.iter().map(|(path, _)| *path).gather();
    let inside = |path: &str| path.match_indices('/').any(|(at, _)| paths.contains(&path[..at]));
    gone.iter().filter(|(path, _)| !inside(path)).copied().collect()
}

/// Acts that take them away; a directory takes with it what is in it.
pub(super) fn acts(dir: &str, gone: &[Entry<'_>]) -> Vec<Act> {
    outermost(gone)
        .into_iter()
        .flat_map(|(path, value)| place::remove(&paths::join(dir, path), value))
        .collect()
}
