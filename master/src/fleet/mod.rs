//! Many hosts at once: a bounded number of sessions, one task per host, results in roster order.
//!
//! A run has two phases. First every host is compiled, and only hosts whose questions are not answered yet are
//! contacted (C6: all hosts compile before the first is touched). Then all are converged.

mod contact;
mod converge;
mod exchange;
mod memory;
mod prepare;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::report::progress::Event;
use crate::store::Remembered;
use crate::transport::{Agent, Endpoint, Transports};

pub use contact::{Contact, Gate, Trouble};
pub use converge::{Converged, Request, converge, of_report};
pub use exchange::{Told, exchange};
pub use memory::told_grains;
pub use prepare::{Compiled, Compiler, Prepared, Unready, ask, prepare};

/// One host of a run.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its roster id, which is the minion id.
    pub id: String,
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Grains the roster asserts.
    pub asserted: Map<String, Json>,
    /// What the master remembers of it.
    pub memory: Remembered,
}

/// What all hosts of a command share.
#[derive(Clone)]
pub struct Fleet {
    /// Ways to hosts.
    pub transports: Arc<Transports>,
    /// The agent to start there.
    pub agent: Agent<'static>,
    /// This master's identity (T8).
    pub master: String,
    /// How long a host may be silent.
    pub patience: Duration,
    /// Sessions at once.
    pub width: usize,
    /// Make hosts obey this master that obeyed another (T8).
    pub take_over: bool,
    /// Where progress goes; bounded, so that a slow reader slows the fleet.
    pub events: Sender<Event>,
}

impl Fleet {
    /// Tells the progress display; it may be gone already at the end.
    pub async fn tell(&self, event: Event) {
        self.events.send(event).await.ok();
    }

    /// Runs `work` for every item, at most [`Fleet::width`] at once, and returns what came of each by host id. A task
    /// that panicked is missing: the caller reports that host as unknown (T6).
    pub async fn each<I, T, F>(
        &self,
        items: Vec<(String, I)>,
        work: impl Fn(Fleet, I) -> F,
    ) -> BTreeMap<String, T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let gate = Arc::new(Semaphore::new(self.width.max(1)));
        let mut tasks = JoinSet::new();
        for (id, item) in items {
            let (gate, future) = (gate.clone(), work(self.clone(), item));
            tasks.spawn(async move {
                // The semaphore is never closed, so a failure to acquire cannot happen; without it we would only be wider.
                let _permit = gate.acquire().await.ok();
                (id, future.await)
            });
        }
        let mut done = BTreeMap::new();
        while let Some(ended) = tasks.join_next().await {
            if let Ok((id, value)) = ended {
                done.insert(id, value);
            }
        }
        done
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet")
            .field("master", &self.master)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}
