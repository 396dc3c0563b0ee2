//! Salt's `pkgrepo` state module: where packages come from, for apt (lines of `*.list` files) and for yum and dnf
//! (sections of `*.repo` files).

mod absent;
mod apt;
mod key;
mod managed;
mod yum;

use proto::{Act, Address, Meta, Value};

use crate::file::place::{self, Above};
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Stop};

pub use absent::Absent;
pub use managed::Managed;

/// Which tools a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Apt,
    Yum,
}

/// Tells by the grain `os_family`, as Salt does.
fn family(host: &Host<'_>) -> Result<Family, Stop> {
    match host.grain("os_family")?.and_then(serde_json::Value::as_str) {
        Some("Debian") => Ok(Family::Apt),
        Some("RedHat" | "Suse") => Ok(Family::Yum),
        _ => Err(Stop::failed("Repo management not implemented on this platform")),
    }
}

/// Acts that put a text at a path: directories above it where they are missing, everything else about it kept.
fn put(host: &Host<'_>, path: &str, bytes: &[u8]) -> Result<Vec<Act>, Stop> {
    let there = place::followed(host, path)?;
    let (mut acts, meta) = match (there.value.meta(), place::above(host, path)?) {
        (Some(meta), _) => (Vec::new(), Perms::default().onto(meta)),
        (None, Above::Dir(meta)) => (Vec::new(), fresh(&meta)),
        (None, Above::Missing(dirs, meta)) => (
            place::make_dirs(&dirs, &Perms::default(), &meta, 0o755),
            fresh(&meta),
        ),
        (None, Above::Blocked(dir)) => return Err(Stop::Failed(format!("{dir} is not a directory"))),
    };
    let to = Value::File {
        content: host.keep(bytes),
        size: bytes.len() as u64,
        meta,
    };
    if !there.value.same(&to) {
        acts.push(Act::assign(Address::Path(there.path), there.value.clone(), to));
    }
    Ok(acts)
}

fn fresh(parent: &Meta) -> Meta {
    Perms::default().fresh(Some(parent), 0o644)
}

/// The text of a file; empty when there is none.
fn text(host: &Host<'_>, path: &str) -> Result<String, Stop> {
    Ok(String::from_utf8_lossy(host.bytes(path)?.unwrap_or_default()).into_owned())
}

/// Whether the package lists are read anew after a change.
fn refresh(call: &Call<'_>) -> bool {
    let args = call.args();
    args.flag("refresh_db", args.flag("refresh", true))
}
