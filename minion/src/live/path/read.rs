//! What is at a name in an open directory. The last component is never followed.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use proto::digest::{from_hex, to_hex};
use proto::{Digest, Meta, Value};
use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

/// Kinds of directory entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Dir,
    Link,
    Special(&'static str),
}

/// What `statx` tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) mtime: (i64, u32),
    pub(crate) ctime: (i64, u32),
    pub(crate) ino: u64,
    pub(crate) dev: u64,
    pub(crate) nlink: u64,
    /// Something is mounted here.
    pub(crate) mounted: bool,
    /// The immutable or append-only flag is set.
    pub(crate) frozen: bool,
}

impl Seen {
    /// Looks at a name; `None` when it is not there.
    pub(crate) fn at(dir: impl std::os::fd::AsFd, name: &OsStr) -> Result<Option<Self>, Errno> {
        let dir = dir.as_fd();
        match fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
            Ok(stat) => Ok(Some(Self {
                kind: kind(FileType::from_raw_mode(stat.stx_mode.into())),
                mode: u32::from(stat.stx_mode) & 0o7777,
                uid: stat.stx_uid,
                gid: stat.stx_gid,
                size: stat.stx_size,
                mtime: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
                ctime: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
                ino: stat.stx_ino,
                dev: fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
                nlink: stat.stx_nlink.into(),
                mounted: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
                frozen: stat
                    .stx_attributes
                    .intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
            })),
            // Kernels before 4.11.
            Err(Errno::NOSYS) => Self::old(dir, name),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn old(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Self>, Errno> {
        let stat = match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other?,
        };
        let parent = fs::statat(dir, c".", AtFlags::empty())?;
        let nanos = |nanos: u64| u32::try_from(nanos).unwrap_or_default();
        Ok(Some(Self {
            kind: kind(FileType::from_raw_mode(stat.st_mode)),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime: (stat.st_mtime as i64, nanos(stat.st_mtime_nsec as u64)),
            ctime: (stat.st_ctime as i64, nanos(stat.st_ctime_nsec as u64)),
            ino: stat.st_ino,
            dev: stat.st_dev,
            nlink: stat.st_nlink as u64,
            mounted: stat.st_dev != parent.st_dev,
            frozen: false,
        }))
    }

    fn meta(&self, xattrs: BTreeMap<String, String>) -> Meta {
        Meta {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: Some(self.mtime),
            xattrs,
        }
    }
}

const fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Special("fifo"),
        FileType::Socket => Kind::Special("socket"),
        FileType::BlockDevice => Kind::Special("block device"),
        FileType::CharacterDevice => Kind::Special("character device"),
        _ => Kind::Special("unknown file type"),
    }
}

/// Digests of files that have not changed since they were read, by device, inode, size and times.
#[derive(Debug, Default)]
pub(crate) struct Digests(HashMap<(u64, u64), (Stamp, Digest, u64)>);

type Stamp = (u64, (i64, u32), (i64, u32));

impl Digests {
    /// The digest and length of a regular file's bytes.
    fn of(&mut self, dir: BorrowedFd<'_>, name: &OsStr, seen: &Seen) -> io::Result<(Digest, u64)> {
        let stamp = (seen.size, seen.mtime, seen.ctime);
        if let Some((known, digest, size)) = self.0.get(&(seen.dev, seen.ino))
            && *known == stamp
        {
            return Ok((*digest, *size));
        }
        let mut file = open(dir, name)?;
        let (digest, size) = hash(&mut file)?;
        // A file changed again within the clock's grain would keep its times: remember settled ones only.
        let settled = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .is_ok_and(|now| (now.as_secs() as i64).abs_diff(seen.ctime.0) > 2);
        if settled {
            self.0.insert((seen.dev, seen.ino), (stamp, digest, size));
        }
        Ok((digest, size))
    }
}

