//! Settings of the SSH client. Each departure from the library's defaults was measured.

use std::borrow::Cow;
use std::time::Duration;

use russh::client::Config;
use russh::keys::Algorithm;
use russh::{Preferred, SshId, cipher, compression};

/// AES-GCM first: faster than ChaCha20 here, and safe even without strict key exchange.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// No compression: frames compress themselves, and a decompressor before authentication is a needless door.
const COMPRESSION: &[compression::Name] = &[compression::NONE];

/// The client's settings for a host whose keys are of these types.
pub(super) fn config(keys: Vec<Algorithm>, certificates: Vec<Algorithm>) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-salt_rs_",
            env!("CARGO_PKG_VERSION")
        ))),
        // A small window halves the speed of downloads over long lines.
        window_size: 16 * 1024 * 1024,
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred {
            key: Cow::Owned(keys),
            host_key_certificates: Cow::Owned(certificates),
            cipher: Cow::Borrowed(CIPHERS),
            compression: Cow::Borrowed(COMPRESSION),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    }
}
