//! Everything that can go wrong while real hosts are made, run and broken.

use std::time::Duration;

use thiserror::Error;

use crate::os::OsError;

/// Why the lab cannot do what was asked.
#[derive(Debug, Error)]
pub enum LabError {
    /// Namespaces, mounts and links are root's.
    #[error("real hosts need root: run this as root, for example `sudo make test`")]
    NotRoot,
    /// A program is missing on this machine.
    #[error("real hosts need `{0}`: `make setup` installs what is missing")]
    Missing(&'static str),
    /// The host is not running.
    #[error("host {0} is down")]
    Down(String),
    /// All of 10.213.0.0/16 is taken.
    #[error("no free network left between 10.213.0.0/24 and 10.213.255.0/24")]
    NoNetwork,
    /// The kernel has no cgroup version 2 mounted.
    #[error("no cgroup2 file system is mounted")]
    NoCgroup,
    /// The process that holds the network and the disks did not start.
    #[error("cannot make the lab's network and disks: {0}")]
    NoAnchor(String),
    /// Waited too long.
    #[error("host {host}: no {what} within {limit:?}; it last said:\n{log}")]
    Late {
        /// Who was waited for.
        host: String,
        /// For what.
        what: &'static str,
        /// How long.
        limit: Duration,
        /// End of its console and boot log.
        log: String,
    },
    /// A command on a host that was expected to succeed.
    #[error("host {host}: `{command}` ended with {code}: {said}")]
    Command {
        /// Where it ran.
        host: String,
        /// The command line.
        command: String,
        /// Its exit status.
        code: i32,
        /// What it printed, both streams.
        said: String,
    },
    /// A name that is not a host name, or is given twice.
    #[error("`{0}` cannot be a host's name here")]
    BadName(String),
    /// The machine refused.
    #[error(transparent)]
    Os(#[from] OsError),
}