fn hash(source: &mut dyn Read) -> io::Result<(Digest, u64)> {
    use sha2::Digest as _;
    let mut hasher = Digest::hasher();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok((Digest::finish(hasher), size));
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Opens a regular file for reading, not through a link and not waiting at a FIFO.
pub(crate) fn open(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd: OwnedFd = fs::openat(dir, name, flags, Mode::empty())?;
    Ok(fd.into())
}

/// The value at a name that was seen.
pub(crate) fn value(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    seen: &Seen,
    digests: &mut Digests,
) -> io::Result<Value> {
    let mut xattrs = xattrs(dir, name)?;
    if matches!(seen.kind, Kind::File | Kind::Dir)
        && let Some(flags) = open(dir, name).ok().and_then(|file| flags(&file))
        && !flags.is_empty()
    {
        xattrs.insert(FLAGS.to_owned(), format!("{:08x}", flags.bits()));
    }
    let meta = seen.meta(xattrs);
    Ok(match seen.kind {
        Kind::File => {
            let (content, size) = digests.of(dir, name, seen)?;
            Value::File { content, size, meta }
        }
        Kind::Dir => Value::Dir { meta },
        Kind::Link => {
            let to = fs::readlinkat(dir, name, Vec::new())?;
            let to = to.into_string().map_err(|_| not_text("the target of a link"))?;
            Value::Link { to, meta }
        }
        Kind::Special(what) => Value::Special {
            what: what.to_owned(),
            meta,
        },
    })
}

/// Where the inode's flags (`chattr`) stand among the extended attributes of a value, in hex.
pub(crate) const FLAGS: &str = "salt-rs.flags";

/// Flags that a user sets and a file can be given again. Immutable and append-only ones are refused before anything else.
pub(crate) const SETTABLE: IFlags = IFlags::COMPRESSED
    .union(IFlags::SYNC)
    .union(IFlags::NODUMP)
    .union(IFlags::NOATIME)
    .union(IFlags::JOURNALING)
    .union(IFlags::NOTAIL)
    .union(IFlags::DIRSYNC)
    .union(IFlags::TOPDIR);

/// Those of the flags that are set; `None` where the file system has none.
pub(crate) fn flags(file: impl std::os::fd::AsFd) -> Option<IFlags> {
    let flags = fs::ioctl_getflags(file).ok()?;
    Some(flags & SETTABLE)
}

/// The value at a name; [`Value::Absent`] when nothing is there.
pub(crate) fn value_at(dir: BorrowedFd<'_>, name: &OsStr, digests: &mut Digests) -> io::Result<Value> {
    match Seen::at(dir, name)? {
        Some(seen) => value(dir, name, &seen, digests),
        None => Ok(Value::Absent),
    }
}

/// Names that are no text cannot be told over the wire; whoever meets one stops.
pub(crate) fn not_text(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not valid UTF-8"))
}

/// A name in a directory as a path for the calls that take no directory.
pub(crate) fn reach(dir: BorrowedFd<'_>, name: &OsStr) -> CString {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    // A name from a directory or an address holds no NUL.
    CString::new(path).unwrap_or_default()
}

/// All extended attributes, values in hex; empty where the file system has none.
pub(crate) fn xattrs(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<BTreeMap<String, String>> {
    let path = reach(dir, name);
    let mut names = vec![0; 4096];
    let length = loop {
        match fs::llistxattr(path.as_c_str(), &mut names[..]) {
            Ok(length) => break length,
            Err(Errno::RANGE) if names.len() < 1 << 16 => names.resize(1 << 16, 0),
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::NOENT | Errno::PERM | Errno::ACCESS) => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(error.into()),
        }
    };
    let mut found = BTreeMap::new();
    for name in names[..length]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
    {
        let key =
            String::from_utf8(name.to_vec()).map_err(|_| not_text("the name of an extended attribute"))?;
        let c_name = CString::new(name).unwrap_or_default();
        if let Some(bytes) = xattr(&path, &c_name)? {
            found.insert(key, to_hex(&bytes));
        }
    }
    Ok(found)
}

fn xattr(path: &CStr, name: &CStr) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; 1024];
    loop {
        match fs::lgetxattr(path, name, &mut bytes[..]) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(Some(bytes));
            }
            Err(Errno::RANGE) if bytes.len() < 1 << 16 => bytes.resize(1 << 16, 0),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The bytes of an attribute's recorded value.
pub(crate) fn xattr_bytes(hex: &str) -> io::Result<Vec<u8>> {
    from_hex(hex)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an extended attribute is not hex"))
}
