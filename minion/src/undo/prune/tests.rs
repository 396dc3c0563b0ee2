//! Yours, drift, orphans and debts, on a host in memory with a real journal: whole runs as the session starts them.

use super::*;
use crate::fake::{Fake, Offer, file};
use crate::journal::lock::Lock;
use crate::journal::recover;
use crate::probe::{self, catalog, chunk, needs, package, path, set};
use crate::runs::{self, Job};
use crate::scratch::Scratch;
use crate::undo::rollback::{Request, rollback};
use proto::frame::{BackTo, Rollback};
use proto::{
    Catalog, Cause, Chunk, Entry, Problem, ProblemKind, Report, RequisiteKind::Watch, RunHeader, Unit,
};
use serde_json::json;

/// A host, its journal, and a master that tells it things.
struct Host {
    fake: Fake,
    journal: Journal,
    scratch: Scratch,
    runs: u64,
    scope: &'static str,
    prune: bool,
}

impl Host {
    fn new() -> Self {
        let scratch = Scratch::new();
        Self {
            fake: Fake::new(),
            journal: Journal::open(scratch.root()).expect("room"),
            scratch,
            runs: 0,
            scope: "*",
            prune: false,
        }
    }

    fn header(&mut self, tree: &Catalog) -> RunHeader {
        self.runs += 1;
        let bytes = serde_json::to_vec(tree).expect("a catalog");
        RunHeader {
            run: format!("run-{}", self.runs),
            scope: self.scope.to_owned(),
            catalog: Some(self.journal.objects().put(&bytes).expect("room")),
            goal: "apply".into(),
            ..RunHeader::default()
        }
    }

    fn job<'a>(&mut self, tree: &'a Catalog) -> Job<'a> {
        Job {
            header: self.header(tree),
            catalog: tree,
            find: probe::find,
            cancelled: &|| false,
            prune: self.prune,
        }
    }

    /// As a session does it: looks first, and starts a run only if something is to be done.
    fn apply(&mut self, tree: &Catalog) -> Report {
        let job = self.job(tree);
        let again = Job {
            header: job.header.clone(),
            ..job
        };
        let lock = Lock::take(self.journal.dir(), "test").expect("nobody else");
        let looked = runs::look(&self.journal, &mut self.fake, job, &mut |_| {}).expect("a sound journal");
        looked.unwrap_or_else(|| {
            runs::apply(&self.journal, &mut self.fake, again, lock, &mut |_| {}).expect("a sound journal")
        })
    }

    fn plan(&mut self, tree: &Catalog) -> Report {
        let job = self.job(tree);
        let before = self.fake.world.clone();
        let report = runs::plan(&self.journal, &mut self.fake, job, &mut |_| {}).expect("a sound journal");
        assert_eq!(self.fake.world, before, "a plan changes nothing");
        report
    }

    fn pruned(&mut self, tree: &Catalog) -> Report {
        self.prune = true;
        let planned = fates(&self.plan(tree));
        let report = self.apply(tree);
        self.prune = false;
        assert_eq!(planned, fates(&report), "what is planned is done");
        report
    }

    fn back(&mut self, to: BackTo) -> proto::frame::RollbackReport {
        self.runs += 1;
        let want = Rollback {
            run: format!("run-{}", self.runs),
            epoch: 0,
            by: "me".into(),
            to,
            ..Rollback::default()
        };
        let request = Request {
            want: &want,
            master: "",
            cancelled: &|| false,
        };
        let lock = Lock::take(self.journal.dir(), "test").expect("nobody else");
        recover::recover(&self.journal, &mut self.fake).expect("a sound journal");
        rollback(&self.journal, &mut self.fake, &request, lock, &mut |_| {}).expect("a sound journal")
    }

    /// The run ends after so many entries, as if the power went.
    fn crash(&mut self, tree: &Catalog, entries: u64) {
        let header = self.header(tree);
        let lock = Lock::take(self.journal.dir(), "test").expect("nobody else");
        let mut open = self.journal.begin(header, lock).expect("room");
        let how = crate::converge::Run {
            goal: crate::converge::Goal::Apply,
            ledger: crate::journal::ledger::Ledger::load(&self.journal).expect("a sound journal"),
            scope: self.scope,
            had: &|_| false,
            find: probe::find,
            cancelled: &|| false,
        };
        let mut dying = Dying(&mut open, entries);
        crate::converge::converge(&mut self.fake, tree, how, &mut dying);
    }
}

struct Dying<'a>(&'a mut crate::journal::OpenRun, u64);

impl Record for Dying<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if self.1 == 0 {
            return Err(Problem::new(ProblemKind::Refused, "the power is off"));
        }
        self.1 -= 1;
        self.0.append(entry)
    }
}

