//! Going back: a pure fold of what was journaled, and what follows from it with the live values in hand.
//!
//! For every address touched after a generation there are three values: the one before we first touched it, the one we
//! left last, and the one that is there. What we changed and nobody touched since goes back; what somebody else changed
//! since is a conflict; what we never changed stays as it is, attribute by attribute (R6). Running the result is
//! [`rollback`]'s affair, through the same journaled acts as everything else.

mod combine;
mod commands;
mod covered;
mod database;
mod decide;
mod diff3;
mod lines;
mod merge;
mod order;
mod packages;
pub mod prune;
mod range;
pub mod rollback;
pub mod shown;

use std::collections::{BTreeMap, BTreeSet};

use proto::frame::Conflict;
use proto::{Act, Address, Change, Command, Entry, Fidelity, Gather, Poke, ProblemKind, Value};

pub(crate) use diff3::{hunks, lines};
use merge::{Merged, merge};
use order::{Put, order, stronger};
pub(crate) use range::led;
pub use range::{NoTarget, fold, target};

/// When an act happened: which run of the range, which act in it.
type Moment = (usize, u64);

/// What was done after a generation, ready to be compared with what is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fold {
    /// Addresses in the order in which they were first touched.
    touched: Vec<Touched>,
    commands: Vec<Ran>,
    pokes: Vec<(Moment, String, Poke)>,
    lost: Vec<String>,
    /// Which of those nothing was ever declared or kept for: going back past them has to be asked for (J5).
    barriers: Vec<String>,
    /// The range holds something that has not been taken back yet.
    any: bool,
    /// An address that was back as before us begins anew with its next change.
    apart: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Touched {
    /// First `before`, last `after`.
    ours: Change,
    /// When, and at which place among the changes of that act.
    first: (Moment, usize),
    moments: Vec<Moment>,
    /// Every change of a file that belongs to many, as its lines are taken back one change at a time.
    steps: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq)]
struct Ran {
    at: Moment,
    command: Command,
    undo: Command,
    verify: Option<Command>,
}

/// One step of going back.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `at := to`, if what is there still is `expect`.
    Put {
        /// Where.
        at: Address,
        /// What was there when this was decided.
        expect: Value,
        /// What comes back.
        to: Value,
    },
    /// The command that takes another one back.
    Run {
        /// What to run.
        undo: Command,
        /// What it takes back, and what takes this back again.
        command: Command,
        /// Must succeed afterwards, or it was not taken back.
        verify: Option<Box<Command>>,
    },
    /// What a database server that does not answer holds of ours: looked at again in its turn, near the end.
    Late {
        /// What we did there.
        ours: Change,
    },
    /// A restart or reload whose cause is undone.
    Poke {
        /// The unit.
        unit: String,
        /// How.
        how: Poke,
    },
}

impl Step {
    /// Whether it assigns a package.
    pub(crate) const fn is_package(&self) -> bool {
        matches!(
            self,
            Self::Put {
                at: Address::Package(_),
                ..
            }
        )
    }
}

/// What going back means on this host as it is now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Undo {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What somebody changed since.
    pub conflicts: Vec<Conflict>,
    /// What cannot come back.
    pub lost: Vec<String>,
    /// There is something to take back, if only on paper.
    pub any: bool,
}

impl Undo {
    /// What shall be there in the end, by address.
    pub(crate) fn wanted(&self) -> BTreeMap<Address, Value> {
        let puts = self.steps.iter().filter_map(|step| match step {
            Step::Put { at, to, .. } => Some((at.clone(), to.clone())),
            _ => None,
        });
        puts.gather()
    }
}

impl Fold {
    /// The addresses whose live values [`Fold::settle`] needs.
    pub fn addresses(&self) -> Vec<Address> {
        let mut all: BTreeSet<Address> = self
            .touched
            .iter()
            .map(|touched| touched.ours.at.clone())
            .gather();
        all.extend(
            self.pokes
                .iter()
                .filter(|poke| !poke.1.is_empty())
                .map(|poke| Address::Unit(poke.1.clone())),
        );
        all.into_iter().collect()
    }

