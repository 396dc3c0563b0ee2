//! Laws of histories: applies, rollbacks, kills and hand edits in any order, and every generation can be gone back to.

use super::plans::{Do, chunks, entries, fewer, point, tree};
use super::proof::{count, law, prove, without};
use super::world::{Dice, assignment, host, told};
use super::*;

/// Generations of a history.
const LONG: usize = 8;

/// What happens to a host.
#[derive(Debug, Clone)]
struct History(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    /// A run, killed at a random point where one is given.
    Apply(Vec<Do>, Option<u64>),
    /// Back to before the newest run.
    Previous(Option<u64>),
    /// Back to one of the generations so far.
    To(usize, Option<u64>),
    /// Back to before one of the runs so far.
    Run(usize),
    /// Somebody writes where no run ever writes.
    Beside(usize),
    /// Somebody changes something: a rollback refuses and touches nothing, or it is none of its business; `force` goes
    /// over it and can be taken back.
    Edit(Box<(Address, Value)>, bool),
}

/// Where no run writes.
const BESIDE: &str = "/etc/theirs";

impl History {
    fn random(dice: &mut Dice) -> Self {
        let mut steps = Vec::new();
        let mut grown = 0;
        while grown < LONG {
            let kill = (dice.roll(3) == 0).then(|| dice.roll(1 << 16) as u64);
            let step = match dice.roll(12) {
                0 => Step::Previous(kill),
                1 | 2 => Step::To(dice.roll(16), kill),
                3 => Step::Run(dice.roll(16)),
                4 => Step::Beside(dice.roll(3)),
                5 => Step::Edit(Box::new(assignment(dice)), dice.roll(2) == 0),
                _ => Step::Apply(chunks(dice, 4), kill),
            };
            grown += usize::from(!matches!(step, Step::Beside(_) | Step::Edit(..)));
            steps.push(step);
        }
        Self(steps)
    }

    fn smaller(&self) -> Vec<Self> {
        let mut all: Vec<Self> = without(&self.0).map(Self).collect();
        for (place, step) in self.0.iter().enumerate() {
            let mut with = |step: Step| {
                let mut next = self.0.clone();
                next[place] = step;
                all.push(Self(next));
            };
            match step {
                Step::Apply(chunks, kill) => {
                    for chunks in fewer(chunks) {
                        with(Step::Apply(chunks, *kill));
                    }
                    if kill.is_some() {
                        with(Step::Apply(chunks.clone(), None));
                    }
                }
                Step::Previous(Some(_)) => with(Step::Previous(None)),
                Step::To(to, Some(_)) => with(Step::To(*to, None)),
                _ => {}
            }
        }
        all
    }
}

/// What is known of a history as it goes on.
struct Told {
    host: Host,
    /// The world at the end of each generation.
    snapshots: Vec<World>,
    /// The generation before each run that made one.
    runs: Vec<(String, u64)>,
    /// A command may or may not have run: the count is not sure any more.
    unsure: bool,
}

impl Told {
    /// The world as far as the laws speak of it.
    fn world(&self) -> World {
        let mut world = self.host.world();
        world.remove(&path(BESIDE));
        if self.unsure {
            world.remove(&Address::Sysctl("count".into()));
        }
        world
    }

    fn wanted(&self, generation: u64) -> World {
        let mut world = self.snapshots[generation as usize].clone();
        if self.unsure {
            world.remove(&Address::Sysctl("count".into()));
        }
        world
    }

    fn settled(&mut self, what: &str) -> Result<(), String> {
        let generation = self.host.generation() as usize;
        let known = self.snapshots.len();
        law!(
            generation + 1 == known || generation == known,
            "{what}: from generation {} to {generation}",
            known - 1
        );
        if generation == known {
            self.snapshots.push(self.world());
            self.runs
                .push((format!("run-{}", self.host.runs), known as u64 - 1));
        }
        let (is, wanted) = (self.world(), self.wanted(generation as u64));
        law!(
            is == wanted,
            "{what}: changed without a generation\n{}",
            told(&is, &wanted)
        );
        Ok(())
    }

    fn sure(&mut self, report: &RollbackReport) {
        self.unsure |= report.lost.iter().any(|line| line.contains("may or may not"));
    }

