//! Groups on a host in memory: who waits for whom, what goes live, what a refusal leaves.

use proto::{Address, Catalog, Chunk, Entry, RequisiteKind::*, Unit, Value};
use serde_json::json;

use super::super::tests::{Memory, apply, plan, run, words};
use super::super::{Ended, Goal, converge};
use crate::fake::{Fake, dir, file};
use crate::probe::{catalog, chunk, needs, path, set};

const ONE: &str = "/etc/nginx/one";
const TWO: &str = "/etc/nginx/two";

/// A host whose nginx wants both files or none.
fn host() -> Fake {
    let mut fake = Fake::new();
    fake.world.insert(path("/etc/nginx"), dir());
    for text in ["1", "2", "3"] {
        fake.file(text);
    }
    fake.pairs = vec![(ONE.into(), TWO.into())];
    fake
}

fn put(at: &str, text: &str) -> Chunk {
    set(at, &[(path(at), file(text))])
}

/// The acts of each intent, as paths.
fn intents(memory: &Memory) -> Vec<Vec<String>> {
    let acts = memory.0.iter().filter_map(|entry| match entry {
        Entry::Intent { acts, .. } => Some(
            acts.iter()
                .filter_map(super::address)
                .map(str::to_owned)
                .collect(),
        ),
        _ => None,
    });
    acts.collect()
}

fn record(fake: &mut Fake, catalog: &Catalog) -> (Ended, Memory) {
    let mut memory = Memory::default();
    let ended = converge(fake, catalog, run(Goal::Apply), &mut memory);
    (ended, memory)
}

#[test]
fn files_that_need_each_other_go_live_together() {
    let mut fake = host();
    let all = catalog(vec![put(ONE, "1"), needs(put(TWO, "2"), Require, &[0])]);
    assert_eq!(
        words(&plan(&fake, &all)),
        [format!("0 {ONE} would"), format!("1 {TWO} would")]
    );
    let (ended, memory) = record(&mut fake, &all);
    assert_eq!(
        words(&ended),
        [format!("0 {ONE} changed"), format!("1 {TWO} changed")]
    );
    assert_eq!(intents(&memory), [[ONE, TWO]]);
    let who = memory.0.iter().find_map(|entry| match entry {
        Entry::Intent { chunk, beside, .. } => Some((chunk.clone()?.id, beside.len())),
        _ => None,
    });
    assert_eq!(who, Some((ONE.to_owned(), 1)));
    assert_eq!(
        words(&apply(&mut fake, &all)),
        [format!("0 {ONE} ok"), format!("1 {TWO} ok")]
    );
}

#[test]
fn a_refusal_leaves_everything_and_reaches_all_of_the_group() {
    let mut fake = host();
    let before = fake.world.clone();
    let third = "/etc/nginx/three";
    let all = catalog(vec![
        put(ONE, "1"),
        put(third, "3"),
        needs(put("/srv/after", "1"), Require, &[1]),
        needs(chunk("say", "alarm", json!({"changes": true})), Onfail, &[0]),
        put("/srv/else", "1"),
    ]);
    let want = |srv: &str| {
        [
            format!("0 {ONE} failed"),
            format!("1 {third} failed"),
            "2 /srv/after failed".to_owned(),
            format!("3 alarm {}", if srv == "would" { "would" } else { "changed" }),
            format!("4 /srv/else {srv}"),
        ]
    };
    assert_eq!(
        words(&plan(&fake, &all)),
        want("would"),
        "the plan says what the run does"
    );
    let (ended, memory) = record(&mut fake, &all);
    assert_eq!(words(&ended), want("changed"));
    assert_eq!(intents(&memory), [["/srv/else"]]);
    assert!(
        ended.states[0].comment.contains("need each other"),
        "{:?}",
        ended.states[0]
    );
    assert_eq!(ended.states[1].comment, ended.states[0].comment);
    fake.world.remove(&path("/srv/else"));
    assert_eq!(fake.world, before);
}

