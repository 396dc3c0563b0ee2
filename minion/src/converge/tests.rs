//! The loop on a host in memory: order, guards, watches, plans that come true.

use super::*;
use crate::dry::Dry;
use crate::fake::{Fake, Offer, dir, file};
use crate::probe::{self, catalog, chunk, needs, package, path, set};
use proto::{Account, Address, Guard, RequisiteKind::*, Unit, Value};
use serde_json::json;

pub(super) fn run(goal: Goal) -> Run<'static> {
    Run {
        goal,
        ledger: Ledger::default(),
        scope: "",
        had: &|_| false,
        find: probe::find,
        cancelled: &|| false,
    }
}

/// Keeps every entry in memory.
#[derive(Default)]
pub(super) struct Memory(pub(super) Vec<Entry>);

impl Record for Memory {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.0.push(entry.clone());
        Ok(())
    }
}

pub(super) fn apply(fake: &mut Fake, catalog: &Catalog) -> Ended {
    converge(fake, catalog, run(Goal::Apply), &mut Memory::default())
}

pub(super) fn plan(fake: &Fake, catalog: &Catalog) -> Ended {
    let mut dry = Dry::new(fake.clone());
    let ended = converge(&mut dry, catalog, run(Goal::Plan), &mut Onlooker(&mut |_| {}));
    assert_eq!(dry.into_inner().world, fake.world, "a plan changes nothing");
    ended
}

fn word(result: &StateResult) -> String {
    let word = match (result.result, result.changes.is_empty()) {
        (Some(true), true) => "ok",
        (Some(true), false) => "changed",
        (Some(false), _) => "failed",
        (None, _) => "would",
    };
    format!("{} {} {word}", result.run_num, result.id)
}

pub(super) fn words(ended: &Ended) -> Vec<String> {
    ended.states.iter().map(word).collect()
}

/// A small ordinary tree: a user and a file of its own, a package and its service, a copy of what was just made.
fn tree() -> (Fake, Catalog) {
    let mut fake = Fake::new();
    fake.repo.insert(
        "nginx".into(),
        Offer {
            version: "1.2".into(),
            needs: vec!["libc".into()],
            files: vec![("/etc/nginx.conf".into(), "theirs".into())],
            unit: Some("nginx.service".into()),
        },
    );
    fake.repo.insert(
        "libc".into(),
        Offer {
            version: "2".into(),
            ..Offer::default()
        },
    );
    let home = Account {
        home: "/home/app".into(),
        create_home: true,
        ..Account::default()
    };
    let up = Unit {
        known: true,
        active: true,
        enablement: "enabled".into(),
    };
    let conf = fake.file("ours");
    let mut service = set(
        "service",
        &[(Address::Unit("nginx.service".into()), Value::Unit(up))],
    );
    service.args.insert("unit".into(), json!("nginx.service"));
    let chunks = vec![
        set("user", &[(Address::User("app".into()), Value::User(home))]),
        chunk("need", "/home/app", json!({})),
        set("package", &[(Address::Package("nginx".into()), package())]),
        needs(set("conf", &[(path("/etc/nginx.conf"), conf)]), Require, &[2]),
        needs(service, Watch, &[3]),
        set(
            "dir",
            &[(path("/srv/www"), dir()), (path("/srv/www/index"), file("hello"))],
        ),
        needs(chunk("need", "/srv/www/index", json!({})), Require, &[5]),
    ];
    fake.file("hello");
    (fake, catalog(chunks))
}

#[test]
fn a_tree_converges_once_and_then_stays() {
    let (mut fake, catalog) = tree();
    let planned = plan(&fake, &catalog);
    let first = apply(&mut fake, &catalog);
    assert_eq!(first.outcome, Outcome::Changed);
    assert_eq!(
        words(&first),
        [
            "0 user changed",
            "1 /home/app ok",
            "2 package changed",
            "3 conf changed",
            "4 service changed",
            "5 dir changed",
            "6 /srv/www/index ok"
        ]
    );
    let foretold: Vec<_> = planned
        .states
        .iter()
        .map(|state| state.result.is_none())
        .collect();
    let happened: Vec<_> = first
        .states
        .iter()
        .map(|state| !state.changes.is_empty())
        .collect();
    assert_eq!(foretold, happened, "{:?}", words(&planned));
    let again = apply(&mut fake, &catalog);
    assert_eq!(
        (
            again.outcome,
            again.states.iter().all(|state| state.changes.is_empty())
        ),
        (Outcome::Ok, true)
    );
    let looked = converge(&mut fake, &catalog, run(Goal::Look), &mut Memory::default());
    assert!(!looked.work && looked.outcome == Outcome::Ok);
}

