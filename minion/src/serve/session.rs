//! What the master's frames mean: a machine that takes messages and blobs and says what to do next.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::frame::{Apply, Limits, PROTOCOL, Rollback, RollbackReport};
use proto::{Answer, Catalog, Digest, Entry, FromMaster, FromMinion, Gather, Outcome, Question};

use super::child::{self, Task, What};
use super::{Line, ServeError, outward};
use crate::blame;
use crate::guard::{self, probation::Caller};
use crate::journal::chain::chain;
use crate::journal::lock::{self, Fence, Lock};
use crate::journal::{Journal, JournalError, limits, recover};
use crate::log::{self, Private};
use crate::runs::{self, Job};
use crate::system::System;
use crate::undo::{rollback, shown};
use crate::verify;

/// What the driver does after a frame.
#[derive(Debug)]
pub enum Next {
    /// Waits for the next one.
    Listen,
    /// Starts a run of its own, handing on the lock.
    Start(Box<Task>, Lock),
    /// Ends the session.
    End,
}

/// A session with one master.
#[derive(Debug)]
pub struct Session<S> {
    journal: Journal,
    system: S,
    line: Line,
    cancel: Arc<AtomicBool>,
    caller: Caller,
    /// The master, once it has said hello.
    master: Option<String>,
    take_over: bool,
    /// What this master's settings allow the host; stored when it begins a run.
    limits: Limits,
    /// A request whose bytes are still on their way.
    pending: Option<Apply>,
    awaited: BTreeSet<Digest>,
    /// A run of another session that this one waits for, on the master's wish.
    attached: Option<String>,
    /// The lock of a rollback that was prepared and waits for its second phase (J9).
    held: Option<Held>,
}

/// What the first phase of a rollback holds.
#[derive(Debug)]
struct Held {
    run: String,
    lock: Lock,
    since: Instant,
}

/// A second phase that does not come in this time finds the lock free again; it then compares anew.
const HOLD: Duration = Duration::from_secs(300);

impl<S: System> Session<S> {
    /// A session that has not heard anything yet.
    pub fn new(journal: Journal, system: S, line: Line, cancel: Arc<AtomicBool>) -> Self {
        Self {
            journal,
            system,
            line,
            cancel,
            caller: Caller::here(),
            master: None,
            take_over: false,
            limits: Limits::default(),
            pending: None,
            awaited: BTreeSet::new(),
            attached: None,
            held: None,
        }
    }

    /// The run this session waits for, to look at between frames.
    pub fn waiting(&self) -> Option<String> {
        self.attached.clone()
    }

    /// Whether a prepared rollback holds the lock, to be looked at between frames.
    pub const fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Lets go of a prepared rollback whose second phase does not come.
    pub fn let_go(&mut self) {
        self.held = self.held.take().filter(|held| held.since.elapsed() < HOLD);
    }

