//! What the command line keeps between commands: run files (the truth), and what is remembered of hosts (a cache).
//!
//! A damaged or busy cache costs time, never a result: everything in it is learnt again. The calls block for
//! milliseconds and are made outside the runtime.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use proto::Report;
use serde_json::{Map, Value as Json, json};

use crate::failure::{Failure, Kind};
use crate::fleet::{Host, of_report};
use crate::report::json::host_object;
use crate::report::screen::{Screen, Volume};
use crate::report::{HostResult, RunResult};
use crate::store::{
    self, Heads, Index, Mode, Remembered, Run, RunError, RunHeader, RunId, RunRecord, RunWriter, Runs,
    Summary, Told,
};
use crate::when::rfc3339;

/// How long another process may keep the index before we go on without it.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The master's state directory.
#[derive(Debug, Clone)]
pub struct Ledger {
    dir: PathBuf,
    runs: Runs,
    index: Index,
    heads: Heads,
    recalled: Arc<Mutex<BTreeMap<String, Remembered>>>,
}

/// One run as recorded.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its id.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// `apply` or `rollback`.
    pub mode: Mode,
    /// `user@host`.
    pub by: String,
    /// The commit.
    pub commit: String,
    /// The target as typed.
    pub target: String,
    /// SLS names; none is the highstate.
    pub sls: Vec<String>,
    /// What was recorded of each host, with the contract's names; a host that never answered is `unknown`.
    pub hosts: IndexMap<String, Json>,
}

impl Record {
    fn of(run: &Run) -> Self {
        let mut hosts = IndexMap::new();
        for record in &run.records {
            match record {
                RunRecord::Told(told) => {
                    hosts
                        .entry(told.host.clone())
                        .or_insert_with(|| json!({ "outcome": "unknown", "states": [] }));
                }
                RunRecord::Host(host) => {
                    hosts.insert(host.host.clone(), recorded(host));
                }
                _ => {}
            }
        }
        let header = &run.header;
        Self {
            run: header.run.to_string(),
            started: header.started.clone(),
            mode: header.mode,
            by: header.by.clone(),
            commit: header.commit.clone(),
            target: header.target.clone(),
            sls: header.sls.clone(),
            hosts,
        }
    }

    /// The run without what its states did.
    pub fn summary(&self) -> Json {
        let bare = |host: &Json| {
            let mut host = host.as_object().cloned().unwrap_or_default();
            host.remove("states");
            Json::Object(host)
        };
        self.document(
            self.hosts
                .iter()
                .map(|(id, host)| (id.clone(), bare(host)))
                .collect(),
        )
    }

    /// The run in full.
    pub fn full(&self) -> Json {
        self.document(
            self.hosts
                .iter()
                .map(|(id, host)| (id.clone(), host.clone()))
                .collect(),
        )
    }

    fn document(&self, hosts: Map<String, Json>) -> Json {
        json!({
            "run": self.run, "started": self.started, "mode": self.mode, "by": self.by, "commit": self.commit,
            "target": self.target, "sls": self.sls, "hosts": hosts,
        })
    }
}

fn recorded(host: &store::Host) -> Json {
    json!({
        "outcome": host.outcome, "generation": host.generation, "previous_generation": host.previous_generation,
        "duration_ms": host.duration_ms, "states": host.states, "notes": host.notes,
    })
}

/// A run whose file is being written.
#[derive(Debug)]
pub struct Open {
    writer: RunWriter,
}

