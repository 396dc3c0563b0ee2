//! Whole trees: listed, kept and removed by file descriptor, crossing neither link nor mount (A3).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use proto::{Value, arrange};
use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};

use super::read::{self, Digests, Kind, Seen, not_text};
use super::walk::open_dir;

/// Levels below a directory at most; each holds one descriptor open.
const DEPTH: usize = 200;

/// What to do at a mount point inside a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounts {
    /// Tell it, and stay outside.
    Skip,
    /// Fail: what is mounted there must not be touched.
    Refuse,
}

/// One entry of a tree: the directory it is in, its name there, its path relative to the top, what it is.
type Visit<'a> = dyn FnMut(BorrowedFd<'_>, &OsStr, &str, &Seen) -> io::Result<()> + 'a;

/// Visits all entries below the directory `name`, children before their parents, by name within a directory.
pub(crate) fn visit(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    mounts: Mounts,
    each: &mut Visit<'_>,
) -> io::Result<()> {
    let inner = open_dir(dir, name)?;
    level(&inner, "", 0, mounts, each)
}

fn level(
    dir: impl std::os::fd::AsFd,
    prefix: &str,
    depth: usize,
    mounts: Mounts,
    each: &mut Visit<'_>,
) -> io::Result<()> {
    let dir = dir.as_fd();
    if depth > DEPTH {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{prefix} is more than {DEPTH} directories deep"),
        ));
    }
    for name in names(dir)? {
        let text = name.to_str().ok_or_else(|| {
            not_text(&format!(
                "the file name {:?} in {prefix:?}",
                name.to_string_lossy()
            ))
        })?;
        let path = if prefix.is_empty() {
            text.to_owned()
        } else {
            format!("{prefix}/{text}")
        };
        let Some(seen) = Seen::at(dir, &name)? else {
            continue;
        };
        if seen.mounted && mounts == Mounts::Refuse {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("something is mounted on {path} inside it"),
            ));
        }
        if seen.kind == Kind::Dir && !seen.mounted {
            level(open_dir(dir, &name)?, &path, depth + 1, mounts, each)?;
        }
        each(dir, &name, &path, &seen)?;
    }
    Ok(())
}

/// The names in a directory, sorted by bytes.
pub(crate) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    // The directory may have been opened with `O_PATH`, which cannot be read.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(fs::openat(dir, c".", flags, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort();
    Ok(names)
}

/// All entries below a directory with their values, sorted by relative path.
pub(crate) fn list(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    digests: &mut Digests,
) -> io::Result<Vec<(String, Value)>> {
    let mut entries = Vec::new();
    visit(dir, name, Mounts::Skip, &mut |dir, name, path, seen| {
        entries.push((path.to_owned(), read::value(dir, name, seen, digests)?));
        Ok(())
    })?;
    arrange(&mut entries, &|a, b| a.0 < b.0);
    Ok(entries)
}

/// Removes a directory and all below it. `allowed` is asked for each entry right before it goes, with its path relative
/// to the top (empty for the top itself).
pub(crate) fn remove(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    allowed: &mut dyn FnMut(BorrowedFd<'_>, &OsStr, &str, &Seen) -> io::Result<()>,
) -> io::Result<()> {
    visit(dir, name, Mounts::Refuse, &mut |dir, name, path, seen| {
        allowed(dir, name, path, seen)?;
        unlink(dir, name, seen.kind)
    })?;
    if let Some(seen) = Seen::at(dir, name)? {
        allowed(dir, name, "", &seen)?;
        unlink(dir, name, seen.kind)?;
    }
    Ok(())
}

/// Removes one entry: a directory must be empty.
pub(crate) fn unlink(dir: BorrowedFd<'_>, name: &OsStr, kind: Kind) -> io::Result<()> {
    let flags = if kind == Kind::Dir {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    fs::unlinkat(dir, name, flags).map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(
            error.kind(),
            format!("{}: {error}", String::from_utf8_lossy(name.as_bytes())),
        )
    })
}
