//! At most eight handshakes at once per sshd, and patience when one is dropped all the same.
//!
//! sshd drops unauthenticated connections at random beyond ten (`MaxStartups 10:30:100`). A jump host meets that at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Handshakes at once per sshd.
const AT_ONCE: usize = 8;

/// How often a dropped handshake is tried again.
pub(super) const RETRIES: u32 = 4;

/// The gates of all sshds met so far.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Gates {
    /// The gate of one sshd.
    pub(super) fn of(&self, sshd: &str) -> Arc<Semaphore> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            gates
                .entry(sshd.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))),
        )
    }
}

/// The pause before the next try: doubled each time, with jitter so that a crowd spreads out.
pub(super) fn pause(attempt: u32) -> Duration {
    let base = 50_u64.saturating_mul(1 << attempt.min(6));
    Duration::from_millis(base + rand::random_range(0..=base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for attempt in 0..100 {
            assert!(pause(attempt) >= Duration::from_millis(50));
            assert!(pause(attempt) <= Duration::from_millis(6400));
        }
    }

    #[test]
    fn one_gate_per_sshd() {
        let gates = Gates::default();
        assert!(Arc::ptr_eq(&gates.of("a:22"), &gates.of("a:22")));
        assert!(!Arc::ptr_eq(&gates.of("a:22"), &gates.of("a:23")));
        assert_eq!(gates.of("a:22").available_permits(), AT_ONCE);
    }
}
