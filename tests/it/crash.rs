//! `kill -9` of the agent at every call that writes: nothing is half-written, nothing is left over, and the next run
//! converges, or a rollback brings back what was there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{os, static_agent};
use proto::codec::{Frame, blob, control};
use proto::frame::{Apply, BackTo, PROTOCOL, Rollback};
use proto::{Catalog, Chunk, ChunkId, Decoder, Digest, FromMaster, FromMinion, Options, Outcome};

/// Calls that change a file system. Reading and waiting cannot leave anything half done.
const WRITES: &[&str] = &[
    "write",
    "pwrite64",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utimensat",
    "setxattr",
    "fsetxattr",
    "lsetxattr",
];

/// Files of the run: half of them are there before, with another content.
const FILES: usize = 10;

/// A scratch directory with a host's state below it, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("salt-rs-crash-{}-{name}", std::process::id()));
        os::remove_tree(&dir).unwrap();
        os::make_dir(&dir.join("files")).unwrap();
        for number in (0..FILES).step_by(2) {
            os::write(&dir.join(format!("files/{number}")), old(number)).unwrap();
        }
        Self(dir)
    }

    fn files(&self) -> BTreeMap<String, String> {
        let names = os::names(&self.0.join("files")).unwrap();
        let read = |name: &String| os::read_text(&self.0.join("files").join(name)).unwrap();
        names.iter().map(|name| (name.clone(), read(name))).collect()
    }

    /// Every file is as it was or as it shall be. What was being staged under a name of ours may lie about until the next
    /// run, which sweeps it.
    fn check_whole(&self, when: &str) {
        for (name, text) in self
            .files()
            .into_iter()
            .filter(|(name, _)| !name.starts_with(".salt-rs-"))
        {
            let number: usize = name
                .parse()
                .unwrap_or_else(|_| panic!("{when}: {name} is left over"));
            let whole = text == new(number) || (number.is_multiple_of(2) && text == old(number));
            assert!(whole, "{when}: {name} holds {} bytes: {:.40}", text.len(), text);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        os::remove_tree(&self.0).unwrap();
    }
}

fn old(number: usize) -> String {
    format!("old {number}\n")
}

fn new(number: usize) -> String {
    format!("new {number}\n").repeat(50)
}

/// Ten `file.managed` chunks with contents.
fn catalog(dir: &Path) -> Vec<u8> {
    let chunk = |number: usize| {
        let name = dir.join(format!("files/{number}")).display().to_string();
        let args = serde_json::json!({ "contents": new(number), "mode": "0640" });
        Chunk {
            id: ChunkId {
                state: "file".into(),
                id: name.clone(),
                name,
                fun: "managed".into(),
            },
            sls: "crash".into(),
            args: args.as_object().unwrap().clone(),
            needs: Vec::new(),
            options: Options::default(),
            sources: BTreeMap::new(),
            check_only: false,
            slots: Vec::new(),
        }
    };
    let catalog = Catalog {
        chunks: (0..FILES).map(chunk).collect(),
        ..Catalog::default()
    };
    serde_json::to_vec(&catalog).unwrap()
}

fn hello() -> Vec<u8> {
    let hello = FromMaster::Hello {
        protocol: PROTOCOL,
        master: "test".into(),
        attach: None,
        take_over: false,
        limits: Default::default(),
        known: None,
    };
    control(&hello).unwrap()
}

fn apply(dir: &Path, epoch: u64) -> Vec<u8> {
    let bytes = catalog(dir);
    let digest = Digest::of(&bytes);
    let apply = Apply {
        run: format!("RUN{epoch}"),
        epoch,
        rev: "commit".into(),
        by: "test@test".into(),
        catalog: digest,
        following: vec![digest],
        plan: false,
        confirm: None,
        scope: String::new(),
        prune: false,
    };
    let mut flight = hello();
    flight.extend(control(&FromMaster::Apply(apply)).unwrap());
    flight.extend(blob(&digest, &bytes));
    flight
}

