//! The window on a host in memory: what the guard does, who may confirm, what goes back.

use super::*;
use crate::fake::{Fake, file};
use crate::probe::{self, catalog, path, set};
use crate::runs::{Job, apply};
use crate::scratch::Scratch;
use probation::Held;
use proto::{Catalog, Value};

const WINDOW: u64 = 100;

fn moment(boot: &str, seconds: u64) -> Moment {
    Moment {
        boot: boot.into(),
        ms: seconds * 1000,
    }
}

fn window(ended: Option<u64>, died: bool) -> Probation {
    Probation {
        run: "R".into(),
        master: "m".into(),
        epoch: 3,
        window: WINDOW,
        boot: "b".into(),
        line: "1.2.3.4 5 6.7.8.9 22".into(),
        ended: ended.map(|seconds| seconds * 1000),
        died,
        ..Probation::default()
    }
}

/// What the guard does, by the end of the run, the boot, the time, how long the journal was quiet, and who holds the lock.
#[test]
fn what_the_guard_does_next() {
    let two_hours = 2 * 60 * 60 * 1000;
    for (ended, boot, now, quiet, holder, next) in [
        (None, "b", 10, 0, Some("R"), Next::Wait),
        (None, "b", 10, two_hours, Some("R"), Next::Hung(7)),
        // Somebody else's: it ends, and joins or ends this window.
        (None, "b", 10, two_hours, Some("other"), Next::Wait),
        (None, "b", 10, 0, None, Next::Died),
        (None, "c", 10, 0, None, Next::Back),
        (None, "c", 10, 0, Some("other"), Next::Wait),
        (Some(10), "b", 10, 0, None, Next::Wait),
        (Some(10), "b", 109, 0, None, Next::Wait),
        (Some(10), "b", 110, 0, None, Next::Back),
        (Some(10), "b", 110, 0, Some("other"), Next::Wait),
        // The clock of the boot before counts for nothing.
        (Some(10), "c", 11, 0, None, Next::Back),
        (Some(1_000), "c", 1, 0, None, Next::Back),
    ] {
        let found = window(ended, false).next(&moment(boot, now), quiet, &|| {
            Ok(holder.map(|run: &str| lock::Holder {
                pid: 7,
                run: run.into(),
                since: 0,
            }))
        });
        assert_eq!(
            found.expect("a lock to look at"),
            next,
            "{ended:?} {boot} {now} {holder:?}"
        );
    }
}

/// Who confirms: only a session that is younger than the run's end, over another connection than the run's, in time.
#[test]
fn who_confirms() {
    let own = "1.2.3.4 5 6.7.8.9 22";
    for (ended, died, boot, now, holder, line, since, how, left) in [
        (Some(10), false, "b", 20, None, "new", 11, How::Kept, Some(90)),
        (Some(10), false, "b", 20, None, "", 11, How::Kept, Some(90)),
        (
            Some(10),
            false,
            "b",
            20,
            Some("other"),
            "new",
            11,
            How::Kept,
            Some(90),
        ),
        // Multiplexed over the connection of the run: nothing new.
        (Some(10), false, "b", 20, None, own, 11, How::Open, Some(90)),
        // There before the run had ended.
        (Some(10), false, "b", 20, None, "new", 9, How::Open, Some(90)),
        (Some(10), false, "b", 110, None, "new", 11, How::Leaving, None),
        (Some(10), false, "c", 20, None, "new", 11, How::Leaving, None),
        (
            Some(10),
            false,
            "b",
            20,
            Some("guard-R"),
            "new",
            11,
            How::Leaving,
            None,
        ),
        (Some(10), true, "b", 20, None, "new", 11, How::Leaving, Some(90)),
        (None, false, "b", 20, Some("R"), "new", 11, How::Going, None),
        (None, false, "b", 20, None, "new", 11, How::Leaving, None),
    ] {
        let from = Caller {
            line: line.into(),
            since: moment("b", since),
        };
        let found = window(ended, died).standing(&moment(boot, now), holder, &from);
        assert_eq!(
            found,
            (how, left),
            "{ended:?} {died} {boot} {now} {holder:?} {line:?} {since}"
        );
    }
}

struct Host {
    fake: Fake,
    journal: Journal,
    scratch: Scratch,
}

