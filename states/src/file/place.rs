//! Finding the place a file state is about: its name checked, links followed, the directories above it made.

use proto::{Act, Address, Meta, Value};

use crate::perms::Perms;
use crate::{Call, Host, Stop, paths};

/// The `name` of a file state as an absolute, normalised path.
///
/// # Errors
/// [`Stop::Failed`] with Salt's comment when it is empty or relative.
pub(crate) fn name(call: &Call<'_>, host: &Host<'_>) -> Result<String, Stop> {
    let name = paths::expand(host, call.name())?;
    if name.is_empty() {
        return Err(Stop::Failed(format!(
            "Must provide name to {}",
            call.chunk.id.function()
        )));
    }
    paths::clean(&name).ok_or_else(|| Stop::Failed(format!("Specified file {name} is not an absolute path")))
}

/// A path and what is there.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// Where to write: the end of the links, where they are followed.
    pub(crate) path: String,
    /// What is there.
    pub(crate) value: &'a Value,
}

/// What is at `path`, or at the end of the links there.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn followed<'a>(host: &Host<'a>, path: &str) -> Result<Place<'a>, Stop> {
    let value = host.path(path)?;
    if !matches!(value, Value::Link { .. }) {
        return Ok(Place {
            path: path.to_owned(),
            value,
        });
    }
    let path = paths::real(host, path)?;
    let value = host.path(&path)?;
    Ok(Place { path, value })
}

/// The directory above a path.
#[derive(Debug, Clone)]
pub(crate) enum Above {
    /// It is there.
    Dir(Meta),
    /// These are missing, outermost first; the innermost that is there has these attributes.
    Missing(Vec<String>, Meta),
    /// Something else is in the way.
    Blocked(String),
}

/// Looks for the directory `path` lies in.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn above(host: &Host<'_>, path: &str) -> Result<Above, Stop> {
    let mut missing = Vec::new();
    for dir in paths::ancestors(path) {
        match host.follow(dir)? {
            Value::Dir { meta } if missing.is_empty() => return Ok(Above::Dir(meta.clone())),
            Value::Dir { meta } => {
                missing.reverse();
                return Ok(Above::Missing(missing, meta.clone()));
            }
            Value::Absent if dir != "/" => {
                host.expect(paths::ancestors(dir).into_iter().map(follow));
                missing.push(dir.to_owned());
            }
            Value::Absent => return Ok(Above::Missing(Vec::new(), Meta::default())),
            _ => return Ok(Above::Blocked(dir.to_owned())),
        }
    }
    Ok(Above::Dir(Meta::default()))
}

fn follow(path: &str) -> proto::Question {
    proto::Question::Follow(path.to_owned())
}

/// Acts that make `dirs` (outermost first) with the given attributes.
pub(crate) fn make_dirs(dirs: &[String], perms: &Perms, parent: &Meta, default_mode: u32) -> Vec<Act> {
    dirs.iter()
        .map(|dir| {
            let to = Value::Dir {
                meta: perms.fresh(Some(parent), default_mode),
            };
            Act::assign(Address::Path(dir.clone()), Value::Absent, to)
        })
        .collect()
}

/// The act that takes away what is at `path`, a directory with all that is in it.
pub(crate) fn remove(path: &str, value: &Value) -> Vec<Act> {
    if value.is_absent() {
        return Vec::new();
    }
    let at = Address::Path(path.to_owned());
    vec![Act::assign(at, value.clone(), Value::Absent)]
}

/// Acts that move what is at `from` to `to`, which must be free. The old place is emptied first: that keeps the contents
/// which the new one is made from.
///
/// # Errors
/// [`Stop::Ask`] while its entries are not known.
pub(crate) fn rename(host: &Host<'_>, from: &str, value: &Value, to: &str) -> Result<Vec<Act>, Stop> {
    let mut acts = remove(from, value);
    let place = |at: String, value: &Value| Act::assign(Address::Path(at), Value::Absent, value.clone());
    acts.push(place(to.to_owned(), value));
    if matches!(value, Value::Dir { .. }) {
        for (below, value) in host.list(from)?.unwrap_or_default() {
            acts.push(place(paths::join(to, below), value));
        }
    }
    Ok(acts)
}