    fn back(&mut self, to: BackTo, wanted: u64) -> Result<(), String> {
        let what = format!("R3: back to {to:?}, generation {wanted}");
        let report = self.host.back(to);
        law!(
            report.failed.is_empty() && report.conflicts.is_empty(),
            "{what}: {report:#?}"
        );
        self.sure(&report);
        law!(report.to == wanted, "{what}: {report:#?}");
        let (is, wanted) = (self.world(), self.wanted(wanted));
        law!(is == wanted, "{what}\n{}", told(&is, &wanted));
        self.settled(&what)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Apply(chunks, kill) => {
                let tree = tree(chunks);
                let report = match kill {
                    Some(kill) => {
                        // A run like it tells how long it is.
                        let mut other = Host::new(self.host.fake.clone());
                        other.apply(&tree);
                        self.host
                            .killed(point(*kill, entries(&other)), |host| host.apply(&tree))
                    }
                    None => Some(self.host.apply(&tree)),
                };
                if report.is_none() {
                    self.recovered();
                }
                self.settled("apply")
            }
            Step::Previous(kill) => {
                let history = self.host.journal.history().expect("readable");
                let to = target(&history, &BackTo::Previous).expect("a target");
                let to = to.unwrap_or_else(|| self.host.generation());
                self.cut(BackTo::Previous, *kill, to)
            }
            Step::To(to, kill) => {
                let to = (to % self.snapshots.len()) as u64;
                self.cut(BackTo::Generation(to), *kill, to)
            }
            Step::Run(which) if !self.runs.is_empty() => {
                let (run, before) = self.runs[which % self.runs.len()].clone();
                // `run-1` is a prefix of `run-12`, too.
                match self
                    .runs
                    .iter()
                    .filter(|(other, _)| other.starts_with(&run))
                    .count()
                {
                    1 => self.back(BackTo::BeforeRun(run), before),
                    _ => self.back(BackTo::Generation(before), before),
                }
            }
            Step::Run(_) => Ok(()),
            Step::Beside(which) => {
                let text = ["one", "two", "three"][*which];
                self.host.fake.write(BESIDE, text);
                Ok(())
            }
            Step::Edit(edit, force) => self.edit(&edit.0, &edit.1, *force),
        }
    }

    /// R8: killed inside a rollback, the next one ends where it would have.
    fn cut(&mut self, to: BackTo, kill: Option<u64>, wanted: u64) -> Result<(), String> {
        let Some(kill) = kill else {
            return self.back(to, wanted);
        };
        let killed = self.host.killed(point(kill, 12), |host| host.back(to.clone()));
        match killed {
            Some(report) => self.sure(&report),
            None => self.recovered(),
        }
        self.settled("a rollback that was killed")?;
        self.back(BackTo::Generation(wanted), wanted)
    }

    /// What every command does first after a kill.
    fn recovered(&mut self) {
        let lock = self.host.lock();
        let recovery = recover::recover(&self.host.journal, &mut self.host.fake).expect("a sound journal");
        let unknown = |note: &String| note.contains("is not known");
        self.unsure |= recovery.is_some_and(|recovery| recovery.notes.iter().any(unknown));
        drop(lock);
    }

    /// R6, R7: a hand edit is a conflict, and refused, or stays; never lost.
    fn edit(&mut self, at: &Address, to: &Value, force: bool) -> Result<(), String> {
        let generation = self.host.generation();
        let before = self.host.fake.clone();
        if generation == 0 || !self.host.fake.by_hand(at, to) {
            return Ok(());
        }
        let edited = self.host.world();
        let back = BackTo::Generation(generation - 1);
        let report = self.host.back(back.clone());
        if report.outcome == Outcome::Refused {
            law!(
                !report.conflicts.is_empty(),
                "R6: refused without a conflict: {report:#?}"
            );
            let is = self.host.world();
            law!(is == edited, "R6: refused, and changed\n{}", told(&is, &edited));
            if force {
                let mut want = self.host.want(back);
                want.force = true;
                let forced = self.host.roll(&want);
                self.sure(&forced);
                if forced.failed.is_empty() && forced.outcome == Outcome::RolledBack {
                    let head = self.host.generation();
                    let again = self.host.back(BackTo::Generation(head - 1));
                    law!(
                        again.failed.is_empty() && again.conflicts.is_empty(),
                        "R7: {again:#?}"
                    );
                    let mut is = self.host.world();
                    if self.unsure
                        && let Some(count) = edited.get(&Address::Sysctl("count".into()))
                    {
                        is.insert(Address::Sysctl("count".into()), count.clone());
                    }
                    law!(
                        is == edited,
                        "R7: a forced rollback taken back\n{}",
                        told(&is, &edited)
                    );
                }
            }
        }
        // The history ends here: from now on the host is partly somebody else's.
        self.host = Host::new(before);
        self.unsure = false;
        (self.snapshots, self.runs) = (vec![self.world()], Vec::new());
        Ok(())
    }
}

fn holds(history: &History) -> Result<(), String> {
    let mut fake = host();
    for step in &history.0 {
        if let Step::Apply(chunks, _) = step {
            chunks.iter().for_each(|act| act.teach(&mut fake));
        }
    }
    let mut told = Told {
        host: Host::new(fake),
        snapshots: Vec::new(),
        runs: Vec::new(),
        unsure: false,
    };
    told.snapshots.push(told.world());
    for (number, step) in history.0.iter().enumerate() {
        told.step(step).map_err(|why| format!("step {number}: {why}"))?;
    }
    let theirs = told.host.fake.path(BESIDE);
    for to in (0..told.snapshots.len() as u64).rev() {
        told.back(BackTo::Generation(to), to)?;
        let again = told.host.back(BackTo::Generation(to));
        law!(
            again.outcome == Outcome::Ok && again.restored.is_empty(),
            "R5, to {to}: {again:#?}"
        );
    }
    law!(
        told.host.fake.path(BESIDE) == theirs,
        "R11: what no run wrote was changed"
    );
    Ok(())
}

#[test]
fn every_generation_of_any_history_can_be_gone_back_to() {
    prove(
        "R2 R3 R5 R6 R7 R8 R11",
        count(600, 20),
        History::random,
        History::smaller,
        holds,
    );
}
