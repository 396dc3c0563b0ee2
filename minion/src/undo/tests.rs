//! The laws of rollback (R1 to R11, threat model), on a host in memory with a real journal.
//!
//! | file | laws |
//! |---|---|
//! | [`plans`] | R1, R4, R5, R9, R10, R11, and R2 and R8 at a random point of each random plan |
//! | [`histories`] | R2, R3, R5, R7, R8 over random histories with kills and hand edits |
//! | [`edits`] | R6 and R7: which hand edits conflict |
//! | [`stories`] | single cases |
//!
//! A law that fails prints its seed and the smallest case found that still fails. `SALT_RS_LAWS=whole` proves them on as
//! many cases as the threat model asks for, otherwise it is a sample.

mod asked;
mod edits;
mod histories;
mod plans;
mod proof;
mod stories;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::rollback::{Request, preview, rollback};
use super::*;
use crate::converge::{Goal, Onlooker, Run, converge};
use crate::dry::Dry;
use crate::fake::{Fake, Killed, Offer, dir, file};
use crate::journal::ledger::Ledger;
use crate::journal::lock::Lock;
use crate::journal::{Journal, Record, recover};
use crate::probe::{self, catalog, chunk, needs, package, path, set};
use crate::runs::{Job, apply};
use crate::scratch::Scratch;
use proto::frame::{BackTo, Rollback, RollbackReport};
use proto::{Catalog, Meta, Outcome, Problem, Report, RequisiteKind, RunHeader, Unit};
use serde_json::json;
use world::{World, differ, unit};

/// A host with its journal.
struct Host {
    fake: Fake,
    journal: Journal,
    _scratch: Scratch,
    runs: u64,
    /// The agent dies right after this many more entries are durable.
    entries: Option<u64>,
}

impl Host {
    fn new(fake: Fake) -> Self {
        let scratch = Scratch::new();
        let journal = Journal::open(scratch.root()).expect("room");
        Self {
            fake,
            journal,
            _scratch: scratch,
            runs: 0,
            entries: None,
        }
    }

    fn lock(&self) -> Lock {
        Lock::take(self.journal.dir(), "test").expect("nobody else")
    }

    fn run_id(&mut self) -> String {
        self.runs += 1;
        format!("run-{}", self.runs)
    }

    fn apply(&mut self, catalog: &Catalog) -> Report {
        let header = RunHeader {
            run: self.run_id(),
            ..RunHeader::default()
        };
        let job = Job {
            header,
            catalog,
            find: probe::find,
            cancelled: &|| false,
            prune: false,
        };
        let lock = self.lock();
        let entries = &mut self.entries;
        apply(&self.journal, &mut self.fake, job, lock, &mut |_| tick(entries)).expect("a sound journal")
    }

    fn want(&mut self, to: BackTo) -> Rollback {
        Rollback {
            run: self.run_id(),
            epoch: 0,
            by: "me".into(),
            to,
            // What stops at something that cannot come back is told in `asked`.
            past_irreversible: true,
            ..Rollback::default()
        }
    }

    fn back(&mut self, to: BackTo) -> RollbackReport {
        let want = self.want(to);
        self.roll(&want)
    }

    fn roll(&mut self, want: &Rollback) -> RollbackReport {
        let request = Request {
            want,
            master: "",
            cancelled: &|| false,
        };
        let lock = self.lock();
        recover::recover(&self.journal, &mut self.fake).expect("a sound journal");
        let entries = &mut self.entries;
        rollback(&self.journal, &mut self.fake, &request, lock, &mut |_| {
            tick(entries)
        })
        .expect("a sound journal")
    }

    fn world(&self) -> World {
        self.fake.image()
    }

    fn generation(&self) -> u64 {
        self.journal.generation().expect("readable")
    }

    /// Does something with the agent to be killed at a point; `None` when it was.
    fn killed<T>(&mut self, point: Point, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match point {
            Point::Entry(after) => self.entries = Some(after),
            Point::Act(number, how) => self.fake.dies = Some((self.fake.performed + number, how)),
        }
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        (self.entries, self.fake.dies) = (None, None);
        match done {
            Ok(done) => Some(done),
            Err(why) if why.is::<Killed>() => None,
            Err(why) => resume_unwind(why),
        }
    }

    /// Applies with the journal refusing after `entries` more entries, as if the power went.
    fn crash(&mut self, catalog: &Catalog, entries: u64) {
        let header = RunHeader {
            run: self.run_id(),
            goal: "apply".into(),
            ..RunHeader::default()
        };
        let lock = self.lock();
        recover::recover(&self.journal, &mut self.fake).expect("a sound journal");
        let mut open = self.journal.begin(header, lock).expect("room");
        let how = Run {
            goal: Goal::Apply,
            ledger: Ledger::load(&self.journal).expect("a sound journal"),
            scope: "*",
            had: &|_| false,
            find: probe::find,
            cancelled: &|| false,
        };
        converge(
            &mut self.fake,
            catalog,
            how,
            &mut Dying {
                inner: &mut open,
                left: entries,
            },
        );
    }
}

/// When the agent is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// Right after this many entries are durable.
    Entry(u64),
    /// In this act from now.
    Act(u64, crate::fake::When),
}

fn tick(entries: &mut Option<u64>) {
    match entries {
        Some(0) => resume_unwind(Box::new(Killed)),
        Some(left) => *left -= 1,
        None => {}
    }
}

struct Dying<'a> {
    inner: &'a mut crate::journal::OpenRun,
    left: u64,
}

impl Record for Dying<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if self.left == 0 {
            return Err(Problem::new(ProblemKind::Refused, "the power is off"));
        }
        self.left -= 1;
        self.inner.append(entry)
    }
}

/// A plan of `tree` on the host as it is: how it ended, and the host as the plan sees it.
fn plan(host: &Host, tree: &Catalog) -> (crate::converge::Ended, Dry<Fake>) {
    let how = Run {
        goal: Goal::Plan,
        ledger: Ledger::default(),
        scope: "",
        had: &|_| false,
        find: probe::find,
        cancelled: &|| false,
    };
    let mut dry = Dry::new(host.fake.clone());
    let ended = converge(&mut dry, tree, how, &mut Onlooker(&mut |_| {}));
    (ended, dry)
}
