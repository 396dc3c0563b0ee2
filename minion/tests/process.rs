//! The agent as processes: a session, the run of its own, a line that drops, a run that is killed.
//!
//! Files only, in a scratch directory; runs that must stop in the middle wait at a FIFO, so nothing here sleeps.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: their own files, the agent itself, and a failure is a panic"
)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use proto::codec::{Frame, blob, control, parse};
use proto::frame::{Apply, BackTo, PROTOCOL, Rollback};
use proto::{
    Catalog, Chunk, ChunkId, Decoder, Digest, Entry, FromMaster, FromMinion, Options, Outcome, Report,
};
use serde_json::{Value as Json, json};

struct Host {
    root: PathBuf,
    runs: u64,
}

impl Host {
    fn new(name: &str) -> Self {
        // Runs sync a lot: memory does as well as a disk.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let root = base.join(format!("salt-rs-process-{name}-{}", std::process::id()));
        fs::remove_dir_all(&root).ok();
        fs::create_dir_all(root.join("files")).expect("room");
        Self { root, runs: 0 }
    }

    fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    fn file(&self, name: &str) -> String {
        self.root.join("files").join(name).to_string_lossy().into_owned()
    }

    fn fifo(&self) -> String {
        let path = self.file("fifo");
        let made = Command::new("mkfifo").arg(&path).status().expect("coreutils");
        assert!(made.success());
        path
    }

    fn session(&self, attach: Option<&str>) -> Session {
        let mut child = Command::new(env!("CARGO_BIN_EXE_salt-rs-minion"))
            .arg("serve")
            .arg("--dir")
            .arg(self.state())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the agent");
        let mut session = Session {
            input: child.stdin.take(),
            output: child.stdout.take().expect("piped"),
            child,
            decoder: Decoder::new(1 << 26),
        };
        session.say(&FromMaster::Hello {
            protocol: PROTOCOL,
            master: "m".into(),
            attach: attach.map(str::to_owned),
            take_over: false,
            limits: Default::default(),
            known: None,
        });
        session
    }

    fn apply(&mut self, session: &mut Session, catalog: &Catalog) -> String {
        self.runs += 1;
        let run = format!("run-{}", self.runs);
        let bytes = serde_json::to_vec(catalog).expect("a catalog");
        let digest = Digest::of(&bytes);
        session.say(&FromMaster::Apply(Apply {
            run: run.clone(),
            epoch: self.runs,
            rev: "r".into(),
            by: "me".into(),
            catalog: digest,
            following: vec![digest],
            plan: false,
            confirm: None,
            scope: String::new(),
            prune: false,
        }));
        session.send(&blob(&digest, &bytes));
        run
    }

    fn applied(&mut self, catalog: &Catalog) -> Report {
        let mut session = self.session(None);
        self.apply(&mut session, catalog);
        session.report()
    }

    fn back(&mut self, session: &mut Session) {
        self.runs += 1;
        session.say(&FromMaster::Rollback(Rollback {
            run: format!("run-{}", self.runs),
            epoch: self.runs,
            by: "me".into(),
            to: BackTo::Previous,
            ..Rollback::default()
        }));
    }

    /// Every file below, with its contents.
    fn tree(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut open = vec![self.root.join("files")];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                let kind = fs::symlink_metadata(&path).expect("there").file_type();
                let text = if kind.is_file() {
                    fs::read_to_string(&path).expect("text")
                } else {
                    String::new()
                };
                if kind.is_dir() {
                    open.push(path.clone());
                }
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
        found.sort();
        found
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).ok();
    }
}

struct Session {
    child: Child,
    input: Option<std::process::ChildStdin>,
    output: std::process::ChildStdout,
    decoder: Decoder,
}

impl Session {
    fn say(&mut self, message: &FromMaster) {
        let bytes = control(message).expect("our own words");
        self.send(&bytes);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input
            .as_mut()
            .expect("open")
            .write_all(bytes)
            .expect("the agent reads");
    }