    fn add(&mut self, run: usize, entries: &[Entry]) {
        let mut intents: BTreeMap<u64, (&[Act], Vec<String>)> = BTreeMap::new();
        for entry in entries {
            match entry {
                Entry::Intent {
                    act_num,
                    acts,
                    before,
                    ..
                } => {
                    let lost = before.iter().filter_map(|image| match &image.fidelity {
                        Fidelity::Lost(why) => Some(why.clone()),
                        _ => None,
                    });
                    intents.insert(*act_num, (acts, lost.collect()));
                }
                Entry::Done { act_num, changes } => {
                    self.acted((run, *act_num), changes, intents.get(act_num), &Fate::Done);
                }
                Entry::Failed {
                    act_num,
                    changes,
                    why,
                } => {
                    let fate = if why.kind == ProblemKind::Failed {
                        Fate::Failed
                    } else {
                        Fate::Refused
                    };
                    self.acted((run, *act_num), changes, intents.get(act_num), &fate);
                }
                Entry::Recovered {
                    act_num,
                    changes,
                    how,
                } => {
                    let fate = if how == "unknown" {
                        Fate::Unknown
                    } else {
                        Fate::Done
                    };
                    self.acted((run, *act_num), changes, intents.get(act_num), &fate);
                }
                _ => {}
            }
        }
    }

    fn acted(&mut self, at: Moment, changes: &[Change], intent: Option<&(&[Act], Vec<String>)>, fate: &Fate) {
        for (place, change) in changes.iter().enumerate() {
            self.touch((at, place), change);
        }
        let Some((acts, lost)) = intent else {
            return;
        };
        for act in *acts {
            match act {
                Act::Run {
                    command,
                    undo,
                    verify,
                    touches,
                } if *fate != Fate::Refused => {
                    let undo = undo.as_ref().map(|undo| (undo, verify.as_ref()));
                    self.ran(at, command, undo, touches, lost, fate);
                }
                Act::Poke { unit, how } => self.pokes.push((at, unit.clone(), *how)),
                Act::Assign { .. } if !changes.is_empty() => self.bar(lost),
                _ => {}
            }
        }
    }

    fn ran(
        &mut self,
        at: Moment,
        command: &Command,
        undo: Option<(&Command, Option<&Command>)>,
        touches: &[String],
        lost: &[String],
        fate: &Fate,
    ) {
        let text = command.argv.join(" ");
        match (undo, fate) {
            (Some((undo, verify)), Fate::Done) => self.commands.push(Ran {
                at,
                command: command.clone(),
                undo: undo.clone(),
                verify: verify.cloned(),
            }),
            (Some(_), Fate::Unknown) => {
                self.lose(&[format!(
                    "the command {text:?} may or may not have run; what takes it back was not run"
                )]);
            }
            (Some(_), _) => {
                self.lose(&[format!(
                    "the command {text:?} had failed; what takes it back was not run"
                )]);
            }
            (None, _) if !touches.is_empty() => {}
            (None, _) if lost.is_empty() => {
                self.bar(&[format!("what the command {text:?} did: it declares no undo")]);
            }
            (None, _) => self.bar(lost),
        }
    }

    fn bar(&mut self, texts: &[String]) {
        self.lose(texts);
        self.barriers.extend_from_slice(texts);
    }

    fn lose(&mut self, texts: &[String]) {
        for text in texts {
            if !self.lost.contains(text) {
                self.lost.push(text.clone());
            }
        }
    }

    fn touch(&mut self, first: (Moment, usize), change: &Change) {
        let found = self
            .touched
            .iter()
            .position(|touched| touched.ours.at == change.at);
        let place = found.unwrap_or_else(|| {
            self.touched.push(Touched {
                ours: change.clone(),
                first,
                moments: Vec::new(),
                steps: Vec::new(),
            });
            self.touched.len() - 1
        });
        let touched = &mut self.touched[place];
        if self.apart && Self::anew(&mut touched.ours, change) {
            touched.first = first;
            touched.moments.clear();
            touched.steps.clear();
        }
        touched.ours.after.clone_from(&change.after);
        touched.moments.push(first.0);
        if matches!(&change.at, Address::Path(path) if lines::of_many(path)) {
            touched.steps.push(change.clone());
        }
    }

