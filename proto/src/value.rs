//! Addresses and values: a place on a host, and what is there.
//!
//! A change is an assignment to an address; undo is the same thing with the value that was there before.
//! File contents are always named by digest; the bytes lie in the host's object store.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, MysqlAt, Schema, Source};

/// A place on a host that can be read and assigned. Each family has one writer in `minion/src/live`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// An absolute, normalised path.
    Path(String),
    /// A package by name (`name` or `name:arch`).
    Package(String),
    /// A systemd unit by full name (`nginx.service`).
    Unit(String),
    /// A user by name.
    User(String),
    /// A group by name.
    Group(String),
    /// A kernel setting's live value by key (`net.ipv4.ip_forward`).
    Sysctl(String),
    /// A git work tree by its path.
    Checkout(String),
    /// A thing of a database server.
    Mysql(MysqlAt),
    /// nftables' whole rule set.
    Firewall,
    /// What is mounted at a path, the topmost where there are several.
    Mount(String),
    /// An active swap device or file by its path.
    Swap(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Package(name) => write!(f, "package {name}"),
            Self::Unit(name) => write!(f, "unit {name}"),
            Self::User(name) => write!(f, "user {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Sysctl(name) => write!(f, "sysctl {name}"),
            Self::Checkout(path) => write!(f, "checkout {path}"),
            Self::Mysql(at) => at.fmt(f),
            Self::Firewall => f.write_str("firewall"),
            Self::Mount(path) => write!(f, "mount {path}"),
            Self::Swap(path) => write!(f, "swap {path}"),
        }
    }
}

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// SHA-256 of its bytes.
        content: Digest,
        /// Length in bytes.
        size: u64,
        /// Attributes.
        meta: Meta,
    },
    /// A directory; its entries are addresses of their own.
    Dir {
        /// Attributes.
        meta: Meta,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as written in it.
        to: String,
        /// Owner; the mode of a link means nothing.
        meta: Meta,
    },
    /// A device, FIFO or socket: seen, never made or replaced (A3).
    Special {
        /// `fifo`, `socket`, `block device`, `character device`.
        what: String,
        /// Attributes.
        meta: Meta,
    },
    /// An installed (or removed but configured) package.
    Package(Package),
    /// A systemd unit.
    Unit(Unit),
    /// A user.
    User(Account),
    /// A group.
    Group(Group),
    /// A text, such as a kernel setting's value.
    Text(String),
    /// A git work tree.
    Checkout(Checkout),
    /// A database account: all that follows `CREATE USER name`, hash included, as an object. It never leaves
    /// the host, not even by name.
    MysqlUser(Option<Digest>),
    /// An account's privileges and roles, one `WHAT [ON LEVEL] [WITH … OPTION]` each, in a normal form, sorted.
    MysqlGrants(Vec<String>),
    /// A schema of a database server.
    MysqlDatabase(Schema),
    /// Where a database server replicates from.
    MysqlSource(Source),
    /// A mounted file system.
    Mount(Mount),
}

/// Attributes of a file, directory or link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds and nanoseconds since 1970; `None` in a wanted value means "whatever it becomes".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<(i64, u32)>,
    /// Extended attributes (ACLs, labels and capabilities among them), values in hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
}

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Full version; in a wanted value an empty text means "the candidate".
    pub version: String,
    /// Architecture; in a wanted value an empty text means "the native one".
    #[serde(default)]
    pub arch: String,
    /// Held back from upgrades.
    #[serde(default)]
    pub hold: bool,
    /// Marked as installed automatically.
    #[serde(default)]
    pub auto: bool,
    /// Removed, with its configuration files still there (dpkg's `rc`).
    #[serde(default)]
    pub config_only: bool,
    /// Its installation was cut off half-way: it is finished before anything else, and never brought back (J12).
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut_off: bool,
    /// In a wanted value: the repository (apt: the release) it is to come from; empty leaves it to the package manager.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A systemd unit's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// A unit file exists (or it is generated).
    pub known: bool,
    /// `ActiveState` is active, reloading or activating.
    pub active: bool,
    /// `UnitFileState`: `enabled`, `disabled`, `static`, `masked`, `indirect`, `generated`, … empty when there is none.
    pub enablement: String,
}

