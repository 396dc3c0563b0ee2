//! The index: what it keeps, and what it survives.

use std::fs;
use std::path::Path;

use super::super::runs::tests::{header, host, told};
use super::super::{Summary, Told};
use super::*;
use crate::scratch::Scratch;

const WAIT: Duration = Duration::from_secs(60);

fn index(scratch: &Scratch) -> Index {
    Index::new(scratch.path(), WAIT)
}

/// Writes a closed run in which each host was told an epoch and reached a generation.
fn run(scratch: &Scratch, hosts: &[(&str, u64, u64)]) -> RunId {
    let runs = Runs::new(scratch.path());
    let id = runs.next_id().unwrap();
    let before: Vec<Told> = hosts.iter().map(|(name, _, epoch)| told(name, *epoch)).collect();
    let one = |(name, generation, epoch): &(&str, u64, u64)| RunRecord::Host(host(name, *generation, *epoch));
    let writer = runs.create(header(id.clone()), &before).unwrap();
    let (ended, at) = (hosts.iter().map(one).collect(), "2026-01-02T03:05:00Z");
    writer.finish(ended, at.to_owned(), Summary::default()).unwrap();
    id
}

fn answers(text: &str) -> Answers {
    Answers::from([
        (
            Question::Grain("os".to_owned()),
            Answer::Json(serde_json::json!(text)),
        ),
        (Question::Candidate("nginx".to_owned()), Answer::Missing),
    ])
}

fn remembered(epoch: u64, text: &str) -> Remembered {
    Remembered {
        epoch,
        catalog: Some("c1".to_owned()),
        inputs: Some("i1".to_owned()),
        agent: Some("a1".to_owned()),
        answers: answers(text),
        ..Remembered::default()
    }
}

fn one(index: &Index, name: &str) -> (Option<Remembered>, Vec<String>) {
    let mut recalled = index.recall(&[name]).unwrap();
    (recalled.hosts.remove(name), recalled.notes)
}

#[test]
fn remembers_and_recalls() {
    let scratch = Scratch::new();
    let index = index(&scratch);
    assert_eq!(one(&index, "web1"), (None, vec![]));
    assert_eq!(
        index.remember(&BTreeMap::from([("web1".to_owned(), remembered(3, "Debian"))])),
        Vec::<String>::new()
    );
    assert_eq!(one(&index, "web1"), (Some(remembered(3, "Debian")), vec![]));
    assert_eq!(one(&index, "web2"), (None, vec![]));
}

#[test]
fn epochs_and_generations_come_from_the_runs() {
    let scratch = Scratch::new();
    let index = index(&scratch);
    run(&scratch, &[("web1", 1, 5), ("db1", 4, 9)]);
    assert_eq!(one(&index, "web1").0.unwrap().epoch, 5);
    index.remember(&BTreeMap::from([("web1".to_owned(), remembered(2, "Debian"))]));
    let last = run(&scratch, &[("web1", 2, 6)]);
    let (web, _) = one(&index, "web1");
    let want = Remembered {
        generation: Some(2),
        run: Some(last),
        ..remembered(6, "Debian")
    };
    assert_eq!(web, Some(want));
    assert_eq!(one(&index, "db1").0.unwrap().generation, Some(4));
    // A rollback may go down in generations, never in epochs.
    run(&scratch, &[("web1", 1, 4)]);
    let web = one(&index, "web1").0.unwrap();
    assert_eq!((web.generation, web.epoch), (Some(1), 6));
}

#[test]
fn a_run_that_grows_is_read_again() {
    let scratch = Scratch::new();
    let index = index(&scratch);
    let runs = Runs::new(scratch.path());
    let id = runs.next_id().unwrap();
    let mut writer = runs.create(header(id), &[told("web1", 3)]).unwrap();
    run(&scratch, &[("db1", 1, 1)]);
    assert_eq!(one(&index, "web1").0.unwrap().generation, None);
    writer.append(&[RunRecord::Host(host("web1", 8, 3))]).unwrap();
    assert_eq!(one(&index, "web1").0.unwrap().generation, Some(8));
}

#[test]
fn forgetting_keeps_the_epoch() {
    let scratch = Scratch::new();
    let index = index(&scratch);
    run(&scratch, &[("web1", 1, 5)]);
    index.remember(&BTreeMap::from([("web1".to_owned(), remembered(5, "Debian"))]));
    assert_eq!(index.forget("web1"), Vec::<String>::new());
    let known = one(&index, "web1").0.unwrap();
    assert_eq!((known.epoch, known.answers.len(), known.agent), (5, 0, None));
}

#[test]
fn works_without_the_index_while_another_process_has_it() {
    let scratch = Scratch::new();
    run(&scratch, &[("web1", 1, 5)]);
    let held = SledStore::open(&scratch.path().join("index"), WAIT)
        .unwrap()
        .store;
    let index = Index::new(scratch.path(), Duration::ZERO);
    let (web, notes) = one(&index, "web1");
    assert_eq!((web.unwrap().epoch, notes.len()), (5, 1));
    let notes = index.remember(&BTreeMap::from([("web1".to_owned(), remembered(6, "Debian"))]));
    assert!(notes[0].contains("in use by another process"), "{notes:?}");
    drop(held);
    assert_eq!(one(&index, "web1").0.unwrap().epoch, 5);
}

