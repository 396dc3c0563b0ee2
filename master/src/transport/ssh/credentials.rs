//! Reading what we log in with: private keys and their certificates.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use russh::keys::{Certificate, PrivateKey, PublicKey};

use crate::roster::Password;
use crate::transport::endpoint::Endpoint;
use crate::transport::error::{ConnectError, Phase};

/// Loaded private keys, so that a fleet behind one encrypted key decrypts it once.
#[derive(Debug, Default)]
pub(super) struct KeyRing(Mutex<HashMap<(PathBuf, SystemTime), Arc<PrivateKey>>>);

/// What can be shown to a host.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    pub(super) keys: Vec<Key>,
    /// Public parts of the key files, to find them in the agent.
    pub(super) public: Vec<PublicKey>,
    /// Socket of the agent, if it is to be asked.
    pub(super) agent: Option<PathBuf>,
    /// Key files that cannot be used, and why.
    pub(super) problems: Vec<ConnectError>,
}

/// A private key, where it came from, and its certificate.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: PathBuf,
    pub(super) key: Arc<PrivateKey>,
    pub(super) certificate: Option<Certificate>,
}

impl Credentials {
    /// Reads the key files of an endpoint.
    ///
    /// # Errors
    /// `KeyUnreadable` or `NeedsPassphrase` when no key can be used and there is neither agent nor password.
    pub(super) async fn load(ring: &Arc<KeyRing>, endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let wanted = endpoint.clone();
        let ring = Arc::clone(ring);
        let read = move || Self::read(&ring, &wanted);
        let mut own = match tokio::task::spawn_blocking(read).await {
            Ok(own) => own,
            Err(error) => {
                let (host, phase) = (endpoint.id.clone(), Phase::Auth);
                return Err(ConnectError::Protocol {
                    host,
                    phase,
                    text: error.to_string(),
                });
            }
        };
        // A key that is encrypted on disk may lie open in the agent.
        let asks = endpoint.use_agent || own.keys.is_empty() || !own.problems.is_empty();
        own.agent = endpoint.agent_socket.clone().filter(|_| asks);
        let other_way = own.agent.is_some() || endpoint.password.is_some();
        if own.keys.is_empty() && !other_way && !own.problems.is_empty() {
            return Err(own.problems.remove(0));
        }
        Ok(own)
    }

    fn read(ring: &KeyRing, endpoint: &Endpoint) -> Self {
        let mut own = Self::default();
        for path in &endpoint.key_files {
            own.public
                .extend(russh::keys::load_public_key(beside(path, ".pub")));
            let key = match ring.load(path, endpoint) {
                Ok(key) => key,
                Err(problem) => {
                    own.problems.push(problem);
                    continue;
                }
            };
            own.public.push(key.public_key().clone());
            let certificate = match certificate(endpoint, path, &key) {
                Ok(certificate) => certificate,
                Err(problem) => {
                    own.problems.push(problem);
                    None
                }
            };
            own.keys.push(Key {
                path: path.clone(),
                key,
                certificate,
            });
        }
        own
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The certificate of a key: the one the endpoint names if it is for this key, else `KEY-cert.pub`.
fn certificate(
    endpoint: &Endpoint,
    path: &Path,
    key: &PrivateKey,
) -> Result<Option<Certificate>, ConnectError> {
    let default = beside(path, "-cert.pub");
    for (path, asked) in endpoint
        .certificate
        .iter()
        .map(|path| (path, true))
        .chain([(&default, false)])
    {
        if !asked && !path.exists() {
            continue;
        }
        let cert = russh::keys::load_openssh_certificate(path)
            .map_err(|error| unreadable(endpoint, path, error.to_string()))?;
        if cert.public_key() == key.public_key().key_data() {
            return Ok(Some(cert));
        }
    }
    Ok(None)
}

impl KeyRing {
    fn load(&self, path: &Path, endpoint: &Endpoint) -> Result<Arc<PrivateKey>, ConnectError> {
        let bad = |text: String| unreadable(endpoint, path, text);
        let meta = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
        // As ssh does: a key that others can read is not a secret any more (P4).
        if meta.mode() & 0o077 != 0 {
            return Err(bad(format!(
                "mode {:04o} lets others read it; use 0600",
                meta.mode() & 0o7777
            )));
        }
        let modified = meta.modified().map_err(|error| bad(error.to_string()))?;
        // Held while decrypting: the others wait for the one result.
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = loaded.get(&(path.to_owned(), modified)) {
            return Ok(Arc::clone(key));
        }
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let passphrase = endpoint.passphrase.as_ref().map(Password::reveal);
        let key = match (russh::keys::decode_secret_key(&text, None), passphrase) {
            (Ok(key), _) => key,
            (Err(russh::keys::Error::KeyIsEncrypted), None) => {
                return Err(ConnectError::NeedsPassphrase {
                    host: endpoint.id.clone(),
                    path: path.to_owned(),
                });
            }
            (Err(russh::keys::Error::KeyIsEncrypted), Some(passphrase)) => {
                russh::keys::decode_secret_key(&text, Some(passphrase))
                    .map_err(|_| bad("wrong passphrase".to_owned()))?
            }
            (Err(error), _) => return Err(bad(error.to_string())),
        };
        let key = Arc::new(key);
        loaded.insert((path.to_owned(), modified), Arc::clone(&key));
        Ok(key)
    }
}

fn unreadable(endpoint: &Endpoint, path: &Path, text: String) -> ConnectError {
    ConnectError::KeyUnreadable {
        host: endpoint.id.clone(),
        path: path.to_owned(),
        text,
    }
}
