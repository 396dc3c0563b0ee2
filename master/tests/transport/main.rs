//! The transport against a real sshd on the loopback: keys, host keys, jump hosts, the bootstrap of the agent.
//!
//! Needs `sshd`, `ssh-keygen`, `ssh-agent`, `ssh-add` and `ssh` (Debian: openssh-server, openssh-client). They are never
//! skipped: without them the tests fail and say so.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests start sshd and write below a scratch directory"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test whose stage cannot be set up has failed"
)]

mod auth;
mod bootstrap;
mod host_keys;
mod jump;
mod lab;
mod odd;
mod other;
mod proxy;
mod speed;
