//! The way to a host: open a session, start the agent there, give its stdin and stdout as one byte stream.
//!
//! Three implementations: [`ssh`] (our own client, one connection, one exec channel per agent), [`openssh`] (the
//! system's `ssh` program, for FIDO keys, ProxyCommand and other set-ups of the user) and [`local`] (a child process).
//! [`Transports`] chooses by [`Endpoint::via`]. Frames, questions and answers are not known here: what travels is bytes.

pub mod bootstrap;
mod child;
pub mod endpoint;
pub mod error;
pub mod local;
pub mod openssh;
mod resolve;
pub mod ssh;

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

pub use bootstrap::Agent;
pub use endpoint::{Endpoint, Via, check_host_name, check_user};
pub use error::{ConnectError, Phase};
pub use local::Local;
pub use openssh::OpenSsh;
pub use ssh::Ssh;

/// A boxed future, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The stdin and stdout of an agent.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {
    /// What the far end wrote to stderr last, and how it ended, for a message to the user. Host text: may be anything,
    /// but is bounded and free of control characters. Empty when there is nothing to say.
    fn last_words(&self) -> String {
        String::new()
    }
}

impl Pipe for tokio::io::DuplexStream {}

/// What a session moved so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent, as they go over the socket (ciphertext for ssh).
    pub bytes_up: u64,
    /// Bytes received, likewise.
    pub bytes_down: u64,
    /// How often we turned from sending to waiting for the peer. The two greetings that cross at the start of a
    /// connection count one turn too many, the handshake of TCP one too few: together it is the number of round trips.
    /// Zero where it cannot be seen (`openssh`).
    pub round_trips: u64,
}

/// An open way to one host.
pub trait Link: Send + Sync {
    /// Starts the agent, uploading it if the host lacks it. See [`Session::agent`].
    fn agent<'a>(
        &'a self,
        agent: &'a Agent<'a>,
        early: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>>;

    /// What moved on this link so far.
    fn traffic(&self) -> Traffic;
}

/// One live connection to a host.
pub struct Session {
    link: Box<dyn Link>,
}

impl Session {
    /// A session over any link.
    pub fn new(link: impl Link + 'static) -> Self {
        Self { link: Box::new(link) }
    }

    /// Starts the agent on the host and returns its stdin and stdout.
    ///
    /// `early` is sent right behind the request to start, before anything is heard from the host: with it a converge costs
    /// no round trip more than starting the agent. Use it when this host is known to hold this agent. If it does not
    /// after all, the agent is uploaded and `early` is sent again; the agent sees it exactly once.
    ///
    /// # Errors
    /// [`ConnectError::AgentArch`] when the host needs an agent for another machine: call again with that one.
    pub async fn agent(
        &self,
        agent: &Agent<'_>,
        early: Option<&[u8]>,
    ) -> Result<Box<dyn Pipe>, ConnectError> {
        self.link.agent(agent, early).await
    }

    /// What moved in this session so far.
    pub fn traffic(&self) -> Traffic {
        self.link.traffic()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("traffic", &self.traffic())
            .finish_non_exhaustive()
    }
}

/// A kind of way to hosts.
pub trait Transport: Send + Sync {
    /// Opens a session to one host. Nothing is sent to a host whose key is not known (T2).
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Session, ConnectError>>;
}

/// All transports of one process. Make one and share it: it keeps loaded keys, connections to jump hosts, and the
/// limit of handshakes per sshd.
#[derive(Default)]
pub struct Transports {
    ssh: Ssh,
}

impl Transports {
    /// Fetches a host's keys for `hosts scan`; what comes back is not trusted.
    ///
    /// # Errors
    /// The host cannot be reached, or shows no key we know the type of.
    pub async fn scan(&self, endpoint: &Endpoint) -> Result<Vec<russh::keys::PublicKey>, ConnectError> {
        self.ssh.scan(endpoint).await
    }
}

impl Transport for Transports {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Session, ConnectError>> {
        match endpoint.via {
            Via::Ssh => self.ssh.open(endpoint),
            Via::OpenSsh => OpenSsh.open(endpoint),
            Via::Local => Local.open(endpoint),
        }
    }
}