fn fates(report: &Report) -> Vec<(String, String)> {
    let told = report.orphans.iter();
    told.map(|orphan| (orphan.address.clone(), orphan.fate.clone()))
        .collect()
}

fn addresses(report: &Report) -> Vec<&str> {
    report
        .orphans
        .iter()
        .map(|orphan| orphan.address.as_str())
        .collect()
}

fn causes(report: &Report) -> Vec<Option<Cause>> {
    report.states.iter().map(|state| state.cause).collect()
}

fn write(id: &str, at: &str, text: &str) -> Chunk {
    let mut chunk = set(id, &[(path(at), file(text))]);
    chunk.sls = format!("sls-of-{id}");
    chunk
}

fn keep(fake: &mut Fake, texts: &[&str]) {
    for text in texts {
        fake.file(text);
    }
}

#[test]
fn yours_and_drift_are_told_apart() {
    use Cause::{Drift, Yours};
    let mut host = Host::new();
    keep(&mut host.fake, &["1", "2", "there"]);
    host.fake.write("/etc/right", "there");
    let tree = |text: &str| {
        catalog(vec![
            write("a", "/etc/a", text),
            write("right", "/etc/right", "there"),
            chunk("run", "say", json!({"undo": "x"})),
        ])
    };
    // A command tells nobody why.
    assert_eq!(causes(&host.plan(&tree("1"))), [Some(Yours), None, None]);
    assert_eq!(causes(&host.apply(&tree("1"))), [Some(Yours), None, None]);
    assert_eq!(causes(&host.plan(&tree("1"))), [None, None, None]);
    assert_eq!(causes(&host.plan(&tree("2"))), [Some(Yours), None, None]);
    // Edited by hand: what we wrote, and what was right from the beginning.
    host.fake.write("/etc/a", "hand");
    host.fake.write("/etc/right", "hand");
    assert_eq!(causes(&host.plan(&tree("1"))), [Some(Drift), Some(Drift), None]);
    assert_eq!(
        causes(&host.plan(&tree("2")))[0],
        Some(Drift),
        "both: the hand edit would be lost"
    );
    assert_eq!(causes(&host.apply(&tree("1"))), [Some(Drift), Some(Drift), None]);
    assert_eq!(causes(&host.plan(&tree("2"))), [Some(Yours), None, None]);
    // A rollback takes our correction back.
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(
        causes(&host.plan(&tree("2"))),
        [Some(Drift), Some(Drift), None],
        "the hand edits are back"
    );
    // The index is a copy: without it the same comes from the entries.
    #[expect(clippy::disallowed_methods, reason = "the test's own damage")]
    for damage in [None, Some(""), Some("nonsense\n")] {
        let path = host.scratch.path("ledger");
        match damage {
            None => std::fs::remove_file(&path).expect("it was kept"),
            Some(text) => std::fs::write(&path, text).expect("room"),
        }
        assert_eq!(
            causes(&host.plan(&tree("2"))),
            [Some(Drift), Some(Drift), None],
            "{damage:?}"
        );
    }
}

#[test]
fn orphans_are_what_left_the_same_scope() {
    let mut host = Host::new();
    keep(&mut host.fake, &["a", "b", "c"]);
    let (a, b) = (write("a", "/etc/a", "a"), write("b", "/etc/b", "b"));
    let both = catalog(vec![a.clone(), b.clone()]);
    assert!(host.apply(&both).orphans.is_empty());
    let one = catalog(vec![a.clone()]);
    let report = host.apply(&one);
    let [orphan] = report.orphans.as_slice() else {
        panic!("{:?}", report.orphans);
    };
    let told = [
        &orphan.address,
        &orphan.state,
        &orphan.id,
        &orphan.sls,
        &orphan.run,
        &orphan.fate,
        &orphan.note,
    ];
    assert_eq!(told, ["/etc/b", "probe.set", "b", "sls-of-b", "run-1", "", ""]);
    assert_eq!(report.outcome, Outcome::Ok);
    // A run over some sls judges nothing but what such a run made; and the other way round.
    host.scope = "some";
    assert!(
        host.plan(&catalog(vec![write("c", "/etc/c", "c")]))
            .orphans
            .is_empty()
    );
    host.apply(&catalog(vec![write("c", "/etc/c", "c"), a.clone()]));
    assert_eq!(addresses(&host.plan(&catalog(vec![]))), ["/etc/c"]);
    host.scope = "";
    assert!(
        host.plan(&catalog(vec![])).orphans.is_empty(),
        "a catalog of its own kind"
    );
    host.scope = "*";
    assert_eq!(addresses(&host.plan(&both)), <[&str; 0]>::default());
    // Another state that looks at it takes it over, whatever its name.
    let renamed = catalog(vec![a.clone(), write("other", "/etc/b", "b")]);
    assert!(host.plan(&renamed).orphans.is_empty());
    // One that does not come to its turn may still care.
    let mut waits = write("other", "/etc/b", "b");
    waits.options.onlyif = serde_json::from_value(json!([{"run": {"argv": ["false"]}}])).unwrap_or_default();
    let failed = chunk("say", "bad", json!({"result": false}));
    let waits = needs(waits, proto::RequisiteKind::Require, &[1]);
    let report = host.plan(&catalog(vec![a.clone(), failed, waits]));
    assert!(report.orphans.is_empty(), "{:?}", report.orphans);
    // What somebody edited is told; what is as before us is nobody's.
    host.fake.write("/etc/b", "hand");
    assert_eq!(host.plan(&one).orphans[0].note, "somebody changed it since");
    host.fake.world.remove(&path("/etc/b"));
    assert!(host.plan(&one).orphans.is_empty());
}

