//! A small host in memory, for tests of everything above [`System`]: every address family the product has.
//!
//! It keeps the rules the laws of rollback hang on (expectations, parents before children, consequences of packages and
//! users, what a mount hides) and none of the details that belong to `live`. It can fail or be killed in any act.

mod assign;
mod refuse;

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    Act, Address, Answer, Change, Command, Digest, Fidelity, Meta, MysqlAt, MysqlKind, Output, Performed,
    PreImage, Problem, ProblemKind, Question, Unit, Value,
};

use crate::system::{Aside, Botched, System, Verified};

/// A package the fake's repository offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its version.
    pub version: String,
    /// Packages that come with it.
    pub needs: Vec<String>,
    /// Files it brings, with their text.
    pub files: Vec<(String, String)>,
    /// A unit it brings.
    pub unit: Option<String>,
}

/// The host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fake {
    /// Whatever is there, by address. What is not in it is absent.
    pub world: BTreeMap<Address, Value>,
    /// What can be installed.
    pub repo: BTreeMap<String, Offer>,
    /// Texts of commands that are known, and what they assign.
    pub commands: BTreeMap<String, Vec<(Address, Value)>>,
    /// The object store.
    pub objects: BTreeMap<Digest, Vec<u8>>,
    /// What was kept and is not whole any more.
    pub damaged: BTreeSet<Digest>,
    /// Commands and pokes in the order in which they were done.
    pub log: Vec<String>,
    /// How often it was asked.
    pub batches: u64,
    /// How many transactions were performed.
    pub performed: u64,
    /// The transaction of this number is done by half and fails.
    pub cut: Option<u64>,
    /// The agent is killed in the transaction of this number.
    pub dies: Option<(u64, When)>,
    /// The database server does not answer.
    pub silent: bool,
    /// What lies on file systems that are not mounted, by device.
    pub volumes: BTreeMap<String, BTreeMap<Address, Value>>,
    /// What a mount hides, by mount point.
    pub hidden: BTreeMap<String, BTreeMap<Address, Value>>,
    /// What the command `more` raises and `less` lowers.
    pub count: i64,
    /// Pairs of paths that their reader wants both or none of.
    pub pairs: Vec<(String, String)>,
    /// Units that do not come up while there is a file at this path.
    pub sick: BTreeMap<String, String>,
}

/// Where in an act the agent is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before anything is done.
    Before,
    /// Halfway through.
    Half,
    /// When all is done, and not yet told.
    After,
}

/// What a killed agent unwinds with.
#[derive(Debug)]
pub struct Killed;

impl Fake {
    /// A host with a few directories.
    pub fn new() -> Self {
        let mut fake = Self::default();
        for path in ["/", "/etc", "/home", "/srv"] {
            fake.world.insert(Address::Path(path.to_owned()), dir());
        }
        fake
    }

    /// Puts a file there, as somebody else would.
    pub fn write(&mut self, path: &str, text: &str) -> Value {
        let value = self.file(text);
        self.world.insert(Address::Path(path.to_owned()), value.clone());
        value
    }

    /// A file value whose contents are in the object store.
    pub fn file(&mut self, text: &str) -> Value {
        let content = Digest::of(text);
        self.objects.insert(content, text.as_bytes().to_vec());
        file(text)
    }

    /// What is at an address.
    pub fn at(&self, at: &Address) -> Value {
        self.world.get(at).cloned().unwrap_or_else(|| match at {
            Address::Unit(_) => Value::Unit(Unit::default()),
            _ => Value::Absent,
        })
    }

    /// All that is there, seen or hidden: what the laws compare.
    pub fn image(&self) -> BTreeMap<Address, Value> {
        let mut all = self.world.clone();
        let aside = [("volume", &self.volumes), ("hidden", &self.hidden)];
        for (what, places) in aside {
            for (place, inside) in places {
                let moved = inside
                    .iter()
                    .map(|(at, value)| (Address::Path(format!("{what} {place}: {at}")), value.clone()));
                all.extend(moved);
            }
        }
        let count = Value::Text(self.count.to_string());
        all.insert(Address::Sysctl("count".to_owned()), count);
        all
    }

    /// Somebody else's assignment, where it can be done at all.
    pub fn by_hand(&mut self, at: &Address, to: &Value) -> bool {
        let fine = self.refusal(&[], at, to).is_none();
        if fine {
            self.assign(at, to);
        }
        fine
    }

    /// What is at a path.
    pub fn path(&self, path: &str) -> Value {
        self.at(&Address::Path(path.to_owned()))
    }

    fn set(&mut self, at: &Address, value: Value) {
        if value.is_absent() || (matches!(at, Address::Unit(_)) && value == Value::Unit(Unit::default())) {
            self.world.remove(at);
        } else {
            self.world.insert(at.clone(), value);
        }
    }

    /// Addresses of paths below one.
    fn below(&self, path: &str) -> Vec<Address> {
        let top = Address::Path(path.to_owned());
        self.world
            .keys()
            .filter(|at| crate::undo::below(at, &top))
            .cloned()
            .collect()
    }

