//! What a host keeps of its runs, and what it does not.

use super::*;
use crate::fake::file;
use crate::probe::path;
use crate::scratch::Scratch;
use proto::frame::Chain;
use proto::{Address, ChunkId, Digest, PreImage, StateResult, Value};

fn id() -> ChunkId {
    ChunkId {
        state: "file".into(),
        id: "i".into(),
        name: "n".into(),
        fun: "managed".into(),
    }
}

fn intent(act_num: u64) -> Entry {
    let was = Value::Absent;
    Entry::Intent {
        act_num,
        chunk: Some(id()),
        beside: Vec::new(),
        acts: vec![Act::assign(path("/a"), was.clone(), file("x"))],
        before: vec![PreImage {
            at: path("/a"),
            was,
            fidelity: proto::Fidelity::Exact,
        }],
    }
}

fn done(act_num: u64, changes: Vec<Change>) -> Entry {
    Entry::Done { act_num, changes }
}

fn change() -> Change {
    Change {
        at: path("/a"),
        before: Value::Absent,
        after: file("x"),
    }
}

fn begin(journal: &Journal, run: &str) -> OpenRun {
    let lock = Lock::take(journal.dir(), run).expect("free");
    let header = RunHeader {
        run: run.into(),
        ..RunHeader::default()
    };
    journal.begin(header, lock).expect("room")
}

fn report(run: &str) -> Report {
    Report {
        run: run.into(),
        outcome: Outcome::Ok,
        generation: 0,
        previous_generation: 0,
        states: Vec::new(),
        duration_ms: 0,
        notes: Vec::new(),
        peak_rss_kib: 0,
        cpu_ms: 0,
        orphans: Vec::new(),
        chain: None,
    }
}

#[test]
fn a_run_that_changes_nothing_leaves_only_when_it_ended() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    let mut run = begin(&journal, "quiet");
    let result = StateResult::met(&id(), "s");
    run.append(&Entry::State(result)).expect("kept in memory");
    run.close(Outcome::Ok, Some(report("quiet"))).expect("room");
    assert_eq!(
        (
            journal.runs().expect("readable"),
            journal.generation().expect("readable")
        ),
        (vec![], 0)
    );
    assert_eq!(journal.last().map(|last| last.run), Some("quiet".into()));
    assert_eq!(
        journal.report_of("quiet").expect("readable"),
        Some(report("quiet"))
    );
    assert_eq!(journal.report_of("other").expect("readable"), None);
}

