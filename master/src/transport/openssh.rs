//! The second way: the system's `ssh` program, chosen by `transport: openssh` in the roster.
//!
//! For FIDO keys, ProxyCommand, GSSAPI and whatever else the user has in `~/.ssh/config`, which is in force here. It costs
//! a process and more round trips. Nothing from a roster becomes an option: names are checked, every value is the argument
//! of an option we choose, and `--` stands before the host (T3). It never asks: no passwords and no new host keys.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::{Child, Command};

use super::bootstrap::{self, Agent, Exec};
use super::child::{ChildPipe, Moved};
use super::endpoint::Endpoint;
use super::error::{ConnectError, Phase, tame};
use super::{BoxFuture, Link, Pipe, Session, Traffic, Transport};

/// The transport over the `ssh` program.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenSsh;

impl Transport for OpenSsh {
    /// Checks the endpoint. The connection itself is made when an agent is started.
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Session, ConnectError>> {
        Box::pin(async move {
            endpoint.check()?;
            arguments(endpoint)?;
            Ok(Session::new(ProgramLink {
                endpoint: endpoint.clone(),
                moved: Arc::default(),
                said: Mutex::default(),
            }))
        })
    }
}

struct ProgramLink {
    endpoint: Endpoint,
    moved: Arc<Moved>,
    /// Stderr of the newest child.
    said: Mutex<Arc<Mutex<Vec<u8>>>>,
}

impl Link for ProgramLink {
    fn agent<'a>(
        &'a self,
        agent: &'a Agent<'a>,
        early: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>> {
        Box::pin(async move {
            let started = bootstrap::start(self, &self.endpoint, agent, early).await;
            started.map_err(|error| match error {
                // ssh's own failures look to the bootstrap like a shell without a word.
                ConnectError::NoShell { .. } | ConnectError::NoSudo { .. } => {
                    let said = Arc::clone(&self.said.lock().unwrap_or_else(PoisonError::into_inner));
                    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    explain(&self.endpoint, &String::from_utf8_lossy(&said)).unwrap_or(error)
                }
                error => error,
            })
        })
    }

    fn traffic(&self) -> Traffic {
        self.moved.traffic()
    }
}

