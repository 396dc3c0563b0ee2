//! Our own SSH client: one connection per host, host keys checked before anything is sent, agents over exec channels.
//!
//! A cold start of an agent costs eight round trips: TCP 1, key exchange 2, service 1, key probe 1, signature 1, channel 1,
//! exec 1 (the answer to early data comes with it). The library runs each connection in a task of its own, so one host's
//! stall or panic does not touch another's (T6).

mod auth;
mod channel;
mod config;
mod credentials;
mod edit;
mod gate;
mod gatekeeper;
mod host_keys;
mod jump;
mod known_hosts;
mod prompt;
mod scan;
mod wire;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client::{self, Config, Handle};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::bootstrap::{self, Agent, Exec};
use super::endpoint::Endpoint;
use super::error::{ConnectError, Phase, tame};
use super::{BoxFuture, Link, Pipe, Session, Traffic, Transport};
use channel::ChannelPipe;
pub(crate) use channel::keep_tail;
use credentials::{Credentials, KeyRing};
pub use edit::{Names, forget, learn};
use gatekeeper::{Gatekeeper, Purpose, Trouble};
pub use host_keys::fingerprint;
use jump::Jumps;
pub use known_hosts::{Known, Pins, lookup_name};
use prompt::Prompt;
use wire::{Leash, Wire};

/// The SSH transport. Make one per process and share it.
#[derive(Debug, Default)]
pub struct Ssh {
    ring: Arc<KeyRing>,
    gates: gate::Gates,
    jumps: Jumps,
}

impl Transport for Ssh {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Session, ConnectError>> {
        Box::pin(async move { Ok(Session::new(SshLink(self.connect(endpoint).await?))) })
    }
}

/// One authenticated connection.
struct Connection {
    handle: Handle<Gatekeeper>,
    endpoint: Endpoint,
    leash: Leash,
    ended: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.endpoint.id)
            .finish_non_exhaustive()
    }
}

struct SshLink(Arc<Connection>);

impl Link for SshLink {
    fn agent<'a>(
        &'a self,
        agent: &'a Agent<'a>,
        early: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>> {
        Box::pin(bootstrap::start(self, &self.0.endpoint, agent, early))
    }

    fn traffic(&self) -> Traffic {
        self.0.leash.0.traffic()
    }
}

impl Exec for SshLink {
    fn exec<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>> {
        Box::pin(async move {
            let own = &self.0;
            let opened = limit(&own.endpoint, Phase::Channel, own.handle.channel_open_session()).await?;
            let channel = opened.map_err(|error| own.lost(Phase::Channel, &error))?;
            // No reply is waited for: a refusal shows as an end without a word.
            channel
                .exec(false, command)
                .await
                .map_err(|error| own.lost(Phase::Channel, &error))?;
            let pipe: Box<dyn Pipe> = Box::new(ChannelPipe::new(channel, Arc::clone(own)));
            Ok(pipe)
        })
    }
}

impl Connection {
    fn lost(&self, phase: Phase, error: &russh::Error) -> ConnectError {
        let why = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        protocol(&self.endpoint, phase, &why.unwrap_or_else(|| error.to_string()))
    }

    /// A connection from here to another host, as a stream.
    async fn through(self: &Arc<Self>, target: &Endpoint) -> Result<ChannelPipe, ConnectError> {
        let opening =
            self.handle
                .channel_open_direct_tcpip(&target.host, u32::from(target.port), "127.0.0.1", 0);
        match limit(target, Phase::Tcp, opening).await? {
            Ok(channel) => Ok(ChannelPipe::new(channel, Arc::clone(self))),
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)) => {
                let kind = io::ErrorKind::ConnectionRefused;
                let text = format!("its jump host {} cannot connect to it", self.endpoint.id);
                Err(unreachable(target, io::Error::new(kind, text)))
            }
            Err(error) => {
                let source = Arc::new(self.lost(Phase::Channel, &error));
                Err(ConnectError::JumpFailed {
                    host: target.id.clone(),
                    source,
                })
            }
        }
    }
}

/// A connection that has agreed on keys and whose host is who it should be.
struct Greeted {
    handle: Handle<Gatekeeper>,
    leash: Leash,
    ended: Arc<Mutex<Option<String>>>,
}