/// The last checksum of the newest run.
fn end(journal: &Journal) -> Digest {
    let newest = journal.runs().expect("readable").pop();
    newest.map_or_else(entries::origin, |number| {
        entries::read(&journal.entries_path(number))
            .expect("readable")
            .head
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test cuts its own journal")]
fn a_journal_that_was_cut_or_swapped_does_not_go_on_from_the_end_that_was_known() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    let chain = |known: Option<&Digest>| chain::chain(&journal, "m", known).expect("readable");
    let nothing = chain(None);
    assert_eq!((nothing.generation, nothing.continues), (0, None));
    let write = |run: &str, changes: Vec<Change>| {
        let mut open = begin(&journal, run);
        open.append(&intent(0)).expect("room");
        open.append(&done(0, changes)).expect("room");
        open.close(Outcome::Changed, Some(report(run))).expect("room");
    };
    let mut ends = vec![nothing.digest];
    for (run, changes) in [("a", vec![change()]), ("b", vec![]), ("c", vec![change()])] {
        write(run, changes);
        assert_eq!(Chain::keyed("m", &end(&journal)), chain(None).digest);
        ends.push(chain(None).digest);
    }
    for known in &ends {
        assert_eq!(chain(Some(known)).continues, Some(true));
    }
    write("d", vec![change()]);
    // The run that changed nothing was tidied away by now; that is no cut.
    assert!(
        ends.iter()
            .all(|known| chain(Some(known)).continues == Some(true))
    );
    let last = chain(None).digest;
    assert_eq!(
        chain::chain(&journal, "other", Some(&last))
            .expect("readable")
            .continues,
        Some(false)
    );
    let newest = journal.entries_path(journal.runs().expect("readable").pop().expect("one"));
    let whole = fs::read(&newest).expect("readable");
    let cut: Vec<u8> = whole
        .split_inclusive(|byte| *byte == b'\n')
        .take(3)
        .flatten()
        .copied()
        .collect();
    fs::write(&newest, cut).expect("room");
    assert_eq!(chain(Some(&last)).continues, Some(false), "its end was cut off");
    fs::write(&newest, whole).expect("room");
    assert_eq!(chain(Some(&last)).continues, Some(true));
    fs::remove_dir_all(newest.parent().expect("a folder")).expect("there");
    assert_eq!(chain(Some(&last)).continues, Some(false), "a run is gone");
}

#[test]
fn runs_chain_and_only_those_that_changed_something_make_a_generation() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    for (run, changes, generation) in [
        ("a", vec![change()], 1),
        ("b", vec![], 1),
        ("c", vec![change()], 2),
    ] {
        let before = end(&journal);
        let mut open = begin(&journal, run);
        open.append(&Entry::State(StateResult::met(&id(), "s")))
            .expect("room");
        open.append(&intent(0)).expect("room");
        open.append(&done(0, changes)).expect("room");
        assert_eq!(open.generation_after(Outcome::Changed), generation, "{run}");
        open.close(Outcome::Changed, Some(report(run))).expect("room");
        assert_eq!(journal.generation().expect("readable"), generation, "{run}");
        let number = *journal.runs().expect("readable").last().expect("one");
        let read = entries::read(&journal.entries_path(number)).expect("readable");
        assert_eq!(read.first, before, "{run} points at the run before it");
        assert_eq!(
            read.entries.len(),
            5,
            "the state from before the first act is there too"
        );
    }
    let numbers: Vec<_> = journal
        .generations()
        .expect("readable")
        .iter()
        .map(|found| found.number)
        .collect();
    assert_eq!(numbers, [2, 1]);
    // The next run sweeps the one that changed nothing; its number is not used again.
    let mut open = begin(&journal, "d");
    open.append(&intent(0)).expect("room");
    assert_eq!(journal.runs().expect("readable"), [1, 3, 4]);
}

#[test]
fn permissions_are_roots_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let dir = scratch.path("state");
    let journal = Journal::open(&dir).expect("room");
    let mut open = begin(&journal, "a");
    open.append(&intent(0)).expect("room");
    open.append(&done(0, vec![change()])).expect("room");
    open.close(Outcome::Changed, None).expect("room");
    lock::Fence::default().store(&dir).expect("room");
    let mut left = vec![dir];
    while let Some(path) = left.pop() {
        let found = fs::metadata(&path).expect("there");
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, wanted, "{}", path.display());
        if found.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("readable")
                    .map(|entry| entry.expect("readable").path()),
            );
        }
    }
}

#[test]
fn what_came_back_is_no_net_change() {
    let there_and_back = [
        change(),
        Change {
            before: file("x"),
            after: Value::Absent,
            ..change()
        },
    ];
    assert_eq!(net(there_and_back.iter()), []);
    let twice = [
        change(),
        Change {
            before: file("x"),
            after: file("y"),
            ..change()
        },
    ];
    assert_eq!(
        net(twice.iter()),
        [Change {
            after: file("y"),
            ..change()
        }]
    );
}

/// One file per version that was ever written; each is read as it was meant.
#[test]
fn every_version_of_the_format_is_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/journal/fixtures");
    let versions: &[&str] = &[FORMAT];
    for version in versions.iter().copied() {
        let read = entries::read(&fixtures.join(format!("{version}.entries"))).expect("a fixture");
        assert!(
            !read.torn && read.damage.is_empty(),
            "{version}: {:?}",
            read.damage
        );
        let run = record(1, read).expect("a run");
        assert_eq!(
            (run.header.format.as_str(), run.header.run.as_str()),
            (version, "R2")
        );
        assert_eq!(run.generation(), Some(1));
        assert!(matches!(run.close, Some((Outcome::Changed, Some(_)))));
        let touched: Vec<Address> = net(run.changes()).into_iter().map(|change| change.at).collect();
        assert_eq!(
            touched,
            ["/srv/example/a", "/srv/example/x", "/srv/example/x/y"].map(path)
        );
    }
    assert!(newer("2.0") && !newer("1.7") && !newer(FORMAT));
}

