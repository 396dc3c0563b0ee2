//! The laws of rollback (R1 to R9), on a host in memory with a real journal.

use super::rollback::{Request, preview, rollback};
use super::*;
use crate::converge::{Goal, Onlooker, Run, converge};
use crate::dry::Dry;
use crate::fake::{Fake, Offer, dir, file};
use crate::journal::lock::Lock;
use crate::journal::owed::Owed;
use crate::journal::{Journal, Record, recover};
use crate::probe::{self, catalog, chunk, needs, package, path, set};
use crate::runs::{Job, apply};
use crate::scratch::Scratch;
use proto::frame::{Rollback, RollbackReport};
use proto::{Account, Catalog, Meta, Problem, Report, RequisiteKind, RunHeader, Unit};
use serde_json::json;

/// A host with its journal.
struct Host {
    fake: Fake,
    journal: Journal,
    _scratch: Scratch,
    runs: u64,
}

type World = BTreeMap<Address, Value>;

impl Host {
    fn new(fake: Fake) -> Self {
        let scratch = Scratch::new();
        let journal = Journal::open(scratch.root()).expect("room");
        Self {
            fake,
            journal,
            _scratch: scratch,
            runs: 0,
        }
    }

    fn lock(&self) -> Lock {
        Lock::take(self.journal.dir(), "test").expect("nobody else")
    }

    fn run_id(&mut self) -> String {
        self.runs += 1;
        format!("run-{}", self.runs)
    }

    fn apply(&mut self, catalog: &Catalog) -> Report {
        let header = RunHeader {
            run: self.run_id(),
            ..RunHeader::default()
        };
        let job = Job {
            header,
            catalog,
            find: probe::find,
            cancelled: &|| false,
        };
        let lock = self.lock();
        apply(&self.journal, &mut self.fake, job, lock, &mut |_| {}).expect("a sound journal")
    }

    fn want(&mut self, to: BackTo) -> Rollback {
        Rollback {
            run: self.run_id(),
            epoch: 0,
            by: "me".into(),
            to,
            plan: false,
            confirm: None,
            skip_conflicts: false,
            force: false,
        }
    }

    fn back(&mut self, to: BackTo) -> RollbackReport {
        let want = self.want(to);
        self.roll(&want)
    }

    fn roll(&mut self, want: &Rollback) -> RollbackReport {
        let request = Request {
            want,
            master: "",
            cancelled: &|| false,
        };
        let lock = self.lock();
        recover::recover(&self.journal, &mut self.fake).expect("a sound journal");
        rollback(&self.journal, &mut self.fake, &request, lock, &mut |_| {}).expect("a sound journal")
    }

    fn world(&self) -> World {
        self.fake.world.clone()
    }

    /// Applies with the journal refusing after `entries` more entries, as if the power went.
    fn crash(&mut self, catalog: &Catalog, entries: u64) {
        let header = RunHeader {
            run: self.run_id(),
            goal: "apply".into(),
            ..RunHeader::default()
        };
        let lock = self.lock();
        recover::recover(&self.journal, &mut self.fake).expect("a sound journal");
        let mut open = self.journal.begin(header, lock).expect("room");
        let how = Run {
            goal: Goal::Apply,
            owed: Owed::load(&self.journal).expect("a sound journal"),
            find: probe::find,
            cancelled: &|| false,
        };
        converge(
            &mut self.fake,
            catalog,
            how,
            &mut Dying {
                inner: &mut open,
                left: entries,
            },
        );
    }
}

struct Dying<'a> {
    inner: &'a mut crate::journal::OpenRun,
    left: u64,
}

impl Record for Dying<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if self.left == 0 {
            return Err(Problem::new(ProblemKind::Refused, "the power is off"));
        }
        self.left -= 1;
        self.inner.append(entry)
    }
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

