//! Run files, whole and broken.

use proto::Outcome;
use serde_json::json;

use super::*;
use crate::scratch::Scratch;

pub(in crate::store) fn header(run: RunId) -> RunHeader {
    RunHeader {
        run,
        started: "2026-01-02T03:04:05Z".to_owned(),
        mode: Mode::Apply,
        commit: "0".repeat(40),
        tree_url: "/srv/tree".to_owned(),
        target: "*".to_owned(),
        sls: vec![],
        by: "root@master".to_owned(),
        command: vec!["salt-rs".to_owned(), "apply".to_owned()],
        format: FORMAT.to_owned(),
    }
}

pub(in crate::store) fn host(name: &str, generation: u64, epoch: u64) -> Host {
    Host {
        host: name.to_owned(),
        outcome: Outcome::Changed,
        generation: Some(generation),
        previous_generation: generation.checked_sub(1),
        epoch,
        duration_ms: 83,
        states: vec![json!({"id": "nginx", "result": true})],
        changes: vec![json!({"at": {"path": "/etc/x"}})],
        notes: vec![],
    }
}

pub(in crate::store) fn told(host: &str, epoch: u64) -> Told {
    Told {
        host: host.to_owned(),
        epoch,
        catalog: None,
        back: None,
    }
}

/// Writes a run of one host; its file's path.
fn written(runs: &Runs) -> (RunId, PathBuf) {
    let id = runs.next_id().unwrap();
    let writer = runs.create(header(id.clone()), &[told("web1", 7)]).unwrap();
    let ended = vec![RunRecord::Host(host("web1", 12, 7))];
    let (at, summary) = ("2026-01-02T03:05:00Z", Summary::of([Outcome::Changed]));
    writer.finish(ended, at.to_owned(), summary).unwrap();
    let path = runs.dir().join(format!("{id}.jsonl"));
    (id, path)
}

#[test]
fn what_was_written_is_read() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    assert_eq!(runs.ids().unwrap(), []);
    let (first, _) = written(&runs);
    let (second, _) = written(&runs);
    assert!(second > first);
    let run = runs.read(&first).unwrap();
    assert_eq!(
        (run.header.clone(), run.tail, run.is_closed()),
        (header(first.clone()), Tail::Whole, true)
    );
    assert_eq!(run.hosts().cloned().collect::<Vec<_>>(), [host("web1", 12, 7)]);
    assert_eq!(
        run.summary(),
        Summary {
            hosts: 1,
            changed: 1,
            ..Summary::default()
        }
    );
    let newest: Vec<RunId> = runs
        .newest_first()
        .unwrap()
        .map(|run| run.unwrap().header.run)
        .collect();
    assert_eq!(newest, [second, first]);
}

#[test]
fn runs_are_found_by_their_beginning() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    let ids: Vec<RunId> = [1_u64, 2, 3 << 40]
        .iter()
        .map(|millis| RunId::new(*millis, [0; 10], None))
        .collect();
    for id in &ids {
        drop(runs.create(header(id.clone()), &[]).unwrap());
    }
    assert_eq!(runs.find(ids[2].as_str()).unwrap(), ids[2]);
    assert_eq!(runs.find("03").unwrap(), ids[2]);
    assert!(matches!(runs.find("00000"), Err(RunError::Ambiguous { .. })));
    for nothing in ["", " ", "7", "../x"] {
        assert!(
            matches!(runs.find(nothing), Err(RunError::NotFound(_))),
            "{nothing}"
        );
    }
}

#[test]
fn a_run_is_never_replaced() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    let (id, path) = written(&runs);
    let before = fs::read(&path).unwrap();
    assert!(runs.create(header(id), &[]).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn other_files_are_passed_over() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    let (id, _) = written(&runs);
    for name in [
        "runs/12/entries",
        "runs/x.jsonl",
        "runs/.01J.new",
        "runs/01j0000000000000000000000z.jsonl",
    ] {
        scratch.write(name, "x");
    }
    assert_eq!(runs.ids().unwrap(), [id]);
}

#[test]
fn a_tail_cut_anywhere_costs_only_what_was_cut() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    let (_, path) = written(&runs);
    let bytes = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..bytes.len())
        .filter(|index| bytes[*index] == b'\n')
        .map(|index| index + 1)
        .collect();
    for cut in 0..=bytes.len() {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        match read(&path, &bytes[..cut]) {
            Ok(run) => {
                assert_eq!(run.records.len() + 1, whole);
                let torn = cut - ends[whole - 1];
                let want = if torn == 0 {
                    Tail::Whole
                } else {
                    Tail::Torn { bytes: torn as u64 }
                };
                assert_eq!(run.tail, want, "{cut}");
            }
            Err(error) => assert!(
                whole == 0 && matches!(error, RunError::Damaged(_)),
                "{cut}: {error}"
            ),
        }
        // What a power cut leaves: the length is there, the bytes are not.
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        if let Ok(run) = read(&path, &zeroed) {
            assert_eq!(
                (run.records.len() + 1, run.tail == Tail::Whole),
                (whole, cut == bytes.len()),
                "{cut}"
            );
        }
    }
}

#[test]
fn a_changed_record_is_damage_and_what_stands_before_it_counts() {
    let scratch = Scratch::new();
    let runs = Runs::new(scratch.path());
    let (_, path) = written(&runs);
    let text = fs::read_to_string(&path).unwrap();
    let run = read(
        &path,
        text.replace("\"generation\":12", "\"generation\":13").as_bytes(),
    )
    .unwrap();
    assert_eq!((run.records.len(), run.tail), (1, Tail::Damaged { seq: 2 }));
    let changed = text.replace("root@master", "root@mastor");
    assert!(matches!(
        read(&path, changed.as_bytes()),
        Err(RunError::Damaged(_))
    ));
}

#[test]
fn newer_formats() {
    let scratch = Scratch::new();
    let path = scratch.path().join("x");
    let file = |format: &str, record: &str| {
        let mut chain = Chain::default();
        let header = RunHeader {
            format: format.to_owned(),
            ..header(RunId::new(1, [0; 10], None))
        };
        let mut bytes = chain.write(&json(&RunRecord::Header(header)).unwrap());
        bytes.extend(chain.write(record));
        read(&path, &bytes)
    };
    let run = file("1.7", r#"{"kind":"invented","x":[1]}"#).unwrap();
    assert_eq!((run.records, run.tail), (vec![RunRecord::Other], Tail::Whole));
    let run = file("1.7", r#"{"kind":"told","host":"a","epoch":1,"later":true}"#).unwrap();
    assert!(matches!(&run.records[..], [RunRecord::Told(told)] if told.host == "a"));
    assert!(matches!(file("2.0", "{}"), Err(RunError::Format { .. })));
}

/// A file as format 1.0 wrote it; it must stay readable for ever.
#[test]
fn reads_the_first_format() {
    let bytes = include_bytes!("fixtures/1.0.jsonl");
    let run = read(Path::new("1.0.jsonl"), bytes).unwrap();
    assert_eq!(run.header, header(RunId::new(1_767_323_045_000, [1; 10], None)));
    assert_eq!((run.tail, run.is_closed()), (Tail::Whole, true));
    assert_eq!(run.hosts().cloned().collect::<Vec<_>>(), [host("web1", 12, 7)]);
}