impl Ledger {
    /// The ledger below a state directory; nothing is made before it is written.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            runs: Runs::new(dir),
            index: Index::new(dir, PATIENCE),
            heads: Heads::new(dir),
            recalled: Arc::default(),
        }
    }

    /// What is remembered of hosts; a host never seen is not there.
    ///
    /// # Errors
    /// The run files cannot be read.
    pub fn recall(&self, hosts: &[&str], screen: &Screen) -> Result<BTreeMap<String, Remembered>, Failure> {
        let recalled = self
            .index
            .recall(hosts)
            .map_err(|error| Failure::new(Kind::Refused, error))?;
        notes(screen, &recalled.notes);
        let mut known = recalled.hosts;
        for host in hosts {
            let head = self.heads.load(host).map_err(|error| {
                let text = format!("cannot read where the journal of {host} ended: {error}");
                Failure::new(Kind::Refused, text)
                    .hint(format!("`salt-rs hosts forget {host}` begins anew with it"))
            })?;
            if head.is_some() {
                known.entry((*host).to_owned()).or_default().head = head;
            }
        }
        self.recalled().extend(known.clone());
        Ok(known)
    }

    /// Remembers hosts for the next command, as far as they differ from what was recalled. That nothing could be
    /// remembered costs time later and nothing else.
    pub fn remember<'a>(&self, hosts: impl IntoIterator<Item = &'a Host>, screen: &Screen) {
        let mut recalled = self.recalled();
        let mut new = BTreeMap::new();
        for host in hosts {
            let known = recalled.get(&host.id);
            if let Some(head) = &host.memory.head
                && known.and_then(|known| known.head.as_ref()) != Some(head)
            {
                if let Err(error) = self.heads.save(&host.id, head) {
                    let text = format!("where the journal of {} ends could not be kept: {error}", host.id);
                    notes(screen, &[text]);
                }
                recalled.entry(host.id.clone()).or_default().head = Some(head.clone());
            }
            let known = recalled.get(&host.id);
            if !known.is_some_and(|known| host.memory.is_known_by(known)) {
                recalled.insert(host.id.clone(), host.memory.clone());
                new.insert(host.id.clone(), host.memory.clone());
            }
        }
        if !new.is_empty() {
            notes(screen, &self.index.remember(&new));
        }
    }

    /// What the index is known to hold.
    fn recalled(&self) -> MutexGuard<'_, BTreeMap<String, Remembered>> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is only a cache of a host.
    pub fn forget(&self, host: &str, screen: &Screen) {
        if let Err(error) = self.heads.forget(host) {
            notes(
                screen,
                &[format!(
                    "where the journal of {host} ended is not forgotten: {error}"
                )],
            );
        }
        notes(screen, &self.index.forget(host));
    }

    /// This master's identity (T8): random, made on first need.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub fn master(&self) -> Result<String, Failure> {
        let file = self.dir.join("master-id");
        if let Ok(text) = fs::read_to_string(&file)
            && text.trim().len() == 32
        {
            return Ok(text.trim().to_owned());
        }
        let fresh = proto::digest::to_hex(&rand::random::<[u8; 16]>());
        write_new(&file, &fresh).map_err(|error| {
            Failure::new(Kind::Refused, format!("cannot write {}: {error}", file.display()))
                .hint("set state_dir in the settings to a directory of yours")
        })?;
        // Another process may have been first.
        Ok(fs::read_to_string(&file).map_or(fresh, |text| text.trim().to_owned()))
    }

    /// An id for a run that begins now.
    ///
    /// # Errors
    /// The run files cannot be read.
    pub fn new_run(&self) -> Result<RunId, Failure> {
        self.runs.next_id().map_err(refused)
    }

    /// Begins a run: its file says who asked for what, and what each host will be told, before any is.
    ///
    /// # Errors
    /// The run file cannot be written; then nothing was begun (M2).
    pub fn begin(&self, header: RunHeader, told: &[Told]) -> Result<Open, Failure> {
        let writer = self.runs.create(header, told).map_err(refused)?;
        Ok(Open { writer })
    }

    /// Adds the result of an earlier run, heard only now, to its file.
    ///
    /// # Errors
    /// The run is not ours, or its file cannot be written.
    pub fn settle(&self, host: &str, report: &Report, screen: &Screen) -> Result<(), Failure> {
        let id = RunId::parse(&report.run)
            .ok_or_else(|| Failure::new(Kind::Refused, format!("{host} told of a run {:?}", report.run)))?;
        let record = host_record(&of_report(host, report.clone()), 0);
        RunWriter::reopen(self.runs.dir(), &id)
            .and_then(|mut writer| writer.append(&[record]))
            .map_err(refused)?;
        notes(screen, &self.index.settled(host, &id));
        Ok(())
    }

    /// Adds what came of a decided rollback, heard only now, to its file; closes a run that was cut off once all have.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub fn caught_up(
        &self,
        run: &RunId,
        host: &HostResult,
        epoch: u64,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let mut writer = RunWriter::reopen(self.runs.dir(), run).map_err(refused)?;
        writer.append(&[host_record(host, epoch)]).map_err(refused)?;
        if !store::is_open(host.outcome) {
            notes(screen, &self.index.settled(&host.host, run));
        }
        let read = self.runs.read(run).map_err(refused)?;
        let last = |told: &Told| read.hosts().filter(|host| host.host == told.host).last();
        let all = read
            .told()
            .all(|told| last(told).is_some_and(|host| !store::is_open(host.outcome)));
        if all && !read.is_closed() {
            let summary = Summary::of(read.told().filter_map(last).map(|host| host.outcome));
            writer.finish(Vec::new(), rfc3339(), summary).map_err(refused)?;
        }
        Ok(())
    }

    /// The rollbacks that were decided and of which hosts may not have heard: by host, oldest first. A run that was cut
    /// off on the master is there for all its hosts, else only for those in `hosts`.
    ///
    /// # Errors
    /// A run file cannot be read.
    pub fn decided(&self, hosts: &[String]) -> Result<Vec<(RunId, String, proto::frame::Rollback)>, Failure> {
        let known = self.recalled().clone();
        let mut found = Vec::new();
        for (host, memory) in known {
            for (run, _) in memory.decided.iter().filter(|(_, open)| **open) {
                let read = self.runs.read(run).map_err(refused)?;
                let heard = read.hosts().filter(|one| one.host == host).last();
                if heard.is_some_and(|one| !store::is_open(one.outcome)) {
                    continue;
                }
                let back = read
                    .told()
                    .find(|told| told.host == host)
                    .and_then(|told| told.back.clone());
                if let Some(back) = back.filter(|_| hosts.contains(&host) || !read.is_closed()) {
                    found.push((run.clone(), host.clone(), back));
                }
            }
        }
        found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        Ok(found)
    }

    /// All runs, newest first; damaged files are named and left out.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn records(&self, screen: &Screen) -> Result<Vec<Record>, Failure> {
        let mut records = Vec::new();
        for run in self.runs.newest_first().map_err(refused)? {
            match run {
                Ok(run) => records.push(Record::of(&run)),
                Err(error) => screen.err(format!("warning: {error}")),
            }
        }
        Ok(records)
    }

    /// The run whose id begins so.
    ///
    /// # Errors
    /// None, several, or its file is damaged.
    pub fn record(&self, typed: &str) -> Result<Record, Failure> {
        let id = self.runs.find(typed).map_err(|error| match error {
            error @ (RunError::NotFound(_) | RunError::Ambiguous { .. }) => Failure::usage(error),
            error => refused(error),
        })?;
        Ok(Record::of(&self.runs.read(&id).map_err(refused)?))
    }
}

