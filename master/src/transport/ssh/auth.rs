//! Who we are: private keys, certificates, the ssh-agent, a password.
//!
//! Order: agent keys that match a key file, the key files (each with its certificate first), the other agent keys, the
//! password. sshd ends the connection after six failures, so what the roster names comes before what merely lies in the
//! agent. A key file that cannot be used is reported only if nothing else lets us in.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;

use super::credentials::{Credentials, Key};
use super::gatekeeper::Gatekeeper;
use super::host_keys::fingerprint;
use crate::roster::Password;
use crate::transport::endpoint::Endpoint;
use crate::transport::error::{ConnectError, Phase, tame};

/// Logs in with the first credential the host takes.
///
/// # Errors
/// `AuthFailed` with everything tried, or the first key file's own problem.
pub(super) async fn log_in(
    handle: &mut Handle<Gatekeeper>,
    endpoint: &Endpoint,
    mut credentials: Credentials,
) -> Result<(), ConnectError> {
    let mut door = Door {
        handle,
        endpoint,
        tried: Vec::new(),
        accepted: None,
        rsa: None,
    };
    if door.knock(&credentials).await? {
        return Ok(());
    }
    if !credentials.problems.is_empty() {
        return Err(credentials.problems.remove(0));
    }
    let accepted = match door.accepted {
        Some(methods) if !methods.is_empty() => methods
            .iter()
            .map(<&'static str>::from)
            .collect::<Vec<_>>()
            .join(", "),
        _ => "nothing more".to_owned(),
    };
    let (host, user) = (endpoint.id.clone(), endpoint.user.clone());
    Err(ConnectError::AuthFailed {
        host,
        user,
        tried: door.tried,
        accepted,
    })
}

fn broken(endpoint: &Endpoint, text: &str) -> ConnectError {
    ConnectError::Protocol {
        host: endpoint.id.clone(),
        phase: Phase::Auth,
        text: tame(text.as_bytes()),
    }
}

struct Door<'a> {
    handle: &'a mut Handle<Gatekeeper>,
    endpoint: &'a Endpoint,
    tried: Vec<String>,
    /// What the host said can continue; `None` before the first refusal.
    accepted: Option<russh::MethodSet>,
    /// The hash to sign RSA with, once asked.
    rsa: Option<Option<HashAlg>>,
}

type Agent = AgentClient<UnixStream>;