fn host() -> Fake {
    let mut fake = Fake::new();
    for text in ["one", "two", "three"] {
        fake.file(text);
    }
    fake.write("/etc/old", "one");
    fake.world.insert(path("/srv/tree"), dir());
    fake.write("/srv/tree/leaf", "two");
    let offer = |needs: &[&str], files: &[&str], unit: Option<&str>| Offer {
        version: "1".into(),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        files: files
            .iter()
            .map(|file| ((*file).to_owned(), "packaged".to_owned()))
            .collect(),
        unit: unit.map(str::to_owned),
    };
    fake.repo.insert(
        "web".into(),
        offer(&["lib"], &["/etc/web.conf"], Some("web.service")),
    );
    fake.repo.insert("lib".into(), offer(&[], &[], None));
    fake
}

fn unit(active: bool, enablement: &str) -> Value {
    Value::Unit(Unit {
        known: true,
        active,
        enablement: enablement.into(),
    })
}

/// Some assignment a tree could ask for.
fn assignment(dice: &mut Dice) -> (Address, Value) {
    let paths = [
        "/etc/old",
        "/etc/new",
        "/etc/web.conf",
        "/srv/tree",
        "/srv/tree/leaf",
        "/srv/tree/sub",
        "/srv/tree/sub/x",
    ];
    match dice.roll(12) {
        0 => (Address::Package("web".into()), package()),
        1 => (Address::Package("web".into()), Value::Absent),
        2 => (Address::Unit("web.service".into()), unit(true, "enabled")),
        3 => (Address::Unit("web.service".into()), unit(false, "disabled")),
        4 => {
            let home = "/home/app".to_owned();
            (
                Address::User("app".into()),
                Value::User(Account {
                    home,
                    create_home: true,
                    ..Account::default()
                }),
            )
        }
        5 => (
            Address::Group("ops".into()),
            Value::Group(proto::Group::default()),
        ),
        _ => {
            let value = match dice.roll(7) {
                0 => Value::Absent,
                1 | 2 => dir(),
                3 => Value::Link {
                    to: "/etc/old".into(),
                    meta: Meta::default(),
                },
                4 => file("one"),
                5 => file("two"),
                _ => file("three"),
            };
            (path(paths[dice.roll(paths.len())]), value)
        }
    }
}

fn random(dice: &mut Dice) -> Catalog {
    let count = 1 + dice.roll(6);
    let chunks = (0..count).map(|number| {
        let acts = 1 + dice.roll(2);
        let all: Vec<_> = (0..acts).map(|_| assignment(dice)).collect();
        set(&format!("s{number}"), &all)
    });
    catalog(chunks.collect())
}

fn differ(a: &World, b: &World) -> Vec<Address> {
    let keys: BTreeSet<&Address> = a.keys().chain(b.keys()).collect();
    keys.into_iter()
        .filter(|at| a.get(at) != b.get(at))
        .cloned()
        .collect()
}

