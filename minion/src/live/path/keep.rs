//! What is kept before a path changes: values, contents, whole trees; and what is refused before anything changes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use proto::{Address, Change, Fidelity, Gather, PreImage, Problem, Value};

use super::read::{self, Kind, Seen};
use super::tree::{self, Mounts};
use super::walk::{self, Place, Walk};
use super::{absent, join, nothing_there, seen};
use crate::journal::objects::Objects;
use crate::live::{Live, moved, refused};

/// Room that must stay free beside what a write needs.
const RESERVE: u64 = 1 << 20;

impl Live {
    /// Refuses what cannot be done, and keeps what would be replaced.
    pub(crate) fn observe_path(
        &mut self,
        path: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let Some(place) = walk::find(&self.root, path, Walk::Write)? else {
            return nothing_there(path, expect, to);
        };
        let seen = seen(&place)?;
        let was = self.expected(&place, expect, to)?;
        refuse_odd_targets(&place, seen.as_ref(), to)?;
        if let Value::File { content, size, .. } = to {
            let stays = matches!(&was, Value::File { content: old, .. } if old == content);
            if !stays && !self.foreseeing && !self.objects.has(content) {
                return Err(refused(format!(
                    "the new content of {path} ({content}) is not in the object store"
                )));
            }
            room_beside(&place, *size)?;
        }
        let mut before = Vec::new();
        if matches!(was, Value::Dir { .. }) && !matches!(to, Value::Dir { .. }) {
            before = self.keep_tree(&place)?;
        }
        self.keep_content(place.dir.as_fd(), &place.name, path, &was)?;
        before.push(PreImage {
            at: Address::Path(path.to_owned()),
            fidelity: fidelity(seen.as_ref(), &was, to),
            was,
        });
        Ok(before)
    }

    /// Keeps the bytes of a file in the object store.
    fn keep_content(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        path: &str,
        value: &Value,
    ) -> Result<(), Problem> {
        let Value::File { content, size, .. } = value else {
            return Ok(());
        };
        if self.objects.has(content) {
            return Ok(());
        }
        room_for(&self.objects, *size)?;
        if self.foreseeing {
            return Ok(());
        }
        let broken = |error: io::Error| refused(format!("cannot keep {path}: {error}"));
        let mut file = read::open(dir, name).map_err(broken)?;
        let (kept, _) = self.objects.put_from(&mut file).map_err(broken)?;
        if kept == *content {
            Ok(())
        } else {
            Err(moved(format!("{path} changed while it was being kept")))
        }
    }

    /// Pre-images of all below a directory, children first.
    fn keep_tree(&mut self, place: &Place) -> Result<Vec<PreImage>, Problem> {
        let broken =
            |error: io::Error| refused(format!("cannot keep {} before changing it: {error}", place.path));
        let mut entries = Vec::new();
        let mut needed = 0;
        let (digests, objects) = (&mut self.digests, &self.objects);
        tree::visit(
            place.dir.as_fd(),
            &place.name,
            Mounts::Refuse,
            &mut |dir, name, below, seen| {
                let path = join(&place.path, below);
                if seen.frozen {
                    return Err(io::Error::other(format!(
                        "{path} is immutable or append-only (chattr -i -a)"
                    )));
                }
                if matches!(seen.kind, Kind::Special("block device" | "character device")) {
                    return Err(io::Error::other(format!("{path} is a device")));
                }
                let value = read::value(dir, name, seen, digests)?;
                if let Value::File { content, size, .. } = &value
                    && !objects.has(content)
                {
                    needed += size;
                }
                entries.push((path, value, *seen));
                Ok(())
            },
        )
        .map_err(broken)?;
        room_for(&self.objects, needed)?;
        let mut before = Vec::new();
        for (path, was, seen) in entries {
            if matches!(was, Value::File { .. }) {
                let inner = walk::find(&self.root, &path, Walk::Write)?
                    .ok_or_else(|| moved(format!("{path} went away while it was being kept")))?;
                self.keep_content(inner.dir.as_fd(), &inner.name, &path, &was)?;
            }
            before.push(PreImage {
                fidelity: fidelity(Some(&seen), &was, &Value::Absent),
                at: Address::Path(path),
                was,
            });
        }
        Ok(before)
    }

    /// Pre-images of whole trees a command may change.
    pub(crate) fn observe_touched(&mut self, touches: &[String]) -> Result<Vec<PreImage>, Problem> {
        let mut before = Vec::new();
        for path in touches {
            let Some(place) = walk::find(&self.root, path, Walk::Write)? else {
                before.push(absent(path));
                continue;
            };
            let seen = seen(&place)?;
            let was = self.read_path(path)?;
            if matches!(was, Value::Dir { .. }) {
                before.extend(self.keep_tree(&place)?);
            }
            self.keep_content(place.dir.as_fd(), &place.name, path, &was)?;
            before.push(PreImage {
                at: Address::Path(path.clone()),
                fidelity: fidelity(seen.as_ref(), &was, &was),
                was,
            });
        }
        Ok(before)
    }

    /// Pre-images of single entries a program may change; what is below a directory is none of its business.
    pub(crate) fn observe_entries(&mut self, paths: &[String]) -> Result<Vec<PreImage>, Problem> {
        let mut before = Vec::new();
        for path in paths {
            let was = self.read_path(path)?;
            if let Some(place) = walk::find(&self.root, path, Walk::Read)? {
                self.keep_content(place.dir.as_fd(), &place.name, path, &was)?;
            }
            before.push(PreImage {
                at: Address::Path(path.clone()),
                fidelity: Fidelity::Exact,
                was,
            });
        }
        Ok(before)
    }

