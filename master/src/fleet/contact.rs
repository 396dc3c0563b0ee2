//! One live line to a host's agent, opened on first need.

use std::time::Instant;

use proto::frame::{Chain, PROTOCOL};
use proto::{CodecError, FromMinion, Outcome, Report};
use tokio::sync::watch;

use super::{Fleet, Host};
use crate::failure::Kind;
use crate::link::{Link, LinkError};
use crate::session::{SessionError, greeting};
use crate::transport::{ConnectError, Session, Traffic, Transport};

/// Why a host gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No session.
    #[error("cannot {0}")]
    Connect(#[from] Box<ConnectError>),
    /// The session broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The protocol was broken.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The host cannot do it, in its own words.
    #[error("{0}")]
    Fault(String),
}

impl From<CodecError> for Trouble {
    fn from(error: CodecError) -> Self {
        Self::Session(error.into())
    }
}

impl Trouble {
    /// Whether anything may have happened on the host that we do not know of.
    pub const fn leaves_doubt(&self) -> bool {
        matches!(self, Self::Link(_) | Self::Session(_))
    }

    /// How a host ends that was not even begun with: out of reach, or refused (an unknown key, a bad name).
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Connect(error) if error.exit_code() == Kind::Refused.exit_code() => Outcome::Refused,
            Self::Fault(_) => Outcome::Failed,
            _ => Outcome::Unreachable,
        }
    }

    /// The way out, where there is one to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect(error) => Some(error.hint().to_string()),
            Self::Link(_) => {
                Some("a run that had begun goes on there; the next command fetches its result".to_owned())
            }
            _ => None,
        }
    }
}

/// Holds back what hosts are told until it is written down (M1). Connecting need not wait for that.
#[derive(Debug, Clone)]
pub struct Gate(watch::Receiver<bool>);

impl Gate {
    /// A closed gate, and what opens it: `true`. Dropped without, it stays closed for good.
    pub fn closed() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// A gate for what need not be written down.
    pub fn opened() -> Self {
        Self(watch::channel(true).1)
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// [`Trouble::Fault`]: it stays closed.
    pub async fn pass(mut self) -> Result<(), Trouble> {
        let opened = self.0.wait_for(|open| *open).await;
        opened
            .map(drop)
            .map_err(|_| Trouble::Fault("the run could not be written down".to_owned()))
    }
}

/// A session with a host and the line to its agent.
#[derive(Debug)]
pub struct Contact {
    session: Session,
    /// The line.
    pub link: Link,
    /// When connecting began.
    pub since: Instant,
    /// The report of an earlier run whose result was never heard, if the greeting brought it.
    pub settled: Option<Report>,
    /// Where its journal ended at the greeting.
    pub chain: Option<Chain>,
}

impl Contact {
    /// Connects and starts the agent; `flight` holds the first frames, greeting included, and leaves once `told` opens.
    /// Where the host is known to hold this agent they go out with the request to start it.
    ///
    /// # Errors
    /// [`Trouble::Connect`], [`Trouble::Link`], [`Trouble::Fault`] when `told` never opens.
    pub async fn open(fleet: &Fleet, host: &Host, flight: &[u8], told: Gate) -> Result<Self, Trouble> {
        let since = Instant::now();
        let session = fleet.transports.open(&host.endpoint).await.map_err(Box::new)?;
        told.pass().await?;
        let held = host.memory.agent.as_deref() == Some(fleet.agent.sha256);
        let pipe = session
            .agent(&fleet.agent, held.then_some(flight))
            .await
            .map_err(Box::new)?;
        let mut link = Link::new(pipe);
        if !held {
            link.send(flight).await?;
        }
        Ok(Self {
            session,
            link,
            since,
            settled: None,
            chain: None,
        })
    }

    /// Connects and greets; returns once the host has welcomed us.
    ///
    /// # Errors
    /// Any [`Trouble`].
    pub async fn greet(fleet: &Fleet, host: &Host) -> Result<Self, Trouble> {
        let known = host.memory.head.as_ref().map(|head| head.digest);
        let attach = host.memory.unsettled.as_ref().map(ToString::to_string);
        let greeting = greeting(&fleet.master, attach, fleet.take_over, &fleet.limits, known)?;
        let mut contact = Self::open(fleet, host, &greeting, Gate::opened()).await?;
        match contact.link.next(fleet.patience).await? {
            FromMinion::Welcome {
                protocol: PROTOCOL,
                settled,
                chain,
                ..
            } => {
                contact.settled = settled;
                contact.chain = chain;
                Ok(contact)
            }
            FromMinion::Welcome { protocol, .. } => Err(SessionError::Version(protocol).into()),
            FromMinion::Fault(text) => Err(Trouble::Fault(text)),
            _ => Err(SessionError::Unexpected("frame before its welcome").into()),
        }
    }

    /// What moved so far.
    pub fn traffic(&self) -> Traffic {
        self.session.traffic()
    }
}