#[test]
fn what_was_rolled_back_is_no_orphan_and_what_was_redone_is() {
    let mut host = Host::new();
    keep(&mut host.fake, &["a", "b"]);
    let one = catalog(vec![write("a", "/etc/a", "a")]);
    let both = catalog(vec![write("a", "/etc/a", "a"), write("b", "/etc/b", "b")]);
    host.apply(&one);
    host.apply(&both);
    host.back(BackTo::Previous);
    assert!(host.plan(&one).orphans.is_empty());
    assert!(host.plan(&both).orphans.is_empty());
    host.back(BackTo::Generation(2));
    assert_eq!(host.fake.path("/etc/b"), file("b"));
    assert_eq!(addresses(&host.plan(&one)), ["/etc/b"], "redone, and left since");
}

#[test]
fn pruning_gives_back_what_was_there_before_us_and_can_be_undone() {
    let mut host = Host::new();
    keep(&mut host.fake, &["a", "b1", "b2", "new"]);
    host.fake.write("/etc/b", "theirs");
    host.fake.repo.insert(
        "nginx".into(),
        Offer {
            version: "1".into(),
            needs: vec!["libc".into()],
            unit: Some("nginx.service".into()),
            ..Offer::default()
        },
    );
    host.fake.repo.insert("libc".into(), Offer::default());
    let bare = host.fake.world.clone();
    let up = Unit {
        known: true,
        active: true,
        enablement: "enabled".into(),
    };
    let a = write("a", "/etc/a", "a");
    let tree = |text: &str| {
        catalog(vec![
            a.clone(),
            set("web", &[(proto::Address::Package("nginx".into()), package())]),
            write("b", "/etc/b", text),
            set(
                "dir",
                &[
                    (path("/srv/x"), crate::fake::dir()),
                    (path("/srv/x/y"), file("new")),
                ],
            ),
            set(
                "up",
                &[(
                    proto::Address::Unit("nginx.service".into()),
                    Value::Unit(up.clone()),
                )],
            ),
        ])
    };
    host.apply(&tree("b1"));
    host.apply(&tree("b2"));
    let one = catalog(vec![a.clone()]);
    let with = host.fake.world.clone();
    let report = host.pruned(&one);
    assert_eq!(
        (report.outcome, report.generation),
        (Outcome::Changed, 3),
        "{report:?}"
    );
    assert!(
        report.orphans.iter().all(|orphan| orphan.fate == "restored"),
        "{report:?}"
    );
    assert!(
        addresses(&report).contains(&"package libc"),
        "what came along goes along: {report:?}"
    );
    let mut wanted = bare.clone();
    wanted.insert(path("/etc/a"), file("a"));
    assert_eq!(host.fake.world, wanted);
    // Nothing is left to prune.
    assert!(host.plan(&one).orphans.is_empty());
    let again = host.pruned(&one);
    assert_eq!((again.outcome, again.generation), (Outcome::Ok, 3));
    // It is undone as every run is.
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(host.fake.world, with);
    assert_eq!(
        host.plan(&one).orphans.len(),
        report.orphans.len(),
        "orphans again"
    );
    host.back(BackTo::Generation(3));
    assert_eq!(host.fake.world, wanted);
    // Declared again, and left again: what is there by then is what comes back.
    host.fake.write("/etc/b", "hand");
    assert_eq!(host.apply(&tree("b1")).outcome, Outcome::Changed);
    host.pruned(&one);
    wanted.insert(path("/etc/b"), file("hand"));
    assert_eq!(host.fake.world, wanted);
}

