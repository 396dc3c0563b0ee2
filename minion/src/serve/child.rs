//! A run as a process of its own: it holds the lock, keeps the journal, and outlives the session.
//!
//! The lock travels as the child's standard input (an open file keeps its lock), the task in a file only root reads, and
//! the run's messages come back over its standard output. When nobody reads them any more the run goes on without.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use proto::chunk::SourcedKind;
use proto::codec::{Frame, control, message_of};
use proto::frame::{Apply, Rollback};
use proto::{Catalog, Decoder, Digest, FromMinion, RunHeader, Sourced};
use serde::{Deserialize, Serialize};

use super::{LIMIT, Line, ServeError, outward};
use crate::guard::entry::OUTSIDE;
use crate::journal::chain::chain;
use crate::journal::lock::Lock;
use crate::journal::{Journal, JournalError, place, recover};
use crate::live::Live;
use crate::log::Private;
use crate::runs::{self, Job};
use crate::system::System;
use crate::undo::rollback::{self, Request};
use crate::undo::shown;

/// What a run of its own is to do, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The master's identity.
    pub master: String,
    /// Which.
    pub what: What,
}

/// The two things that change a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Converge; the catalog and its contents are in the object store.
    Apply(Apply),
    /// Go back.
    Rollback(Rollback),
}

impl Task {
    /// The master's id of the run.
    pub fn run(&self) -> &str {
        match &self.what {
            What::Apply(apply) => &apply.run,
            What::Rollback(rollback) => &rollback.run,
        }
    }
}

