//! Why a host could not be reached, and what to do about it.
//!
//! Each value names the host by its roster id. `Display` says what happened, [`ConnectError::hint`] the way out,
//! [`ConnectError::exit_code`] how the program ends.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The step of a connection that ran out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The TCP connection.
    Tcp,
    /// Version and key exchange.
    KeyExchange,
    /// Authentication of the user.
    Auth,
    /// Opening a channel.
    Channel,
    /// The login shell until the marker line.
    Shell,
    /// Sending the agent and installing it.
    Upload,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "the TCP connection",
            Self::KeyExchange => "the key exchange",
            Self::Auth => "authentication",
            Self::Channel => "opening a channel",
            Self::Shell => "the login shell",
            Self::Upload => "the upload of the agent",
        })
    }
}

/// A host that could not be reached, or was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection: refused, no route, name not found, cut during the handshake.
    #[error("reach {host} at {address}: {source}")]
    Unreachable {
        /// Roster id.
        host: String,
        /// Host name and port that were tried.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A step took longer than the endpoint's `connect_timeout`.
    #[error("reach {host}: {phase} took longer than {} s", after.as_secs_f32())]
    Timeout {
        /// Roster id.
        host: String,
        /// The step.
        phase: Phase,
        /// The limit.
        after: Duration,
    },
    /// The connection broke or the peer did not keep to the protocol.
    #[error("talk SSH with {host} during {phase}: {text}")]
    Protocol {
        /// Roster id.
        host: String,
        /// The step.
        phase: Phase,
        /// What went wrong.
        text: String,
    },
    /// No known_hosts file holds a key for this host. Nothing was sent (T2).
    #[error("trust {host}: no host key is known for {name}; it shows {fingerprint} ({algorithm})")]
    UnknownHostKey {
        /// Roster id.
        host: String,
        /// The name looked up, as it stands in known_hosts.
        name: String,
        /// SHA-256 fingerprint of the key shown.
        fingerprint: String,
        /// Its type, such as `ssh-ed25519`.
        algorithm: String,
    },
    /// Another key is pinned for this host. Nothing was sent (T2).
    #[error("trust {host}: {name} shows {got}, but {expected} is pinned at {place}")]
    ChangedHostKey {
        /// Roster id.
        host: String,
        /// The name looked up.
        name: String,
        /// Fingerprint of the pinned key.
        expected: String,
        /// Fingerprint of the key shown.
        got: String,
        /// `file:line` of the pinned key.
        place: String,
    },
    /// The key, or the authority that signed it, is marked `@revoked`.
    #[error("trust {host}: its key {fingerprint} is revoked at {place}")]
    RevokedHostKey {
        /// Roster id.
        host: String,
        /// Fingerprint of the key shown.
        fingerprint: String,
        /// `file:line` of the `@revoked` line.
        place: String,
    },
    /// The host shows a certificate of a known authority that does not hold for it.
    #[error("trust {host}: its host certificate {reason}")]
    HostCertificate {
        /// Roster id.
        host: String,
        /// Why, such as `is expired`.
        reason: String,
    },
    /// A known_hosts file cannot be used.
    #[error("read {}: {text}", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        text: String,
    },
    /// The host let none of our credentials in.
    #[error(
        "log in to {host} as {user}: tried {}; the host accepts {accepted}",
        list(tried)
    )]
    AuthFailed {
        /// Roster id.
        host: String,
        /// Login name.
        user: String,
        /// Each method tried, with key and file.
        tried: Vec<String>,
        /// Methods that the host says can continue.
        accepted: String,
    },
    /// A private key or certificate file cannot be used.
    #[error("read key {} for {host}: {text}", path.display())]
    KeyUnreadable {
        /// Roster id.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// A private key is encrypted and no passphrase was given.
    #[error("use key {} for {host}: it is encrypted", path.display())]
    NeedsPassphrase {
        /// Roster id.
        host: String,
        /// The file.
        path: PathBuf,
    },
    /// `sudo -n` did not let us become root.
    #[error("become root on {host}: {text}")]
    NoSudo {
        /// Roster id.
        host: String,
        /// What sudo said.
        text: String,
    },
    /// A name that must not reach a command line or a connection (T3).
    #[error("use {what} {name:?} of {host}: {text}")]
    BadName {
        /// Roster id.
        host: String,
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        text: &'static str,
    },
    /// The login shell ended before our script ran.
    #[error("get a shell on {host}: {text}")]
    NoShell {
        /// Roster id.
        host: String,
        /// What it printed, and how it ended.
        text: String,
    },
    /// The agent could not be installed or started on the host.
    #[error("start the agent on {host}: {text}")]
    Bootstrap {
        /// Roster id.
        host: String,
        /// The step that failed and what the host said.
        text: String,
    },
    /// The host needs an agent built for another machine.
    #[error("start the agent on {host}: it is built for {have}, the host is {machine}")]
    AgentArch {
        /// Roster id.
        host: String,
        /// `uname -m` of the host.
        machine: String,
        /// What we carry.
        have: String,
    },
    /// The jump host could not be reached.
    #[error("reach {host} through its jump host: cannot {source}")]
    JumpFailed {
        /// Roster id of the target.
        host: String,
        /// What happened at the jump host.
        source: Arc<ConnectError>,
    },
    /// A setting that this transport cannot honour.
    #[error("reach {host}: {text}")]
    Unsupported {
        /// Roster id.
        host: String,
        /// Which and why.
        text: String,
    },
}

