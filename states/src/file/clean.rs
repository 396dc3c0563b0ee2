//! `clean: True`: what is in a directory and managed by nobody goes.

use std::collections::BTreeSet;

use proto::{Act, Sourced, Value};

use super::place;
use crate::{ArgsExt, Call, Stop, paths, regex};

/// An entry below a directory by relative path.
pub(super) type Entry<'v> = (&'v str, &'v Value);

/// What goes, by relative path, sorted: directories before what is in them. What the file states manage that this one
/// requires, or that require it, stays; so does what is in `keep` and what `exclude_pat` matches, each with the directories
/// above it.
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
    let exclude = call.args().texts("exclude_pat");
    for (path, _) in entries {
        if !regex::selected(path, &[], &exclude)? {
            keep.insert(path.clone());
        }
    }
    let above: BTreeSet<&str> = keep
        .iter()
        .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
        .collect();
    Ok(entries
        .iter()
        .filter(|(path, _)| !keep.contains(path) && !above.contains(path.as_str()))
        .map(|(path, value)| (path.as_str(), value))
        .collect())
}

/// Acts that take them away; a directory takes with it what is in it.
pub(super) fn acts(dir: &str, gone: &[Entry<'_>]) -> Vec<Act> {
    let paths: BTreeSet<&str> = gone.iter().map(|(path, _)| *path).collect();
    let outermost = |path: &str| path.rfind('/').is_none_or(|at| !paths.contains(&path[..at]));
    gone.iter()
        .filter(|(path, _)| outermost(path))
        .flat_map(|(path, value)| place::remove(&paths::join(dir, path), value))
        .collect()
}
