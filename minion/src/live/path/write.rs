//! Putting a file, directory or link in its place: staged beside it, complete, durable, then renamed (A2).

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use proto::{Digest, Meta};
use rustix::fs::{
    self, AtFlags, Gid, IFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::read::{self, FLAGS, SETTABLE, Seen, reach, xattr_bytes, xattrs};
use crate::journal::objects::Objects;

/// Whether attributes the wanted value does not name may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A new entry keeps what its directory gives it (default ACLs, labels).
    Inherit,
    /// All extended attributes are as recorded; a security label the record does not name stays.
    Exact,
}

/// The name under which an entry is staged; always the same for one target, so that a leftover is found again.
pub(crate) fn staged_name(name: &OsStr) -> OsString {
    let digest = Digest::of(name.as_bytes());
    OsString::from(format!(".salt-rs-{}", digest.short()))
}

/// Removes what an interrupted write left beside a target.
pub(crate) fn sweep(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let staged = staged_name(name);
    match fs::unlinkat(dir, &staged, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => Ok(fs::unlinkat(dir, &staged, AtFlags::REMOVEDIR)?),
        Err(error) => Err(error.into()),
    }
}

/// Writes an object's bytes to a staged file with its attributes; durable when it returns.
pub(crate) fn stage_file(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    objects: &Objects,
    content: &Digest,
    meta: &Meta,
    strict: Strictness,
) -> io::Result<OsString> {
    let staged = staged_name(name);
    sweep(dir, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = fs::openat(dir, &staged, flags, Mode::from_raw_mode(0o600))?;
    let mut file = File::from(fd);
    let mut source = File::open(objects.path(content))?;
    copy(&mut source, &mut file, content)?;
    dress(file.as_fd(), &xattrs(dir, &staged)?, meta, strict)?;
    file.sync_all()?;
    Ok(staged)
}

/// Copies an object, checking that its bytes have its name (J1).
fn copy(source: &mut File, target: &mut File, content: &Digest) -> io::Result<()> {
    use sha2::Digest as _;
    let mut hasher = Digest::hasher();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        target.write_all(&buffer[..count])?;
    }
    if Digest::finish(hasher) == *content {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("object {content} is damaged"),
        ))
    }
}