fn list(tried: &[String]) -> String {
    if tried.is_empty() {
        "nothing (no key, agent or password)".to_owned()
    } else {
        tried.join(", ")
    }
}

impl ConnectError {
    /// The way out, as a sentence for the user.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "check that the host is up and that host and port in the roster are right".into()
            }
            Self::Timeout { .. } => "check the network, or raise `timeout` in the roster".into(),
            Self::Protocol { host, .. } => {
                format!("run it again; if it stays, try `transport: openssh` for {host} in the roster")
            }
            Self::UnknownHostKey { host, .. } => {
                format!("compare the fingerprint with the host's own, then `salt-rs hosts scan {host}`")
            }
            Self::ChangedHostKey { host, .. } => format!(
                "someone may be listening; if the host was reinstalled, `salt-rs hosts forget {host}` and \
                 `salt-rs hosts scan {host}`"
            ),
            Self::RevokedHostKey { .. } => "give the host a new key; a revoked one is never accepted".into(),
            Self::HostCertificate { .. } => {
                "have the authority sign a host certificate that names this host and is valid now".into()
            }
            Self::KnownHosts { .. } => "correct or remove the line; nothing is trusted meanwhile".into(),
            Self::AuthFailed { user, host, .. } => {
                format!(
                    "put the public key into ~{user}/.ssh/authorized_keys on {host}, or set `priv`, `agent` or `passwd`"
                )
            }
            Self::KeyUnreadable { .. } => "correct `priv` in the roster or `ssh.key` in the settings".into(),
            Self::NeedsPassphrase { path, .. } => {
                format!(
                    "add it to ssh-agent: `ssh-add {}`, or give the passphrase",
                    path.display()
                )
            }
            Self::NoSudo { .. } => "let the user run sudo without a password, or log in as root".into(),
            Self::BadName { .. } => "correct the roster".into(),
            Self::NoShell { .. } => "give the user a login shell (/bin/sh is enough)".into(),
            Self::Bootstrap { .. } => {
                "the agent needs root, head, gzip, sha256sum and a state directory that allows execution"
                    .into()
            }
            Self::AgentArch { machine, .. } => format!("install the agent for {machine} beside salt-rs"),
            Self::JumpFailed { source, .. } => source.hint(),
            Self::Unsupported { .. } => "change `transport` or the setting in the roster".into(),
        }
    }

    /// 5 when we refused before touching the host, 3 when it could not be reached (contract, section 6).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownHostKey { .. }
            | Self::ChangedHostKey { .. }
            | Self::RevokedHostKey { .. }
            | Self::HostCertificate { .. }
            | Self::KnownHosts { .. }
            | Self::KeyUnreadable { .. }
            | Self::NeedsPassphrase { .. }
            | Self::BadName { .. }
            | Self::Unsupported { .. } => 5,
            Self::JumpFailed { source, .. } => source.exit_code(),
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Protocol { .. }
            | Self::AuthFailed { .. }
            | Self::NoSudo { .. }
            | Self::NoShell { .. }
            | Self::Bootstrap { .. }
            | Self::AgentArch { .. } => 3,
        }
    }
}

/// Text from a host made fit for a message: one line, no control or direction characters, at most 400 characters (W3).
pub(crate) fn tame(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control() && !is_bidi(*c)));
    }
    if out.chars().count() > 400 {
        out = out.chars().take(400).collect();
        out.push('…');
    }
    out
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_text_is_tamed() {
        assert_eq!(tame(b"  one\r\n\x1b[31mtwo\x07 \xff"), "one [31mtwo \u{fffd}");
        assert_eq!(tame("a\u{202e}b".as_bytes()), "ab");
        assert_eq!(tame(&[b'x'; 1000]).chars().count(), 401);
    }

    #[test]
    fn a_jump_ends_as_its_cause_does() {
        let cause = ConnectError::RevokedHostKey {
            host: "b".into(),
            fingerprint: "f".into(),
            place: "k:1".into(),
        };
        let outer = ConnectError::JumpFailed {
            host: "web1".into(),
            source: Arc::new(cause),
        };
        assert_eq!(outer.exit_code(), 5);
        assert_eq!(
            outer.to_string(),
            "reach web1 through its jump host: cannot trust b: its key f is revoked at k:1"
        );
    }
}
