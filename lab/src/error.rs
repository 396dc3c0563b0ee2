//! Everything that can go wrong while real hosts are made, run and broken.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::machine::Tool;
use crate::os::OsError;

/// Why the lab cannot do what was asked.
#[derive(Debug, Error)]
pub enum LabError {
    /// Namespaces, mounts and links are root's.
    #[error("real hosts need root: run this as root, for example `sudo make test`")]
    NotRoot,
    /// Programs are missing on this machine.
    #[error("real hosts need {}", missing(.0))]
    Missing(Vec<Tool>),
    /// The host is not running.
    #[error("host {0} is down")]
    Down(String),
    /// The host's processes stand still.
    #[error("host {0} is frozen")]
    Frozen(String),
    /// All of 10.213.0.0/16 is taken.
    #[error("no free network left between 10.213.0.0/24 and 10.213.255.0/24")]
    NoNetwork,
    /// This machine has an address in the network already.
    #[error("the network {network} is in use on this machine: interface {interface} has {address}")]
    NetworkTaken {
        /// The lab's.
        network: String,
        /// Who has an address in it.
        interface: String,
        /// Which one.
        address: String,
    },
    /// The process that owns a lab in this directory is alive.
    #[error("a lab is up already in {}", .0.display())]
    AlreadyUp(PathBuf),
    /// Filling a file system would take too much of this machine's memory.
    #[error("filling {dir} of host {host} would take {free} MiB of this machine's memory")]
    TooLarge {
        /// The host.
        host: String,
        /// A directory in the file system.
        dir: String,
        /// MiB free in it.
        free: u64,
    },
    /// Something that no lab made is in the way.
    #[error("{} is there already and no lab made it", .0.display())]
    NotOurs(PathBuf),
    /// The kernel lacks something, or does not let us have it.
    #[error("this machine's kernel offers no {what}: {why}")]
    NoFeature {
        /// What is missing.
        what: &'static str,
        /// How that was seen.
        why: String,
    },
    /// Memory or disk.
    #[error("not enough {what}: {needed} MiB needed, {free} MiB free")]
    NoSpace {
        /// Of what, and where.
        what: String,
        /// MiB.
        needed: u64,
        /// MiB.
        free: u64,
    },
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
    /// It ended instead of going on.
    #[error("host {host}: no {what}, its first process ended; it last said:\n{log}")]
    Died {
        /// Which host.
        host: String,
        /// What was waited for.
        what: &'static str,
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
    /// An address outside of the network, or given twice, or the lab's own.
    #[error("{ip} cannot be a host's address in {network}")]
    BadAddress {
        /// The address.
        ip: Ipv4Addr,
        /// The lab's network.
        network: String,
    },
    /// A lock file of npm's that says nothing, or names packages no registry has.
    #[error("{0} is no lock file to work with: {1}")]
    NpmLock(String, String),
    /// Another package than the lock file names.
    #[error("npm package {name} is {found}, its lock file wants {wanted}")]
    NpmPackage {
        /// Name and version.
        name: String,
        /// The sum in the lock file.
        wanted: String,
        /// The sum of what came.
        found: String,
    },
    /// The machine refused.
    #[error(transparent)]
    Os(#[from] OsError),
}

fn missing(tools: &[Tool]) -> String {
    let names: Vec<_> = tools.iter().map(|tool| tool.program).collect();
    let packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    format!(
        "{} on this machine; Debian's packages are {}",
        names.join(", "),
        packages.join(" ")
    )
}
