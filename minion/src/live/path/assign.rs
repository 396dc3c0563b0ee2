//! Putting a path's new value in its place, and telling what that changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use proto::{Address, Change, Command, Gather, Performed, PreImage, Problem, Value};

use super::read::{self, Seen};
use super::walk::{self, Place, Walk};
use super::write::{self, Strictness};
use super::{join, nothing_there, told, tree};
use crate::live::{Live, botched, failed, moved, refused};
use crate::system::Botched;

impl Live {
    /// Puts the new value in its place, if what is there still is as expected.
    pub(crate) fn assign_path(
        &mut self,
        path: &str,
        expect: &Value,
        to: &Value,
        check: Option<&Command>,
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let Some(place) = walk::find(&self.root, path, Walk::Write)? else {
            nothing_there(path, expect, to)?;
            return Ok(Performed::default());
        };
        let was = self.expected(&place, expect, to)?;
        let done = self.put(&place, &was, to, check, before);
        self.keep_times(path, to);
        if path == "/etc/fstab" && done.is_ok() && self.has_systemd() {
            // systemd makes units of its lines, and keeps those of lines that went; what it cannot read it tells later.
            self.tool(&["systemctl", "daemon-reload"]).ok();
        }
        let changes = self.changes_at(&place, &was, before);
        match (done, changes) {
            (Ok(()), Ok(changes)) => Ok(Performed {
                changes,
                output: None,
            }),
            (Ok(()), Err(why)) => Err(why.into()),
            (Err(why), changes) => Err(botched(why, changes.unwrap_or_default(), None)),
        }
    }

    /// Removes what a write that was cut off left beside its target.
    pub(crate) fn sweep_path(&mut self, path: &str) {
        if let Ok(Some(place)) = walk::find(&self.root, path, Walk::Write) {
            // What cannot be removed now is removed by the next write there.
            write::sweep(place.dir.as_fd(), &place.name).ok();
        }
    }