    /// The next message; `None` when the session has ended.
    fn next(&mut self) -> Option<FromMinion> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(Frame::Control(body)) = self.decoder.next_frame().expect("well-formed") {
                return Some(parse(&body).expect("our own words"));
            }
            match self.output.read(&mut buffer).expect("readable") {
                0 => return None,
                count => self.decoder.feed(&buffer[..count]),
            }
        }
    }

    fn until(&mut self, wanted: impl Fn(&FromMinion) -> bool) -> FromMinion {
        loop {
            match self.next() {
                Some(message) if wanted(&message) => return message,
                Some(FromMinion::Fault(text)) => panic!("{text}"),
                Some(FromMinion::Busy { holder }) => panic!("busy: {holder}"),
                Some(FromMinion::Outdated { epoch, .. }) => panic!("outdated: {epoch}"),
                Some(_) => {}
                None => panic!("the session ended"),
            }
        }
    }

    fn report(&mut self) -> Report {
        match self.until(|message| matches!(message, FromMinion::Report(_))) {
            FromMinion::Report(report) => report,
            _ => unreachable!(),
        }
    }

    /// Cuts the line, and waits until the session has noticed.
    fn cut(mut self) {
        self.input = None;
        self.child.kill().expect("running");
        self.child.wait().expect("ended");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.input = None;
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn chunk(state: &str, fun: &str, name: &str, args: Json) -> Chunk {
    Chunk {
        id: ChunkId {
            state: state.into(),
            id: name.into(),
            name: name.into(),
            fun: fun.into(),
        },
        sls: "s".into(),
        args: args.as_object().cloned().unwrap_or_default(),
        needs: Vec::new(),
        options: Options::default(),
        sources: Default::default(),
        check_only: false,
        slots: Vec::new(),
    }
}

fn catalog(chunks: Vec<Chunk>) -> Catalog {
    Catalog {
        chunks,
        ..Catalog::default()
    }
}

fn file(path: &str, text: &str) -> Chunk {
    chunk(
        "file",
        "managed",
        path,
        json!({"contents": text, "makedirs": true}),
    )
}

/// A command that says it began by opening the FIFO and ends when somebody wrote to it.
fn waits(fifo: &str) -> Chunk {
    chunk("cmd", "run", &format!("cat {fifo}"), json!({}))
}

fn began(message: &FromMinion) -> bool {
    matches!(message, FromMinion::Entry(Entry::Intent { chunk: Some(chunk), .. }) if chunk.state == "cmd")
}

fn release(fifo: &str) {
    // Opening blocks until the command reads.
    fs::OpenOptions::new()
        .write(true)
        .open(fifo)
        .expect("a FIFO")
        .write_all(b"go")
        .expect("it reads");
}

fn holder(state: &Path) -> Option<i32> {
    let text = fs::read_to_string(state.join("lock")).ok()?;
    let value: Json = serde_json::from_str(&text).ok()?;
    value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok())
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    // It may have come to its end meanwhile.
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
}