/// A user account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Numeric id; in a wanted value `None` means "the next free one".
    pub uid: Option<u32>,
    /// Primary group's id; in a wanted value `None` means "as the system does by default".
    pub gid: Option<u32>,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// The comment (GECOS) field, whole.
    pub fullname: String,
    /// Supplementary groups by name, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The account's line in the shadow file, as an object of the host's store; a pre-image that never leaves it.
    #[serde(default)]
    pub shadow: Option<Digest>,
    /// Make the home directory when the account is made.
    #[serde(default)]
    pub create_home: bool,
    /// Make it a system account.
    #[serde(default)]
    pub system: bool,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Numeric id; in a wanted value `None` means "the next free one".
    pub gid: Option<u32>,
    /// Members by name, sorted.
    #[serde(default)]
    pub members: Vec<String>,
    /// Make it a system group.
    #[serde(default)]
    pub system: bool,
}

/// A git work tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// URL of the remote `origin`, or the remote named by the state.
    pub url: String,
    /// Name of that remote.
    pub remote: String,
    /// The commit that is checked out, 40 hex digits.
    pub commit: String,
    /// The branch that is checked out; `None` when detached.
    pub branch: Option<String>,
    /// Tracked files differ from the commit.
    #[serde(default)]
    pub dirty: bool,
    /// The user git runs as; empty is root.
    #[serde(default)]
    pub user: String,
    /// Shallow clone depth in a wanted value; 0 is a full clone.
    #[serde(default)]
    pub depth: u32,
    /// Throw away local changes of tracked files when assigned.
    #[serde(default)]
    pub force: bool,
    /// Check out submodules too.
    #[serde(default)]
    pub submodules: bool,
    /// Private keys ssh may use to reach the remote, absolute paths on the host; the user's own when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<String>,
}

/// A mounted file system, as the kernel shows it and as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Its source in the kernel's words (`/dev/sda1`, `nfs:/srv`, `tmpfs`).
    pub device: String,
    /// Its type in the kernel's words.
    pub fstype: String,
    /// The kernel's options, the mount's own before the file system's, comma between them; empty in a wanted value.
    pub options: String,
    /// Where the same tree is seen too, when only a part of a file system is mounted here (a bind mount).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bind: String,
    /// What mount(8) was told, or shall be told. The kernel does not show all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// What mount(8) is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The device as a person writes it.
    pub device: String,
    /// The type.
    pub fstype: String,
    /// The options, comma between them.
    pub opts: String,
    /// Who mounts; root when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

impl Value {
    /// Whether nothing is there.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The attributes, where the value has some.
    pub const fn meta(&self) -> Option<&Meta> {
        match self {
            Self::File { meta, .. }
            | Self::Dir { meta }
            | Self::Link { meta, .. }
            | Self::Special { meta, .. } => Some(meta),
            _ => None,
        }
    }

    /// Equal in everything a user declares or a hand edit changes: modification times do not count.
    pub fn same(&self, other: &Self) -> bool {
        self.bare() == other.bare()
    }

    /// Only what [`Value::same`] looks at.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut value = self.clone();
        match &mut value {
            Self::File { meta, .. } | Self::Dir { meta } | Self::Special { meta, .. } => meta.mtime = None,
            // A link's own mode is always 0777 and means nothing.
            Self::Link { meta, .. } => (meta.mtime, meta.mode) = (None, 0),
            // Data comes and goes.
            Self::MysqlDatabase(schema) => schema.holds = 0,
            Self::MysqlSource(source) => {
                (source.running, source.seed) = (false, None);
                source.executed.clear();
            }
            _ => {}
        }
        value
    }
}
