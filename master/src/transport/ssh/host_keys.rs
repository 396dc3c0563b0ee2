//! Is this the host? The judgement over the key or certificate it shows (T1, T2).
//!
//! Runs during the key exchange, after the exchange signature is verified and before anything else is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::known_hosts::{Known, Pins, lookup_name, matches_pattern};
use crate::transport::endpoint::Endpoint;
use crate::transport::error::ConnectError;

/// Host key types that are accepted, best first. SHA-1 signatures are not among them.
const ACCEPTED: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// Fingerprint as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn same_kind(wanted: &Algorithm, key: &PublicKey) -> bool {
    match (wanted, key.algorithm()) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (wanted, own) => *wanted == own,
    }
}

fn same(a: &PublicKey, b: &PublicKey) -> bool {
    a.key_data() == b.key_data()
}

impl Pins {
    /// Host key types in the order to ask for: those that known_hosts holds for this host first, as OpenSSH does, so that
    /// a host with several keys shows the one we can check.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let held = |wanted: &&Algorithm| {
            self.keys
                .iter()
                .chain(&self.portless)
                .any(|known| same_kind(wanted, &known.key))
        };
        let first = ACCEPTED.iter().filter(held).cloned();
        let rest = ACCEPTED.iter().filter(|wanted| !held(wanted)).cloned();
        first.chain(rest).collect()
    }

    /// Certificate types to ask for: none unless an authority is known for the host.
    pub(super) fn certificates(&self) -> Vec<Algorithm> {
        if self.authorities.is_empty() {
            Vec::new()
        } else {
            ACCEPTED.to_vec()
        }
    }

    /// Accepts or refuses what the host shows.
    ///
    /// # Errors
    /// `UnknownHostKey`, `ChangedHostKey`, `RevokedHostKey` or `HostCertificate`.
    pub(super) fn judge(
        &self,
        endpoint: &Endpoint,
        shown: &PublicKeyOrCertificate,
    ) -> Result<(), ConnectError> {
        let key = shown.public_key();
        let host = endpoint.id.clone();
        let authority = shown
            .certificate()
            .map(|cert| PublicKey::new(cert.signature_key().clone(), ""));
        let named = |known: &&Known, key: &PublicKey| same(&known.key, key);

        let revoked = self.revoked.iter().find(|known| {
            named(known, &key)
                || authority
                    .as_ref()
                    .is_some_and(|authority| named(known, authority))
        });
        if let Some(known) = revoked {
            let place = known.place.clone();
            return Err(ConnectError::RevokedHostKey {
                host,
                fingerprint: fingerprint(&key),
                place,
            });
        }
        let mut invalid = None;
        if let (Some(cert), Some(authority)) = (shown.certificate(), &authority)
            && self.authorities.iter().any(|known| named(&known, authority))
        {
            match check_certificate(cert, authority, &endpoint.host, now()) {
                Ok(()) => return Ok(()),
                Err(reason) => invalid = Some(reason),
            }
        }
        // The key inside a certificate may be pinned by itself.
        if self
            .keys
            .iter()
            .chain(&self.portless)
            .any(|known| named(&known, &key))
        {
            return Ok(());
        }
        if let Some(reason) = invalid {
            return Err(ConnectError::HostCertificate { host, reason });
        }
        let name = lookup_name(&endpoint.host, endpoint.port);
        let of_kind = self
            .keys
            .iter()
            .find(|known| same_kind(&known.key.algorithm(), &key));
        match of_kind.or(self.keys.first()) {
            Some(pinned) => Err(ConnectError::ChangedHostKey {
                host,
                name,
                expected: fingerprint(&pinned.key),
                got: fingerprint(&key),
                place: pinned.place.clone(),
            }),
            None => Err(ConnectError::UnknownHostKey {
                host,
                name,
                fingerprint: fingerprint(&key),
                algorithm: key.algorithm().to_string(),
            }),
        }
    }
}

