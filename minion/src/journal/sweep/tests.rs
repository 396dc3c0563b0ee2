//! What stays after a sweep, and that everything which stays can be gone back to, wherever the sweep was cut off.

use super::*;
use crate::fake::{Fake, file};
use crate::journal::ledger::Ledger;
use crate::journal::lock::Lock;
use crate::probe::{self, catalog, path, set};
use crate::runs::{self, Job};
use crate::scratch::Scratch;
use crate::undo::rollback::{Request, rollback};
use proto::frame::{BackTo, Rollback, RollbackReport};
use proto::{Catalog, Outcome, RunHeader, Value};

const TEXTS: [&str; 5] = ["one", "two", "three", "four", "five"];

struct Host {
    fake: Fake,
    journal: Journal,
    scratch: Scratch,
    runs: u64,
    /// What was there at the end of each generation.
    snapshots: Vec<Fake>,
}

/// No limits but those a test sets.
fn unlimited() -> Limits {
    Limits {
        keep_generations: 0,
        keep_days: 0,
        keep_bytes: 0,
        ..Limits::default()
    }
}

fn count(keep_generations: u64) -> Limits {
    Limits {
        keep_generations,
        ..unlimited()
    }
}

impl Host {
    fn new() -> Self {
        let scratch = Scratch::new();
        let journal = Journal::open(scratch.root()).expect("room");
        // Tests say themselves when to sweep.
        crate::journal::limits::store(scratch.root(), &unlimited()).expect("room");
        let mut fake = Fake::new();
        for text in TEXTS {
            fake.file(text);
            journal.objects().put(text.as_bytes()).expect("room");
        }
        fake.write("/etc/1", "one");
        Self {
            snapshots: vec![fake.clone()],
            fake,
            journal,
            scratch,
            runs: 0,
        }
    }

    fn note(&mut self) {
        let generation = self.journal.generation().expect("readable");
        if generation as usize == self.snapshots.len() {
            self.snapshots.push(self.fake.clone());
        }
    }

    /// The master sends contents that are not there, and a run keeps what it is about to change: each run finds all.
    fn keep(&self) {
        for text in TEXTS {
            self.journal.objects().put(text.as_bytes()).expect("room");
        }
    }

    fn apply(&mut self, tree: &Catalog) {
        self.runs += 1;
        self.keep();
        let bytes = serde_json::to_vec(tree).expect("a catalog");
        let header = RunHeader {
            run: format!("run-{}", self.runs),
            scope: "*".into(),
            catalog: Some(self.journal.objects().put(&bytes).expect("room")),
            started: 0,
            ..RunHeader::default()
        };
        let job = Job {
            header,
            catalog: tree,
            find: probe::find,
            cancelled: &|| false,
            prune: false,
        };
        let lock = Lock::take(self.journal.dir(), "test").expect("nobody else");
        runs::apply(&self.journal, &mut self.fake, job, lock, &mut |_| {}).expect("a sound journal");
        self.note();
    }

    fn back(&mut self, to: BackTo) -> Result<RollbackReport, JournalError> {
        self.runs += 1;
        self.keep();
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
        let report = rollback(&self.journal, &mut self.fake, &request, lock, &mut |_| {})?;
        self.note();
        Ok(report)
    }

    fn sweep(&self, limits: &Limits) -> Swept {
        sweep(&self.journal, limits, When::Now).expect("a sound journal")
    }

    fn oldest(&self) -> u64 {
        let history = self.journal.history().expect("readable");
        history.first().map_or(0, |run| run.header.parent)
    }

    /// A host of its own with the same past.
    fn copy(&self) -> Self {
        let scratch = Scratch::new();
        copy(self.scratch.root(), scratch.root());
        Self {
            fake: self.fake.clone(),
            journal: Journal::open(scratch.root()).expect("room"),
            scratch,
            runs: 1000 + self.runs,
            snapshots: self.snapshots.clone(),
        }
    }

    /// Every object gets this old.
    fn age(&self, seconds: i64) {
        let now = SystemTime::now();
        let span = std::time::Duration::from_secs(seconds.unsigned_abs());
        let then = if seconds < 0 { now + span } else { now - span };
        for digest in objects(&self.journal).expect("readable").into_keys() {
            let object = fs::File::open(self.journal.objects().path(&digest)).expect("there");
            object.set_modified(then).expect("ours");
        }
    }