#[test]
fn going_back_is_the_inverse_of_any_history() {
    for seed in 1..120 {
        let mut dice = Dice(seed * 7919);
        let mut host = Host::new(host());
        let mut snapshots = vec![host.world()];
        for _ in 0..1 + dice.roll(4) {
            if dice.roll(4) == 0 {
                let to = dice.roll(snapshots.len()) as u64;
                let report = host.back(BackTo::Generation(to));
                assert!(
                    report.failed.is_empty() && report.conflicts.is_empty(),
                    "seed {seed}: {report:?}"
                );
                assert_eq!(
                    differ(&host.world(), &snapshots[to as usize]),
                    [],
                    "seed {seed}: to {to}"
                );
            } else {
                let tree = random(&mut dice);
                let planned = plan(&host, &tree);
                let report = host.apply(&tree);
                let told: Vec<_> = planned
                    .states
                    .iter()
                    .map(|state| state.result.unwrap_or(true))
                    .collect();
                let came: Vec<_> = report
                    .states
                    .iter()
                    .map(|state| state.result == Some(true))
                    .collect();
                assert!(
                    told.iter().zip(&came).all(|(told, came)| *told || !came),
                    "seed {seed}: a plan is never too gloomy: {:?}\n{:?}",
                    planned.states,
                    report.states
                );
            }
            let generation = host.journal.generation().expect("readable") as usize;
            assert!(
                generation + 1 == snapshots.len() || generation == snapshots.len(),
                "seed {seed}"
            );
            if generation == snapshots.len() {
                snapshots.push(host.world());
            }
            assert_eq!(
                host.world(),
                snapshots[generation],
                "seed {seed}: nothing changes without a generation"
            );
        }
        let post = snapshots.len() as u64 - 1;
        for to in 0..=post {
            let report = host.back(BackTo::Generation(to));
            assert!(
                report.failed.is_empty(),
                "seed {seed} to {to}: {:?}",
                report.failed
            );
            assert_eq!(
                differ(&host.world(), &snapshots[to as usize]),
                [],
                "seed {seed}: R3, to {to}"
            );
            let again = host.back(BackTo::Generation(to));
            assert_eq!(
                (again.outcome, again.restored.len()),
                (Outcome::Ok, 0),
                "seed {seed}: R5, to {to}: {again:?}"
            );
        }
    }
}

fn plan(host: &Host, tree: &Catalog) -> crate::converge::Ended {
    let how = Run {
        goal: Goal::Plan,
        owed: Owed::default(),
        find: probe::find,
        cancelled: &|| false,
    };
    let mut dry = Dry::new(host.fake.clone());
    let ended = converge(&mut dry, tree, how, &mut Onlooker(&mut |_| {}));
    assert_eq!(dry.into_inner().world, host.fake.world, "a plan changes nothing");
    ended
}

#[test]
fn plain_rollbacks_walk_back_until_nothing_is_left() {
    let mut host = Host::new(host());
    let mut snapshots = vec![host.world()];
    for text in ["one", "two", "three"] {
        host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file(text))])]));
        snapshots.push(host.world());
    }
    for to in [2, 1, 0] {
        let report = host.back(BackTo::Previous);
        assert_eq!((report.outcome, report.to), (Outcome::RolledBack, to));
        assert_eq!(host.world(), snapshots[to as usize]);
    }
    let report = host.back(BackTo::Previous);
    assert_eq!(
        (report.outcome, report.generation, report.restored.len()),
        (Outcome::Ok, 6, 0)
    );
    let report = host.back(BackTo::BeforeRun("run-3".into()));
    assert_eq!((report.outcome, report.to), (Outcome::RolledBack, 2));
    assert_eq!(host.world(), snapshots[2], "a rollback can be rolled back");
    assert_eq!(host.back(BackTo::BeforeRun("run-3".into())).outcome, Outcome::Ok);
    let want = host.want(BackTo::Generation(99));
    assert!(preview(&host.journal, &mut host.fake, &want).is_err());
}

#[test]
fn a_crash_at_any_entry_ends_in_the_old_or_the_new_state() {
    for seed in 1..24 {
        let mut dice = Dice(seed * 104_729);
        let tree = random(&mut dice);
        let mut whole = Host::new(host());
        whole.apply(&tree);
        if whole.fake.performed == 0 {
            continue;
        }
        whole.apply(&tree);
        for entries in 0..24 {
            for cut in [None, Some(1), Some(2)] {
                let mut host = Host::new(host());
                let old = host.world();
                host.fake.cut = cut;
                host.crash(&tree, entries);
                host.fake.cut = None;
                let recovered = host.apply(&tree);
                assert!(
                    host.journal
                        .newest()
                        .expect("readable")
                        .is_none_or(|run| run.close.is_some())
                );
                let again = host.apply(&tree);
                if recovered.states.iter().all(|state| state.result == Some(true))
                    && again.outcome == Outcome::Ok
                {
                    let changed: Vec<_> = again
                        .states
                        .iter()
                        .filter(|state| !state.changes.is_empty())
                        .collect();
                    assert!(changed.is_empty(), "seed {seed} at {entries}: R9: {changed:?}");
                }
                let report = host.back(BackTo::Generation(0));
                assert!(
                    report.failed.is_empty() && report.conflicts.is_empty(),
                    "seed {seed} at {entries}: {report:?}"
                );
                assert_eq!(
                    differ(&host.world(), &old),
                    [],
                    "seed {seed} at {entries} cut {cut:?}: R2"
                );
            }
        }
    }
}