impl Host {
    fn new() -> Self {
        let scratch = Scratch::new();
        let journal = Journal::open(scratch.root()).expect("room");
        let mut fake = Fake::new();
        fake.world.insert(path("/etc/a"), file("old"));
        Self {
            fake,
            journal,
            scratch,
        }
    }

    fn apply(&mut self, run: &str, confirm: Option<u64>, catalog: &Catalog) -> Report {
        let header = RunHeader {
            run: run.into(),
            master: "m".into(),
            epoch: 3,
            confirm,
            ..RunHeader::default()
        };
        let job = Job {
            header,
            catalog,
            find: probe::find,
            cancelled: &|| false,
            prune: false,
        };
        let lock = Lock::take(self.journal.dir(), run).expect("nobody else");
        apply(&self.journal, &mut self.fake, job, lock, &mut |_| {}).expect("a sound journal")
    }

    fn window(&self) -> Option<Probation> {
        load(self.journal.dir()).expect("readable")
    }

    /// As if the window had been open until now.
    fn pass(&self) {
        let held = self.held();
        let mut found = self.window().expect("open");
        found.ended = found.ended.map(|end| end.saturating_sub(WINDOW * 1000));
        found.window = 0;
        store(&held, self.journal.dir(), &found).expect("room");
    }

    fn held(&self) -> Held {
        hold(self.journal.dir()).expect("a directory")
    }

    /// The guard at work until there is nothing to guard any more.
    fn guard(&mut self) {
        let mut watcher = Watcher::default();
        while watcher
            .look(&self.journal, &mut self.fake, None)
            .expect("a sound journal")
        {}
    }

    fn asked(&self, run: &str) -> Standing {
        let told = confirm(&self.journal, "m", run, 3, &Caller::here()).expect("a sound journal");
        told.expect("its own master")
    }

    fn leftovers(&self) -> Vec<&str> {
        let there = |name: &&str| self.scratch.path(name).exists();
        ["probation", "reserve"].into_iter().filter(there).collect()
    }

    fn content(&self) -> Option<&Value> {
        self.fake.world.get(&path("/etc/a"))
    }
}

fn a(text: &str) -> Catalog {
    catalog(vec![set("a", &[(path("/etc/a"), file(text))])])
}

#[test]
fn a_run_that_nobody_confirms_goes_back_as_a_generation_of_its_own() {
    let mut host = Host::new();
    let report = host.apply("R", Some(WINDOW), &a("new"));
    assert_eq!(report.generation, 1);
    assert_eq!(host.leftovers(), ["probation", "reserve"]);
    host.pass();
    assert_eq!(host.asked("R").how, How::Leaving, "too late to confirm");
    host.guard();
    assert_eq!(host.content(), Some(&file("old")));
    assert_eq!(host.leftovers(), [""; 0]);
    let list = host.journal.generations().expect("readable");
    assert_eq!(
        list.iter()
            .map(|found| (found.number, found.header.restores))
            .collect::<Vec<_>>(),
        [(2, Some(0)), (1, None)]
    );
    let told = host.asked("R");
    assert_eq!((told.how, told.generation), (How::TakenBack, 2));
    assert_eq!(told.notes, ["/etc/a is back"]);
    let now = as_it_stands(&host.journal, report).expect("readable");
    assert_eq!((now.outcome, now.generation), (Outcome::RolledBack, 2));
}

#[test]
fn a_confirmed_run_stays_and_nothing_is_left_of_the_window() {
    let mut host = Host::new();
    host.apply("R", Some(WINDOW), &a("new"));
    for (master, epoch) in [("x", 3), ("m", 2), ("m", 4)] {
        let told = confirm(&host.journal, master, "R", epoch, &Caller::here());
        assert_eq!(told.expect("a sound journal"), None, "{master} {epoch}");
    }
    assert_eq!(host.asked("other").how, How::Unknown);
    assert!(host.window().is_some());
    assert_eq!(host.asked("R").how, How::Kept);
    assert_eq!(host.leftovers(), [""; 0]);
    host.guard();
    assert_eq!(host.content(), Some(&file("new")));
    assert_eq!(host.asked("R").how, How::Kept, "asked again");
}