impl Exec for ProgramLink {
    fn exec<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>> {
        Box::pin(async move {
            let mut arguments = arguments(&self.endpoint)?;
            arguments.push(command.into());
            let child = spawn(&arguments).map_err(|source| ConnectError::Unsupported {
                host: self.endpoint.id.clone(),
                text: format!("cannot start the ssh program: {source}"),
            })?;
            let pipe = ChildPipe::new(child, Arc::clone(&self.moved)).map_err(|source| {
                let (host, address) = (self.endpoint.id.clone(), self.endpoint.address());
                ConnectError::Unreachable {
                    host,
                    address,
                    source,
                }
            })?;
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = pipe.stderr();
            let pipe: Box<dyn Pipe> = Box::new(pipe);
            Ok(pipe)
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts the ssh program"
)]
fn spawn(arguments: &[OsString]) -> io::Result<Child> {
    let mut command = std::process::Command::new("ssh");
    command.args(arguments).env("LC_ALL", "C");
    let mut command = Command::from(command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn()
}

/// The arguments up to and with the host.
fn arguments(endpoint: &Endpoint) -> Result<Vec<OsString>, ConnectError> {
    let unsupported = |text: &str| ConnectError::Unsupported {
        host: endpoint.id.clone(),
        text: text.to_owned(),
    };
    if endpoint.password.is_some() || endpoint.passphrase.is_some() {
        return Err(unsupported(
            "`transport: openssh` takes no password; use a key or the ssh-agent",
        ));
    }
    let seconds = endpoint.connect_timeout.as_secs().max(1);
    let mut out: Vec<OsString> = ["-T", "-x", "-a"].map(OsString::from).to_vec();
    let mut set = |text: String| out.extend(["-o".into(), text.into()]);
    set("BatchMode=yes".into());
    set("StrictHostKeyChecking=yes".into());
    set("UpdateHostKeys=no".into());
    set("ClearAllForwardings=yes".into());
    set("PermitLocalCommand=no".into());
    // An existing shared connection of the user is used; none is left behind.
    set("ControlMaster=no".into());
    set("EscapeChar=none".into());
    set("LogLevel=INFO".into());
    set(format!("ConnectTimeout={seconds}"));
    set("ServerAliveInterval=15".into());
    set("ServerAliveCountMax=3".into());
    if !endpoint.known_hosts.is_empty() {
        let files = endpoint
            .known_hosts
            .iter()
            .map(|path| plain(path).map(|text| format!("\"{text}\"")));
        let files: Option<Vec<_>> = files.collect();
        let files =
            files.ok_or_else(|| unsupported("a known_hosts path holds characters that ssh would read"))?;
        set(format!("UserKnownHostsFile={}", files.join(" ")));
    }
    if let Some(path) = &endpoint.certificate {
        let path = plain(path)
            .ok_or_else(|| unsupported("the certificate path holds characters that ssh would read"))?;
        set(format!("CertificateFile=\"{path}\""));
    }
    for path in &endpoint.key_files {
        let path =
            plain(path).ok_or_else(|| unsupported("a key path holds characters that ssh would read"))?;
        out.extend(["-i".into(), path.into()]);
    }
    if let Some(jump) = &endpoint.jump {
        out.extend(["-J".into(), chain(jump).into()]);
    }
    out.extend(["-p".into(), endpoint.port.to_string().into()]);
    out.extend(["-l".into(), endpoint.user.clone().into()]);
    out.extend(["--".into(), endpoint.host.clone().into()]);
    Ok(out)
}

/// A path that ssh takes as it is: no quote, no `%` token, no `${}`.
fn plain(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '%' | '$' | ',');
    (!text.is_empty() && !text.starts_with('-') && !text.contains(odd)).then_some(text)
}

fn chain(jump: &Endpoint) -> String {
    let own = format!("{}@{}", jump.user, jump.address());
    match &jump.jump {
        Some(first) => format!("{},{own}", chain(first)),
        None => own,
    }
}

/// Parts of ssh's messages about a host it cannot connect to.
const NETWORK: [&str; 6] = [
    "Could not resolve hostname",
    "Connection refused",
    "Connection reset",
    "Connection closed",
    "No route to host",
    "Network is unreachable",
];

/// What the text on ssh's stderr means; `None` when ssh itself had nothing to say.
fn explain(endpoint: &Endpoint, text: &str) -> Option<ConnectError> {
    let (host, name) = (
        endpoint.id.clone(),
        super::ssh::lookup_name(&endpoint.host, endpoint.port),
    );
    let has = |part: &str| text.contains(part);
    // A host that prints the same text can get itself refused, no more.
    let after = |part: &str| {
        let word = text.split_once(part)?.1.split_whitespace().next()?;
        Some(tame(word.trim_end_matches('.').as_bytes()))
    };
    let place = || {
        let line = text.lines().find(|line| line.starts_with("Offending"));
        let place = line.and_then(|line| line.split_whitespace().last());
        place.map_or_else(|| "known_hosts".to_owned(), |place| tame(place.as_bytes()))
    };
    if has("REVOKED HOST KEY") || has("marked as revoked") {
        return Some(ConnectError::RevokedHostKey {
            host,
            fingerprint: "shown".into(),
            place: place(),
        });
    }
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let got = after("sent by the remote host is").unwrap_or_else(|| "a key".into());
        let expected = "another key".into();
        return Some(ConnectError::ChangedHostKey {
            host,
            name,
            expected,
            got,
            place: place(),
        });
    }
    if has("Host key verification failed") {
        let algorithm = after("No ").unwrap_or_else(|| "unnamed".into());
        return Some(ConnectError::UnknownHostKey {
            host,
            name,
            fingerprint: "a key".into(),
            algorithm,
        });
    }
    if let Some((_, rest)) = text.split_once("Permission denied (") {
        let accepted = tame(rest.split(')').next().unwrap_or_default().as_bytes());
        let tried = vec!["what the ssh program found".to_owned()];
        return Some(ConnectError::AuthFailed {
            host,
            user: endpoint.user.clone(),
            tried,
            accepted,
        });
    }
    if has("timed out") {
        return Some(ConnectError::Timeout {
            host,
            phase: Phase::Tcp,
            after: endpoint.connect_timeout,
        });
    }
    let source = io::Error::other(tame(text.as_bytes()));
    let address = endpoint.address();
    NETWORK
        .iter()
        .any(|part| has(part))
        .then_some(ConnectError::Unreachable {
            host,
            address,
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(endpoint: &Endpoint) -> String {
        let arguments = arguments(endpoint).unwrap();
        arguments
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_host_stands_behind_the_dashes() {
        let mut endpoint = Endpoint::new("web1", "192.0.2.1");
        endpoint.key_files = vec!["/keys/a b".into()];
        endpoint.known_hosts = vec!["/k/one".into(), "/k/t wo".into()];
        let mut jump = Endpoint::new("b", "bastion");
        jump.jump = Some(Box::new(Endpoint::new("o", "outer")));
        endpoint.jump = Some(Box::new(jump));
        let line = line(&endpoint);
        assert!(
            line.ends_with("-i /keys/a b -J root@outer:22,root@bastion:22 -p 22 -l root -- 192.0.2.1"),
            "{line}"
        );
        assert!(
            line.contains("-o UserKnownHostsFile=\"/k/one\" \"/k/t wo\" "),
            "{line}"
        );
        assert!(
            line.contains("-o BatchMode=yes -o StrictHostKeyChecking=yes "),
            "{line}"
        );
    }

    #[test]
    fn values_that_ssh_would_read_are_refused() {
        for path in ["/k/%h", "/k/${HOME}", "/k/\"x\"", "-oProxyCommand=x", ""] {
            let mut endpoint = Endpoint::new("web1", "web1");
            endpoint.key_files = vec![path.into()];
            assert!(
                matches!(arguments(&endpoint), Err(ConnectError::Unsupported { .. })),
                "{path}"
            );
        }
        let mut endpoint = Endpoint::new("web1", "web1");
        endpoint.password = Some(crate::roster::Password::new("x".into()));
        assert!(matches!(
            arguments(&endpoint),
            Err(ConnectError::Unsupported { .. })
        ));
    }

    #[test]
    fn what_ssh_says_is_understood() {
        let endpoint = Endpoint::new("web1", "web1");
        let cases = [
            (
                "No ED25519 host key is known for web1 and you have requested strict checking. Host key verification failed.",
                "UnknownHostKey",
            ),
            (
                "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nAdd correct host key in /k to get rid of this message.\nOffending ED25519 key in /k:3\nHost key verification failed.",
                "ChangedHostKey",
            ),
            ("root@web1: Permission denied (publickey,password).", "AuthFailed"),
            (
                "ssh: connect to host web1 port 22: Connection refused",
                "Unreachable",
            ),
            (
                "ssh: connect to host web1 port 22: Connection timed out",
                "Timeout",
            ),
            (
                "ssh: Could not resolve hostname web1: Name or service not known",
                "Unreachable",
            ),
            ("sudo: a password is required", "None"),
        ];
        for (text, want) in cases {
            let got = format!("{:?}", explain(&endpoint, text));
            assert!(got.trim_start_matches("Some(").starts_with(want), "{text}: {got}");
        }
    }
}
