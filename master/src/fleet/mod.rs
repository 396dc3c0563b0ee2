//! Many hosts at once: a bounded number of sessions, one task per host, results in roster order.
//!
//! A run has two phases. First every host is compiled, and only hosts whose questions are not answered yet are
//! contacted (C6: all hosts compile before the first is touched). Then all are converged.

mod confirm;
mod contact;
mod converge;
mod exchange;
mod group;
mod halt;
mod inquire;
mod memory;
mod prepare;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use proto::frame::Limits;
use serde_json::{Map, Value as Json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::report::progress::Event;
use crate::store::Remembered;
use crate::transport::{Agent, Endpoint, Transports};

pub use confirm::confirm_back;
pub use contact::{Contact, Gate, Trouble};
pub use converge::{Converged, Request, converge, of_report};
pub use exchange::{Told, exchange};
pub use group::{Standing, commit, leave, stand};
pub use halt::Halt;
pub use inquire::{Thought, inquire};
pub use memory::{hear, known_grains};
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
    /// What the settings allow hosts.
    pub limits: Limits,
    /// Where progress goes; bounded, so that a slow reader slows the fleet.
    pub events: Sender<Event>,
}

impl Fleet {
    /// Tells the progress display; it may be gone already at the end.
    pub async fn tell(&self, event: Event) {
        self.events.send(event).await.ok();
    }

    /// Runs `work` for every item, at most [`Fleet::width`] at once and begun in the items' order, and returns what came
    /// of each by host id. A task that panicked is missing: the caller reports that host as unknown (T6).
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
            // The semaphore is never closed, so a failure to acquire cannot happen; without it we would only be wider.
            let permit = gate.clone().acquire_owned().await.ok();
            let future = work(self.clone(), item);
            tasks.spawn(async move {
                let value = future.await;
                drop(permit);
                (id, value)
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn fleet(width: usize) -> Fleet {
        Fleet {
            transports: Arc::default(),
            agent: crate::agent::embedded(),
            master: String::new(),
            patience: Duration::ZERO,
            width,
            take_over: false,
            limits: Limits::default(),
            events: tokio::sync::mpsc::channel(1).0,
        }
    }

    #[test]
    fn a_width_of_one_takes_hosts_in_order_and_a_panic_holds_nobody_up() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let items = (0..20)
            .map(|number| (format!("h{:02}", 20 - number), number))
            .collect();
        let work = |_, number: i32| {
            let seen = seen.clone();
            async move {
                seen.lock().unwrap().push((number, "began"));
                tokio::task::yield_now().await;
                assert_ne!(number, 7, "this one breaks");
                seen.lock().unwrap().push((number, "ended"));
            }
        };
        let done = runtime.block_on(fleet(1).each(items, work));
        assert_eq!(done.len(), 19);
        let mut wanted: Vec<_> = (0..20).flat_map(|n| [(n, "began"), (n, "ended")]).collect();
        wanted.retain(|one| *one != (7, "ended"));
        assert_eq!(*seen.lock().unwrap(), wanted);
    }
}