    fn put(
        &mut self,
        place: &Place,
        was: &Value,
        to: &Value,
        check: Option<&Command>,
        before: &[PreImage],
    ) -> Result<(), Problem> {
        let broken = |error: io::Error| failed(format!("cannot change {}: {error}", place.path));
        let (dir, name) = (place.dir.as_fd(), place.name.as_os_str());
        let strict = match (was, to.meta()) {
            (Value::Absent, Some(meta)) if meta.mtime.is_none() => Strictness::Inherit,
            _ => Strictness::Exact,
        };
        let staged = match (was, to) {
            (Value::Dir { .. }, Value::Dir { meta }) => {
                return write::touch_up(dir, name, meta).map_err(broken);
            }
            (
                Value::File { content: old, .. },
                Value::File {
                    content: new, meta, ..
                },
            ) if old == new && check.is_none() => return write::touch_up(dir, name, meta).map_err(broken),
            (Value::Link { to: old, .. }, Value::Link { to: new, meta }) if old == new => {
                return write::dress_link(dir, name, meta).map_err(broken);
            }
            (_, Value::File { content, meta, .. }) => {
                write::stage_file(dir, name, &self.objects, content, meta, strict)
            }
            (_, Value::Dir { meta }) => write::stage_dir(dir, name, meta, strict),
            (_, Value::Link { to, meta }) => write::stage_link(dir, name, to, meta),
            (_, Value::Absent) => return self.remove(place, was, before),
            _ => return Err(refused(format!("{} cannot become {}", place.path, told(to)))),
        };
        let staged = match staged {
            Ok(staged) => staged,
            Err(error) => {
                // The error to tell is the first; a leftover is swept by the next write there.
                write::sweep(dir, name).ok();
                return Err(broken(error));
            }
        };
        let ready = self
            .judge(place, &staged, check)
            .and_then(|()| self.expected(place, was, was).map(drop))
            .and_then(|()| match (was, to) {
                (Value::Absent, _) => Ok(()),
                (Value::Dir { .. }, _) => self.remove(place, was, before),
                (_, Value::Dir { .. }) => self.remove(place, was, before),
                _ => Ok(()),
            });
        if let Err(problem) = ready {
            write::sweep(dir, name).map_err(broken)?;
            return Err(problem);
        }
        let fresh = matches!(was, Value::Absent | Value::Dir { .. }) || matches!(to, Value::Dir { .. });
        match write::publish(dir, &staged, name, fresh) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(moved(format!(
                "{} appeared while it was being written",
                place.path
            ))),
            other => other.map_err(broken),
        }
    }

    /// Removes what is there, entry by entry as it was kept.
    fn remove(&mut self, place: &Place, was: &Value, before: &[PreImage]) -> Result<(), Problem> {
        let (dir, name) = (place.dir.as_fd(), place.name.as_os_str());
        let kept: BTreeMap<&str, &Value> = before
            .iter()
            .filter_map(|image| match &image.at {
                Address::Path(path) => Some((path.as_str(), &image.was)),
                _ => None,
            })
            .gather();
        let digests = &mut self.digests;
        let mut foreign = None;
        let mut allowed = |dir: BorrowedFd<'_>, name: &OsStr, below: &str, seen: &Seen| {
            let path = join(&place.path, below);
            let live = read::value(dir, name, seen, digests)?;
            match kept.get(path.as_str()) {
                Some(value) if value.same(&live) => Ok(()),
                _ => {
                    let why = format!("{path} is not what was kept of it: {}", told(&live));
                    foreign = Some(moved(why.clone()));
                    Err(io::Error::other(why))
                }
            }
        };
        let removed = match was {
            Value::Absent => Ok(()),
            Value::Dir { .. } => tree::remove(dir, name, &mut allowed),
            _ => match Seen::at(dir, name) {
                Ok(Some(seen)) => {
                    allowed(dir, name, "", &seen).and_then(|()| tree::unlink(dir, name, seen.kind))
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error.into()),
            },
        };
        removed.and_then(|()| write::sync(dir)).map_err(|error| {
            foreign.unwrap_or_else(|| failed(format!("cannot remove {}: {error}", place.path)))
        })
    }

    /// What is different from before, at the place itself and, where a tree was kept, below it.
    fn changes_at(
        &mut self,
        place: &Place,
        was: &Value,
        before: &[PreImage],
    ) -> Result<Vec<Change>, Problem> {
        let mut changes = Vec::new();
        let prefix = format!("{}/", place.path.trim_end_matches('/'));
        for image in before {
            let Address::Path(path) = &image.at else { continue };
            if !path.starts_with(&prefix) {
                continue;
            }
            let after = self.read_path(path)?;
            if !image.was.same(&after) {
                changes.push(Change {
                    at: image.at.clone(),
                    before: image.was.clone(),
                    after,
                });
            }
        }
        let after = self.read_path(&place.path)?;
        if *was != after {
            changes.push(Change {
                at: Address::Path(place.path.clone()),
                before: was.clone(),
                after,
            });
        }
        Ok(changes)
    }

    /// Keeps the times of directories that were put back while entries in them are put back after them.
    fn keep_times(&mut self, path: &str, to: &Value) {
        match to {
            Value::Dir { meta } => match meta.mtime {
                Some(mtime) => drop(self.times.insert(path.to_owned(), mtime)),
                None => drop(self.times.remove(path)),
            },
            _ => drop(self.times.remove(path)),
        }
        let Some((parent, _)) = path.rsplit_once('/') else {
            return;
        };
        if let Some(&mtime) = self.times.get(parent)
            && let Ok(Some(place)) = walk::find(&self.root, parent, Walk::Write)
        {
            // A time that cannot be set is told by nothing else than the time itself.
            write::set_time(place.dir.as_fd(), &place.name, mtime).ok();
        }
    }
}