#[test]
fn a_change_restarts_what_watches_it_and_journals_everything() {
    let (mut fake, catalog) = tree();
    apply(&mut fake, &catalog);
    fake.write("/etc/nginx.conf", "edited");
    fake.log.clear();
    let looked = converge(&mut fake, &catalog, run(Goal::Look), &mut Memory::default());
    assert!(looked.work, "there is something to do");
    let mut memory = Memory::default();
    let ended = converge(&mut fake, &catalog, run(Goal::Apply), &mut memory);
    assert_eq!(
        words(&ended)[3..5],
        ["3 conf changed", "5 service changed"],
        "a fired watch takes two numbers"
    );
    assert_eq!(ended.states[4].changes["watched"], json!(["probe: conf"]));
    assert_eq!(fake.log, ["Restart nginx.service"]);
    let kinds: Vec<&str> = memory
        .0
        .iter()
        .map(|entry| match entry {
            Entry::Intent { .. } => "intent",
            Entry::Done { .. } => "done",
            Entry::State(_) => "state",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "state", "state", "state", "intent", "done", "state", "intent", "done", "state", "state", "state"
        ]
    );
}

#[test]
fn a_run_that_changes_nothing_asks_once() {
    let mut fake = Fake::new();
    let all: Vec<_> = (0..100)
        .map(|n| set(&format!("s{n}"), &[(path("/etc"), dir())]))
        .collect();
    let catalog = catalog(all);
    let ended = apply(&mut fake, &catalog);
    assert_eq!((ended.outcome, fake.batches), (Outcome::Ok, 1));
}

#[test]
fn a_plan_says_may_for_what_hangs_on_a_package() {
    let (mut fake, _) = tree();
    let chunks = vec![
        set("package", &[(Address::Package("nginx".into()), package())]),
        chunk("need", "/etc/nginx.conf", json!({})),
        chunk("run", "make it", json!({})),
        needs(chunk("need", "/made", json!({})), Require, &[2]),
    ];
    let catalog = catalog(chunks);
    let planned = plan(&fake, &catalog);
    assert_eq!(words(&planned)[1], "1 /etc/nginx.conf would");
    assert!(
        planned.states[1].comment.contains("package nginx comes first"),
        "{}",
        planned.states[1].comment
    );
    assert_eq!(words(&planned)[3], "3 /made would");
    fake.commands
        .insert("make it".into(), vec![(path("/made"), file(""))]);
    let ended = apply(&mut fake, &catalog);
    assert_eq!(ended.outcome, Outcome::Changed, "{:?}", ended.states);
}

#[test]
fn a_disabled_state_is_told_and_leaves_everything_alone() {
    let mut disabled = chunk("run", "make it", json!({}));
    disabled.options.disabled = Some("it is disabled".into());
    let after = needs(chunk("say", "after", json!({"changes": true})), Require, &[0]);
    let ended = apply(&mut Fake::new(), &catalog(vec![disabled, after]));
    assert_eq!(words(&ended), ["0 make it ok", "1 after changed"]);
    assert_eq!(ended.states[0].comment, "it is disabled");
    assert!(ended.states[0].skip_watch && ended.states[0].changes.is_empty());
}

#[test]
fn guards_retry_and_check_cmd() {
    let guard = |word: &str| vec![Guard::Command(word.into())];
    let mut skipped = chunk("run", "true", json!({}));
    skipped.options.unless = guard("true");
    let mut judged = chunk("say", "judged", json!({"changes": true}));
    judged.options.check_cmd = vec!["true".into(), "false".into()];
    let mut again = chunk("say", "again", json!({"result": false}));
    again.options.retry = Some(proto::Retry {
        attempts: 3,
        interval: 0,
        until: true,
        splay: 0,
    });
    let watch = needs(skipped.clone(), Watch, &[1]);
    let catalog = catalog(vec![
        skipped,
        judged,
        again,
        watch,
        chunk("none", "x", json!({})),
        chunk("set", "y", json!({})),
    ]);
    let ended = apply(&mut Fake::new(), &catalog);
    assert_eq!(
        words(&ended),
        [
            "0 true ok",
            "1 judged failed",
            "4 again failed",
            "5 true failed",
            "6 x failed",
            "7 y failed"
        ]
    );
    assert!(ended.states[0].skip_watch);
    assert_eq!(ended.states[1].comment, "check_cmd determined the state failed");
    assert_eq!(ended.states[2].comment.matches("Attempt ").count(), 2);
    assert_eq!(
        ended.states[4].comment,
        "State 'probe.none' was not found in SLS 's'\nReason: 'probe.none' is not available.\n"
    );
    assert_eq!(
        ended.states[5].comment,
        "Missing parameter all for state probe.set\n"
    );
}

