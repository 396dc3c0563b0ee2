//! The callbacks of a connection: judges the host's key, refuses whatever the host wants to open (T6).

use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, Names, cipher};

use super::known_hosts::Pins;
use crate::transport::endpoint::Endpoint;
use crate::transport::error::{ConnectError, tame};

/// What ends a connection from our side.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The library's own error.
    Ssh(russh::Error),
    /// We refuse the host.
    Refused(Box<ConnectError>),
}

impl From<russh::Error> for Trouble {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// What to do with the host's key.
pub(super) enum Purpose {
    /// Check it.
    Connect(Pins),
    /// Note it and hang up.
    Scan(Arc<Mutex<Vec<PublicKey>>>),
}

/// The handler of one connection.
pub(super) struct Gatekeeper {
    pub(super) endpoint: Endpoint,
    pub(super) purpose: Purpose,
    /// Why the connection ended, for messages.
    pub(super) ended: Arc<Mutex<Option<String>>>,
}

impl Gatekeeper {
    fn refuse(&self, text: &str) -> Trouble {
        let phase = crate::transport::Phase::KeyExchange;
        Trouble::Refused(Box::new(ConnectError::Protocol {
            host: self.endpoint.id.clone(),
            phase,
            text: text.to_owned(),
        }))
    }
}

impl Handler for Gatekeeper {
    type Error = Trouble;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Trouble> {
        match &self.purpose {
            Purpose::Connect(pins) => {
                let verdict = pins.judge(&self.endpoint, shown);
                verdict
                    .map(|()| true)
                    .map_err(|error| Trouble::Refused(Box::new(error)))
            }
            Purpose::Scan(found) => {
                found
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(shown.public_key());
                Ok(false)
            }
        }
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, _: &mut Session) -> Result<(), Trouble> {
        // Without strict key exchange messages can be cut out unseen, except under AES-GCM (CVE-2023-48795, T6).
        if names.strict_kex() || names.cipher == cipher::AES_256_GCM {
            return Ok(());
        }
        Err(self.refuse("it offers neither strict key exchange nor AES-GCM"))
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Trouble>) -> Result<(), Trouble> {
        let (text, result) = match reason {
            DisconnectReason::ReceivedDisconnect(said) => (tame(said.message.as_bytes()), Ok(())),
            DisconnectReason::Error(Trouble::Ssh(error)) => (error.to_string(), Err(Trouble::Ssh(error))),
            DisconnectReason::Error(refused) => (String::new(), Err(refused)),
        };
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(text).filter(|text| !text.is_empty());
        result
    }

    // The library accepts these by default. Dropping the handle refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Trouble> {
        drop(reply);
        Ok(())
    }
}