#[test]
fn a_hand_edit_conflicts_and_force_can_be_undone() {
    let mut host = Host::new(host());
    let tree = catalog(vec![
        set("a", &[(path("/etc/old"), file("two"))]),
        set("b", &[(path("/etc/new"), file("one"))]),
    ]);
    host.apply(&tree);
    host.fake.write("/etc/new", "by hand");
    host.fake.write("/etc/untouched", "by hand");
    let edited = host.world();
    let refused = host.back(BackTo::Previous);
    assert_eq!((refused.outcome, refused.conflicts.len()), (Outcome::Refused, 1));
    assert_eq!(host.world(), edited, "refused means nothing changed");
    let conflict = &refused.conflicts[0];
    assert_eq!(
        (&conflict.ours.before, &conflict.ours.after, &conflict.theirs),
        (&Value::Absent, &file("one"), &file("by hand"))
    );

    let mut want = host.want(BackTo::Previous);
    want.skip_conflicts = true;
    let skipped = host.roll(&want);
    assert_eq!(
        (skipped.outcome, skipped.restored.len()),
        (Outcome::RolledBack, 1)
    );
    assert_eq!(host.fake.path("/etc/new"), file("by hand"));
    let mut want = host.want(BackTo::Generation(0));
    want.skip_conflicts = true;
    assert_eq!(
        host.roll(&want).restored.len(),
        0,
        "a second time changes nothing"
    );

    let mut want = host.want(BackTo::Generation(0));
    want.force = true;
    assert_eq!(host.roll(&want).outcome, Outcome::RolledBack);
    assert_eq!(host.fake.path("/etc/new"), Value::Absent);
    assert_eq!(host.fake.path("/etc/untouched"), file("by hand"));
    let head = host.journal.generation().expect("readable");
    assert_eq!(
        host.back(BackTo::Generation(head - 1)).outcome,
        Outcome::RolledBack
    );
    assert_eq!(host.fake.path("/etc/new"), file("by hand"), "R7");
}

#[test]
fn a_crash_inside_a_rollback_is_finished_by_the_next() {
    let mut dice = Dice(42);
    for _ in 0..30 {
        let tree = random(&mut dice);
        let mut host = Host::new(host());
        let old = host.world();
        host.apply(&tree);
        if host.journal.generation().expect("readable") == 0 {
            continue;
        }
        host.fake.cut = Some(host.fake.performed + 1 + dice.roll(2) as u64);
        host.back(BackTo::Previous);
        host.fake.cut = None;
        host.back(BackTo::Previous);
        assert_eq!(differ(&host.world(), &old), [], "R8");
        assert_eq!(
            host.back(BackTo::Previous).outcome,
            Outcome::Ok,
            "nothing is left"
        );
    }
}