    /// Whole trees, what is in them first.
    fn trees(&self, tops: &[String]) -> Vec<Address> {
        let mut all = Vec::new();
        for top in tops {
            all.extend(self.below(top).into_iter().rev());
            all.push(Address::Path(top.clone()));
        }
        all
    }

    fn follow(&self, path: &str) -> Value {
        let mut path = path.to_owned();
        for _ in 0..8 {
            match self.path(&path) {
                Value::Link { to, .. } => path = to,
                value => return value,
            }
        }
        Value::Absent
    }

    fn one(&self, question: &Question) -> Answer {
        match question {
            Question::Read(Address::Mysql(_)) if self.silent => Answer::Failed("no answer".to_owned()),
            Question::Read(at) => Answer::Value(self.at(at)),
            Question::Follow(path) => Answer::Value(self.follow(path)),
            Question::Bytes(path) => {
                let content = match path.strip_prefix("object:") {
                    Some(hex) => hex.parse().ok(),
                    None => match self.follow(path) {
                        Value::File { content, .. } => Some(content),
                        _ => None,
                    },
                };
                Answer::Bytes(content.and_then(|content| self.objects.get(&content).cloned()))
            }
            Question::List(path) => match self.path(path) {
                Value::Dir { .. } => Answer::Tree(Some(
                    self.below(path)
                        .into_iter()
                        .filter_map(|at| {
                            let value = self.at(&at);
                            let Address::Path(full) = at else { return None };
                            let relative = full.strip_prefix(path)?.trim_start_matches('/').to_owned();
                            Some((relative, value))
                        })
                        .collect(),
                )),
                _ => Answer::Tree(None),
            },
            Question::Command(command) => Answer::Output(self.run(command)),
            Question::Call(call) if call.fun == "test.echo" => {
                let value = call.args.first().and_then(|text| serde_json::from_str(text).ok());
                value.map_or(Answer::Missing, Answer::Json)
            }
            Question::Candidate(name) => match self.repo.get(name) {
                Some(offer) => Answer::Text(offer.version.clone()),
                None => Answer::Missing,
            },
            _ => Answer::Missing,
        }
    }

    fn run(&self, command: &Command) -> Output {
        let text = command.argv.join(" ");
        let code = match text.as_str() {
            "true" => 0,
            "false" => 1,
            "more" | "less" => 0,
            text if self.commands.contains_key(text) => 0,
            _ => 127,
        };
        Output {
            code,
            ..Output::default()
        }
    }

    /// Packages that installing `name` brings, itself included, those that are there left out.
    fn closure(&self, name: &str, into: &mut BTreeSet<String>) {
        let there = !self.at(&Address::Package(name.to_owned())).is_absent();
        if there || !into.insert(name.to_owned()) {
            return;
        }
        for need in self
            .repo
            .get(name)
            .map(|offer| offer.needs.clone())
            .unwrap_or_default()
        {
            self.closure(&need, into);
        }
    }

    /// What goes when a package goes: all that needs it, itself last.
    fn dependents(&self, name: &str) -> Vec<String> {
        let needs = |other: &&String| {
            let there = !self.at(&Address::Package((*other).clone())).is_absent();
            there && self.repo[*other].needs.iter().any(|need| need == name)
        };
        let mut all: Vec<String> = self.repo.keys().filter(needs).cloned().collect();
        all.push(name.to_owned());
        all
    }

    /// Addresses that an act changes by what it says, consequences included.
    fn reach(&self, act: &Act) -> Vec<Address> {
        let Act::Assign { at, to, .. } = act else {
            let Act::Run { touches, .. } = act else {
                return Vec::new();
            };
            return self.trees(touches);
        };
        let mut found = vec![at.clone()];
        match (at, to) {
            (Address::Path(path), to) if !matches!(to, Value::Dir { .. }) => found.extend(self.below(path)),
            (Address::Package(name), Value::Package(_)) => {
                let mut all = BTreeSet::new();
                self.closure(name, &mut all);
                for offer in all.iter().filter_map(|other| self.repo.get(other)) {
                    found.extend(offer.files.iter().map(|(path, _)| Address::Path(path.clone())));
                    found.extend(offer.unit.clone().map(Address::Unit));
                }
                found.extend(
                    all.into_iter()
                        .filter(|other| other != name)
                        .map(Address::Package),
                );
            }
            (Address::Package(name), Value::Absent) => {
                for other in self.dependents(name) {
                    let offer = self.repo.get(&other).cloned().unwrap_or_default();
                    found.extend(offer.files.into_iter().map(|(path, _)| Address::Path(path)));
                    found.extend(offer.unit.map(Address::Unit));
                    found.extend((other != *name).then_some(Address::Package(other)));
                }
            }
            (Address::User(name), Value::User(account)) if self.at(at).is_absent() => {
                found.push(Address::Group(name.clone()));
                if account.create_home {
                    found.push(Address::Path(account.home.clone()));
                }
            }
            (Address::User(name), Value::Absent) => found.push(Address::Group(name.clone())),
            (Address::Mysql(at), Value::Absent) if at.kind == MysqlKind::User => {
                found.insert(0, grants_of(at));
            }
            _ => {}
        }
        found
    }
}