fn now() -> u64 {
    // Before 1970 nothing is valid yet.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Checks a host certificate whose authority is known (PROTOCOL.certkeys of OpenSSH). A certificate without principals
/// holds for no host here.
fn check_certificate(cert: &Certificate, authority: &PublicKey, host: &str, now: u64) -> Result<(), String> {
    if cert.cert_type() != CertType::Host {
        return Err("is a user certificate".into());
    }
    if !cert
        .valid_principals()
        .iter()
        .any(|principal| matches_pattern(principal, host))
    {
        return Err(format!("does not name {host}"));
    }
    if !cert.critical_options().is_empty() {
        return Err("has critical options that are not known".into());
    }
    if matches!(
        cert.signature().algorithm(),
        Algorithm::Rsa { hash: None } | Algorithm::Dsa
    ) {
        return Err("is signed with SHA-1".into());
    }
    if now < cert.valid_after() {
        return Err("is not valid yet".into());
    }
    if now >= cert.valid_before() {
        return Err("is expired".into());
    }
    let fingerprint = authority.fingerprint(HashAlg::Sha256);
    cert.validate_at(now, [&fingerprint])
        .map_err(|_| "is not signed by its authority".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use russh::keys::PrivateKey;
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::Builder;

    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
    }

    fn pins(lines: &[(&str, &PrivateKey)]) -> Pins {
        let text: String = lines
            .iter()
            .map(|(front, key)| format!("{front} {}\n", key.public_key().to_openssh().unwrap()))
            .collect();
        let mut pins = Pins::default();
        pins.read(&text, Path::new("kh"), "web1", 22).unwrap();
        pins
    }

    fn judge(pins: &Pins, key: &PrivateKey) -> Result<(), ConnectError> {
        pins.judge(&Endpoint::new("web1", "web1"), &key.public_key().clone().into())
    }

    fn certificate(
        key: &PrivateKey,
        authority: &PrivateKey,
        change: impl FnOnce(&mut Builder),
    ) -> Certificate {
        let mut builder =
            Builder::new_with_random_nonce(&mut safe_rng(), key.public_key(), now() - 60, now() + 60)
                .unwrap();
        builder.cert_type(CertType::Host).unwrap();
        change(&mut builder);
        builder.sign(authority).unwrap()
    }

    fn judge_certificate(pins: &Pins, cert: Certificate) -> Result<(), ConnectError> {
        pins.judge(&Endpoint::new("web1", "web1"), &cert.into())
    }

    #[test]
    fn known_unknown_changed_revoked() {
        let (ours, other) = (key(), key());
        assert!(judge(&pins(&[("web1", &ours)]), &ours).is_ok());
        assert!(matches!(
            judge(&pins(&[]), &ours),
            Err(ConnectError::UnknownHostKey { .. })
        ));
        match judge(&pins(&[("web1", &other)]), &ours) {
            Err(ConnectError::ChangedHostKey {
                expected, got, place, ..
            }) => {
                assert_eq!(place, "kh:1");
                assert_eq!(expected, fingerprint(other.public_key()));
                assert_eq!(got, fingerprint(ours.public_key()));
            }
            result => panic!("{result:?}"),
        }
        let revoked = pins(&[("web1", &ours), ("@revoked *", &ours)]);
        assert!(
            matches!(judge(&revoked, &ours), Err(ConnectError::RevokedHostKey { place, .. }) if place == "kh:2")
        );
    }

    #[test]
    fn an_authority_vouches_for_what_it_signed() {
        let (ours, ca) = (key(), key());
        let pins = pins(&[("@cert-authority web*", &ca)]);
        let good = certificate(&ours, &ca, |b| {
            b.valid_principal("web1").unwrap();
        });
        assert!(judge_certificate(&pins, good).is_ok());
        let wild = certificate(&ours, &ca, |b| {
            b.valid_principal("web*").unwrap();
        });
        assert!(judge_certificate(&pins, wild).is_ok());
        assert!(matches!(
            judge(&pins, &ours),
            Err(ConnectError::UnknownHostKey { .. })
        ));
    }

    #[test]
    fn certificates_that_do_not_hold() {
        let (ours, ca, stranger) = (key(), key(), key());
        let pins = pins(&[("@cert-authority *", &ca)]);
        let reason = |cert| match judge_certificate(&pins, cert) {
            Err(ConnectError::HostCertificate { reason, .. }) => reason,
            result => panic!("{result:?}"),
        };
        let mut user =
            Builder::new_with_random_nonce(&mut safe_rng(), ours.public_key(), now() - 60, now() + 60)
                .unwrap();
        user.cert_type(CertType::User)
            .unwrap()
            .valid_principal("web1")
            .unwrap();
        let user = user.sign(&ca).unwrap();
        assert_eq!(reason(user), "is a user certificate");
        let elsewhere = certificate(&ours, &ca, |b| {
            b.valid_principal("web2").unwrap();
        });
        assert_eq!(reason(elsewhere), "does not name web1");
        let anybody = certificate(&ours, &ca, |b| {
            b.all_principals_valid().unwrap();
        });
        assert_eq!(reason(anybody), "does not name web1");
        let critical = certificate(&ours, &ca, |b| {
            b.valid_principal("web1")
                .unwrap()
                .critical_option("x", "y")
                .unwrap();
        });
        assert_eq!(reason(critical), "has critical options that are not known");
        let foreign = certificate(&ours, &stranger, |b| {
            b.valid_principal("web1").unwrap();
        });
        assert!(matches!(
            judge_certificate(&pins, foreign),
            Err(ConnectError::UnknownHostKey { .. })
        ));
        let mut old = Builder::new_with_random_nonce(&mut safe_rng(), ours.public_key(), 1, 2).unwrap();
        old.cert_type(CertType::Host)
            .unwrap()
            .valid_principal("web1")
            .unwrap();
        assert_eq!(reason(old.sign(&ca).unwrap()), "is expired");
    }

    #[test]
    fn a_revoked_authority_vouches_for_nobody() {
        let (ours, ca) = (key(), key());
        let pins = pins(&[("@cert-authority *", &ca), ("@revoked *", &ca), ("web1", &ours)]);
        let cert = certificate(&ours, &ca, |b| {
            b.valid_principal("web1").unwrap();
        });
        assert!(matches!(
            judge_certificate(&pins, cert),
            Err(ConnectError::RevokedHostKey { .. })
        ));
    }

    #[test]
    fn the_type_we_hold_is_asked_for_first() {
        let ecdsa = PrivateKey::random(
            &mut safe_rng(),
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP384,
            },
        )
        .unwrap();
        let pins = pins(&[("web1", &ecdsa)]);
        assert_eq!(
            pins.algorithms().first(),
            Some(&Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP384
            })
        );
        assert_eq!(pins.algorithms().len(), ACCEPTED.len());
        assert!(pins.certificates().is_empty());
    }
}
