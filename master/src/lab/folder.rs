//! The lab's directory: what a user needs to work with the hosts, and what the running lab keeps for itself.
//!
//! `running/` belongs to the crate `lab` and goes with the hosts, however they end. Beside it lie the settings, the
//! roster, the key, the hosts' keys, the tree and the master's own state; they are written once the hosts are up and
//! removed when the lab is taken down. Nothing else in the directory is ever touched.

use std::path::{Path, PathBuf};

use lab::{LabError, Network, Place, os};

use crate::settings::Surroundings;

/// The lab's directory unless one is named.
pub const DIR: &str = "/var/lib/salt-rs/lab";
/// The variable that names another.
pub const VARIABLE: &str = "SALT_RS_LAB_DIR";

/// What lies in the directory besides `running`.
const OURS: &[&str] = &[
    "salt-rs.yaml",
    "roster.yaml",
    "id_ed25519",
    "id_ed25519.pub",
    "known_hosts",
    "tree",
    "state",
    "keeper.log",
    MARK,
];
/// Says that a lab made the directory what it is.
const MARK: &str = ".salt-rs-lab";

/// A lab's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The directory named, else the one of the environment, else the usual one.
    pub fn find(named: Option<&Path>, around: &Surroundings) -> Self {
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let dir = match (named, variable) {
            (Some(dir), _) => dir.to_owned(),
            (None, Some(dir)) => dir.into(),
            (None, None) => DIR.into(),
        };
        Self {
            dir: crate::tree::location::normal(&around.directory.join(dir)),
        }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file of it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The socket of the process that keeps the hosts.
    pub fn socket(&self) -> PathBuf {
        self.running().join("keeper.sock")
    }

    /// What the process that keeps the hosts says.
    pub fn log(&self) -> PathBuf {
        self.file("keeper.log")
    }

    fn running(&self) -> PathBuf {
        self.file("running")
    }

    /// The lab's place on this machine.
    pub fn place(&self, network: Network) -> Place {
        Place::new(&self.running(), network)
    }

    /// Makes the directory, for root alone.
    ///
    /// # Errors
    /// When a lab is up there, when something lies there that no lab put there, or it cannot be made.
    pub fn make(&self) -> Result<(), LabError> {
        if self.place_of_any().owned() {
            return Err(LabError::AlreadyUp(self.dir.clone()));
        }
        if self.dir.exists() && !self.file(MARK).exists() && !os::names(&self.dir)?.is_empty() {
            return Err(LabError::NotOurs(self.dir.clone()));
        }
        self.clear()?;
        os::make_dir(&self.dir)?;
        os::chmod(&self.dir, 0o700)?;
        os::write(&self.file(MARK), "1.0\n")?;
        Ok(())
    }

    /// Takes down whatever there is of a lab here, and removes what it has written. Nothing is no error.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> Result<(), LabError> {
        self.place_of_any().clear()?;
        if self.file(MARK).exists() {
            for name in OURS {
                os::remove_tree(&self.file(name))?;
            }
            os::remove_empty_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Whether the process that keeps hosts here is alive.
    pub fn is_up(&self) -> bool {
        self.place_of_any().owned()
    }

    /// A place is found by its directory; its network matters only to those who make it.
    fn place_of_any(&self) -> Place {
        self.place(Network::of(std::net::Ipv4Addr::LOCALHOST, 8))
    }
}