#[test]
fn commands_are_taken_back_in_their_place_or_told_as_lost() {
    let mut fake = host();
    fake.commands
        .insert("up".into(), vec![(path("/etc/old"), file("two"))]);
    fake.commands.insert("down".into(), vec![]);
    let mut host = Host::new(fake);
    let old = host.world();
    host.apply(&catalog(vec![
        set("a", &[(path("/etc/old"), file("three"))]),
        chunk("run", "up", json!({"undo": "down"})),
        set("b", &[(path("/etc/new"), file("one"))]),
        chunk("run", "false", json!({})),
    ]));
    host.fake.log.clear();
    let report = host.back(BackTo::Previous);
    assert_eq!(
        report.outcome,
        Outcome::RolledBack,
        "what a command did to a file of ours is no conflict: {report:?}"
    );
    assert_eq!(
        report.lost,
        ["\"false\" cannot be taken back"]
            .map(str::to_owned)
            .map(|_| report.lost[0].clone())
    );
    assert!(report.lost[0].contains("false"));
    assert_eq!(host.fake.log, ["down"]);
    assert_eq!(host.world(), old);
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::Ok);
    host.fake.log.clear();
    host.back(BackTo::Generation(1));
    assert_eq!(host.fake.log, ["up"], "a rollback of a rollback runs it again");
}

#[test]
fn a_service_is_restarted_when_its_cause_is_undone() {
    let mut host = Host::new(host());
    let service = |text: &str| {
        let mut service = set(
            "service",
            &[(Address::Unit("web.service".into()), unit(true, "enabled"))],
        );
        service.args.insert("unit".into(), json!("web.service"));
        catalog(vec![
            set("web", &[(Address::Package("web".into()), package())]),
            set("conf", &[(path("/etc/web.conf"), file(text))]),
            needs(service, RequisiteKind::Watch, &[1]),
        ])
    };
    host.apply(&service("one"));
    let one = host.world();
    host.apply(&service("two"));
    assert_eq!(host.fake.log, ["Restart web.service"]);
    // The new configuration is bad: the service fell over.
    host.fake
        .world
        .insert(Address::Unit("web.service".into()), unit(false, "enabled"));
    host.fake.log.clear();
    let report = host.back(BackTo::Previous);
    assert_eq!((report.outcome, report.conflicts.len()), (Outcome::RolledBack, 0));
    assert_eq!(host.fake.path("/etc/web.conf"), one[&path("/etc/web.conf")]);
    assert_eq!(host.fake.log, ["Restart web.service"]);
    host.fake.log.clear();
    host.back(BackTo::Generation(0));
    assert_eq!(
        host.fake.log,
        Vec::<String>::new(),
        "what is gone is not restarted"
    );
    assert!(host.fake.at(&Address::Unit("web.service".into())) == Value::Unit(Unit::default()));
}

#[test]
fn what_a_crash_kept_from_a_service_is_paid_by_the_next_run() {
    let mut host = Host::new(host());
    let mut service = set("service", &[]);
    service.args.insert("unit".into(), json!("web.service"));
    let tree = catalog(vec![
        set("conf", &[(path("/etc/new"), file("one"))]),
        needs(service, RequisiteKind::Watch, &[0]),
    ]);
    host.crash(&tree, 3);
    assert_eq!(host.fake.path("/etc/new"), file("one"));
    host.fake.log.clear();
    let report = host.apply(&tree);
    assert_eq!(host.fake.log, ["Restart web.service"]);
    assert!(
        report.notes.iter().any(|note| note.contains("cut off")),
        "{:?}",
        report.notes
    );
    host.fake.log.clear();
    host.apply(&tree);
    assert_eq!(host.fake.log, Vec::<String>::new(), "paid once");
}

#[test]
fn a_directory_with_somebody_elses_files_stays_and_is_told() {
    let mut host = Host::new(host());
    host.apply(&catalog(vec![set("d", &[(path("/srv/new"), dir())])]));
    host.fake.write("/srv/new/theirs", "x");
    let report = host.back(BackTo::Previous);
    assert_eq!(report.outcome, Outcome::RolledBack);
    assert!(
        report.lost[0].starts_with("/srv/new stays: it holds theirs"),
        "{:?}",
        report.lost
    );
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::Ok);
}