#[test]
fn every_open_intent_of_a_run_that_was_cut_off_is_resolved() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    let mut run = begin(&journal, "cut");
    let command = |act_num| Entry::Intent {
        act_num,
        chunk: Some(id()),
        beside: Vec::new(),
        acts: vec![Act::Run {
            command: proto::Command::sh("true"),
            verify: None,
            touches: Vec::new(),
            undo: None,
        }],
        before: Vec::new(),
    };
    for entry in [command(0), command(1), command(2), intent(3), done(1, Vec::new())] {
        run.append(&entry).expect("written");
    }
    drop(run);
    let mut fake = crate::fake::Fake::new();
    let found = recover::recover(&journal, &mut fake).expect("a sound journal");
    let notes = found.expect("it was cut off").notes;
    assert_eq!(notes.len(), 3, "{notes:?}");
    let newest = journal.newest().expect("readable").expect("a run");
    let how: Vec<_> = newest
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Recovered { act_num, how, .. } => Some((*act_num, how.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(how, [(0, "unknown"), (2, "unknown"), (3, "not_applied")]);
    assert!(newest.close.is_some());
}

#[test]
fn of_files_that_go_together_all_are_there_or_none() {
    let group = [
        ("/etc/nginx", crate::fake::dir()),
        ("/etc/nginx/a", file("a")),
        ("/etc/nginx/b", file("b")),
    ];
    let acts: Vec<Act> = group
        .iter()
        .map(|(at, to)| Act::assign(path(at), Value::Absent, to.clone()))
        .collect();
    let before = group.iter().map(|(at, _)| PreImage {
        at: path(at),
        was: Value::Absent,
        fidelity: proto::Fidelity::Exact,
    });
    let intent = Entry::Intent {
        act_num: 0,
        chunk: Some(id()),
        beside: vec![id()],
        acts,
        before: before.collect(),
    };
    for cut in 0..=group.len() {
        let scratch = Scratch::new();
        let journal = Journal::open(scratch.root()).expect("room");
        let mut run = begin(&journal, "cut");
        run.append(&intent).expect("written");
        drop(run);
        let mut fake = crate::fake::Fake::new();
        let old = fake.world.clone();
        for (at, to) in &group[..cut] {
            fake.world.insert(path(at), to.clone());
        }
        let whole = fake.world.clone();
        recover::recover(&journal, &mut fake).expect("a sound journal");
        let want = if cut == group.len() { whole } else { old };
        assert_eq!(fake.world, want, "cut after {cut}");
    }
}

#[test]
fn a_run_whose_last_act_has_no_end_stays_open_for_the_recovery() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    let mut run = begin(&journal, "half");
    run.append(&intent(0)).expect("room");
    assert_eq!(run.generation_after(Outcome::Failed), 0);
    run.close(Outcome::Failed, Some(report("half"))).expect("room");
    let kept = journal.newest().expect("readable").expect("there");
    assert!(kept.close.is_none(), "a closed run is never looked at again");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test makes the leftovers of a crash")]
fn a_recovery_sweeps_what_dead_writers_left() {
    let scratch = Scratch::new();
    let journal = Journal::open(scratch.root()).expect("room");
    std::fs::create_dir(scratch.path("mounts")).expect("room");
    let alive = format!("objects/tmp-{}-0", std::process::id());
    let dead = ["objects/tmp-999999999-0", "last.tmp-999999999", "mounts/.one"];
    for name in dead.into_iter().chain([alive.as_str(), "mounts/two"]) {
        std::fs::write(scratch.path(name), "").expect("room");
    }
    recover::recover(&journal, &mut crate::fake::Fake::new()).expect("fine");
    for name in dead {
        assert!(!scratch.path(name).exists(), "{name} stays");
    }
    assert!(scratch.path(&alive).exists() && scratch.path("mounts/two").exists());
}