impl Ssh {
    /// Connects and logs in.
    async fn connect(&self, endpoint: &Endpoint) -> Result<Arc<Connection>, ConnectError> {
        endpoint.check()?;
        let pins = Pins::load(&endpoint.known_hosts, &endpoint.host, endpoint.port).await?;
        // Loaded first: a key that needs a passphrase should not cost a connection.
        let credentials = Credentials::load(&self.ring, endpoint).await?;
        let config = || config::config(pins.algorithms(), pins.certificates());
        let purpose = || Purpose::Connect(pins.clone());
        // The way first: a permit held while waiting for another permit could end in a ring.
        let _way = match &endpoint.jump {
            Some(jump) => Some(self.jump(endpoint, jump).await?),
            None => None,
        };
        let gate = self.gates.of(&endpoint.address());
        let _permit = gate
            .acquire()
            .await
            .map_err(|_| protocol(endpoint, Phase::Tcp, "the gate is closed"))?;
        let mut greeted = self.handshake(endpoint, config(), purpose).await?;
        let log_in = auth::log_in(&mut greeted.handle, endpoint, credentials);
        limit(endpoint, Phase::Auth, log_in).await??;
        let Greeted { handle, leash, ended } = greeted;
        Ok(Arc::new(Connection {
            handle,
            endpoint: endpoint.clone(),
            leash,
            ended,
        }))
    }

    /// Connects up to the end of the key exchange, again when sshd drops us for having too many guests.
    async fn handshake(
        &self,
        endpoint: &Endpoint,
        config: Config,
        purpose: impl Fn() -> Purpose,
    ) -> Result<Greeted, ConnectError> {
        let config = Arc::new(config);
        let mut attempt = 0;
        loop {
            match self.greet(endpoint, &config, purpose()).await {
                Err(Failed::Dropped(error)) if attempt < gate::RETRIES => {
                    drop(error);
                    sleep(gate::pause(attempt)).await;
                    attempt += 1;
                }
                Err(Failed::Dropped(error) | Failed::Final(error)) => return Err(error),
                Ok(greeted) => return Ok(greeted),
            }
        }
    }

    async fn greet(
        &self,
        endpoint: &Endpoint,
        config: &Arc<Config>,
        purpose: Purpose,
    ) -> Result<Greeted, Failed> {
        match &endpoint.jump {
            None => {
                let socket = TcpStream::connect((endpoint.host.as_str(), endpoint.port));
                let socket = limit(endpoint, Phase::Tcp, socket)
                    .await?
                    .map_err(|error| unreachable(endpoint, error))?;
                socket
                    .set_nodelay(true)
                    .map_err(|error| unreachable(endpoint, error))?;
                exchange(endpoint, config, purpose, Prompt(socket)).await
            }
            Some(jump) => {
                let stream = self.jump(endpoint, jump).await?.through(endpoint).await?;
                exchange(endpoint, config, purpose, stream).await
            }
        }
    }
}

/// A failed handshake: worth another try or not.
enum Failed {
    Dropped(ConnectError),
    Final(ConnectError),
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Self {
        Self::Final(error)
    }
}

async fn exchange<S>(
    endpoint: &Endpoint,
    config: &Arc<Config>,
    purpose: Purpose,
    stream: S,
) -> Result<Greeted, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (wire, leash) = Wire::new(stream);
    let ended = Arc::new(Mutex::new(None));
    let gatekeeper = Gatekeeper {
        endpoint: endpoint.clone(),
        purpose,
        ended: Arc::clone(&ended),
    };
    let connecting = client::connect_stream(Arc::clone(config), wire, gatekeeper);
    match limit(endpoint, Phase::KeyExchange, connecting).await? {
        Ok(handle) => Ok(Greeted { handle, leash, ended }),
        Err(Trouble::Refused(error)) => Err(Failed::Final(*error)),
        Err(Trouble::Ssh(error)) => {
            let dropped = match &error {
                russh::Error::IO(error) => matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
                ),
                russh::Error::HUP | russh::Error::Disconnect => true,
                _ => false,
            };
            let problem = match error {
                russh::Error::IO(error) => unreachable(endpoint, error),
                error => protocol(endpoint, Phase::KeyExchange, &error.to_string()),
            };
            Err(if dropped {
                Failed::Dropped(problem)
            } else {
                Failed::Final(problem)
            })
        }
    }
}

/// Waits for a step no longer than the endpoint allows.
async fn limit<T>(
    endpoint: &Endpoint,
    phase: Phase,
    step: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    let after: Duration = endpoint.connect_timeout;
    timeout(after, step).await.map_err(|_| ConnectError::Timeout {
        host: endpoint.id.clone(),
        phase,
        after,
    })
}

fn unreachable(endpoint: &Endpoint, source: io::Error) -> ConnectError {
    ConnectError::Unreachable {
        host: endpoint.id.clone(),
        address: endpoint.address(),
        source,
    }
}

fn protocol(endpoint: &Endpoint, phase: Phase, text: &str) -> ConnectError {
    ConnectError::Protocol {
        host: endpoint.id.clone(),
        phase,
        text: tame(text.as_bytes()),
    }
}