#[test]
fn a_run_outlives_its_line_and_its_report_is_kept() {
    let mut host = Host::new("line");
    let fifo = host.fifo();
    let tree = catalog(vec![
        file(&host.file("a"), "one"),
        waits(&fifo),
        file(&host.file("b"), "two"),
    ]);
    let mut session = host.session(None);
    let run = host.apply(&mut session, &tree);
    session.until(began);
    session.cut();

    let mut session = host.session(Some(&run));
    match session.next() {
        Some(FromMinion::Welcome {
            running: Some(running),
            settled: None,
            ..
        }) => assert_eq!(running, run),
        other => panic!("{other:?}"),
    }
    // The line stands idle: the report of the run that was asked for comes by itself.
    release(&fifo);
    let report = session.report();
    assert_eq!(
        (report.run.as_str(), report.outcome, report.generation),
        (run.as_str(), Outcome::Changed, 1)
    );
    assert_eq!(fs::read_to_string(host.file("b")).expect("written"), "two\n");
    session.cut();

    let mut session = host.session(Some(&run));
    match session.next() {
        Some(FromMinion::Welcome {
            running: None,
            settled: Some(settled),
            generation: 1,
            ..
        }) => assert_eq!(settled, report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cancelled_run_ends_after_its_step_and_says_so() {
    let mut host = Host::new("cancel");
    let fifo = host.fifo();
    let tree = catalog(vec![waits(&fifo), file(&host.file("b"), "two")]);
    let mut session = host.session(None);
    let run = host.apply(&mut session, &tree);
    session.until(began);
    session.say(&FromMaster::Cancel);
    let wish = host.state().join("cancel");
    while fs::read_to_string(&wish).ok().as_deref() != Some(run.as_str()) {
        std::thread::yield_now();
    }
    release(&fifo);
    let report = session.report();
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(
        (report.states[0].result, report.states[1].state_ran),
        (Some(true), false)
    );
    assert!(
        report.states[1].comment.contains("cancelled"),
        "{}",
        report.states[1].comment
    );
    assert!(!Path::new(&host.file("b")).exists());
    let again = catalog(vec![file(&host.file("b"), "two")]);
    session.cut();
    assert_eq!(
        host.applied(&again).outcome,
        Outcome::Changed,
        "the wish held for that run only"
    );
}

#[test]
fn a_second_session_is_told_who_is_busy() {
    let mut host = Host::new("busy");
    let fifo = host.fifo();
    let tree = catalog(vec![waits(&fifo)]);
    let mut first = host.session(None);
    let run = host.apply(&mut first, &tree);
    first.until(began);
    let mut second = host.session(None);
    host.apply(&mut second, &tree);
    match second.until(|message| matches!(message, FromMinion::Busy { .. })) {
        FromMinion::Busy { holder } => assert!(holder.contains(&run), "{holder}"),
        _ => unreachable!(),
    }
    release(&fifo);
    assert_eq!(first.report().outcome, Outcome::Changed);
}

#[test]
fn a_run_killed_at_any_point_ends_in_the_old_or_the_new_state() {
    let mut host = Host::new("kill");
    let old = host.tree();
    let names: Vec<String> = (0..2).map(|number| host.file(&format!("d{number}/f"))).collect();
    let tree = catalog(names.iter().map(|name| file(name, "text")).collect());
    for point in 0..30 {
        let mut session = host.session(None);
        host.apply(&mut session, &tree);
        let mut left = point;
        let whole = loop {
            match session.next() {
                Some(FromMinion::Entry(entry)) if !matches!(entry, Entry::State(_)) => {
                    if left == 0 {
                        kill(holder(&host.state()).expect("it holds the lock"));
                        break false;
                    }
                    left -= 1;
                }
                Some(FromMinion::Report(_)) => break true,
                Some(_) => {}
                None => panic!("the session ended"),
            }
        };
        if !whole {
            let ended =
                session.until(|message| matches!(message, FromMinion::Fault(_) | FromMinion::Report(_)));
            assert!(matches!(ended, FromMinion::Fault(_) | FromMinion::Report(_)));
        }
        session.cut();
        let report = host.applied(&tree);
        assert!(
            report.states.iter().all(|state| state.result == Some(true)),
            "point {point}: {report:?}"
        );
        let again = host.applied(&tree);
        assert_eq!(again.outcome, Outcome::Ok, "point {point}: R9");
        loop {
            let mut session = host.session(None);
            host.back(&mut session);
            match session.until(|message| matches!(message, FromMinion::RollbackReport(_))) {
                FromMinion::RollbackReport(report) if report.outcome == Outcome::Ok => break,
                FromMinion::RollbackReport(report) => {
                    assert!(
                        report.failed.is_empty() && report.conflicts.is_empty(),
                        "point {point}: {report:?}"
                    );
                }
                _ => unreachable!(),
            }
        }
        assert_eq!(host.tree(), old, "point {point}: R2");
        if whole {
            return;
        }
    }
    panic!("the run never came to its end");
}
