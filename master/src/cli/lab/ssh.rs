//! `salt-rs lab ssh`: into a host.

use std::os::unix::process::CommandExt;

use clap::Args;
use lab::os;

use super::Ground;
use crate::failure::Failure;
use crate::lab::wire;

/// Enter a host, or run a command there, over ssh
///
/// As root, with the lab's key and the hosts' keys the lab made; nothing of your own ssh settings is used. Ends as the
/// command ended.
#[derive(Debug, Args)]
pub(super) struct Ssh {
    /// The host
    host: String,
    /// A command line for the host's shell, after `--`
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) fn run(command: &Ssh, ground: &Ground) -> Result<u8, Failure> {
    let ip = wire::address(&ground.folder, &command.host)?;
    let mut ssh = os::command("ssh");
    ssh.args(["-F", "none", "-i"])
        .arg(ground.folder.file("id_ed25519"));
    for option in [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "GlobalKnownHostsFile=none",
        "ConnectTimeout=10",
        "LogLevel=ERROR",
    ] {
        ssh.args(["-o", option]);
    }
    let known = ground.folder.file("known_hosts");
    ssh.arg("-o")
        .arg(format!("UserKnownHostsFile={}", known.display()));
    ssh.arg(format!("root@{ip}")).arg("--").args(&command.command);
    // It takes our place: the terminal, and how it ends, are its own.
    let error = ssh.exec();
    Err(Failure::usage(format!("cannot run ssh: {error}")))
}