/// A directory owned by root.
pub fn dir() -> Value {
    let meta = Meta {
        mode: 0o755,
        ..Meta::default()
    };
    Value::Dir { meta }
}

/// A file owned by root.
pub fn file(text: &str) -> Value {
    Value::File {
        content: Digest::of(text),
        size: text.len() as u64,
        meta: Meta {
            mode: 0o644,
            ..Meta::default()
        },
    }
}

impl System for Fake {
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer> {
        self.batches += 1;
        ask.iter().map(|question| self.one(question)).collect()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem> {
        let digest = Digest::of(bytes);
        self.objects.insert(digest, bytes.to_vec());
        Ok(digest)
    }

    fn sound(&mut self, kept: &Digest) -> Result<(), String> {
        match self.damaged.contains(kept) {
            false => Ok(()),
            true => Err(format!("object {kept} is damaged")),
        }
    }

    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem> {
        let mut images: Vec<PreImage> = Vec::new();
        for act in acts {
            if let Act::Assign { at, expect, to, .. } = act {
                let live = self.at(at);
                if !live.same(expect) {
                    return Err(Problem::new(
                        ProblemKind::Moved,
                        format!("{at} is {live:?}, not {expect:?}"),
                    ));
                }
                if let Some(problem) = self.refusal(acts, at, to) {
                    return Err(problem);
                }
            }
            for at in self.reach(act) {
                if images.iter().all(|image| image.at != at) {
                    let was = self.at(&at);
                    let fidelity = Fidelity::Exact;
                    images.push(PreImage { at, was, fidelity });
                }
            }
        }
        Ok(images)
    }

    fn verify(&mut self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        let acts = acts.iter().filter_map(crate::readers::assigned);
        let aside = aside.paths.iter().map(|(path, value)| (path.as_str(), value));
        let staged: BTreeMap<&str, &Value> = aside.chain(acts.map(|(path, _, to)| (path, to))).collect();
        let there = |path: &str| {
            staged
                .get(path)
                .map_or_else(|| !self.path(path).is_absent(), |value| !value.is_absent())
        };
        let broken = |pair: &&(String, String)| there(&pair.0) != there(&pair.1);
        match self.pairs.iter().find(broken) {
            Some((one, other)) => Err(Problem::new(
                ProblemKind::Refused,
                format!("{one} and {other} need each other"),
            )),
            None => Ok(Verified::default()),
        }
    }

    fn perform(&mut self, acts: &[Act], before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        self.performed += 1;
        let cut = self.cut == Some(self.performed);
        let dies = self.dies.filter(|(number, _)| *number == self.performed);
        let die = |when| {
            if dies.is_some_and(|(_, how)| how == when) {
                std::panic::resume_unwind(Box::new(Killed));
            }
        };
        die(When::Before);
        let half = cut || dies.is_some_and(|(_, how)| how == When::Half);
        let mut output = None;
        let mut fell = None;
        for act in acts {
            match act {
                Act::Assign { at, to, .. } if half => self.halve(at, to),
                Act::Assign { at, to, .. } => self.assign(at, to),
                Act::Run { command, .. } => {
                    let text = command.argv.join(" ");
                    self.log.push(text.clone());
                    self.count += match text.as_str() {
                        "more" => 1,
                        "less" => -1,
                        _ => 0,
                    };
                    output = Some(self.run(command));
                    for (at, to) in self.commands.get(&text).cloned().unwrap_or_default() {
                        self.by_hand(&at, &to);
                    }
                }
                Act::Poke { unit, how } => {
                    self.log.push(format!("{how:?} {unit}"));
                    fell = self.falls(unit);
                }
                Act::Refresh => self.log.push("refresh".to_owned()),
            }
        }
        die(When::Half);
        die(When::After);
        let seen = before.iter().map(|image| Change {
            after: self.at(&image.at),
            at: image.at.clone(),
            before: image.was.clone(),
        });
        let mut changes: Vec<Change> = seen.filter(|change| !change.before.same(&change.after)).collect();
        if let Some(change) = fell {
            return Err(Box::new(Botched {
                why: Problem::new(ProblemKind::Failed, format!("{} does not come up", change.at)),
                changes: vec![change],
                performed: Performed::default(),
            }));
        }
        for act in acts {
            let Act::Run { touches, .. } = act else { continue };
            let new = self.trees(touches).into_iter().rev();
            let new = new.filter(|at| before.iter().all(|image| image.at != *at));
            changes.extend(new.map(|at| Change {
                before: Value::Absent,
                after: self.at(&at),
                at,
            }));
        }
        if cut {
            return Err(Box::new(Botched {
                why: Problem::new(ProblemKind::Failed, "cut in the middle"),
                changes,
                performed: Performed::default(),
            }));
        }
        Ok(Performed { changes, output })
    }

    fn forget(&mut self) {}
}

fn grants_of(at: &MysqlAt) -> Address {
    Address::Mysql(MysqlAt {
        kind: MysqlKind::Grants,
        ..at.clone()
    })
}
