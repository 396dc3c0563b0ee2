//! The two doors to a host: [`System::answer`] reads, [`System::perform`] changes. Everything above them is pure.
//!
//! `Live` is the real one, `Dry<S>` lays planned acts over another, `Fake` (tests) is a small one in memory. All three
//! pass one shared suite, `suite.rs`.

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    Act, Answer, Change, Command, Digest, Fidelity, Output, Performed, PreImage, Problem, Question, Value,
};

/// A host that can be asked and changed.
pub trait System {
    /// Answers in the order of the questions; changes nothing a user can see. Batches where the host's tools can.
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer>;

    /// Keeps bytes in the object store, durably.
    ///
    /// # Errors
    /// [`Problem`] of kind `Refused` when there is no room (J3).
    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem>;

    /// The pre-images of one transaction, their contents already durable in the object store, with the fidelity of each.
    /// Also checks expectations and whatever else can be refused before anything changes (A2, A3, J3).
    ///
    /// # Errors
    /// `Moved` when what is there is not what an act expects; `Refused`, `Locked` with the reason.
    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem>;

    /// What [`System::observe`] would tell of how well one act can be undone, and what it would refuse, with nothing kept:
    /// a plan's question.
    ///
    /// # Errors
    /// As [`System::observe`].
    fn foresee(&mut self, act: &Act) -> Result<Vec<PreImage>, Problem> {
        self.observe(std::slice::from_ref(act))
    }

    /// Asks the programs that read the files of `acts`, and the acts' own checks, about them as they are going to be: at
    /// their real paths, before any of it is there (J10). Nothing changes.
    ///
    /// # Errors
    /// A program's refusal, in its own words.
    fn verify(&mut self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        let _ = (acts, aside);
        Ok(Verified::default())
    }

    /// Performs one transaction: one act, several package assignments, or several paths together; paths are all assigned
    /// or none. Called only after the intent with
    /// the pre-images of [`System::observe`] is durable in the journal.
    ///
    /// # Errors
    /// The problem, and what had changed all the same.
    fn perform(&mut self, acts: &[Act], before: &[PreImage]) -> Result<Performed, Box<Botched>>;

    /// A command that may run beside what is done next; `None` where it cannot, and [`System::perform`] runs it. Its intent
    /// is durable already.
    fn beside(&self, command: &Command) -> Option<Beside> {
        let _ = command;
        None
    }

    /// Hands over what a command [`System::beside`] this thread came to: the next [`System::perform`] is of its act, and
    /// does not run it again.
    fn came_to(&mut self, output: Result<Output, Problem>) {
        let _ = output;
    }

    /// What a transaction of packages will do, consequences included, and how well each change will go back; nothing is
    /// changed, fetched or kept for it. Empty for other acts.
    ///
    /// # Errors
    /// `Refused` when the package manager says that it cannot be done.
    fn foresee_packages(&mut self, acts: &[Act]) -> Result<Vec<Foreseen>, Problem> {
        let _ = acts;
        Ok(Vec::new())
    }

    /// Removes what interrupted acts left beside their targets; called once, when a run that was cut off is recovered.
    fn sweep(&mut self, acts: &[Act]) {
        let _ = acts;
    }

    /// Makes durable what other programs wrote for these acts: they sync what they like, and the journal is about to say that
    /// it is done.
    fn harden(&mut self, acts: &[Act]) {
        let _ = acts;
    }

    /// Puts back what belongs to these values and is not part of them, where they are there again after a cut.
    fn mend(&mut self, before: &[PreImage]) {
        let _ = before;
    }

    /// Waits until the programs that a process had started, and that outlived it, have ended; false when one still runs
    /// after a limit.
    fn outwait(&mut self, process: u32) -> bool {
        let _ = process;
        true
    }

    /// Paths that scripts of packages had made and that went with their packages: they are nobody's loss.
    fn cleared(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Whether what is kept under a digest is there, byte for byte.
    ///
    /// # Errors
    /// It is missing or damaged, in words.
    fn sound(&mut self, kept: &Digest) -> Result<(), String> {
        let _ = kept;
        Ok(())
    }

    /// Drops what was remembered between questions; called after every act.
    fn forget(&mut self);
}

/// Runs a command to its end, on any thread.
pub type Beside = Box<dyn FnOnce() -> Result<Output, Problem> + Send>;

/// A change that a transaction will make.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// What.
    pub change: Change,
    /// How well it will go back.
    pub fidelity: Fidelity,
}

/// What a plan has laid over a host besides the acts that are verified.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aside {
    /// Planned values, parents first.
    pub paths: Vec<(String, Value)>,
    /// Contents that the object store does not hold.
    pub bytes: BTreeMap<Digest, Vec<u8>>,
    /// Packages came in this run: the host is being set up, nobody relies on it yet, and what a reader misses may follow.
    pub fresh: bool,
}

/// What asking the readers of files came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The acts' own checks were run; otherwise whoever performs the acts runs them.
    pub checked: bool,
    /// Warnings for people.
    pub notes: Vec<String>,
}

/// A transaction that failed, and what it changed before it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Botched {
    /// Why.
    pub why: Problem,
    /// What changed all the same.
    pub changes: Vec<Change>,
    /// What the program said, for commands and package transactions.
    pub performed: Performed,
}

impl From<Problem> for Box<Botched> {
    fn from(why: Problem) -> Self {
        Self::new(Botched {
            why,
            changes: Vec::new(),
            performed: Performed::default(),
        })
    }
}

/// A door that does not say whose it is: what is done through it exists once in the program, not once for each kind of host.
impl<S: System + ?Sized> System for &mut S {
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer> {
        (**self).answer(ask)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem> {
        (**self).keep(bytes)
    }

    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem> {
        (**self).observe(acts)
    }

    fn foresee(&mut self, act: &Act) -> Result<Vec<PreImage>, Problem> {
        (**self).foresee(act)
    }

    fn verify(&mut self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        (**self).verify(acts, aside)
    }

    fn perform(&mut self, acts: &[Act], before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        (**self).perform(acts, before)
    }

    fn beside(&self, command: &Command) -> Option<Beside> {
        (**self).beside(command)
    }

    fn came_to(&mut self, output: Result<Output, Problem>) {
        (**self).came_to(output);
    }

    fn foresee_packages(&mut self, acts: &[Act]) -> Result<Vec<Foreseen>, Problem> {
        (**self).foresee_packages(acts)
    }

    fn sweep(&mut self, acts: &[Act]) {
        (**self).sweep(acts);
    }

    fn outwait(&mut self, process: u32) -> bool {
        (**self).outwait(process)
    }

    fn cleared(&self) -> BTreeSet<String> {
        (**self).cleared()
    }

    fn sound(&mut self, kept: &Digest) -> Result<(), String> {
        (**self).sound(kept)
    }

    fn forget(&mut self) {
        (**self).forget();
    }
}