impl Open {
    /// Ends a run with what came of it.
    ///
    /// # Errors
    /// The run file cannot be written.
    pub fn finish(self, result: &RunResult, hosts: &BTreeMap<String, u64>) -> Result<(), Failure> {
        let one = |host: &HostResult| {
            let epoch = hosts.get(&host.host).copied().unwrap_or_default();
            host_record(host, epoch)
        };
        let records = result.hosts.iter().map(one).collect();
        let summary = Summary::of(result.hosts.iter().map(|host| host.outcome));
        self.writer.finish(records, rfc3339(), summary).map_err(refused)
    }
}

fn host_record(host: &HostResult, epoch: u64) -> RunRecord {
    let object = host_object(host);
    let states = object
        .get("states")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let mut notes = host.notes.clone();
    notes.extend(host.error.iter().map(|(cause, _)| cause.clone()));
    RunRecord::Host(store::Host {
        host: host.host.clone(),
        outcome: host.outcome,
        generation: host.generation,
        previous_generation: host.previous_generation,
        epoch,
        duration_ms: host.duration_ms,
        states,
        changes: Vec::new(),
        notes,
    })
}

/// `user@host` of the person at the keyboard, for the record.
pub fn by() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}@{}", user.unwrap_or_else(|| "root".to_owned()), host.trim())
}

fn refused(error: RunError) -> Failure {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        text = format!("{text}: {cause}");
    }
    Failure::new(Kind::Refused, text)
}

fn notes(screen: &Screen, notes: &[String]) {
    if screen.volume != Volume::Quiet {
        for note in notes {
            screen.err(format!("note: {note}"));
        }
    }
}

/// Makes a file if it is not there, whole or not at all.
#[expect(
    clippy::disallowed_methods,
    reason = "the master's own state directory, not a managed host"
)]
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let fresh = dir.join(format!(".master-id.{}", std::process::id()));
    let mut open = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    open.write_all(text.as_bytes()).and_then(|()| open.sync_all())?;
    // A link fails when another process was first; a rename would replace its identity.
    let linked = fs::hard_link(&fresh, file);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
