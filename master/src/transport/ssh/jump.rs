//! Connections to jump hosts, shared by all hosts behind them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Connection, Ssh};
use crate::transport::endpoint::Endpoint;
use crate::transport::error::ConnectError;

/// A place for the one connection to a jump host; locked while it is made.
type Slot = Arc<tokio::sync::Mutex<Weak<Connection>>>;

/// Live connections to jump hosts. They end when the last session through them ends.
#[derive(Debug, Default)]
pub(super) struct Jumps(Mutex<HashMap<String, Slot>>);

impl Ssh {
    /// The connection to the jump host of `endpoint`, made if there is none.
    pub(super) async fn jump(
        &self,
        endpoint: &Endpoint,
        jump: &Endpoint,
    ) -> Result<Arc<Connection>, ConnectError> {
        let slot = {
            let mut jumps = self.jumps.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(jumps.entry(route(jump)).or_default())
        };
        let mut held = slot.lock().await;
        if let Some(connection) = held.upgrade().filter(|connection| !connection.handle.is_closed()) {
            return Ok(connection);
        }
        let made = Box::pin(self.connect(jump)).await;
        let connection = made.map_err(|source| ConnectError::JumpFailed {
            host: endpoint.id.clone(),
            source: Box::new(source),
        })?;
        *held = Arc::downgrade(&connection);
        Ok(connection)
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
