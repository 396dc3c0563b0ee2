//! What a host should be like.

use std::net::Ipv4Addr;

/// What runs as the host's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// systemd, as on a real machine: units, journal, reboot.
    Systemd,
    /// A shell that keeps sshd: up in a fraction of a second, without services.
    Light,
}

/// A host to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// Host name, also its name in the roster.
    pub name: String,
    /// What runs as its first process.
    pub kind: Kind,
    /// Size of its disk in MiB; without one it is limited by the lab's tmpfs only.
    pub disk_mb: Option<u32>,
    /// Its address; without one the lab chooses.
    pub ip: Option<Ipv4Addr>,
}

impl HostSpec {
    /// A host with systemd and sshd.
    pub fn systemd(name: impl Into<String>) -> Self {
        HostSpec {
            name: name.into(),
            kind: Kind::Systemd,
            disk_mb: None,
            ip: None,
        }
    }

    /// A host with sshd only.
    pub fn light(name: impl Into<String>) -> Self {
        HostSpec {
            name: name.into(),
            kind: Kind::Light,
            disk_mb: None,
            ip: None,
        }
    }

    /// Keeps the host's changes on a real ext4 of this size, so that it can be filled.
    #[must_use]
    pub fn disk(mut self, mb: u32) -> Self {
        self.disk_mb = Some(mb);
        self
    }

    /// Gives the host this address of the lab's network.
    #[must_use]
    pub fn at(mut self, ip: Ipv4Addr) -> Self {
        self.ip = Some(ip);
        self
    }
}

/// Whether a name can be a host's name here: 1 to 40 letters, digits and dashes, the first no dash.
pub fn good_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=40).contains(&name.len()) && name.chars().all(word) && !name.starts_with('-')
}