    /// What differs of single entries, in the order of [`Live::touched_since`].
    pub(crate) fn entries_since(&mut self, before: &[PreImage]) -> Result<Vec<Change>, Problem> {
        let mut now = BTreeMap::new();
        let was = values(before);
        for path in was.keys() {
            now.insert((*path).to_owned(), self.read_path(path)?);
        }
        Ok(differences(&was, &now))
    }

    /// What differs in the trees a command may have changed: gone (children first), then changed, then new (parents first).
    pub(crate) fn touched_since(
        &mut self,
        touches: &[String],
        before: &[PreImage],
    ) -> Result<Vec<Change>, Problem> {
        let mut now = BTreeMap::new();
        for path in touches {
            let value = self.read_path(path)?;
            if matches!(value, Value::Dir { .. }) {
                for (below, value) in self.list_path(path)?.unwrap_or_default() {
                    now.insert(join(path, &below), value);
                }
            }
            now.insert(path.clone(), value);
        }
        Ok(differences(&values(before), &now))
    }
}

/// The path addresses among pre-images.
fn values(before: &[PreImage]) -> BTreeMap<&str, &Value> {
    before
        .iter()
        .filter_map(|image| match &image.at {
            Address::Path(path) => Some((path.as_str(), &image.was)),
            _ => None,
        })
        .gather()
}

fn differences(was: &BTreeMap<&str, &Value>, now: &BTreeMap<String, Value>) -> Vec<Change> {
    let change = |path: &str, before: &Value, after: &Value| Change {
        at: Address::Path(path.to_owned()),
        before: before.clone(),
        after: after.clone(),
    };
    let nothing = Value::Absent;
    let (mut gone, mut other, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for (path, before) in was.iter().rev() {
        let after = now.get(*path).unwrap_or(&nothing);
        match after {
            Value::Absent if !before.is_absent() => gone.push(change(path, before, after)),
            _ if before.is_absent() || before.same(after) => {}
            _ => other.push(change(path, before, after)),
        }
    }
    for (path, after) in now {
        let before = was.get(path.as_str()).copied().unwrap_or(&nothing);
        if before.is_absent() && !after.is_absent() {
            new.push(change(path, before, after));
        }
    }
    gone.into_iter().chain(other).chain(new).collect()
}

/// Checks that the object store has room for `needed` more bytes (J3).
pub(crate) fn room_for(objects: &Objects, needed: u64) -> Result<(), Problem> {
    let root = objects.root();
    let free = rustix::fs::statvfs(root).map_err(|error| {
        refused(format!(
            "cannot tell the free space of {}: {error}",
            root.display()
        ))
    })?;
    enough(free.f_bavail * free.f_frsize, needed, &root.display().to_string())
}

fn room_beside(place: &Place, needed: u64) -> Result<(), Problem> {
    let free = rustix::fs::openat(
        &place.dir,
        c".",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .and_then(rustix::fs::fstatvfs)
    .map_err(|error| {
        refused(format!(
            "cannot tell the free space beside {}: {error}",
            place.path
        ))
    })?;
    enough(free.f_bavail * free.f_frsize, needed, &place.path)
}

fn enough(free: u64, needed: u64, place: &str) -> Result<(), Problem> {
    if needed == 0 || free >= needed.saturating_add(RESERVE) {
        return Ok(());
    }
    Err(refused(format!(
        "no room at {place}: {needed} bytes are needed (and {RESERVE} kept free), {free} are free"
    )))
}

fn refuse_odd_targets(place: &Place, seen: Option<&Seen>, to: &Value) -> Result<(), Problem> {
    let path = &place.path;
    if matches!(to, Value::Special { .. }) {
        return Err(refused(format!(
            "cannot make {path}: devices, pipes and sockets are never made"
        )));
    }
    let Some(seen) = seen else { return Ok(()) };
    if let Kind::Special(what) = seen.kind {
        return Err(refused(format!(
            "{path} is a {what}; it is never replaced or removed"
        )));
    }
    if seen.frozen {
        return Err(refused(format!(
            "{path} is immutable or append-only; chattr -i -a {path} lifts that"
        )));
    }
    let stays = seen.kind == Kind::Dir && matches!(to, Value::Dir { .. });
    if (seen.mounted || place.name == ".") && !stays {
        return Err(refused(format!(
            "{path} is a mount point; it can be neither replaced nor removed"
        )));
    }
    Ok(())
}

fn fidelity(seen: Option<&Seen>, was: &Value, to: &Value) -> Fidelity {
    match (was, to) {
        (Value::File { content: old, .. }, Value::File { content: new, .. }) if old == new => Fidelity::Exact,
        (Value::File { .. }, _) => match seen {
            Some(seen) if seen.nlink > 1 => Fidelity::Compensated(format!(
                "it is one of {} hard links to the same file; what comes back is a file of its own",
                seen.nlink
            )),
            _ => Fidelity::Exact,
        },
        (Value::Special { what, .. }, _) => Fidelity::Lost(format!("a {what} is not made again")),
        _ => Fidelity::Exact,
    }
}
