//! Connections to jump hosts, shared by all hosts behind them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::{Connection, Ssh};
use crate::transport::endpoint::Endpoint;
use crate::transport::error::ConnectError;

/// What is known of one jump host.
#[derive(Debug, Default)]
struct Way {
    live: Weak<Connection>,
    failed: Option<(Instant, Arc<ConnectError>)>,
}

/// Locked while the connection is made.
type Slot = Arc<tokio::sync::Mutex<Way>>;

/// Live connections to jump hosts. They end when the last session through them ends.
#[derive(Debug, Default)]
pub(super) struct Jumps(Mutex<HashMap<String, Slot>>);

impl Ssh {
    /// The connection to the jump host of `endpoint`, made if there is none. All who wait while it is being made share
    /// its failure: a fleet behind a dead jump host waits for it once.
    pub(super) async fn jump(
        &self,
        endpoint: &Endpoint,
        jump: &Endpoint,
    ) -> Result<Arc<Connection>, ConnectError> {
        let asked = Instant::now();
        let slot = {
            let mut jumps = self.jumps.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(jumps.entry(route(jump)).or_default())
        };
        let mut way = slot.lock().await;
        let live = way.live.upgrade();
        if let Some(connection) = live.filter(|connection| !connection.handle.is_closed()) {
            return Ok(connection);
        }
        let host = endpoint.id.clone();
        if let Some((_, source)) = way.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(ConnectError::JumpFailed {
                host,
                source: Arc::clone(source),
            });
        }
        match Box::pin(self.connect(jump)).await {
            Ok(connection) => {
                *way = Way {
                    live: Arc::downgrade(&connection),
                    failed: None,
                };
                Ok(connection)
            }
            Err(error) => {
                let source = Arc::new(error);
                way.failed = Some((Instant::now(), Arc::clone(&source)));
                Err(ConnectError::JumpFailed { host, source })
            }
        }
    }
}

/// Who logs in where, and through what: two hosts share a connection only if all of it is the same.
fn route(endpoint: &Endpoint) -> String {
    let own = format!(
        "{}@{} {:?}",
        endpoint.user,
        endpoint.address(),
        endpoint.key_files
    );
    match &endpoint.jump {
        Some(jump) => format!("{own} via {}", route(jump)),
        None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_user_port_keys_and_way() {
        let base = Endpoint::new("b", "bastion");
        let mut other = base.clone();
        assert_eq!(route(&base), route(&other));
        other.id = "another roster id".into();
        assert_eq!(route(&base), route(&other));
        other.user = "deploy".into();
        assert_ne!(route(&base), route(&other));
        let mut behind = base.clone();
        behind.jump = Some(Box::new(base.clone()));
        assert_ne!(route(&base), route(&behind));
    }
}
