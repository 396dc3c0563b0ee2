//! Commands beside each other, on this machine.

use proto::{ChunkId, Entry, Outcome, Problem, RequisiteKind};
use serde_json::json;

use crate::converge::{Goal, Run, converge};
use crate::journal::Record;
use crate::journal::ledger::Ledger;
use crate::live::testing::{self, Host};
use crate::probe::{catalog, needs};

#[derive(Default)]
struct Memory(Vec<Entry>);

impl Record for Memory {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.0.push(entry.clone());
        Ok(())
    }
}

fn command(id: &str, text: &str, parallel: bool) -> proto::Chunk {
    let mut chunk = crate::probe::chunk("run", id, json!({ "timeout": 60 }));
    chunk.id = ChunkId {
        state: "cmd".to_owned(),
        fun: "run".to_owned(),
        id: id.to_owned(),
        name: text.to_owned(),
    };
    chunk.options.parallel = parallel;
    chunk
}

fn applied(host: &mut Host, chunks: Vec<proto::Chunk>) -> (crate::converge::Ended, Vec<Entry>) {
    let mut memory = Memory::default();
    let run = Run {
        goal: Goal::Apply,
        ledger: Ledger::default(),
        scope: "",
        had: &|_| false,
        find: states::find,
        cancelled: &|| false,
    };
    let ended = converge(&mut host.live, &catalog(chunks), run, &mut memory);
    (ended, memory.0)
}

/// Each of the two waits for the other, so in turn the first would never end.
#[test]
fn commands_that_need_each_other_end() {
    let mut host = testing::here();
    let (one, two, log) = (host.path("/one"), host.path("/two"), host.path("/log"));
    let [one, two, log] = [one, two, log].map(|path| path.display().to_string());
    assert_eq!(
        host.live
            .run(&proto::Command::program(&["mkfifo", &one, &two]))
            .expect("it runs")
            .code,
        0
    );
    let chunks = vec![
        command(
            "a",
            &format!("echo 1 > {one}; read x < {two}; echo a >> {log}"),
            true,
        ),
        command(
            "b",
            &format!("read x < {one}; echo between >> {log}; echo 2 > {two}"),
            true,
        ),
        needs(
            command("after", &format!("echo after >> {log}"), false),
            RequisiteKind::Require,
            &[0],
        ),
    ];
    let (ended, entries) = applied(&mut host, chunks);
    assert_eq!(ended.outcome, Outcome::Changed);
    let told: Vec<_> = ended
        .states
        .iter()
        .map(|state| (state.run_num, state.id.as_str(), state.result))
        .collect();
    assert_eq!(
        told,
        [
            (0, "a", Some(true)),
            (1, "b", Some(true)),
            (2, "after", Some(true))
        ]
    );
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(log, "between\na\nafter\n");
    let number = |entry: &Entry| match entry {
        Entry::Intent { act_num, .. } => Some(format!("intent {act_num}")),
        Entry::Done { act_num, .. } => Some(format!("done {act_num}")),
        _ => None,
    };
    let acts: Vec<String> = entries.iter().filter_map(number).collect();
    assert_eq!(acts[..2], ["intent 0", "intent 1"]);
    let at = |what: &str| acts.iter().position(|one| one == what);
    assert!(at("done 0") < at("intent 2"), "{acts:?}");
    assert_eq!(acts.len(), 6, "{acts:?}");
}

#[test]
fn a_failure_beside_others_is_seen_by_who_requires_it() {
    let mut host = testing::here();
    let chunks = vec![
        command("bad", "exit 3", true),
        command("good", "echo good", true),
        needs(command("needs", "echo never", true), RequisiteKind::Require, &[0]),
    ];
    let (ended, _) = applied(&mut host, chunks);
    let told: Vec<_> = ended
        .states
        .iter()
        .map(|state| (state.id.as_str(), state.result, state.state_ran))
        .collect();
    assert_eq!(
        told,
        [
            ("bad", Some(false), true),
            ("good", Some(true), true),
            ("needs", Some(false), false)
        ]
    );
    assert_eq!(ended.states[0].changes["retcode"], 3);
}
