//! Files, directories and links: read, kept, assigned.
//!
//! An assignment keeps what it replaces first ([`Live::observe_path`]), stages the new entry beside the old one and
//! renames it over ([`Live::assign_path`]). Changes and pre-images of a tree are told children first, so that taking them back
//! in reverse order makes the parents before what is in them.

mod assign;
mod check;
mod keep;
pub(crate) mod read;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
pub(crate) mod walk;
pub(crate) mod write;

use std::io;
use std::os::fd::AsFd;

use proto::{Address, Digest, Fidelity, PreImage, Problem, Value};

use super::{Live, as_expected, moved, refused};
pub(crate) use keep::room_for;
use read::{Kind, Seen};
use walk::{Place, Walk};

/// Bytes of a file that travel as an answer, at most; larger ones are told by digest only.
const TEXT: u64 = 32 << 20;

impl Live {
    /// What is at a path; the last component is not followed.
    pub(crate) fn read_path(&mut self, path: &str) -> Result<Value, Problem> {
        self.value(path, Walk::Read)
    }

    /// What a path leads to once links are followed.
    pub(crate) fn follow_path(&mut self, path: &str) -> Result<Value, Problem> {
        self.value(path, Walk::Follow)
    }

    fn value(&mut self, path: &str, how: Walk) -> Result<Value, Problem> {
        match walk::find(&self.root, path, how)? {
            None => Ok(Value::Absent),
            Some(place) => read::value_at(place.dir.as_fd(), &place.name, &mut self.digests)
                .map_err(|error| refused(format!("cannot read {path}: {error}"))),
        }
    }

    /// A file's bytes, links followed; `None` when there is no file. `object:<hex>` names an object of the store.
    pub(crate) fn path_bytes(&mut self, path: &str) -> Result<Option<Vec<u8>>, Problem> {
        let broken = |error: io::Error| refused(format!("cannot read {path}: {error}"));
        if let Some(hex) = path.strip_prefix("object:") {
            let digest: Digest = hex
                .parse()
                .map_err(|_| refused(format!("{path} names no object")))?;
            if !self.objects.has(&digest) {
                return Ok(None);
            }
            return self.objects.get(&digest).map(Some).map_err(broken);
        }
        let Some(place) = walk::find(&self.root, path, Walk::Follow)? else {
            return Ok(None);
        };
        let seen = Seen::at(&place.dir, &place.name).map_err(|error| broken(error.into()))?;
        let Some(seen) = seen.filter(|seen| seen.kind == Kind::File) else {
            return Ok(None);
        };
        if seen.size > TEXT {
            return Err(refused(format!(
                "cannot read {path} as text: it has {} bytes, more than {TEXT}",
                seen.size
            )));
        }
        let mut file = read::open(place.dir.as_fd(), &place.name).map_err(broken)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(&mut file, TEXT + 1), &mut bytes).map_err(broken)?;
        Ok(Some(bytes))
    }

    /// All entries below a directory; `None` when there is no directory.
    pub(crate) fn list_path(&mut self, path: &str) -> Result<Option<Vec<(String, Value)>>, Problem> {
        let broken = |error: io::Error| refused(format!("cannot list {path}: {error}"));
        let Some(place) = walk::find(&self.root, path, Walk::Follow)? else {
            return Ok(None);
        };
        let seen = Seen::at(&place.dir, &place.name).map_err(|error| broken(error.into()))?;
        if seen.is_none_or(|seen| seen.kind != Kind::Dir) {
            return Ok(None);
        }
        tree::list(place.dir.as_fd(), &place.name, &mut self.digests)
            .map(Some)
            .map_err(broken)
    }

    /// The live value, if it is the expected one, or already the wanted one.
    fn expected(&mut self, place: &Place, expect: &Value, to: &Value) -> Result<Value, Problem> {
        let live = read::value_at(place.dir.as_fd(), &place.name, &mut self.digests)
            .map_err(|error| refused(format!("cannot read {}: {error}", place.path)))?;
        as_expected(&place.path, &live, expect, to)?;
        Ok(live)
    }
}

fn seen(place: &Place) -> Result<Option<Seen>, Problem> {
    Seen::at(&place.dir, &place.name).map_err(|error| refused(format!("cannot read {}: {error}", place.path)))
}

/// An address whose directory is missing.
fn nothing_there(path: &str, expect: &Value, to: &Value) -> Result<Vec<PreImage>, Problem> {
    if !expect.is_absent() && !to.is_absent() {
        return Err(moved(format!(
            "{path} is gone, and so is its directory; expected {}",
            told(expect)
        )));
    }
    if !to.is_absent() {
        return Err(refused(format!(
            "cannot make {path}: its directory does not exist"
        )));
    }
    Ok(vec![absent(path)])
}

pub(crate) fn absent(path: &str) -> PreImage {
    PreImage {
        at: Address::Path(path.to_owned()),
        was: Value::Absent,
        fidelity: Fidelity::Exact,
    }
}

fn join(top: &str, below: &str) -> String {
    match below {
        "" => top.to_owned(),
        below => format!("{}/{below}", top.trim_end_matches('/')),
    }
}

/// A value in a few words, for messages.
pub(crate) fn told(value: &Value) -> String {
    let owned = |meta: &proto::Meta| format!("mode {:04o}, owner {}:{}", meta.mode, meta.uid, meta.gid);
    match value {
        Value::Absent => "nothing".to_owned(),
        Value::File { content, size, meta } => {
            format!("a file of {size} bytes ({}), {}", content.short(), owned(meta))
        }
        Value::Dir { meta } => format!("a directory, {}", owned(meta)),
        Value::Link { to, .. } => format!("a link to {to}"),
        Value::Special { what, .. } => format!("a {what}"),
        Value::Package(package) if package.config_only => "removed but configured".to_owned(),
        Value::Package(package) => format!("version {}", package.version),
        Value::Unit(unit) => format!(
            "{}, {}",
            if unit.active { "running" } else { "stopped" },
            if unit.enablement.is_empty() {
                "no unit file"
            } else {
                &unit.enablement
            }
        ),
        Value::User(account) => format!("a user with uid {:?}", account.uid),
        Value::Group(group) => format!("a group with gid {:?}", group.gid),
        Value::Text(text) => format!("{text:?}"),
        Value::Checkout(checkout) => format!("commit {}", checkout.commit),
        Value::MysqlUser(_) | Value::MysqlGrants(_) | Value::MysqlDatabase(_) | Value::MysqlSource(_) => {
            proto::mysql::told(value)
        }
        Value::Mount(mount) => format!("{} of type {} ({})", mount.device, mount.fstype, mount.options),
    }
}