#[test]
fn failhard_ends_the_run_but_not_a_plan() {
    let mut bad = chunk("say", "bad", json!({"result": false}));
    bad.options.failhard = Some(true);
    let catalog = catalog(vec![bad, chunk("say", "after", json!({}))]);
    assert_eq!(words(&apply(&mut Fake::new(), &catalog)), ["0 bad failed"]);
    assert_eq!(
        words(&plan(&Fake::new(), &catalog)),
        ["0 bad failed", "1 after ok"]
    );
}

#[test]
fn listeners_fire_at_the_end() {
    let listener = chunk("say", "l", json!({}));
    let mut catalog = catalog(vec![listener, chunk("say", "c", json!({"changes": true}))]);
    let listen = |on: &[usize], missing: Option<&str>| proto::Listen {
        on: on.to_vec(),
        call: vec![0],
        missing: missing.map(|name| ("probe".to_owned(), name.to_owned())),
    };
    catalog.listens = vec![listen(&[1], None), listen(&[], Some("nobody"))];
    let ended = apply(&mut Fake::new(), &catalog);
    assert_eq!(
        words(&ended),
        [
            "0 l ok",
            "1 c changed",
            "2 listener_l changed",
            "3 listen_nobody failed"
        ]
    );
    assert_eq!(ended.states[2].fun, "mod_watch");
    assert_eq!(
        ended.states[3].comment,
        "Referenced state probe: nobody does not exist"
    );
}

#[test]
fn a_cancelled_run_tells_what_it_did_not_do() {
    let catalog = catalog(vec![chunk("say", "a", json!({})), chunk("say", "b", json!({}))]);
    let stop = std::cell::Cell::new(0);
    let cancelled = || stop.replace(stop.get() + 1) > 0;
    let run = Run {
        cancelled: &cancelled,
        ..run(Goal::Apply)
    };
    let ended = converge(&mut Fake::new(), &catalog, run, &mut Memory::default());
    assert_eq!(words(&ended), ["0 a ok", "1 b failed"]);
    assert!(!ended.states[1].state_ran && ended.outcome == Outcome::Failed);
}

#[test]
fn what_no_log_hides_is_nowhere() {
    let mut secret = chunk("say", "s", json!({"changes": true}));
    secret.options.no_log = true;
    let ended = apply(&mut Fake::new(), &catalog(vec![secret]));
    assert_eq!(ended.states[0].comment, "**********");
    assert_eq!(ended.states[0].changes["said"], json!(true));
    let mut value = json!({"text": "x", "number": 1, "empty": "", "list": ["y", {"z": "z"}]});
    super::hide(&mut value);
    let want =
        json!({"text": "**********", "number": 1, "empty": "", "list": ["**********", {"z": "**********"}]});
    assert_eq!(value, want);
}

#[test]
fn no_journal_no_change() {
    struct Full;
    impl Record for Full {
        fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
            match entry {
                Entry::Intent { .. } => Err(Problem::new(proto::ProblemKind::Refused, "no room")),
                _ => Ok(()),
            }
        }
    }
    let mut fake = Fake::new();
    fake.file("x");
    let before = fake.world.clone();
    let chunks = vec![
        set("a", &[(path("/etc/a"), file("x"))]),
        set("b", &[(path("/etc/b"), file("x"))]),
    ];
    let ended = converge(&mut fake, &catalog(chunks), run(Goal::Apply), &mut Full);
    assert_eq!((fake.world, ended.outcome), (before, Outcome::Failed));
    assert_eq!(words(&ended), ["0 a failed", "1 b failed"]);
    assert!(ended.states[0].comment.contains("no room") && !ended.states[1].state_ran);
}