    /// Every generation that is kept can be gone back to, exactly, with all contents; any other is refused by name.
    fn check(&self) {
        let (oldest, newest) = (self.oldest(), self.snapshots.len() as u64 - 1);
        for generation in 0..=newest {
            let mut there = self.copy();
            let kept = objects(&there.journal).expect("readable");
            let went = there.back(BackTo::Generation(generation));
            if generation < oldest {
                let error = went.expect_err("swept").to_string();
                let wanted = format!(
                    "generation {generation} is no longer in the journal: kept are {}–{newest}",
                    oldest + 1
                );
                assert!(error.starts_with(&wanted), "{error}");
                continue;
            }
            assert!(went.expect("kept").failed.is_empty());
            assert_eq!(
                there.fake.world, self.snapshots[generation as usize].world,
                "to {generation}"
            );
            let here = &self.fake.world;
            for (at, value) in &there.fake.world {
                // What was not taken back lies on the disk as it is.
                if let Value::File { content, .. } = value
                    && here.get(at) != Some(value)
                {
                    assert!(kept.contains_key(content), "{content} of generation {generation}");
                }
            }
        }
    }

    /// What the ledger says of every address, by what it tells others.
    fn ledger(&self) -> Vec<crate::journal::ledger::Left> {
        Ledger::load(&self.journal)
            .expect("a sound journal")
            .left("*", &|_| false)
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own copy")]
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("room");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("room");
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

fn tree(dice: &mut Dice) -> Catalog {
    let mut chunks = Vec::new();
    for number in 0..4 {
        if dice.roll(3) > 0 {
            let text = TEXTS[dice.roll(TEXTS.len())];
            let at = path(&format!("/etc/{number}"));
            chunks.push(set(&format!("s{number}"), &[(at, file(text))]));
        }
    }
    catalog(chunks)
}

#[test]
fn whatever_was_swept_every_kept_generation_is_exact_and_the_ledger_says_the_same() {
    let mut exact = 0;
    for seed in 1..=12 {
        let mut dice = Dice(seed * 7919);
        let mut host = Host::new();
        for _ in 0..8 {
            match dice.roll(4) {
                0 => drop(host.back(BackTo::Previous)),
                1 if host.oldest() < host.journal.generation().expect("readable") => {
                    let (oldest, newest) = (host.oldest(), host.journal.generation().expect("readable"));
                    let to = oldest + dice.roll((newest - oldest) as usize + 1) as u64;
                    host.back(BackTo::Generation(to)).expect("kept");
                }
                _ => {
                    let tree = tree(&mut dice);
                    host.apply(&tree);
                }
            }
            if dice.roll(2) == 0 {
                host.age(2 * 3600);
                let keep = 1 + dice.roll(4) as u64;
                let before = host.ledger();
                host.sweep(&count(keep));
                let kept = host.journal.history().expect("readable").len() as u64;
                assert!(kept <= keep, "seed {seed}: {kept} are more than {keep}");
                #[expect(clippy::disallowed_methods, reason = "the test's own damage")]
                fs::remove_file(host.scratch.path("ledger")).ok();
                let at = |left: Vec<crate::journal::ledger::Left>| {
                    left.into_iter()
                        .map(|left| (left.at, left.owner, left.named))
                        .collect::<Vec<_>>()
                };
                let (now, before) = (at(host.ledger()), at(before));
                let history = host.journal.history().expect("readable");
                if history
                    .iter()
                    .all(|run| run.header.restores.is_none_or(|to| to >= host.oldest()))
                {
                    exact += 1;
                    assert_eq!(now, before, "seed {seed}: from the base");
                } else {
                    // Whose it was that came back from before the base is not known any more: then it is nobody's.
                    assert!(now.iter().all(|left| before.contains(left)), "seed {seed}");
                }
            }
        }
        host.check();
    }
    assert!(exact > 10, "{exact} sweeps kept all that rollbacks went to");
}

#[test]
fn a_sweep_that_is_cut_off_leaves_a_sound_journal_and_is_gone_on_with() {
    let mut host = Host::new();
    let mut dice = Dice(5);
    while host.snapshots.len() < 8 {
        let tree = tree(&mut dice);
        host.apply(&tree);
    }
    host.age(2 * 3600);
    let before = host.ledger();
    // After the base, and after each run that goes.
    for gone in 0..=4 {
        let cut = host.copy();
        let past = base::past(&cut.journal).expect("readable");
        let kept = cut.journal.history().expect("readable");
        let head = entries::read(&cut.journal.entries_path(kept[4].number))
            .expect("readable")
            .first;
        past.squash(&cut.journal, 4, head).expect("room");
        for run in kept.iter().take(gone) {
            #[expect(
                clippy::disallowed_methods,
                reason = "the test does what the sweep was about to"
            )]
            fs::remove_dir_all(cut.scratch.path("runs").join(run.number.to_string())).expect("there");
        }
        assert_eq!(cut.ledger(), before, "{gone}");
        cut.check();
        cut.sweep(&count(3));
        assert_eq!(cut.oldest(), 4, "{gone}");
        cut.check();
        // The chain still holds from there on.
        let first = cut.journal.history().expect("readable")[0].number;
        let first = entries::read(&cut.journal.entries_path(first))
            .expect("readable")
            .first;
        assert_eq!(base::anchor(&cut.journal).expect("readable"), first);
        let found = crate::verify::verify(&cut.journal).expect("readable");
        let chain: Vec<_> = found
            .damage
            .iter()
            .filter(|text| !text.contains("is not kept"))
            .collect();
        assert_eq!(chain, <[&String; 0]>::default());
    }
}

