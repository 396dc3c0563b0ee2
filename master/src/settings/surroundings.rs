//! What the settings need to know about the process: directory, home, user, environment.
//!
//! Taken from the process once, at the front door, so that everything behind it can be tested with other values.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The surroundings of a run.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory.
    pub directory: PathBuf,
    /// The user's home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The effective user id.
    pub uid: u32,
    /// The user behind `sudo`, if any; its files are trusted like root's own.
    pub sudo_uid: Option<u32>,
    /// `$SALT_RS_CONFIG`, when set and not empty.
    pub config: Option<PathBuf>,
    /// The settings of the whole machine.
    pub system: PathBuf,
}

impl Surroundings {
    /// Takes them from the running process.
    pub fn of_process() -> std::io::Result<Self> {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        // The owner of /proc/self is the effective user of this process.
        let uid = fs::metadata("/proc/self")?.uid();
        let sudo_uid = env::var("SUDO_UID")
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|_| uid == 0);
        Ok(Self {
            directory: env::current_dir()?,
            home: path("HOME"),
            uid,
            sudo_uid,
            config: path("SALT_RS_CONFIG"),
            system: PathBuf::from("/etc/salt-rs/salt-rs.yaml"),
        })
    }

    /// The state directory when the settings name none: `/var/lib/salt-rs` for root,
    /// `~/.local/state/salt-rs` for others.
    pub(crate) fn state_dir(&self) -> PathBuf {
        match &self.home {
            Some(home) if self.uid != 0 => home.join(".local/state/salt-rs"),
            _ => PathBuf::from("/var/lib/salt-rs"),
        }
    }

    /// Whether a file found by searching may decide what this process does.
    pub(crate) fn trusts(&self, owner: u32) -> bool {
        owner == 0 || owner == self.uid || Some(owner) == self.sudo_uid
    }
}