#[test]
fn edited_orphans_are_told_and_left() {
    let mut host = Host::new();
    keep(&mut host.fake, &["a", "b"]);
    let both = catalog(vec![
        write("a", "/etc/a", "a"),
        write("b", "/etc/b", "b"),
        set("dir", &[(path("/srv/x"), crate::fake::dir())]),
    ]);
    host.apply(&both);
    host.fake.write("/etc/b", "hand");
    host.fake.write("/srv/x/theirs", "x");
    let report = host.pruned(&catalog(vec![]));
    let told: Vec<_> = report
        .orphans
        .iter()
        .map(|o| (o.address.as_str(), o.fate.as_str()))
        .collect();
    assert_eq!(
        told,
        [("/etc/a", "restored"), ("/etc/b", "conflict"), ("/srv/x", "kept")],
        "{report:?}"
    );
    assert_eq!(host.fake.path("/etc/b"), file("hand"));
    assert_eq!(host.fake.path("/etc/a"), Value::Absent);
    assert_eq!(
        addresses(&host.plan(&catalog(vec![]))),
        ["/etc/b", "/srv/x"],
        "still orphans"
    );
}

/// A file and a service that watches it.
fn served(text: &str, broken: bool) -> Catalog {
    let mut service = chunk("set", "service", json!({"all": [], "unit": "app.service"}));
    service.id.state = "probe".into();
    let mut chunks = vec![write("conf", "/etc/conf", text)];
    if broken {
        chunks.push(chunk("say", "bad", json!({"result": false})));
        service = needs(service, proto::RequisiteKind::Require, &[1]);
    }
    chunks.push(needs(service, Watch, &[0]));
    catalog(chunks)
}

fn with_service() -> Host {
    let mut host = Host::new();
    keep(&mut host.fake, &["1", "2"]);
    let up = Unit {
        known: true,
        active: true,
        enablement: "enabled".into(),
    };
    host.fake
        .world
        .insert(proto::Address::Unit("app.service".into()), Value::Unit(up));
    host
}

fn owed(report: &Report) -> Vec<Option<&str>> {
    report.states.iter().map(|state| state.owed.as_deref()).collect()
}

#[test]
fn what_a_run_did_not_come_to_is_shown_as_owed_and_paid_once() {
    // Killed between change and restart, and failed before the restart: the next run pays either.
    for crash in [true, false] {
        let mut host = with_service();
        if crash {
            // Intent and end of the file, its result; then the power goes.
            host.crash(&served("1", false), 3);
        } else {
            assert_eq!(host.apply(&served("1", true)).outcome, Outcome::Failed);
        }
        assert!(host.fake.log.is_empty());
        assert_eq!(
            owed(&host.plan(&served("1", false))),
            [None, Some("run-1")],
            "crash {crash}"
        );
        // A run over something else pays nothing and forgets nothing.
        host.scope = "else";
        assert_eq!(
            owed(&host.apply(&catalog(vec![write("b", "/etc/b", "2")]))),
            [None]
        );
        host.scope = "*";
        let report = host.apply(&served("1", false));
        assert_eq!(owed(&report), [None, Some("run-1")], "crash {crash}");
        assert_eq!(host.fake.log, ["Restart app.service"]);
        assert_eq!(
            report.notes.last().map(String::as_str),
            Some("a state had its turn that an unfinished run had kept from it")
        );
        let report = host.apply(&served("1", false));
        assert_eq!((report.outcome, owed(&report)), (Outcome::Ok, vec![None, None]));
        assert_eq!(host.fake.log.len(), 1, "paid once");
    }
}

#[test]
fn debts_end_with_who_they_are_owed_to_with_a_rollback_and_for_services_with_a_boot() {
    use crate::journal::ledger::Ledger;
    let owes = |host: &Host| Ledger::load(&host.journal).expect("a sound journal").owed().len();
    // Nobody watches any more.
    let mut host = with_service();
    host.apply(&served("1", true));
    assert_eq!(owes(&host), 1);
    let report = host.apply(&catalog(vec![write("conf", "/etc/conf", "1")]));
    assert_eq!((report.outcome, owes(&host)), (Outcome::Ok, 0));
    assert!(host.fake.log.is_empty());
    // Taken back.
    let mut host = with_service();
    host.apply(&served("1", true));
    host.back(BackTo::Previous);
    assert_eq!(owes(&host), 0);
    // The service started anew with the boot.
    let mut host = with_service();
    host.apply(&served("1", true));
    let ledger = Ledger::load(&host.journal).expect("a sound journal");
    let tree = served("1", false);
    let mut service = tree.chunks[1].id.clone();
    let changed = &tree.chunks[0].id;
    let now = crate::clock::boot();
    service.state = "service".into();
    assert!(ledger.owes(changed, &service, &now).is_some());
    assert!(
        ledger.owes(changed, &service, "another boot").is_none(),
        "it started after the change"
    );
    service.state = "cmd".into();
    assert!(
        ledger.owes(changed, &service, "another boot").is_some(),
        "a command did not run by itself"
    );
}
