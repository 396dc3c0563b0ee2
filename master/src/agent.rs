//! The minion in the box: the static agent this master was built with.

use crate::transport::Agent;

static PACKED: &[u8] = include_bytes!(env!("SALT_MINION_GZ"));

/// The embedded agent for this machine's architecture.
///
/// The master ships the agent it was built with, so that protocol and code can never be of different versions.
pub fn embedded() -> Agent<'static> {
    Agent {
        sha256: env!("SALT_MINION_SHA256"),
        gz: PACKED,
        size: SIZE,
        arch: env!("SALT_MINION_ARCH"),
    }
}

const SIZE: u64 = parse(env!("SALT_MINION_SIZE"));

const fn parse(text: &str) -> u64 {
    let (bytes, mut at, mut number) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        number = number * 10 + (bytes[at] - b'0') as u64;
        at += 1;
    }
    number
}