fn rollback(epoch: u64) -> Vec<u8> {
    let rollback = Rollback {
        run: format!("BACK{epoch}"),
        epoch,
        by: "test@test".into(),
        to: BackTo::Previous,
        ..Rollback::default()
    };
    let mut flight = hello();
    flight.extend(control(&FromMaster::Rollback(rollback)).unwrap());
    flight
}

/// What a session said, and whether strace killed something in it.
struct Heard {
    frames: Vec<FromMinion>,
    killed: bool,
}

/// One session with the agent, which is killed at the `when`-th call of the kind, if there is such a call.
fn session(scratch: &Scratch, flight: &[u8], kill: Option<(&str, usize)>) -> Heard {
    let state = scratch.0.join("state");
    let trace = scratch.0.join("trace");
    let mut command = match kill {
        Some((call, when)) => {
            let mut command = os::command("strace");
            command.args(["-f", "-qq", "-o"]).arg(&trace);
            command.arg("-e").arg(format!("trace={call}"));
            command
                .arg("-e")
                .arg(format!("inject={call}:signal=KILL:when={when}"));
            command.arg(static_agent());
            command
        }
        None => os::command(&static_agent().display().to_string()),
    };
    command.args(["serve", "--dir"]).arg(&state);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A killed agent does not read on.
    child.stdin.take().unwrap().write_all(flight).ok();
    let output = child.wait_with_output().unwrap();
    let mut decoder = Decoder::new(1 << 24);
    decoder.feed(&output.stdout);
    let mut frames = Vec::new();
    while let Ok(Some(Frame::Control(body))) = decoder.next_frame() {
        frames.push(serde_json::from_slice(&body).unwrap());
    }
    let killed = kill.is_some() && os::read_text(&trace).unwrap().contains("killed by SIGKILL");
    Heard { frames, killed }
}

fn outcome(heard: &Heard) -> Option<Outcome> {
    heard.frames.iter().find_map(|frame| match frame {
        FromMinion::Report(report) => Some(report.outcome),
        FromMinion::RollbackReport(report) => Some(report.outcome),
        _ => None,
    })
}

fn wanted() -> BTreeMap<String, String> {
    (0..FILES)
        .map(|number| (number.to_string(), new(number)))
        .collect()
}

/// Calls `body` for each point at which a run can be killed, on two threads; returns how many there are.
fn each_point(body: impl Fn(&str, usize) -> bool + Sync) -> usize {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut points = 0;
        while let Some(call) = WRITES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut when = 1;
            while body(call, when) {
                points += 1;
                when += 1;
            }
        }
        points
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        worker() + other.join().unwrap()
    })
}

#[test]
fn killed_at_any_write_an_apply_leaves_nothing_half_done() {
    let points = each_point(|call, when| {
        let place = format!("{call} {when}");
        let scratch = Scratch::new(&place.replace(' ', "-"));
        let before = scratch.files();
        let heard = session(&scratch, &apply(&scratch.0, 1), Some((call, when)));
        scratch.check_whole(&place);
        // Every other point is taken forward, the rest back.
        if when.is_multiple_of(2) {
            let next = session(&scratch, &apply(&scratch.0, 2), None);
            assert!(
                matches!(outcome(&next), Some(Outcome::Changed | Outcome::Ok)),
                "{place}: {:?}",
                next.frames
            );
            assert_eq!(
                scratch.files(),
                wanted(),
                "{place}: the next run did not converge"
            );
        } else {
            let next = session(&scratch, &rollback(2), None);
            assert!(outcome(&next).is_some(), "{place}: {:?}", next.frames);
            assert_eq!(
                scratch.files(),
                before,
                "{place}: the rollback did not bring back what was there"
            );
        }
        heard.killed
    });
    assert!(
        points >= 3 * FILES,
        "only {points} points: is anything written at all?"
    );
}