/// Starts the run and forwards what it says, until it ends or the line does.
///
/// # Errors
/// The line broke; the run goes on.
pub(super) fn run(
    dir: &Path,
    task: &Task,
    lock: Lock,
    line: &Line,
    cancel: &AtomicBool,
) -> Result<(), ServeError> {
    let mut child = match start(dir, task, &lock) {
        Ok(child) => child,
        Err(error) => return line.say(&FromMinion::Fault(format!("cannot start the run: {error}"))),
    };
    // Its copy of the open file keeps the lock.
    drop(lock);
    let (sender, messages) = channel();
    if let Some(mut output) = child.stdout.take() {
        thread::spawn(move || {
            let mut decoder = Decoder::new(LIMIT);
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count) = output.read(&mut buffer) {
                decoder.feed(&buffer[..count]);
                while let Ok(Some(Frame::Control(body))) = decoder.next_frame() {
                    if sender.send(body).is_err() {
                        // The session is over. The pipe closes with this thread and the run notices.
                        return;
                    }
                }
                if count == 0 {
                    return;
                }
            }
        });
    }
    let mut settled = false;
    loop {
        if cancel.swap(false, Ordering::Relaxed)
            && let Err(error) = place(&dir.join("cancel"), task.run().as_bytes())
        {
            line.say(&FromMinion::Fault(format!("cannot cancel: {error}")))?;
        }
        match messages.recv_timeout(Duration::from_millis(200)) {
            Ok(message) => {
                // Everything but an entry is a last word. What our own run wrote is passed on unread.
                settled |= !message.starts_with(br#"{"entry":"#);
                line.pass(&message_of(&message))?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let ended = child.wait();
    if !settled {
        let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        let text = format!("the run ended without a report ({how}); the next one looks at what it left");
        line.say(&FromMinion::Fault(text))?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the agent starts itself, and nothing else"
)]
fn start(dir: &Path, task: &Task, lock: &Lock) -> Result<Child, ServeError> {
    let text = serde_json::to_vec(task).map_err(io::Error::other)?;
    place(&dir.join("task"), &text)?;
    Ok(Command::new("/proc/self/exe")
        .arg0("salt-rs-minion")
        .arg("run")
        .arg("--dir")
        .arg(dir)
        .current_dir("/")
        .stdin(Stdio::from(lock.share()?))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?)
}

/// What the process of a run does: everything between taking over the lock and the last word.
///
/// # Errors
/// There is no task, or no lock was handed over.
pub fn work(dir: &Path) -> Result<(), ServeError> {
    // Fails only for the leader of a group, which a child is not; a run on a terminal may stay there.
    rustix::process::setsid().ok();
    let journal = Journal::open(dir)?.guarded(OUTSIDE);
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let task = task(dir)?;
    let lock = Lock::inherit(dir, file, task.run())?;
    let waiting = |text: &str| {
        let told = FromMinion::Entry(proto::Entry::Waiting(text.to_owned()));
        // A session that is over hears nothing; the run goes on.
        if let Ok(frame) = control(&told) {
            let mut out = io::stdout();
            out.write_all(&frame).and_then(|()| out.flush()).ok();
        }
    };
    let mut system = Live::open(journal.objects().clone()).heard_by(waiting);
    let mut out = Some(io::stdout());
    let mut tell = |message: &FromMinion| {
        let sent = out.as_mut().map(|out| -> Result<(), ServeError> {
            out.write_all(&control(message)?)?;
            Ok(out.flush()?)
        });
        // The session is over; the run is not.
        if matches!(sent, Some(Err(_))) {
            out = None;
        }
    };
    let last = perform(dir, &journal, &mut system, &task, lock, &mut tell);
    tell(&last.unwrap_or_else(|error| FromMinion::Fault(error.to_string())));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the agent's own task file")]
fn task(dir: &Path) -> Result<Task, ServeError> {
    let path = dir.join("task");
    let task = serde_json::from_slice(&fs::read(&path)?).map_err(io::Error::other)?;
    fs::remove_file(&path)?;
    Ok(task)
}

/// Does a task under its lock; the answer is its last message.
///
/// # Errors
/// Nothing was done: the journal or the catalog cannot be used.
pub fn perform<S: System>(
    dir: &Path,
    journal: &Journal,
    system: &mut S,
    task: &Task,
    lock: Lock,
    tell: &mut dyn FnMut(&FromMinion),
) -> Result<FromMinion, JournalError> {
    let cancelled = || fs::read(dir.join("cancel")).is_ok_and(|wish| wish == task.run().as_bytes());
    match &task.what {
        What::Apply(apply) => {
            let catalog = catalog(journal, apply)?;
            let scrubber = outward::Scrubber::new(&catalog);
            let job = Job {
                header: header(&task.master, apply),
                catalog: &catalog,
                find: states::find,
                cancelled: &cancelled,
                prune: apply.prune,
            };
            let mut tell = |entry: &proto::Entry| tell(&FromMinion::Entry(scrubber.entry(entry)));
            let mut report = runs::apply(journal, system, job, lock, &mut tell)?;
            report.chain = chain(journal, &task.master, None).ok();
            Ok(FromMinion::Report(report))
        }
        What::Rollback(want) => {
            let recovered = recover::recover(journal, system)?;
            let request = Request {
                want,
                master: &task.master,
                cancelled: &cancelled,
            };
            let scrubber = outward::Scrubber::default();
            let mut tell = |entry: &proto::Entry| tell(&FromMinion::Entry(scrubber.entry(entry)));
            let mut report = rollback::rollback(journal, system, &request, lock, &mut tell)?;
            shown::explain(journal, system, &mut report, Private::Hidden)?;
            report
                .notes
                .extend(recovered.into_iter().flat_map(|found| found.notes));
            report.chain = chain(journal, &task.master, None).ok();
            Ok(FromMinion::RollbackReport(outward::rollback(report)))
        }
    }
}

/// The catalog of a request from the object store.
///
/// # Errors
/// It is missing, damaged, or none.
pub fn catalog(journal: &Journal, apply: &Apply) -> Result<Catalog, JournalError> {
    let bytes = journal
        .objects()
        .get(&apply.catalog)
        .map_err(|cause| JournalError::io(&journal.objects().path(&apply.catalog), cause))?;
    serde_json::from_slice(&bytes).map_err(|cause| JournalError::Unknown(format!("not a catalog: {cause}")))
}

/// Contents that the catalog names and the store lacks.
pub fn lacking(journal: &Journal, catalog: &Catalog) -> Vec<Digest> {
    let mut found = BTreeSet::new();
    for source in catalog.chunks.iter().flat_map(|chunk| chunk.sources.values()) {
        match source {
            Sourced::File { content, .. } => drop(found.insert(*content)),
            Sourced::Dir(entries) => found.extend(entries.iter().filter_map(|entry| match &entry.what {
                SourcedKind::File { content, .. } => Some(*content),
                _ => None,
            })),
            Sourced::Missing | Sourced::Broken(_) => {}
        }
    }
    let mut lacking: Vec<Digest> = found.into_iter().collect();
    lacking.retain(|digest| !journal.objects().has(digest));
    lacking
}

/// The header of a request's run.
pub fn header(master: &str, apply: &Apply) -> RunHeader {
    RunHeader {
        run: apply.run.clone(),
        epoch: apply.epoch,
        master: master.to_owned(),
        rev: apply.rev.clone(),
        by: apply.by.clone(),
        catalog: Some(apply.catalog),
        confirm: apply.confirm,
        scope: apply.scope.clone(),
        ..RunHeader::default()
    }
}