#[test]
fn no_clock_decides_alone() {
    for skew in [2 * 3600, 10 * 365 * 86_400, -10 * 365 * 86_400] {
        let mut host = Host::new();
        let mut dice = Dice(3);
        while host.snapshots.len() < 15 {
            let tree = tree(&mut dice);
            host.apply(&tree);
        }
        let loose = host.journal.objects().put(b"nobody's").expect("room");
        host.age(skew);
        let days = Limits {
            keep_days: 1,
            ..unlimited()
        };
        // Runs of long ago: all but the newest ten go.
        for number in host.journal.runs().expect("readable") {
            old(&host.journal.entries_path(number));
        }
        host.sweep(&days);
        assert_eq!(
            host.journal.history().expect("readable").len() as u64,
            ALWAYS,
            "{skew}"
        );
        assert!(host.journal.objects().has(&loose), "only noted at first");
        host.sweep(&days);
        assert!(
            host.journal.objects().has(&loose),
            "a second look after the same run is none"
        );
        let tree = catalog(vec![set("x", &[(path("/etc/x"), file("one"))])]);
        host.apply(&tree);
        host.sweep(&unlimited());
        assert!(!host.journal.objects().has(&loose), "{skew}");
        host.check();
    }
}

/// Makes a run one of 1970; its chain is written anew.
fn old(path: &Path) {
    let read = entries::read(path).expect("readable");
    let mut writer = entries::Writer::anew(path, read.first).expect("room");
    for mut entry in read.entries {
        if let proto::Entry::Open(header) = &mut entry {
            header.started = 1;
        }
        writer.write(&entry).expect("room");
    }
}

#[test]
fn bytes_are_a_limit_and_young_objects_stay() {
    let mut host = Host::new();
    for number in 0..6 {
        let text = format!("{number}").repeat(10_000);
        host.fake.file(&text);
        host.journal.objects().put(text.as_bytes()).expect("room");
        host.apply(&catalog(vec![set("big", &[(path("/etc/big"), file(&text))])]));
    }
    let loose = host.journal.objects().put(b"just sent").expect("room");
    let limits = Limits {
        keep_bytes: 40_000,
        ..unlimited()
    };
    host.sweep(&limits);
    let kept = host.journal.history().expect("readable").len();
    assert!((1..5).contains(&kept), "{kept}");
    host.sweep(&limits);
    assert!(host.journal.objects().has(&loose), "younger than the grace time");
    host.check();
    let tiny = Limits {
        keep_bytes: 1,
        ..unlimited()
    };
    host.sweep(&tiny);
    assert_eq!(
        host.journal.history().expect("readable").len(),
        1,
        "the newest stays"
    );
    host.check();
    let error = host.back(BackTo::Generation(2)).expect_err("swept").to_string();
    assert_eq!(
        error,
        "generation 2 is no longer in the journal: kept are 6–6, and one can go back to 5 at the earliest"
    );
    assert_eq!(
        host.back(BackTo::Previous).expect("kept").outcome,
        Outcome::RolledBack
    );
    let error = host.back(BackTo::Previous).expect_err("swept").to_string();
    assert!(
        error.starts_with("generation 4 is no longer in the journal"),
        "{error}"
    );
}

#[test]
fn a_run_sweeps_when_it_has_ended() {
    let mut host = Host::new();
    crate::journal::limits::store(host.scratch.root(), &count(3)).expect("room");
    let mut dice = Dice(9);
    while host.snapshots.len() < 9 {
        let tree = tree(&mut dice);
        host.apply(&tree);
        assert!(host.journal.history().expect("readable").len() <= 3);
    }
    host.check();
}
