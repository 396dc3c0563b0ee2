//! Salt's requisites: each rule by itself, and laws over all small sets.

use super::*;
use crate::journal::RunRecord;
use crate::probe::{catalog, chunk, needs};
use RequisiteKind::*;
use serde_json::json;

/// Outcomes of dependencies: T true, C true with changes, F false, X false with changes, N "would change", S kept from
/// running (true), Q kept from running (false).
fn result(chunk: &Chunk, how: char) -> StateResult {
    let mut result = StateResult::met(&chunk.id, &chunk.sls);
    result.result = match how {
        'T' | 'C' | 'S' => Some(true),
        'N' => None,
        _ => Some(false),
    };
    if matches!(how, 'C' | 'X' | 'N') {
        result.changes.insert("a".into(), json!("b"));
    }
    result.state_ran = !matches!(how, 'S' | 'Q');
    result
}

/// What becomes of a chunk with these needs.
fn verdict(groups: &[(RequisiteKind, &str)]) -> String {
    let mut chunks = Vec::new();
    let mut last = chunk("say", "last", json!({}));
    let mut outcomes = Vec::new();
    for (kind, dependencies) in groups {
        for how in dependencies.chars() {
            let id = format!("d{}", chunks.len());
            last = needs(last, *kind, &[chunks.len()]);
            let mut dependency = chunk("say", &id, json!({}));
            dependency.check_only = *kind == Prereq;
            chunks.push(dependency);
            outcomes.push(how);
        }
    }
    chunks.push(last);
    let catalog = catalog(chunks);
    let mut schedule = Schedule::new(&catalog, Ledger::default());
    for (place, how) in outcomes.into_iter().enumerate() {
        schedule.done(place, &result(&catalog.chunks[place], how));
    }
    match schedule.verdict(catalog.chunks.len() - 1) {
        Verdict::Run => "run".into(),
        Verdict::RunThenWatch(changed) => format!("watch {}", changed.len()),
        Verdict::NotRun(result) => {
            assert!(!result.state_ran && result.changes.is_empty());
            match (result.result, result.comment.as_str()) {
                (Some(false), comment) if comment.starts_with("One or more requisite failed: s.d") => {
                    "fail".into()
                }
                (Some(true), "No changes detected") => "pre".into(),
                (Some(true), "State was not run because onfail req did not change") => "onfail".into(),
                (Some(true), "State was not run because none of the onchanges reqs changed") => {
                    "onchanges".into()
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn one_kind() {
    for (kind, dependencies, want) in [
        (Require, "TCNS", "run"),
        (Require, "TF", "fail"),
        (Require, "TQ", "fail"),
        (RequireAny, "FT", "run"),
        (RequireAny, "FF", "fail"),
        (RequireAny, "FS", "fail"),
        (Watch, "TS", "run"),
        (Watch, "TC", "watch 1"),
        (Watch, "CN", "watch 2"),
        (Watch, "CF", "fail"),
        (WatchAny, "CF", "watch 0"),
        (WatchAny, "TF", "run"),
        (WatchAny, "FF", "fail"),
        (Onchanges, "C", "run"),
        (Onchanges, "TC", "run"),
        (Onchanges, "FC", "run"),
        (Onchanges, "N", "run"),
        (Onchanges, "T", "onchanges"),
        (Onchanges, "F", "onchanges"),
        (Onchanges, "X", "onchanges"),
        (Onchanges, "S", "onchanges"),
        (OnchangesAny, "TC", "run"),
        (OnchangesAny, "TF", "onchanges"),
        (OnchangesAny, "FC", "run"),
        (Onfail, "F", "run"),
        (Onfail, "N", "run"),
        (Onfail, "T", "onfail"),
        (Onfail, "TF", "run"),
        (Onfail, "TQ", "onfail"),
        (Onfail, "TT", "onfail"),
        (OnfailAny, "TF", "run"),
        (OnfailAll, "FF", "run"),
        (OnfailAll, "FT", "onfail"),
        (Prereq, "N", "run"),
        (Prereq, "T", "pre"),
        (Prereq, "NT", "run"),
        (Prereq, "F", "fail"),
    ] {
        assert_eq!(
            verdict(&[(kind, dependencies)]),
            want,
            "{kind:?} on {dependencies}"
        );
    }
}

#[test]
fn several_kinds() {
    for (groups, want) in [
        (vec![(Require, "T"), (Watch, "C"), (Onchanges, "T")], "onchanges"),
        (vec![(Require, "T"), (Watch, "C"), (Onchanges, "C")], "watch 1"),
        (vec![(Require, "F"), (Onchanges, "T")], "fail"),
        (vec![(Prereq, "N"), (Onchanges, "T")], "onchanges"),
        (vec![(Prereq, "T"), (Require, "F")], "fail"),
        (vec![(Onfail, "T"), (Onchanges, "C")], "onfail"),
        (vec![(Onfail, "T"), (Onchanges, "C"), (Watch, "C")], "watch 1"),
        (vec![(Onfail, "F"), (Require, "T")], "run"),
        (vec![(Onfail, "F"), (Require, "F")], "fail"),
    ] {
        assert_eq!(verdict(&groups), want, "{groups:?}");
    }
}

#[test]
fn laws_over_all_small_sets() {
    let outcomes = ['T', 'C', 'F', 'X', 'N', 'S', 'Q'];
    for a in outcomes {
        for b in outcomes {
            let pair: String = [a, b].iter().collect();
            let swapped: String = [b, a].iter().collect();
            for kind in [
                Require,
                RequireAny,
                Watch,
                WatchAny,
                Onchanges,
                OnchangesAny,
                Onfail,
                OnfailAny,
                OnfailAll,
            ] {
                let found = verdict(&[(kind, &pair)]);
                assert_eq!(
                    found,
                    verdict(&[(kind, &swapped)]),
                    "{kind:?}: the order of {pair} must not matter"
                );
                let alone = [
                    verdict(&[(kind, &a.to_string())]),
                    verdict(&[(kind, &b.to_string())]),
                ];
                if matches!(kind, Require | Watch) {
                    assert_eq!(
                        found == "fail",
                        alone.contains(&"fail".to_owned()),
                        "{kind:?} {pair}"
                    );
                }
                if onchanges(kind) {
                    assert!(
                        found == "run" || found == "onchanges",
                        "{kind:?} {pair}: never fails"
                    );
                }
                // A failed requirement beats everything else.
                assert_eq!(
                    verdict(&[(Require, "F"), (kind, &pair)]),
                    "fail",
                    "{kind:?} {pair}"
                );
            }
        }
    }
}

#[test]
fn a_target_whose_prereq_failed_shows_its_dry_run() {
    let mut check = chunk("say", "target", json!({}));
    check.check_only = true;
    let catalog = catalog(vec![
        check,
        needs(chunk("say", "pre", json!({})), Prereq, &[0]),
        needs(chunk("say", "target", json!({})), Require, &[1]),
    ]);
    let mut schedule = Schedule::new(&catalog, Ledger::default());
    let mut dry = result(&catalog.chunks[0], 'N');
    dry.comment = "would".into();
    schedule.done(0, &dry);
    assert_eq!(schedule.verdict(1), Verdict::Run);
    assert_eq!(schedule.number(), 0);
    schedule.done(1, &result(&catalog.chunks[1], 'F'));
    let Verdict::NotRun(shown) = schedule.verdict(2) else {
        panic!("must not run");
    };
    assert_eq!(
        (
            shown.result,
            shown.comment.as_str(),
            shown.changes.len(),
            shown.run_num
        ),
        (None, "would", 0, 1)
    );
}

#[test]
fn a_chain_of_prereqs_decides_from_the_end() {
    for (end, want) in [('N', "run"), ('T', "pre")] {
        let check = |id: &str| {
            let mut check = chunk("say", id, json!({}));
            check.check_only = true;
            check
        };
        let catalog = catalog(vec![
            check("c"),
            needs(check("b"), Prereq, &[0]),
            needs(chunk("say", "a", json!({})), Prereq, &[1]),
        ]);
        let mut schedule = Schedule::new(&catalog, Ledger::default());
        schedule.done(0, &result(&catalog.chunks[0], end));
        let b = match schedule.verdict(1) {
            Verdict::Run => result(&catalog.chunks[1], 'N'),
            Verdict::NotRun(result) => *result,
            other => panic!("{other:?}"),
        };
        schedule.done(1, &b);
        match schedule.verdict(2) {
            Verdict::Run => assert_eq!(want, "run"),
            Verdict::NotRun(result) => {
                assert_eq!(("pre", "No changes detected"), (want, result.comment.as_str()))
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            schedule.number(),
            if want == "pre" { 2 } else { 0 },
            "a dry run takes no number, one that is not made is the chunk's own"
        );
    }
}

#[test]
fn what_an_unfinished_run_owes_counts_as_a_change_once() {
    use proto::Entry;
    let catalog = catalog(vec![
        chunk("say", "config", json!({})),
        needs(chunk("say", "service", json!({})), Watch, &[0]),
    ]);
    let config = &catalog.chunks[0];
    let change = proto::Change {
        at: crate::probe::path("/etc/a"),
        before: proto::Value::Absent,
        after: crate::fake::file("x"),
    };
    let mut entries = vec![
        Entry::Intent {
            act_num: 0,
            chunk: Some(config.id.clone()),
            beside: Vec::new(),
            acts: Vec::new(),
            before: Vec::new(),
        },
        Entry::Done {
            act_num: 0,
            changes: vec![change],
        },
        Entry::State(result(config, 'C')),
    ];
    for (owed, seen) in [("watch 1", 'F'), ("run", 'T')] {
        entries.truncate(3);
        entries.push(Entry::State(result(&catalog.chunks[1], seen)));
        let run = RunRecord {
            number: 1,
            header: proto::RunHeader::default(),
            entries: entries.clone(),
            close: None,
            damage: Vec::new(),
        };
        let mut schedule = Schedule::new(&catalog, Ledger::of(&[run]));
        schedule.done(0, &result(config, 'T'));
        let found = match schedule.verdict(1) {
            Verdict::Run => "run".to_owned(),
            Verdict::RunThenWatch(changed) => format!("watch {}", changed.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, owed);
        assert_eq!(schedule.paid(), owed != "run");
    }
}

#[test]
fn failures_are_handled_only_if_all_handlers_are_true() {
    for (handlers, want) in [("", false), ("T", true), ("TC", true), ("TF", false)] {
        let mut chunks = vec![chunk("say", "bad", json!({}))];
        for (number, _) in handlers.chars().enumerate() {
            chunks.push(needs(
                chunk("say", &format!("h{number}"), json!({})),
                Onfail,
                &[0],
            ));
        }
        let catalog = catalog(chunks);
        let mut schedule = Schedule::new(&catalog, Ledger::default());
        schedule.done(0, &result(&catalog.chunks[0], 'F'));
        for (number, how) in handlers.chars().enumerate() {
            schedule.done(number + 1, &result(&catalog.chunks[number + 1], how));
        }
        assert_eq!(schedule.handled(0), want, "{handlers}");
    }
}