#[test]
fn a_damaged_run_refuses_and_the_others_are_still_read() {
    let mut host = Host::new(host());
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("one"))])]));
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("two"))])]));
    let file = host.journal.entries_path(1);
    let text =
        std::fs::read_to_string(&file)
            .expect("readable")
            .replacen("\"act_num\":0", "\"act_num\":1", 1);
    #[expect(clippy::disallowed_methods, reason = "the test damages the journal")]
    std::fs::write(&file, text).expect("room");
    let want = host.want(BackTo::Generation(0));
    let error = preview(&host.journal, &mut host.fake, &want)
        .expect_err("damaged")
        .to_string();
    assert!(error.contains("damaged"), "{error}");
    assert_eq!(host.back(BackTo::Generation(1)).outcome, Outcome::RolledBack);
}

#[test]
fn a_crontab_keeps_the_lines_of_others() {
    let table = "/var/spool/cron/crontabs/root";
    let mut fake = Fake::new();
    for folder in [
        "/var",
        "/var/spool",
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
    ] {
        fake.world.insert(path(folder), dir());
    }
    fake.write(table, "0 1 * * * mine\n");
    let mut host = Host::new(fake);
    host.fake.file("0 1 * * * mine\n0 2 * * * ours\n");
    let tree = catalog(vec![set(
        "job",
        &[(path(table), file("0 1 * * * mine\n0 2 * * * ours\n"))],
    )]);
    host.apply(&tree);
    let text = |host: &Host| match host.fake.path(table) {
        Value::File { content, .. } => String::from_utf8(host.fake.objects[&content].clone()).expect("text"),
        other => panic!("{other:?}"),
    };
    host.fake
        .write(table, "0 1 * * * mine\n0 2 * * * ours\n0 3 * * * later\n");
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(text(&host), "0 1 * * * mine\n0 3 * * * later\n");

    host.fake.write(table, "0 1 * * * mine\n");
    host.apply(&tree);
    host.fake.write(table, "0 1 * * * mine\n0 9 * * * ours\n");
    let refused = host.back(BackTo::Previous);
    assert_eq!((refused.outcome, refused.conflicts.len()), (Outcome::Refused, 1));
}

#[test]
fn a_database_server_that_is_silent_holds_up_nothing() {
    let at = Address::Mysql(proto::MysqlAt {
        kind: proto::MysqlKind::Database,
        name: "sample".into(),
        server: String::new(),
    });
    let schema = |holds| {
        Value::MysqlDatabase(proto::Schema {
            holds,
            ..proto::Schema::default()
        })
    };
    let change = catalog(vec![
        set("a", &[(path("/etc/new"), file("one"))]),
        set("b", &[(at.clone(), schema(0))]),
    ]);
    let mut host = Host::new(host());
    let before = host.world();
    host.apply(&change);
    host.fake.silent = true;
    let report = host.back(BackTo::Previous);
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.failed[0].contains("mysql database sample was not taken back: no answer"),
        "{report:?}"
    );
    assert!(host.fake.path("/etc/new").is_absent(), "the rest went back");
    // It answers again: the rollback goes on where it was.
    host.fake.silent = false;
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(differ(&before, &host.world()), Vec::<Address>::new());

    // Left out when told so, or when its package goes; data is never dropped.
    host.apply(&change);
    host.fake.silent = true;
    let mut want = host.want(BackTo::Previous);
    want.skip_conflicts = true;
    let report = host.roll(&want);
    assert_eq!(
        (report.outcome, report.lost.len()),
        (Outcome::RolledBack, 1),
        "{report:?}"
    );
    host.fake.silent = false;
    host.fake.world.remove(&at);
    host.apply(&change);
    host.fake.world.insert(at.clone(), schema(3));
    let report = host.back(BackTo::Previous);
    assert!(
        report
            .lost
            .iter()
            .any(|line| line.contains("sample stays: it holds 3")),
        "{report:?}"
    );
    assert_eq!(host.fake.at(&at), schema(3));
}