/// Replaces the bytes of a file and keeps its attributes; one that is missing is made with `mode`, owned by root.
pub(crate) fn replace(dir: BorrowedFd<'_>, name: &OsStr, bytes: &[u8], mode: u32) -> io::Result<()> {
    let seen = Seen::at(dir, name)?;
    let staged = staged_name(name);
    sweep(dir, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(fs::openat(dir, &staged, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(bytes)?;
    let meta = Meta {
        mode: seen.map_or(mode, |seen| seen.mode),
        uid: seen.map_or(0, |seen| seen.uid),
        gid: seen.map_or(0, |seen| seen.gid),
        mtime: None,
        xattrs: match seen {
            Some(_) => attributes(dir, name)?,
            None => std::collections::BTreeMap::new(),
        },
    };
    dress(file.as_fd(), &xattrs(dir, &staged)?, &meta, Strictness::Inherit)?;
    file.sync_all()?;
    publish(dir, &staged, name, seen.is_none())
}

/// Extended attributes and flags of what is there.
fn attributes(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<std::collections::BTreeMap<String, String>> {
    let mut all = xattrs(dir, name)?;
    if let Some(flags) = read::flags(open(dir, name)?).filter(|flags| !flags.is_empty()) {
        all.insert(FLAGS.to_owned(), format!("{:08x}", flags.bits()));
    }
    Ok(all)
}

/// Makes a staged directory with its attributes.
pub(crate) fn stage_dir(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    meta: &Meta,
    strict: Strictness,
) -> io::Result<OsString> {
    let staged = staged_name(name);
    sweep(dir, name)?;
    fs::mkdirat(dir, &staged, Mode::from_raw_mode(0o700))?;
    let made = open(dir, &staged)?;
    dress(made.as_fd(), &xattrs(dir, &staged)?, meta, strict)?;
    fs::fsync(&made)?;
    Ok(staged)
}

/// Makes a staged link with its owner.
pub(crate) fn stage_link(dir: BorrowedFd<'_>, name: &OsStr, to: &str, meta: &Meta) -> io::Result<OsString> {
    let staged = staged_name(name);
    sweep(dir, name)?;
    fs::symlinkat(to, dir, &staged)?;
    dress_link(dir, &staged, meta)?;
    Ok(staged)
}

/// Moves a staged entry to its place. `fresh`: nothing may be there.
pub(crate) fn publish(dir: BorrowedFd<'_>, staged: &OsStr, name: &OsStr, fresh: bool) -> io::Result<()> {
    let moved = if fresh {
        match fs::renameat_with(dir, staged, dir, name, RenameFlags::NOREPLACE) {
            // File systems that do not know the flag.
            Err(Errno::INVAL | Errno::NOSYS) => fs::renameat(dir, staged, dir, name),
            other => other,
        }
    } else {
        fs::renameat(dir, staged, dir, name)
    };
    if let Err(error) = moved {
        // The first error is the one to tell; what is left is swept by the next write there.
        sweep(dir, name).ok();
        return Err(error.into());
    }
    sync(dir)
}

/// Makes a directory's entries durable.
pub(crate) fn sync(dir: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match fs::fsync(fs::openat(dir, c".", flags, Mode::empty())?) {
        // File systems whose directories cannot be synced.
        Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Changes only the attributes of a file or directory that stays as it is.
pub(crate) fn touch_up(dir: BorrowedFd<'_>, name: &OsStr, meta: &Meta) -> io::Result<()> {
    let fd = open(dir, name)?;
    dress(fd.as_fd(), &xattrs(dir, name)?, meta, Strictness::Exact)?;
    match fs::fsync(&fd) {
        Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sets the owner and time of a link.
pub(crate) fn dress_link(dir: BorrowedFd<'_>, name: &OsStr, meta: &Meta) -> io::Result<()> {
    let (uid, gid) = owner(meta);
    fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    let path = reach(dir, name);
    for (key, value) in &meta.xattrs {
        let key = CString::new(key.as_str())?;
        fs::lsetxattr(
            path.as_c_str(),
            key.as_c_str(),
            &xattr_bytes(value)?,
            XattrFlags::empty(),
        )?;
    }
    if let Some(mtime) = meta.mtime {
        fs::utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Sets only the modification time.
pub(crate) fn set_time(dir: BorrowedFd<'_>, name: &OsStr, mtime: (i64, u32)) -> io::Result<()> {
    Ok(fs::utimensat(
        dir,
        name,
        &times(mtime),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// Sets owner, extended attributes, mode and time, in the order in which none undoes another: a new owner takes away
/// set-id bits and capabilities, an ACL sets the group bits, the mode sets the ACL's mask.
fn dress(
    fd: BorrowedFd<'_>,
    has: &std::collections::BTreeMap<String, String>,
    meta: &Meta,
    strict: Strictness,
) -> io::Result<()> {
    let (uid, gid) = owner(meta);
    let stat = fs::fstat(fd)?;
    if (stat.st_uid, stat.st_gid) != (meta.uid, meta.gid) {
        fs::fchown(fd, uid, gid)?;
    }
    for key in has.keys() {
        let stays = strict == Strictness::Inherit || key == "security.selinux";
        if !meta.xattrs.contains_key(key) && !stays {
            fs::fremovexattr(fd, key.as_str())?;
        }
    }
    for (key, value) in meta.xattrs.iter().filter(|(key, _)| *key != FLAGS) {
        // A new owner may have taken a capability away, so what was there before does not count.
        fs::fsetxattr(fd, key.as_str(), &xattr_bytes(value)?, XattrFlags::empty())?;
    }
    fs::fchmod(fd, Mode::from_raw_mode(meta.mode & 0o7777))?;
    if let Some(mtime) = meta.mtime {
        fs::futimens(fd, &times(mtime))?;
    }
    flag(fd, meta.xattrs.get(FLAGS), strict)
}

/// Sets the inode's flags as recorded; where the file system has none there is nothing to set.
fn flag(fd: BorrowedFd<'_>, wanted: Option<&String>, strict: Strictness) -> io::Result<()> {
    if wanted.is_none() && strict == Strictness::Inherit {
        return Ok(());
    }
    let wanted = wanted.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let wanted = IFlags::from_bits_retain(wanted.unwrap_or(0)) & SETTABLE;
    let Ok(all) = fs::ioctl_getflags(fd) else {
        return Ok(());
    };
    if all & SETTABLE != wanted {
        fs::ioctl_setflags(fd, (all - SETTABLE) | wanted)?;
    }
    Ok(())
}

fn owner(meta: &Meta) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))
}

const fn times(mtime: (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT as _,
        },
        last_modification: Timespec {
            tv_sec: mtime.0,
            tv_nsec: mtime.1 as _,
        },
    }
}

fn open(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(read::open(dir, name)?.into())
}
