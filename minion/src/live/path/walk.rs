//! From a path to an open directory and a name in it, one component at a time (A1).
//!
//! Whoever reads follows links as the kernel does. Whoever writes follows only links that root owns in directories that
//! only root can write: below the first directory a user owns or can write, a link could lead anywhere. A directory of
//! root's in `/tmp` is root's still.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use proto::Problem;
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use super::read::{Kind, Seen};
use crate::live::refused;

/// Links followed at most, as in the kernel.
const HOPS: u32 = 40;

/// A name in an open directory; the name itself may be missing.
#[derive(Debug)]
pub(crate) struct Place {
    /// The directory, opened with `O_PATH`.
    pub(crate) dir: OwnedFd,
    /// The last component, `.` for the root itself.
    pub(crate) name: OsString,
    /// The path as it was given, for messages.
    pub(crate) path: String,
}

/// How links on the way are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Follow links on the way, not the last component.
    Read,
    /// Follow links on the way and the last component.
    Follow,
    /// Follow only links that root alone can have made, never the last component.
    Write,
}

/// Finds `path` under `root`. `None` when a directory on the way is missing or is none.
///
/// # Errors
/// `Refused` when the path is not absolute, loops, cannot be read, or leads through a link it must not follow.
pub(crate) fn find(root: &Path, path: &str, walk: Walk) -> Result<Option<Place>, Problem> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(refused(format!("{path:?} is not an absolute path")));
    }
    let broken = |error: Errno| refused(format!("cannot reach {path}: {error}"));
    let top = open_dir(fs::CWD, root.as_os_str()).map_err(broken)?;
    let mut above = vec![(top, Trust::Roots)];
    let mut ahead: VecDeque<OsString> = parts(OsStr::new(path));
    let mut hops = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            if above.len() > 1 {
                above.pop();
            }
            continue;
        }
        let Some((dir, trust)) = above.last() else { break };
        let trust = *trust;
        let last = ahead.is_empty();
        let seen = if last && walk != Walk::Follow {
            None
        } else {
            Seen::at(dir, &name).map_err(broken)?
        };
        match seen.map(|seen| (seen.kind, seen)) {
            Some((Kind::Link, seen)) => {
                hops += 1;
                if hops > HOPS {
                    return Err(refused(format!("cannot reach {path}: too many symbolic links")));
                }
                if walk == Walk::Write && !(trust == Trust::Roots && seen.uid == 0) {
                    return Err(refused(format!(
                        "cannot change {path}: {:?} on the way is a symbolic link that a user other than root may have placed; \
                         links are not followed there, name the real path instead",
                        name.to_string_lossy()
                    )));
                }
                let to = fs::readlinkat(dir, &name, Vec::new()).map_err(broken)?;
                let to = OsStr::from_bytes(to.to_bytes());
                if to.as_bytes().starts_with(b"/") {
                    above.truncate(1);
                }
                for part in parts(to).into_iter().rev() {
                    ahead.push_front(part);
                }
            }
            Some((Kind::Dir, seen)) if !last => {
                let next = open_dir(dir, &name).map_err(broken)?;
                above.push((next, trust.below(&seen)));
            }
            None if !last => return Ok(None),
            Some(_) if !last => return Ok(None),
            _ => return Ok(place(above, name, path)),
        }
    }
    Ok(place(above, OsString::from("."), path))
}

fn place(mut above: Vec<(OwnedFd, Trust)>, name: OsString, path: &str) -> Option<Place> {
    above.pop().map(|(dir, _)| Place {
        dir,
        name,
        path: path.to_owned(),
    })
}

fn parts(path: &OsStr) -> VecDeque<OsString> {
    Path::new(path)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}

/// Who can have placed what is in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Root alone.
    Roots,
    /// Anybody, but what is root's there stays where root put it, as in `/tmp`: the sticky bit keeps others from moving it
    /// away, and nobody can bring a directory of root's here who may not write in it.
    Sticky,
    /// Anybody.
    Anybodys,
}

impl Trust {
    /// For a directory in one that is trusted so.
    fn below(self, dir: &Seen) -> Self {
        match self {
            Self::Anybodys => Self::Anybodys,
            _ if only_roots(dir) => Self::Roots,
            _ if dir.uid == 0 && dir.mode & 0o1000 != 0 => Self::Sticky,
            _ => Self::Anybodys,
        }
    }
}

/// Whether only root can put entries there.
fn only_roots(dir: &Seen) -> bool {
    dir.uid == 0 && dir.mode & 0o002 == 0 && (dir.mode & 0o020 == 0 || dir.gid == 0)
}

pub(crate) fn open_dir(at: impl std::os::fd::AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    fs::openat(
        at,
        name,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}
