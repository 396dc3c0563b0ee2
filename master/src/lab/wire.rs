//! What other commands say to the process that keeps the hosts: one line of JSON there, one back, over a socket that
//! only root can open.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::failure::{Failure, Kind};

/// What is asked of the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the hosts are.
    Status,
    /// Where a host is.
    Address {
        /// Which.
        host: String,
    },
    /// Take everything down. The answer is the end of the line.
    Down,
    /// Break something, or mend it.
    Fault {
        /// A host, or `master`: the cable between this machine and all of them.
        host: String,
        /// What.
        fault: Fault,
    },
    /// Run a shell command line as root on a host, not over the network.
    Exec {
        /// Where.
        host: String,
        /// What.
        line: String,
    },
}

/// A way to break a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Pull its cable.
    Cut,
    /// Plug it in again, without delay and loss.
    Heal,
    /// Make its cable slow: milliseconds in each direction. 0 ends it.
    Delay(u32),
    /// Lose this share of the frames, in percent. 0 ends it.
    Loss(u8),
    /// Leave no space on the file system of a directory.
    Fill(String),
    /// Give it back.
    Unfill(String),
    /// Boot it again, in order; boot it if it is off.
    Reboot,
    /// Cut its power.
    Crash,
    /// Stop all of its processes where they are.
    Freeze,
    /// Let them go on.
    Thaw,
}

/// What the keeper answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Address`].
    Address(String),
    /// To [`Request::Fault`]: it is so now.
    Done,
    /// To [`Request::Exec`].
    Ended {
        /// Its exit status.
        code: i32,
        /// What it printed.
        stdout: String,
        /// What it complained about.
        stderr: String,
    },
    /// It cannot be done.
    Failed {
        /// Why not.
        message: String,
        /// The way out.
        help: Option<String>,
        /// Whether the question was wrong, and not the host.
        usage: bool,
    },
}

/// How a lab is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its directory.
    pub dir: String,
    /// The file that describes it.
    pub file: String,
    /// Its network.
    pub network: String,
    /// Its floating address.
    pub vip: Option<String>,
    /// Process id of the keeper.
    pub keeper: u32,
    /// Memory all hosts take, in MiB, what they wrote to disk not counted.
    pub memory_mib: u64,
    /// What they wrote to disk, in MiB.
    pub disk_mib: u64,
    /// What is wrong with the cable between this machine and the hosts.
    pub faults: Vec<String>,
    /// The hosts, in the order of the file.
    pub hosts: IndexMap<String, HostStatus>,
}

/// How a host is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Its address.
    pub ip: String,
    /// `up`, `frozen` or `down`.
    pub state: String,
    /// How often it has booted.
    pub boots: u32,
    /// Its processes.
    pub processes: usize,
    /// Memory they take, in MiB.
    pub memory_mib: u64,
    /// What was written on its disk.
    pub disk_mib: u64,
    /// What `lab fault` did to it and nobody took back.
    pub faults: Vec<String>,
}

/// Asks the keeper of a lab.
///
/// # Errors
/// When no lab is up there, it cannot be spoken to, or it says no.
pub fn ask(folder: &Folder, request: &Request) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| {
        Failure::new(
            Kind::Host,
            format!("the lab in {} does not answer: {error}", folder.dir().display()),
        )
        .hint("`salt-rs lab down` takes it down, whatever is left of it")
    };
    if let Err(error) = std::fs::metadata(folder.socket())
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        return Err(super::failure(&lab::LabError::NotRoot));
    }
    let mut stream = UnixStream::connect(folder.socket()).map_err(|_| down(folder))?;
    let line = serde_json::to_string(request).map_err(Failure::bug)?;
    stream.write_all(format!("{line}\n").as_bytes()).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(broken)?;
    if answer.is_empty() && *request == Request::Down {
        return Ok(Answer::Done);
    }
    match serde_json::from_str(&answer) {
        Ok(Answer::Failed { message, help, usage }) => {
            let kind = if usage { Kind::Usage } else { Kind::Host };
            let failure = Failure::new(kind, message);
            Err(match help {
                Some(help) => failure.hint(help),
                None => failure,
            })
        }
        Ok(answer) => Ok(answer),
        Err(_) => Err(
            Failure::new(Kind::Host, "the lab's keeper ended while it was asked")
                .hint(format!("it said why in {}", folder.log().display())),
        ),
    }
}

/// No lab is there.
fn down(folder: &Folder) -> Failure {
    let text = format!("no lab is up in {}", folder.dir().display());
    Failure::new(Kind::Host, text).hint("make one with `salt-rs lab up`, or name its directory with --dir")
}

/// How the lab is.
///
/// # Errors
/// As [`ask`].
pub fn status(folder: &Folder) -> Result<Status, Failure> {
    match ask(folder, &Request::Status)? {
        Answer::Status(status) => Ok(status),
        other => Err(Failure::bug(format!("the keeper answered {other:?}"))),
    }
}

/// The address of a host.
///
/// # Errors
/// As [`ask`], and when there is no such host.
pub fn address(folder: &Folder, host: &str) -> Result<String, Failure> {
    let host = host.to_owned();
    match ask(folder, &Request::Address { host })? {
        Answer::Address(ip) => Ok(ip),
        other => Err(Failure::bug(format!("the keeper answered {other:?}"))),
    }
}

/// Breaks something, or mends it; returns when it is so.
///
/// # Errors
/// As [`ask`].
pub fn fault(folder: &Folder, host: &str, fault: Fault) -> Result<(), Failure> {
    let host = host.to_owned();
    ask(folder, &Request::Fault { host, fault }).map(drop)
}
