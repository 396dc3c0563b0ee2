//! The answers of one run: each question is asked once, however many hosts compile on it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Sources;
use crate::compile::lookup::{Answer, Known, Lookup, Secrets};

/// Most questions of one run. A template may ask for what an earlier answer named, on and on.
const MOST: usize = 10_000;

/// Answers given so far.
pub struct Run {
    sources: Sources,
    given: Mutex<HashMap<Lookup, Arc<OnceLock<Answer>>>>,
    secrets: Arc<Secrets>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// Nothing asked yet.
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            given: Mutex::default(),
            secrets: Arc::default(),
        }
    }

    /// The secrets met so far.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Compiles until nothing is wanted any more; also returns whether it came to stand on answers.
    pub fn answered<T>(&self, compile: impl Fn(Known) -> T) -> (T, bool) {
        let mut answers = BTreeMap::new();
        loop {
            let known = Known::new(answers.clone(), self.secrets.clone());
            let made = compile(known.clone());
            let wanted = known.wanted();
            if wanted.is_empty() {
                return (made, !answers.is_empty());
            }
            for lookup in wanted {
                let answer = self.answer(&lookup);
                answers.insert(lookup, answer);
            }
        }
    }

    /// One answer; whoever asks the same meanwhile waits for it.
    fn answer(&self, lookup: &Lookup) -> Answer {
        let cell = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            if given.len() >= MOST && !given.contains_key(lookup) {
                return Err(format!("the tree asks the master more than {MOST} questions"));
            }
            given.entry(lookup.clone()).or_default().clone()
        };
        cell.get_or_init(|| self.sources.answer(lookup)).clone()
    }
}
