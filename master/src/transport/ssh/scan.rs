//! Asking a host for its keys, for `salt-rs hosts scan`. What comes back is not trusted: the user compares it.

use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};

use super::gatekeeper::Purpose;
use super::{Ssh, config};
use crate::transport::endpoint::Endpoint;
use crate::transport::error::{ConnectError, Phase};

impl Ssh {
    /// Fetches the host's ed25519, ecdsa and rsa keys, as `ssh-keyscan` does: each in a connection of its own that ends
    /// before authentication. A jump host on the way is checked and logged in to as always.
    ///
    /// # Errors
    /// When the host cannot be reached or has a key of none of these types.
    pub async fn scan(&self, endpoint: &Endpoint) -> Result<Vec<PublicKey>, ConnectError> {
        endpoint.check()?;
        let kinds = [
            vec![Algorithm::Ed25519],
            [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521]
                .map(|curve| Algorithm::Ecdsa { curve })
                .to_vec(),
            [HashAlg::Sha512, HashAlg::Sha256]
                .map(|hash| Algorithm::Rsa { hash: Some(hash) })
                .to_vec(),
        ];
        let found = Arc::new(Mutex::new(Vec::new()));
        let mut last = None;
        for keys in kinds {
            let config = config::config(keys, Vec::new());
            let purpose = || Purpose::Scan(Arc::clone(&found));
            let before = found.lock().unwrap_or_else(PoisonError::into_inner).len();
            match self.handshake(endpoint, config, purpose).await {
                Ok(_) => {}
                Err(error @ (ConnectError::Protocol { .. } | ConnectError::HostCertificate { .. })) => {
                    last = Some(error)
                }
                Err(error) => {
                    if found.lock().unwrap_or_else(PoisonError::into_inner).len() == before {
                        return Err(error);
                    }
                }
            }
        }
        let keys = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        match (keys.is_empty(), last) {
            (false, _) => Ok(keys),
            (true, Some(error)) => Err(error),
            (true, None) => Err(ConnectError::Protocol {
                host: endpoint.id.clone(),
                phase: Phase::KeyExchange,
                text: "it showed no key".into(),
            }),
        }
    }
}