    /// Looks whether the run that the master asked for has ended.
    ///
    /// # Errors
    /// The line broke.
    pub fn attend(&mut self, run: &str) -> Result<(), ServeError> {
        if lock::holder(self.journal.dir())?.is_some_and(|holder| holder.run == run) {
            return Ok(());
        }
        self.attached = None;
        match self.journal.report_of(run)? {
            Some(report) => self.line.say(&FromMinion::Report(report)),
            None => Ok(()),
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// The line broke. Everything else is told to the master.
    pub fn hear(&mut self, said: FromMaster) -> Result<Next, ServeError> {
        let Some(master) = self.master.clone() else {
            return self.greet(said);
        };
        self.attached = None;
        let next = self.answer(&master, said);
        self.told(next)
    }

    /// Takes a blob, if one was announced or asked for.
    ///
    /// # Errors
    /// The line broke.
    pub fn take(&mut self, digest: Digest, bytes: &[u8]) -> Result<Next, ServeError> {
        if !self.awaited.remove(&digest) {
            let text = format!("the blob {} was neither announced nor asked for", digest.short());
            self.line.say(&FromMinion::Fault(text))?;
            return Ok(Next::End);
        }
        if let Err(problem) = self.system.keep(bytes) {
            self.pending = None;
            self.awaited.clear();
            self.line.say(&FromMinion::Fault(problem.text))?;
            return Ok(Next::Listen);
        }
        let next = self.proceed();
        self.told(next)
    }

    /// Tells the master what went wrong with its request; a broken line is the session's end.
    fn told(&self, next: Result<Next, ServeError>) -> Result<Next, ServeError> {
        match next {
            Err(ServeError::Journal(JournalError::Busy(holder))) => {
                let holder = holder.to_string();
                self.line.say(&FromMinion::Busy { holder })?;
                Ok(Next::Listen)
            }
            Err(ServeError::Journal(error)) => {
                self.line.say(&FromMinion::Fault(error.to_string()))?;
                Ok(Next::Listen)
            }
            other => other,
        }
    }

    fn greet(&mut self, said: FromMaster) -> Result<Next, ServeError> {
        let FromMaster::Hello {
            protocol,
            master,
            attach,
            take_over,
            limits,
            known,
        } = said
        else {
            self.line
                .say(&FromMinion::Fault("the first frame must be a hello".to_owned()))?;
            return Ok(Next::End);
        };
        // A window that cannot be read must not keep its own master out; the next run that acts says so.
        guard::heard(&self.journal, &master, &self.caller).ok();
        let running = lock::holder(self.journal.dir())?.map(|holder| holder.run);
        let settled = match &attach {
            Some(run) if running.as_ref() != Some(run) => self.journal.report_of(run)?,
            _ => None,
        };
        let settled = match settled {
            Some(report) => Some(guard::as_it_stands(&self.journal, report)?),
            None => None,
        };
        self.attached = attach.filter(|run| running.as_ref() == Some(run));
        let welcome = FromMinion::Welcome {
            protocol: PROTOCOL,
            generation: self.journal.generation()?,
            epoch: Fence::load(self.journal.dir())?.epoch,
            running,
            settled,
            chain: Some(chain(&self.journal, &master, known.as_ref())?),
        };
        self.line.say(&welcome)?;
        if protocol != PROTOCOL {
            return Ok(Next::End);
        }
        self.master = Some(master);
        self.take_over = take_over;
        self.limits = limits;
        Ok(Next::Listen)
    }

    fn answer(&mut self, master: &str, said: FromMaster) -> Result<Next, ServeError> {
        // What was remembered may be as old as the session.
        self.system.forget();
        let held = self.held.take();
        match said {
            FromMaster::Hello { .. } => {
                self.line
                    .say(&FromMinion::Fault("there was a hello already".to_owned()))?;
                return Ok(Next::End);
            }
            FromMaster::Bye => return Ok(Next::End),
            // Heard by the reader while something was worked on; here there is nothing to cancel.
            FromMaster::Cancel => {}
            FromMaster::Ask(questions) => {
                let answers = self.system.answer(&questions);
                self.line.say(&FromMinion::Answers(answers))?;
            }
            FromMaster::Run(command) => match self.one(Question::Command(command)) {
                Answer::Output(output) => self.line.say(&FromMinion::Output(output))?,
                Answer::Failed(why) => self.line.say(&FromMinion::Fault(why))?,
                other => self
                    .line
                    .say(&FromMinion::Fault(format!("not an output: {other:?}")))?,
            },
            FromMaster::Call(call) => {
                let value = match self.one(Question::Call(call)) {
                    Answer::Json(value) => FromMinion::Value(Some(value)),
                    Answer::Failed(why) => FromMinion::Fault(why),
                    _ => FromMinion::Value(None),
                };
                self.line.say(&value)?;
            }
            FromMaster::Confirm { run, epoch } => {
                match guard::confirm(&self.journal, master, &run, epoch, &self.caller)? {
                    Some(standing) => self.line.say(&FromMinion::Standing(standing))?,
                    None => self.outdated()?,
                }
            }
            FromMaster::Log {
                limit,
                generation,
                diff,
            } => {
                let shown = log::Shown::for_master(limit, generation, diff);
                let list = log::list(&self.journal, &shown)?;
                self.line.say(&FromMinion::Generations(list))?;
            }
            FromMaster::Apply(apply) => {
                self.cancel.store(false, Ordering::Relaxed);
                return self.apply(master, apply);
            }
            FromMaster::Rollback(want) => {
                self.cancel.store(false, Ordering::Relaxed);
                return self.rollback(master, want, held);
            }
            FromMaster::Verify => {
                let found = verify::verify(&self.journal)?;
                self.line.say(&FromMinion::Value(Some(found.document())))?;
            }
            FromMaster::Blame { path } => {
                let found = blame::blame(&self.journal, &mut self.system, &path, Private::Hidden)?;
                self.line.say(&FromMinion::Value(found))?;
            }
        }
        Ok(Next::Listen)
    }

    fn one(&mut self, question: Question) -> Answer {
        self.system.answer(&[question]).pop().unwrap_or(Answer::Missing)
    }

    /// Whether this master may tell the host something now; says so if not.
    fn fenced(&self, master: &str, epoch: u64, catalog: Option<&Digest>) -> Result<bool, ServeError> {
        let fence = Fence::load(self.journal.dir())?;
        let taken = self.take_over && fence.master != master;
        if taken || fence.admits(master, epoch, catalog) {
            return Ok(false);
        }
        self.outdated()?;
        Ok(true)
    }

    fn outdated(&self) -> Result<(), ServeError> {
        let Fence { epoch, master, .. } = Fence::load(self.journal.dir())?;
        self.line.say(&FromMinion::Outdated { epoch, master })
    }

    fn apply(&mut self, master: &str, apply: Apply) -> Result<Next, ServeError> {
        self.awaited = apply.following.iter().copied().gather();
        if !apply.plan && self.fenced(master, apply.epoch, Some(&apply.catalog))? {
            // Its blobs are on their way all the same; they are kept, and what they are for is not begun.
            return Ok(Next::Listen);
        }
        self.pending = Some(apply);
        self.proceed()
    }

    /// Goes on with the pending request as soon as all its bytes are here.
    fn proceed(&mut self) -> Result<Next, ServeError> {
        let Some(master) = self.master.clone().filter(|_| self.awaited.is_empty()) else {
            return Ok(Next::Listen);
        };
        let Some(apply) = self.pending.take() else {
            return Ok(Next::Listen);
        };
        if !self.journal.objects().has(&apply.catalog) {
            return self.want(apply, vec![]);
        }
        let catalog = child::catalog(&self.journal, &apply)?;
        let lacking = child::lacking(&self.journal, &catalog);
        if !lacking.is_empty() {
            return self.want(apply, lacking);
        }
        let stale = self.stale(&catalog);
        if !stale.is_empty() {
            self.line.say(&FromMinion::Stale(stale))?;
            return Ok(Next::Listen);
        }
        if apply.plan {
            self.plan(&master, &apply, &catalog)
        } else {
            self.converge(&master, apply, &catalog)
        }
    }

    fn want(&mut self, apply: Apply, mut lacking: Vec<Digest>) -> Result<Next, ServeError> {
        if lacking.is_empty() {
            lacking.push(apply.catalog);
        }
        self.awaited = lacking.iter().copied().gather();
        self.pending = Some(apply);
        self.line.say(&FromMinion::Want(lacking))?;
        Ok(Next::Listen)
    }

    /// What the compiler was told that is no longer so.
    fn stale(&mut self, catalog: &Catalog) -> Vec<(Question, Answer)> {
        let asked: Vec<Question> = catalog
            .assumes
            .iter()
            .map(|(question, _)| question.clone())
            .collect();
        let answers = if asked.is_empty() {
            Vec::new()
        } else {
            self.system.answer(&asked)
        };
        let told = catalog.assumes.iter().map(|(_, digest)| *digest);
        let all = asked.into_iter().zip(answers).zip(told);
        all.filter(|((_, answer), told)| {
            serde_json::to_vec(answer).map(Digest::of).ok().as_ref() != Some(told)
        })
        .map(|(now, _)| now)
        .collect()
    }

    fn plan(&mut self, master: &str, apply: &Apply, catalog: &Catalog) -> Result<Next, ServeError> {
        let cancel = self.cancel.clone();
        let job = Job {
            header: child::header(master, apply),
            catalog,
            find: states::find,
            cancelled: &|| cancel.load(Ordering::Relaxed),
            prune: apply.prune,
        };
        let line = self.line.clone();
        let mut tell = |entry: &Entry| {
            // A broken line shows at the report.
            line.say(&FromMinion::Entry(entry.clone())).ok();
        };
        let report = runs::plan(&self.journal, &mut self.system, job, &mut tell)?;
        self.line.say(&FromMinion::Report(report))?;
        Ok(Next::Listen)
    }

    fn converge(&mut self, master: &str, apply: Apply, catalog: &Catalog) -> Result<Next, ServeError> {
        let lock = Lock::take(self.journal.dir(), &apply.run)?;
        self.fence(master, apply.epoch, Some(apply.catalog))?;
        let cancel = self.cancel.clone();
        let job = Job {
            header: child::header(master, &apply),
            catalog,
            find: states::find,
            cancelled: &|| cancel.load(Ordering::Relaxed),
            prune: apply.prune,
        };
        let line = self.line.clone();
        let mut tell = |entry: &Entry| {
            // A broken line shows at the report.
            line.say(&FromMinion::Entry(entry.clone())).ok();
        };
        match runs::look(&self.journal, &mut self.system, job, &mut tell)? {
            Some(report) => {
                drop(lock);
                self.line.say(&FromMinion::Report(report))?;
                Ok(Next::Listen)
            }
            None => Ok(self.start(master, What::Apply(apply), lock)),
        }
    }

    fn rollback(&mut self, master: &str, want: Rollback, held: Option<Held>) -> Result<Next, ServeError> {
        if want.plan {
            let report = self.previewed(&want)?;
            self.line.say(&FromMinion::RollbackReport(report))?;
            return Ok(Next::Listen);
        }
        if self.fenced(master, want.epoch, None)? {
            return Ok(Next::Listen);
        }
        if !want.prepare
            && let Some(report) = self.journal.report_of(&want.run)?
        {
            // Done already, and its end was not heard: nothing is done twice (M1).
            let report = guard::as_it_stands(&self.journal, report)?;
            self.line.say(&FromMinion::Report(report))?;
            return Ok(Next::Listen);
        }
        let lock = match held {
            Some(held) if held.run == want.run => held.lock,
            other => {
                drop(other);
                Lock::take(self.journal.dir(), &want.run)?
            }
        };
        if want.prepare {
            return self.prepare(&want, lock);
        }
        self.fence(master, want.epoch, None)?;
        Ok(self.start(master, What::Rollback(want), lock))
    }

    /// The first phase: all that could be refused is found out now, and nothing changes under it until the second.
    fn prepare(&mut self, want: &Rollback, lock: Lock) -> Result<Next, ServeError> {
        let recovered = recover::recover(&self.journal, &mut self.system)?;
        let mut report = self.previewed(want)?;
        report
            .notes
            .extend(recovered.into_iter().flat_map(|found| found.notes));
        if report.outcome != Outcome::Refused {
            self.held = Some(Held {
                run: want.run.clone(),
                lock,
                since: Instant::now(),
            });
        }
        self.line.say(&FromMinion::RollbackReport(report))?;
        Ok(Next::Listen)
    }

    fn previewed(&mut self, want: &Rollback) -> Result<RollbackReport, JournalError> {
        let mut report = rollback::preview(&self.journal, &mut self.system, want)?;
        shown::explain(&self.journal, &mut self.system, &mut report, Private::Hidden)?;
        Ok(outward::rollback(report))
    }

    fn fence(&self, master: &str, epoch: u64, catalog: Option<Digest>) -> Result<(), ServeError> {
        let fence = Fence {
            epoch,
            master: master.to_owned(),
            catalog,
        };
        if Fence::load(self.journal.dir())? != fence {
            fence.store(self.journal.dir())?;
        }
        if limits::load(self.journal.dir()) != self.limits {
            limits::store(self.journal.dir(), &self.limits)?;
        }
        Ok(())
    }

    fn start(&self, master: &str, what: What, lock: Lock) -> Next {
        let task = Task {
            master: master.to_owned(),
            what,
        };
        Next::Start(Box::new(task), lock)
    }
}

#[cfg(test)]
mod tests;