#[test]
fn several_writers_lose_nothing() {
    let scratch = Scratch::new();
    let index = index(&scratch);
    let threads: Vec<_> = (1..=8_u64)
        .map(|number| {
            let index = index.clone();
            std::thread::spawn(move || {
                index.remember(&BTreeMap::from([
                    (format!("own{number}"), remembered(number, "Debian")),
                    ("shared".to_owned(), remembered(number, "Debian")),
                ]))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Vec::<String>::new());
    }
    for number in 1..=8 {
        assert_eq!(one(&index, &format!("own{number}")).0.unwrap().epoch, number);
    }
    assert_eq!(one(&index, "shared").0.unwrap().epoch, 8);
}

/// All files of the index, relative to it.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.metadata().unwrap().is_file() {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

/// Every way we know of that a file of the index can be damaged.
fn damages(bytes: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut ways = vec![
        ("removed".to_owned(), None),
        ("emptied".to_owned(), Some(vec![])),
        ("zeroed".to_owned(), Some(vec![0; bytes.len()])),
        ("garbage".to_owned(), Some(vec![0xa5; bytes.len()])),
    ];
    for part in 1..8 {
        let at = bytes.len() * part / 8;
        ways.push((format!("cut at {at}"), Some(bytes[..at].to_vec())));
        let mut zeroed = bytes.to_vec();
        zeroed[at..].fill(0);
        ways.push((format!("tail zeroed at {at}"), Some(zeroed)));
        let mut page = bytes.to_vec();
        let end = bytes.len().min(at + 512);
        page[at..end].fill(0);
        ways.push((format!("page zeroed at {at}"), Some(page)));
    }
    for tail in [1, 7, 100] {
        if let Some(left) = bytes.len().checked_sub(tail) {
            ways.push((format!("tail of {tail} cut"), Some(bytes[..left].to_vec())));
        }
    }
    ways
}

/// Whatever happens to the files of the index: it opens, what the runs say is there, the run files are as they were.
#[test]
fn survives_damage_to_any_file() {
    let scratch = Scratch::new();
    let dir = scratch.path().join("index");
    let prepare = || {
        scratch.remove("index");
        for number in 0..5 {
            let name = format!("host{number}");
            index(&scratch).remember(&BTreeMap::from([(name, remembered(1, &"x".repeat(20_000)))]));
        }
        assert_eq!(one(&index(&scratch), "web1").0.unwrap().epoch, 6);
    };
    let before: Vec<(RunId, Vec<u8>)> = [run(&scratch, &[("web1", 1, 5)]), run(&scratch, &[("web1", 2, 6)])]
        .into_iter()
        .map(|id| {
            let bytes = fs::read(scratch.path().join(format!("runs/{id}.jsonl"))).unwrap();
            (id, bytes)
        })
        .collect();
    prepare();
    let names = files(&dir);
    assert!(
        names.iter().any(|name| name == "db") && names.iter().any(|name| name.starts_with("snap.")),
        "{names:?}"
    );
    for name in names {
        let name = if name.starts_with("snap.") {
            "snap.".to_owned()
        } else {
            name
        };
        let find = || files(&dir).into_iter().find(|found| found.starts_with(&name));
        let Some(found) = find() else { panic!("{name}") };
        for (way, content) in damages(&fs::read(dir.join(found)).unwrap()) {
            prepare();
            let Some(found) = find() else {
                panic!("{name} {way}")
            };
            match content {
                Some(bytes) => drop(scratch.write(&format!("index/{found}"), bytes)),
                None => scratch.remove(&format!("index/{found}")),
            }
            let (web, notes) = one(&index(&scratch), "web1");
            let web = web.unwrap_or_else(|| panic!("{name} {way}: lost, {notes:?}"));
            assert_eq!(
                (web.epoch, web.generation),
                (6, Some(2)),
                "{name} {way}: {notes:?}"
            );
            // What is still there is what was put, never something else.
            if let Some(host) = one(&index(&scratch), "host3").0 {
                assert!(host == remembered(1, &"x".repeat(20_000)), "{name} {way}");
            }
            let notes =
                index(&scratch).remember(&BTreeMap::from([("web1".to_owned(), remembered(7, "new"))]));
            let again = one(&index(&scratch), "web1").0.unwrap();
            assert_eq!(
                (again.epoch, again.answers),
                (7, answers("new")),
                "{name} {way}: {notes:?}"
            );
        }
    }
    for (id, bytes) in before {
        assert_eq!(
            fs::read(scratch.path().join(format!("runs/{id}.jsonl"))).unwrap(),
            bytes
        );
    }
}

#[test]
fn an_index_that_is_no_directory_is_made_anew() {
    let scratch = Scratch::new();
    run(&scratch, &[("web1", 1, 5)]);
    scratch.write("index", "not a directory");
    let (web, notes) = one(&index(&scratch), "web1");
    assert_eq!((web.unwrap().epoch, notes.len()), (5, 1));
    assert_eq!(one(&index(&scratch), "web1").1, Vec::<String>::new());
}

#[test]
fn a_damaged_run_file_is_told_and_the_others_count() {
    let scratch = Scratch::new();
    run(&scratch, &[("web1", 1, 5)]);
    let bad = run(&scratch, &[("db1", 1, 5)]);
    scratch.write(&format!("runs/{bad}.jsonl"), "nonsense\n");
    let (web, notes) = one(&index(&scratch), "web1");
    assert_eq!(web.unwrap().epoch, 5);
    assert!(notes.iter().any(|note| note.contains(bad.as_str())), "{notes:?}");
}