#[test]
fn what_changes_nothing_in_between_does_not_part_a_group_and_what_acts_does() {
    let between = [
        (chunk("say", "hello", json!({})), true),
        (set("/etc", &[(path("/etc"), dir())]), true),
        (put("/srv/x", "1"), false),
        (chunk("run", "true", json!({})), false),
    ];
    for (chunk, together) in between {
        let mut fake = host();
        let all = catalog(vec![put(ONE, "1"), chunk.clone(), put(TWO, "2")]);
        let (_, memory) = record(&mut fake, &all);
        assert_eq!(
            intents(&memory).contains(&vec![ONE.to_owned(), TWO.to_owned()]),
            together,
            "{:?}",
            chunk.id
        );
        assert_eq!(fake.path(TWO).is_absent(), !together);
    }
}

#[test]
fn states_see_what_waits_before_them() {
    let mut fake = host();
    let folder = "/etc/nginx/conf.d";
    let inside = "/etc/nginx/conf.d/x";
    let all = catalog(vec![
        set(folder, &[(path(folder), dir())]),
        put(inside, "1"),
        chunk("need", inside, json!({})),
        put(inside, "2"),
        put("/etc/nginx/y", "1"),
        set("gone", &[(path("/etc/nginx/y"), Value::Absent)]),
    ]);
    let (ended, memory) = record(&mut fake, &all);
    assert!(
        ended.states.iter().all(|state| state.result == Some(true)),
        "{:?}",
        words(&ended)
    );
    assert_eq!(
        intents(&memory),
        [[folder, inside]],
        "what comes and goes again does neither"
    );
    assert_eq!(
        (fake.path(inside), fake.path("/etc/nginx/y")),
        (file("2"), Value::Absent)
    );
}

#[test]
fn a_tree_goes_after_what_was_put_into_it() {
    let mut fake = host();
    let folder = "/etc/nginx/old";
    fake.world.insert(path(folder), dir());
    let inside = "/etc/nginx/old/x";
    let all = catalog(vec![
        put(inside, "1"),
        set(folder, &[(path(folder), Value::Absent)]),
    ]);
    let (_, memory) = record(&mut fake, &all);
    assert_eq!(intents(&memory), [[inside], [folder]]);
    assert!(fake.path(folder).is_absent());
}

#[test]
fn a_state_may_do_without() {
    let mut fake = host();
    let mut one = put(ONE, "1");
    one.options.validate = Some(false);
    assert_eq!(
        words(&apply(&mut fake, &catalog(vec![one]))),
        [format!("0 {ONE} changed")]
    );
}

/// A host whose nginx runs, and does not come up with a second file.
fn sick() -> (Fake, Catalog) {
    let mut fake = host();
    fake.pairs.clear();
    let up = Unit {
        known: true,
        active: true,
        enablement: "enabled".into(),
    };
    fake.world
        .insert(Address::Unit("nginx.service".into()), Value::Unit(up.clone()));
    fake.sick.insert("nginx.service".into(), TWO.into());
    fake.write(ONE, "1");
    let mut service = set(
        "service",
        &[(Address::Unit("nginx.service".into()), Value::Unit(up))],
    );
    service.args.insert("unit".into(), json!("nginx.service"));
    let chunks = vec![
        put("/srv/x", "1"),
        put(ONE, "2"),
        put(TWO, "2"),
        needs(service, Watch, &[2]),
    ];
    (fake, catalog(chunks))
}

#[test]
fn what_a_service_does_not_come_up_with_goes_back() {
    let (mut fake, all) = sick();
    let ended = apply(&mut fake, &all);
    assert_eq!((fake.path(ONE), fake.path(TWO)), (file("1"), Value::Absent));
    assert_eq!(fake.path("/srv/x"), file("1"), "what is nobody's business stays");
    assert_eq!(fake.log, ["Restart nginx.service", "Restart nginx.service"]);
    assert!(matches!(fake.at(&Address::Unit("nginx.service".into())), Value::Unit(unit) if unit.active));
    let service = &ended.states[3];
    assert_eq!(service.result, Some(false));
    assert!(
        service.comment.contains("The old configuration is back")
            && service.comment.contains("does not come up"),
        "{}",
        service.comment
    );
    let again = fake.world.clone();
    assert_eq!(words(&apply(&mut fake, &all))[3], "4 service failed");
    assert_eq!(fake.world, again, "and so it does the next time");
}

#[test]
fn a_service_may_do_without() {
    let (mut fake, mut all) = sick();
    all.chunks[3].options.validate = Some(false);
    apply(&mut fake, &all);
    assert_eq!((fake.path(TWO), fake.log.len()), (file("2"), 1));
}
