//! What is on a host's disk, entry by entry: two of these compared show every trace a run left.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::os::{self, OsError};
use crate::repo::sha256;
use crate::{Host, LabError};

/// One entry: everything a restored one must have again. Not the times of access and of change, which no program can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// `file`, `dir`, `link`, `fifo`, `socket`, `block`, `char`.
    pub kind: &'static str,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes, access lists among them.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Bytes, of a file.
    pub size: u64,
    /// SHA-256 in hex, of a file.
    pub sha256: String,
    /// Target, of a link.
    pub target: PathBuf,
    /// Time of modification of a file, in nanoseconds; 0 unless asked for.
    pub mtime: i128,
}

/// Every entry below a host's root, by absolute path on the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree(pub BTreeMap<String, Attributes>);

impl Tree {
    /// Differences from this tree to a later one, one line each: `+ path`, `- path`, `~ path: what`.
    pub fn diff(&self, later: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, before) in &self.0 {
            match later.0.get(path) {
                None => lines.push(format!("- {path}")),
                Some(after) if after != before => lines.push(format!("~ {path}: {}", before.changes(after))),
                Some(_) => (),
            }
        }
        let new = later.0.keys().filter(|path| !self.0.contains_key(*path));
        lines.extend(new.map(|path| format!("+ {path}")));
        lines
    }
}

impl Attributes {
    /// Those of one entry, a file's time of modification among them; `None` where there is nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>, LabError> {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(err) if err.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            Err(_) => lstat(path)?,
        };
        let time = if meta.is_file() { nanoseconds(&meta) } else { 0 };
        attributes(path, &meta, time).map(Some)
    }

    fn changes(&self, after: &Attributes) -> String {
        let mut words = Vec::new();
        let mut say = |name: &str, before: String, after: String| {
            if before != after {
                words.push(format!("{name} {before} -> {after}"));
            }
        };
        say("kind", self.kind.to_owned(), after.kind.to_owned());
        say("mode", format!("{:o}", self.mode), format!("{:o}", after.mode));
        say(
            "owner",
            format!("{}:{}", self.uid, self.gid),
            format!("{}:{}", after.uid, after.gid),
        );
        say(
            "xattrs",
            format!("{:?}", self.xattrs),
            format!("{:?}", after.xattrs),
        );
        say("size", self.size.to_string(), after.size.to_string());
        say("content", self.sha256.clone(), after.sha256.clone());
        say(
            "target",
            self.target.display().to_string(),
            after.target.display().to_string(),
        );
        say("mtime", self.mtime.to_string(), after.mtime.to_string());
        words.join(", ")
    }
}

impl Host {
    /// Every entry of the host's own disk: nothing of /proc, /dev, /run, /tmp and other mounts. In `exclude` a `*` stands
    /// for any text, slashes included; what a pattern names is left out with all below it.
    ///
    /// # Errors
    /// When the host is down or an entry cannot be read.
    pub fn tree(&self, exclude: &[&str]) -> Result<Tree, LabError> {
        self.walk(exclude, |_| 0)
    }

    /// As `tree`, with the time of modification of files.
    ///
    /// # Errors
    /// As `tree`.
    pub fn tree_with_mtimes(&self, exclude: &[&str]) -> Result<Tree, LabError> {
        self.walk(exclude, nanoseconds)
    }

    fn walk(&self, exclude: &[&str], mtime: impl Fn(&Metadata) -> i128) -> Result<Tree, LabError> {
        let init = self.body().init()?;
        let root = PathBuf::from(format!("/proc/{init}/root/"));
        let device = lstat(&root)?.dev();
        let mut tree = Tree::default();
        let mut todo = vec![String::new()];
        while let Some(dir) = todo.pop() {
            for name in os::names(&root.join(dir.trim_start_matches('/')))? {
                let path = format!("{dir}/{name}");
                if exclude.iter().any(|pattern| matches(pattern, &path)) {
                    continue;
                }
                let full = root.join(path.trim_start_matches('/'));
                let meta = lstat(&full)?;
                // In an overlay only directories have the device of the mount they are in.
                if meta.is_dir() && meta.dev() != device {
                    continue;
                }
                if meta.is_dir() {
                    todo.push(path.clone());
                }
                let time = if meta.is_file() { mtime(&meta) } else { 0 };
                tree.0.insert(path, attributes(&full, &meta, time)?);
            }
        }
        Ok(tree)
    }
}

fn nanoseconds(meta: &Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

fn lstat(path: &Path) -> Result<Metadata, LabError> {
    let stat = fs::symlink_metadata(path);
    stat.map_err(|source| {
        OsError::File {
            verb: "look at",
            path: path.to_owned(),
            source,
        }
        .into()
    })
}

fn attributes(path: &Path, meta: &Metadata, mtime: i128) -> Result<Attributes, LabError> {
    let kind = meta.file_type();
    let name = match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "dir",
        () if kind.is_symlink() => "link",
        () if kind.is_fifo() => "fifo",
        () if kind.is_socket() => "socket",
        () if kind.is_block_device() => "block",
        () => "char",
    };
    let target = if kind.is_symlink() {
        fs::read_link(path).map_err(|source| OsError::File {
            verb: "read link",
            path: path.to_owned(),
            source,
        })?
    } else {
        PathBuf::new()
    };
    Ok(Attributes {
        kind: name,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        xattrs: xattrs(path)?,
        size: if kind.is_file() { meta.size() } else { 0 },
        sha256: if kind.is_file() {
            sha256(&os::read(path)?)
        } else {
            String::new()
        },
        target,
        mtime,
    })
}

fn xattrs(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, LabError> {
    let fail = |err: rustix::io::Errno| OsError::File {
        verb: "read attributes of",
        path: path.to_owned(),
        source: err.into(),
    };
    let mut names = vec![0_u8; 4096];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(err) => return Err(fail(err).into()),
    };
    let mut found = BTreeMap::new();
    for name in names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0_u8; 65536];
        let name = std::ffi::OsStr::from_bytes(name);
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).map_err(fail)?;
        value.truncate(length);
        found.insert(name.to_string_lossy().into_owned(), value);
    }
    Ok(found)
}

/// Whether a pattern names a path; `*` stands for any text, slashes included.
pub fn matches(pattern: &str, path: &str) -> bool {
    let Some((first, later)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = later.rsplit_once('*').unwrap_or(("", later));
    for part in middle.split('*') {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let cases = [
            ("/var/log", "/var/log", true),
            ("/var/log", "/var/log2", false),
            ("/var/log/*", "/var/log/a/b", true),
            ("/var/log/*", "/var/log", false),
            ("*.pyc", "/usr/x.pyc", true),
            ("*/cache/*.bin", "/var/cache/apt/p.bin", true),
            ("*/cache/*.bin", "/var/cash/apt/p.bin", false),
            ("/a*c*e", "/abcde", true),
            ("/a*c*e", "/abde", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_difference_says_what() {
        let entry = Attributes {
            kind: "file",
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: BTreeMap::new(),
            size: 1,
            sha256: "aa".to_owned(),
            target: PathBuf::new(),
            mtime: 0,
        };
        let wider = Attributes {
            mode: 0o666,
            ..entry.clone()
        };
        let before = Tree([("/a".to_owned(), entry.clone()), ("/b".to_owned(), entry.clone())].into());
        let after = Tree([("/b".to_owned(), wider), ("/c".to_owned(), entry)].into());
        assert_eq!(before.diff(&after), ["- /a", "~ /b: mode 644 -> 666", "+ /c"]);
        assert!(before.diff(&before).is_empty());
    }
}
