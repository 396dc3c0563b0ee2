//! Hosts through OpenSSH's own client: what salt-rs' transport is compared with.

use std::process::Command;

use crate::os::{self, Output};
use crate::{Host, LabError, text};

impl Host {
    /// The `ssh` program with everything it needs to reach this host as `user`; a command line may be added.
    pub fn ssh_command(&self, user: &str) -> Command {
        let mut command = os::command("ssh");
        command
            .args(self.ssh_options())
            .arg(format!("{user}@{}", self.ip()));
        command
    }

    /// Options common to `ssh`, `scp` and `sftp`: this lab's key and known hosts, and nothing of the user who runs the test.
    pub fn ssh_options(&self) -> Vec<String> {
        let site = &self.body().site;
        let mut words = vec![
            "-F".to_owned(),
            "none".to_owned(),
            "-i".to_owned(),
            text(&site.private_key()),
        ];
        for option in [
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
        ] {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        let known = format!("UserKnownHostsFile={}", site.known_hosts().display());
        words.extend([
            "-o".to_owned(),
            known,
            "-o".to_owned(),
            "GlobalKnownHostsFile=none".to_owned(),
        ]);
        words.extend([
            "-o".to_owned(),
            "ConnectTimeout=5".to_owned(),
            "-o".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ]);
        words
    }

    /// Runs a command line over ssh as root.
    ///
    /// # Errors
    /// When `ssh` cannot be started; 255 is its own answer for a host it could not reach.
    pub fn ssh(&self, line: &str) -> Result<Output, LabError> {
        Ok(os::output(self.ssh_command("root").arg(line), b"")?)
    }
}