impl Door<'_> {
    async fn knock(&mut self, credentials: &Credentials) -> Result<bool, ConnectError> {
        let (mut agent, identities) = match credentials.agent.as_deref() {
            Some(socket) => match self.ask_agent(socket).await {
                Ok((agent, identities)) => (Some(agent), identities),
                Err(text) => {
                    self.tried.push(format!(
                        "ssh-agent {} ({})",
                        socket.display(),
                        tame(text.as_bytes())
                    ));
                    (None, Vec::new())
                }
            },
            None => (None, Vec::new()),
        };
        let (named, others): (Vec<_>, Vec<_>) = identities.into_iter().partition(|identity| {
            credentials
                .public
                .iter()
                .any(|key| key.key_data() == identity.public_key().key_data())
        });
        for identity in named {
            if self.show_agent(agent.as_mut(), &identity).await? {
                return Ok(true);
            }
        }
        for key in &credentials.keys {
            if self.show_key(key).await? {
                return Ok(true);
            }
        }
        for identity in others {
            if self.show_agent(agent.as_mut(), &identity).await? {
                return Ok(true);
            }
        }
        match &self.endpoint.password {
            Some(password) => self.say(password).await,
            None => Ok(false),
        }
    }

    async fn ask_agent(&self, socket: &Path) -> Result<(Agent, Vec<AgentIdentity>), String> {
        let mut agent = AgentClient::connect_uds(socket)
            .await
            .map_err(|error| error.to_string())?;
        if let Some(binding) = self.handle.agent_session_binding() {
            // Keys bound to destinations need it; agents that do not know the message refuse it and work on.
            let _ = agent.bind_session(binding, false).await;
        }
        let identities = agent
            .request_identities()
            .await
            .map_err(|error| error.to_string())?;
        Ok((agent, identities))
    }

    fn open(&self, method: MethodKind) -> bool {
        self.accepted
            .as_ref()
            .is_none_or(|methods| methods.contains(&method))
    }

    fn outcome(&mut self, what: String, result: AuthResult) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure {
                remaining_methods,
                partial_success,
            } => {
                self.tried.push(if partial_success {
                    format!("{what} (accepted, more is asked)")
                } else {
                    what
                });
                self.accepted = Some(remaining_methods);
                false
            }
        }
    }

    fn lost(&self, error: &russh::Error) -> ConnectError {
        broken(self.endpoint, &error.to_string())
    }

    /// The hash to sign with; `Err` when the host wants SHA-1, which we do not make.
    async fn hash(&mut self, key: &PublicKey) -> Result<Result<Option<HashAlg>, ()>, ConnectError> {
        if !key.algorithm().is_rsa() {
            return Ok(Ok(None));
        }
        if self.rsa.is_none() {
            let best = self
                .handle
                .best_supported_rsa_hash()
                .await
                .map_err(|error| self.lost(&error))?;
            self.rsa = Some(best.unwrap_or(Some(HashAlg::Sha512)));
        }
        Ok(self.rsa.flatten().map(Some).ok_or(()))
    }

    async fn show_key(&mut self, key: &Key) -> Result<bool, ConnectError> {
        if let Some(certificate) = key
            .certificate
            .as_ref()
            .filter(|_| self.open(MethodKind::PublicKey))
        {
            let what = format!("certificate {:?} of {}", certificate.key_id(), key.path.display());
            let Ok(hash) = self.hash(key.key.public_key()).await? else {
                self.tried
                    .push(format!("{what}: the host takes RSA with SHA-1 only"));
                return Ok(false);
            };
            let mut signer = Own(Arc::clone(&key.key));
            let user = &self.endpoint.user;
            let result = self
                .handle
                .authenticate_certificate_with(user, certificate.clone(), hash, &mut signer)
                .await;
            let result = result.map_err(|error| broken(self.endpoint, &error.to_string()))?;
            if self.outcome(what, result) {
                return Ok(true);
            }
        }
        if !self.open(MethodKind::PublicKey) {
            return Ok(false);
        }
        let what = format!(
            "key {} ({})",
            key.path.display(),
            fingerprint(key.key.public_key())
        );
        let Ok(hash) = self.hash(key.key.public_key()).await? else {
            self.tried
                .push(format!("{what}: the host takes RSA with SHA-1 only"));
            return Ok(false);
        };
        let signer = PrivateKeyWithHashAlg::new(Arc::clone(&key.key), hash);
        let result = self
            .handle
            .authenticate_publickey(&self.endpoint.user, signer)
            .await;
        let result = result.map_err(|error| self.lost(&error))?;
        Ok(self.outcome(what, result))
    }

    async fn show_agent(
        &mut self,
        agent: Option<&mut Agent>,
        identity: &AgentIdentity,
    ) -> Result<bool, ConnectError> {
        let Some(agent) = agent.filter(|_| self.open(MethodKind::PublicKey)) else {
            return Ok(false);
        };
        let key = identity.public_key();
        let what = format!("agent key {:?} ({})", identity.comment(), fingerprint(&key));
        let Ok(hash) = self.hash(&key).await? else {
            self.tried
                .push(format!("{what}: the host takes RSA with SHA-1 only"));
            return Ok(false);
        };
        let user = &self.endpoint.user;
        let result = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                self.handle
                    .authenticate_publickey_with(user, key.clone(), hash, agent)
                    .await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                self.handle
                    .authenticate_certificate_with(user, certificate.clone(), hash, agent)
                    .await
            }
        };
        match result {
            Ok(result) => Ok(self.outcome(what, result)),
            Err(error) => {
                self.tried
                    .push(format!("{what}: {}", tame(error.to_string().as_bytes())));
                Ok(false)
            }
        }
    }

    async fn say(&mut self, password: &Password) -> Result<bool, ConnectError> {
        let text = password.reveal();
        let user = &self.endpoint.user;
        if self.open(MethodKind::Password) {
            let result = self.handle.authenticate_password(user, text).await;
            let result = result.map_err(|error| self.lost(&error))?;
            if self.outcome("password".to_owned(), result) {
                return Ok(true);
            }
        }
        if !self.open(MethodKind::KeyboardInteractive) {
            return Ok(false);
        }
        self.tried.push("password (keyboard-interactive)".to_owned());
        let started = self
            .handle
            .authenticate_keyboard_interactive_start(user, None)
            .await;
        let mut reply = started.map_err(|error| self.lost(&error))?;
        // One hidden prompt is answered with the password, once; an empty request needs an empty answer.
        for answered in [false, true, true] {
            let prompts = match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods, ..
                } => {
                    self.accepted = Some(remaining_methods);
                    return Ok(false);
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
            };
            let answers = match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !answered => vec![text.to_owned()],
                _ => return Ok(false),
            };
            let next = self
                .handle
                .authenticate_keyboard_interactive_respond(answers)
                .await;
            reply = next.map_err(|error| self.lost(&error))?;
        }
        Ok(matches!(reply, KeyboardInteractiveAuthResponse::Success))
    }
}

/// Signs for a certificate with the key itself. The library's own way asks for SHA-1 with RSA keys.
struct Own(Arc<PrivateKey>);

/// A signature that could not be made or sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign")]
struct Unsigned;

impl From<russh::SendError> for Unsigned {
    fn from(_: russh::SendError) -> Self {
        Self
    }
}

impl russh::Signer for Own {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        sign(&self.0, hash, data).map_err(|_| Unsigned)
    }
}

/// Appends the signature of `data` to it.
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut data: Vec<u8>) -> russh::keys::ssh_key::Result<Vec<u8>> {
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&data)?,
        pair => pair.try_sign(&data)?,
    };
    signature.encode_prefixed(&mut data)?;
    Ok(data)
}
