//! This machine as a host (`--local`): the agent is a child process, everything else is the same.
//!
//! The agent is kept under its digest below [`Endpoint::host_dir`], as on any other host, and checked each time: here the
//! directory may be a user's own.

use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tokio::process::{Child, Command};

use super::bootstrap::Agent;
use super::child::{ChildPipe, Moved};
use super::endpoint::Endpoint;
use super::error::ConnectError;
use super::{BoxFuture, Link, Pipe, Session, Traffic, Transport};

/// The transport to this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

impl Transport for Local {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Session, ConnectError>> {
        Box::pin(async move {
            endpoint.check()?;
            Ok(Session::new(LocalLink {
                endpoint: endpoint.clone(),
                moved: Arc::default(),
            }))
        })
    }
}

struct LocalLink {
    endpoint: Endpoint,
    moved: Arc<Moved>,
}

impl Link for LocalLink {
    fn agent<'a>(
        &'a self,
        agent: &'a Agent<'a>,
        early: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>> {
        Box::pin(async move {
            let fail = |what: &str, error: io::Error| ConnectError::Bootstrap {
                host: self.endpoint.id.clone(),
                text: format!("{what}: {error}"),
            };
            let program = install(&self.endpoint.host_dir, agent).map_err(|error| {
                fail(
                    &format!("cannot install in {}", self.endpoint.host_dir.display()),
                    error,
                )
            })?;
            let child = spawn(&program, &self.endpoint.host_dir)
                .map_err(|error| fail(&format!("cannot run {}", program.display()), error))?;
            let mut pipe =
                ChildPipe::new(child, Arc::clone(&self.moved)).map_err(|error| fail("no pipe", error))?;
            if let Some(early) = early {
                tokio::io::AsyncWriteExt::write_all(&mut pipe, early)
                    .await
                    .map_err(|error| fail("it ended at once", error))?;
            }
            let pipe: Box<dyn Pipe> = Box::new(pipe);
            Ok(pipe)
        })
    }

    fn traffic(&self) -> Traffic {
        self.moved.traffic()
    }
}

/// Starts the agent in a process group of its own: Ctrl-C is for the master, the host finishes its step. It ends when its
/// stdin does.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts the agent as a child"
)]
fn spawn(program: &Path, dir: &Path) -> io::Result<Child> {
    let mut command = std::process::Command::new(program);
    command.arg("serve").arg("--dir").arg(dir).current_dir("/");
    let mut command = Command::from(command);
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn()
}

/// Puts the agent below `dir` and returns its path. A file that is there is used if its digest is right, else replaced.
#[expect(
    clippy::disallowed_methods,
    reason = "the agent's own file, named by its digest; no managed file is written"
)]
fn install(dir: &Path, agent: &Agent<'_>) -> io::Result<PathBuf> {
    let home = dir.join("agent").join(agent.sha256);
    let program = home.join("salt-rs-minion");
    if std::fs::read(&program).is_ok_and(|bytes| digest(&bytes) == agent.sha256) {
        return Ok(program);
    }
    let mut bytes = Vec::new();
    GzDecoder::new(agent.gz)
        .take(agent.size.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if digest(&bytes) != agent.sha256 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong digest"));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&home)?;
    let temp = home.join(format!(".{:032x}", rand::random::<u128>()));
    let written = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&temp)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&temp, &program)?;
        std::fs::File::open(&home)?.sync_all()
    };
    let result = written();
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temp);
    }
    result.map(|()| program)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