#[test]
fn its_own_master_confirms_by_being_there_and_another_does_not() {
    let mut host = Host::new();
    host.apply("R", Some(WINDOW), &a("new"));
    let before = Caller {
        since: Moment {
            ms: 0,
            ..Moment::now()
        },
        ..Caller::here()
    };
    heard(&host.journal, "m", &before).expect("readable");
    heard(&host.journal, "x", &Caller::here()).expect("readable");
    assert!(host.window().is_some());
    heard(&host.journal, "m", &Caller::here()).expect("readable");
    assert!(host.window().is_none());
}

#[test]
fn a_run_without_changes_and_one_that_is_to_stay_open_no_window() {
    let mut host = Host::new();
    host.apply("R1", Some(WINDOW), &a("old"));
    assert_eq!(host.leftovers(), [""; 0]);
    host.apply("R2", None, &a("new"));
    assert_eq!(host.leftovers(), [""; 0]);
}

#[test]
fn windows_join_and_a_run_that_stays_ends_them() {
    let mut host = Host::new();
    host.apply("R1", Some(WINDOW), &a("one"));
    host.apply("R2", Some(WINDOW), &a("two"));
    let open = host.window().expect("open");
    assert_eq!((open.run.as_str(), open.to), ("R2", 0));
    assert_eq!(host.asked("R1").how, How::Kept, "with R2");
    host.pass();
    host.guard();
    assert_eq!(host.content(), Some(&file("old")));
    for (run, confirm, catalog) in [("R4", None, a("four")), ("R6", Some(WINDOW), a("three"))] {
        host.apply("R3", Some(WINDOW), &a("three"));
        assert!(host.window().is_some());
        host.apply(run, confirm, &catalog);
        assert_eq!(host.leftovers(), [""; 0], "{run}");
    }
}

#[test]
fn a_guard_that_was_killed_while_going_back_goes_on_with_it() {
    let mut host = Host::new();
    let two = catalog(vec![
        set("a", &[(path("/etc/a"), file("new"))]),
        set("b", &[(path("/etc/b"), file("new"))]),
    ]);
    host.apply("R", Some(WINDOW), &two);
    host.pass();
    // The second step fails half done, as if the power went there.
    host.fake.cut = Some(host.fake.performed + 1);
    let open = host.window().expect("open");
    let report = take_back(&host.journal, &mut host.fake, &open, &mut |_| {});
    let report = report.expect("a sound journal").expect("it was due");
    assert!(!report.failed.is_empty());
    assert!(host.window().is_some(), "only the watcher ends the window");
    host.guard();
    assert_eq!(host.content(), Some(&file("old")));
    assert_eq!(host.fake.world.get(&path("/etc/b")), None);
    assert_eq!(host.leftovers(), [""; 0]);
}

#[test]
fn what_somebody_changed_since_stays_and_is_told_and_the_rest_goes_back() {
    let mut host = Host::new();
    let two = catalog(vec![
        set("a", &[(path("/etc/a"), file("new"))]),
        set("b", &[(path("/etc/b"), file("new"))]),
    ]);
    host.apply("R", Some(WINDOW), &two);
    host.fake.world.insert(path("/etc/b"), file("by hand"));
    host.pass();
    host.guard();
    assert_eq!(host.content(), Some(&file("old")));
    assert_eq!(host.fake.world.get(&path("/etc/b")), Some(&file("by hand")));
    let told = host.asked("R");
    assert_eq!(told.how, How::TakenBack);
    assert!(
        told.notes
            .iter()
            .any(|note| note == "/etc/b was changed by somebody else"),
        "{:?}",
        told.notes
    );
    assert_eq!(host.leftovers(), [""; 0]);
}

#[test]
fn a_run_that_cannot_be_guarded_does_not_act() {
    let mut host = Host::new();
    let outside = Outside {
        entry: |_| Vec::new(),
        start: |journal, _| {
            let cause = std::io::Error::other("no process could be started");
            Err(JournalError::io(journal.dir(), cause))
        },
    };
    host.journal = host.journal.clone().guarded(outside);
    let report = host.apply("R", Some(WINDOW), &a("new"));
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.generation, 0);
    assert_eq!(host.content(), Some(&file("old")));
    assert_eq!(host.leftovers(), [""; 0]);
}

#[test]
fn the_person_at_the_host_can_keep_it() {
    let mut host = Host::new();
    assert_eq!(keep(&host.journal).expect("free"), None);
    host.apply("R", Some(WINDOW), &a("new"));
    assert_eq!(keep(&host.journal).expect("free"), Some("R".into()));
    assert_eq!(host.leftovers(), [""; 0]);
}