    /// What to do on a host where `live` is what is there. `merged` are values that hold what somebody changed since
    /// without what we did; `force` takes what somebody changed for ours.
    pub fn settle(
        &self,
        live: &BTreeMap<Address, Value>,
        merged: &BTreeMap<Address, Value>,
        force: bool,
    ) -> Undo {
        let mut undo = Undo {
            lost: self.lost.clone(),
            any: self.any,
            ..Undo::default()
        };
        let mut puts = Vec::new();
        let mut undone: Vec<Moment> = Vec::new();
        for touched in &self.touched {
            let Some(there) = live.get(&touched.ours.at) else {
                continue;
            };
            let to = match merge(&touched.ours, there) {
                _ if self.covered(touched, live) => touched.ours.before.clone(),
                Merged::Nothing => continue,
                _ if merged.contains_key(&touched.ours.at) => merged[&touched.ours.at].clone(),
                Merged::Put(to) => to,
                Merged::Conflict if force => merge::whole(&touched.ours.before, there),
                Merged::Conflict => {
                    undo.conflicts.push(Conflict {
                        ours: touched.ours.clone(),
                        theirs: there.clone(),
                        ours_diff: None,
                        theirs_diff: None,
                    });
                    continue;
                }
            };
            let at = &touched.ours.at;
            let stays = packages::stays(at, &to)
                .or_else(|| database::stays(at, there, &to))
                .or_else(|| one_way(at, there, &to));
            if let Some(why) = stays {
                undo.lost.push(why);
                continue;
            }
            undone.extend(&touched.moments);
            puts.push(Put {
                moment: touched.first.0,
                place: touched.first.1,
                at: touched.ours.at.clone(),
                expect: there.clone(),
                to,
            });
        }
        undone.extend(self.commands.iter().map(|ran| ran.at));
        let pokes = self.pokes(&puts, &undone, live);
        undo.steps = order(puts, &self.commands, pokes);
        undo
    }

    /// Restarts and reloads whose cause is undone: something done earlier in the same run.
    fn pokes(&self, puts: &[Put], undone: &[Moment], live: &BTreeMap<Address, Value>) -> Vec<Step> {
        let mut found: Vec<(String, Poke)> = Vec::new();
        for ((run, act), unit, how) in &self.pokes {
            if !undone.iter().any(|(other, before)| other == run && before < act) {
                continue;
            }
            let at = Address::Unit(unit.clone());
            let stays = puts.iter().find(|put| put.at == at).map_or_else(
                || matches!(live.get(&at), Some(Value::Unit(there)) if there.known),
                // Its own start or stop comes with its value.
                |put| matches!((&put.expect, &put.to), (Value::Unit(a), Value::Unit(b)) if a.active && b.active),
            );
            if *how != Poke::DaemonReload && !stays {
                continue;
            }
            // What was up when it was told to reload and is down now fell over that very change.
            let down = matches!(live.get(&at), Some(Value::Unit(there)) if !there.active);
            let how = if *how == Poke::Reload && down {
                Poke::Restart
            } else {
                *how
            };
            match found.iter_mut().find(|(other, _)| other == unit) {
                Some((_, known)) => *known = stronger(*known, how),
                None => found.push((unit.clone(), how)),
            }
        }
        found
            .into_iter()
            .map(|(unit, how)| Step::Poke { unit, how })
            .collect()
    }
}

/// Why a kernel setting stays: the kernel lets it go one way only, and says so itself when it is tried.
fn one_way(at: &Address, live: &Value, to: &Value) -> Option<String> {
    match at {
        Address::Sysctl(key) => crate::live::sysctl::one_way(key, to, live),
        _ => None,
    }
}

/// What became of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Failed,
    Refused,
    Unknown,
}

/// The directory a path lies in; `None` for `/`.
pub(crate) fn parent(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some(if folder.is_empty() { "/" } else { folder })
}

/// Whether `at` is a path inside the directory `top`.
pub(crate) fn below(at: &Address, top: &Address) -> bool {
    let (Address::Path(at), Address::Path(top)) = (at, top) else {
        return false;
    };
    let rest = match top.as_str() {
        "/" => at.strip_prefix('/'),
        top => at.strip_prefix(top).and_then(|rest| rest.strip_prefix('/')),
    };
    rest.is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests;
