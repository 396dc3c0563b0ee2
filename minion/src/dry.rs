//! A plan's host: acts land in an overlay which later reads see; nothing is written anywhere.
//!
//! What an act would bring that nobody can know beforehand (the files of a package, the effect of a command) is not
//! invented here; the loop marks results that hang on it.

mod account;
mod packages;
mod paths;

use std::collections::BTreeMap;

use proto::{
    Act, Address, Answer, Change, Digest, Fidelity, Package, Performed, PreImage, Problem, ProblemKind,
    Question, Unit, Value,
};

use crate::readers;
use crate::system::{Aside, Botched, System, Verified};
pub(crate) use packages::along;

/// Planned acts laid over another system.
#[derive(Debug)]
pub struct Dry<S> {
    inner: S,
    over: BTreeMap<Address, Value>,
    kept: BTreeMap<Digest, Vec<u8>>,
    /// Ids given so far to accounts whose real ids nobody knows yet.
    given: u32,
    /// Assignments of packages planned so far: what comes along with one hangs on those before.
    transactions: Vec<Act>,
    /// Package changes that come along with the transaction that was looked at last.
    along: Vec<Change>,
    /// The package lists will be read anew before.
    refreshed: bool,
}

/// An overlay without what lies below it. Contents are not in it: whoever uses one keeps them below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer {
    over: BTreeMap<Address, Value>,
    given: u32,
    transactions: Vec<Act>,
    refreshed: bool,
}

impl<S: System> Dry<S> {
    /// Lays an empty overlay over `inner`.
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            over: BTreeMap::new(),
            kept: BTreeMap::new(),
            given: 0,
            transactions: Vec::new(),
            along: Vec::new(),
            refreshed: false,
        }
    }

    /// Goes on with an overlay that was taken off before.
    pub(crate) fn resume(inner: S, layer: Layer) -> Self {
        Self {
            inner,
            over: layer.over,
            kept: BTreeMap::new(),
            given: layer.given,
            transactions: layer.transactions,
            along: Vec::new(),
            refreshed: layer.refreshed,
        }
    }

    /// Takes the overlay off.
    pub(crate) fn pause(self) -> Layer {
        Layer {
            over: self.over,
            given: self.given,
            transactions: self.transactions,
            refreshed: self.refreshed,
        }
    }

    /// The system below, as it was.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// What an address would hold.
    fn read(&mut self, at: &Address) -> Value {
        if let Some(value) = self.over.get(at) {
            return value.clone();
        }
        match at {
            Address::Path(path) if self.covered(path) => Value::Absent,
            Address::Unit(name) => self.unit(name),
            _ => self.below(Question::Read(at.clone())),
        }
    }

    /// The value that the system below gives.
    fn below(&mut self, question: Question) -> Value {
        match self.inner.answer(&[question]).pop() {
            Some(Answer::Value(value)) => value,
            _ => Value::Absent,
        }
    }

    /// A unit whose file is planned exists as soon as the file does.
    fn unit(&mut self, name: &str) -> Value {
        let live = self.below(Question::Read(Address::Unit(name.to_owned())));
        if matches!(&live, Value::Unit(unit) if unit.known) {
            return live;
        }
        let folders = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];
        for folder in folders {
            let path = format!("{folder}/systemd/system/{name}");
            if let Some(Value::File { content, .. }) = self.over.get(&Address::Path(path)).cloned() {
                let bytes = self.object(&content).unwrap_or_default();
                let installable = String::from_utf8_lossy(&bytes)
                    .lines()
                    .any(|line| line.trim() == "[Install]");
                return Value::Unit(Unit {
                    known: true,
                    active: false,
                    enablement: if installable { "disabled" } else { "static" }.to_owned(),
                });
            }
        }
        live
    }

    fn object(&mut self, digest: &Digest) -> Option<Vec<u8>> {
        if let Some(bytes) = self.kept.get(digest) {
            return Some(bytes.clone());
        }
        match self
            .inner
            .answer(&[Question::Bytes(states::host::object_path(digest))])
            .pop()
        {
            Some(Answer::Bytes(bytes)) => bytes,
            _ => None,
        }
    }

    /// How well an assignment could be undone, as the system below would find when it comes to it. What lies in the
    /// overlay was made by this plan, and goes again.
    fn foreseen(&mut self, act: &Act, at: &Address, was: Value) -> Result<Vec<PreImage>, Problem> {
        let planned = match at {
            Address::Path(path) => was.is_absent() || self.covered(path),
            _ => false,
        };
        if !planned && !self.over.contains_key(at) {
            match self.inner.foresee(act) {
                Ok(images) if !images.is_empty() => return Ok(images),
                // An earlier step of the plan may be what is missing.
                Err(problem) if problem.kind == ProblemKind::Refused && matches!(at, Address::Path(_)) => {
                    return Err(problem);
                }
                _ => {}
            }
        }
        Ok(vec![PreImage {
            at: at.clone(),
            was,
            fidelity: Fidelity::Exact,
        }])
    }

    /// Whether a database server that does not answer now may do so by then: a package comes or a unit goes up.
    fn brings_a_server(&self) -> bool {
        self.over.iter().any(|(at, value)| match (at, value) {
            (Address::Package(_), Value::Package(_)) => true,
            (_, Value::Unit(unit)) => unit.active,
            _ => false,
        })
    }

    /// The answer where the overlay has a say in it.
    fn overlaid(&mut self, question: &Question) -> Option<Answer> {
        match question {
            Question::Bytes(path) if path.starts_with("object:") => {
                let digest = path.strip_prefix("object:")?.parse().ok()?;
                self.kept
                    .get(&digest)
                    .map(|bytes| Answer::Bytes(Some(bytes.clone())))
            }
            _ if self.over.is_empty() => None,
            Question::Read(at @ (Address::Path(_) | Address::Unit(_))) => Some(Answer::Value(self.read(at))),
            Question::Read(at) => self.over.get(at).map(|value| Answer::Value(value.clone())),
            Question::Follow(path) => Some(Answer::Value(self.follow(path).1)),
            Question::Bytes(path) => Some(Answer::Bytes(self.bytes(path))),
            Question::List(path) => Some(Answer::Tree(self.list(path))),
            _ => None,
        }
    }

    /// What would be there after an assignment: the wanted value with its open places filled as far as anybody can.
    fn settled(&mut self, at: &Address, to: &Value) -> Value {
        match (at, to) {
            (Address::Package(name), Value::Package(wanted)) if wanted.version.is_empty() => {
                let version = match self.inner.answer(&[Question::Candidate(name.clone())]).pop() {
                    Some(Answer::Text(version)) => version,
                    _ => String::new(),
                };
                Value::Package(Package {
                    version,
                    ..wanted.clone()
                })
            }
            (Address::User(name), Value::User(wanted)) => self.user(name, wanted),
            (Address::Group(name), Value::Group(wanted)) => self.group(name, wanted),
            (_, to) => to.clone(),
        }
    }
}

impl<S: System> System for Dry<S> {
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = ask.iter().map(|question| self.overlaid(question)).collect();
        let open = || ask.iter().zip(&answers).filter(|(_, answer)| answer.is_none());
        let rest: Vec<Question> = open().map(|(question, _)| question.clone()).collect();
        if !rest.is_empty() {
            let mut found = self.inner.answer(&rest).into_iter();
            for answer in answers.iter_mut().filter(|answer| answer.is_none()) {
                *answer = found.next();
            }
        }
        let answers = ask.iter().zip(answers);
        answers
            .map(
                |(question, answer)| match (question, answer.unwrap_or(Answer::Missing)) {
                    (Question::Read(Address::Mysql(_)), Answer::Failed(_)) if self.brings_a_server() => {
                        Answer::Value(Value::Absent)
                    }
                    (_, answer) => answer,
                },
            )
            .collect()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem> {
        let digest = Digest::of(bytes);
        self.kept.insert(digest, bytes.to_vec());
        Ok(digest)
    }

    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem> {
        let mut images = Vec::new();
        for act in acts {
            match act {
                Act::Assign { at, expect, to, .. } => {
                    let was = self.read(at);
                    if !was.same(expect) {
                        return Err(Problem::new(
                            ProblemKind::Moved,
                            format!("{at} is not as expected"),
                        ));
                    }
                    if let Address::Path(path) = at
                        && !to.is_absent()
                        && !made(acts, path)
                    {
                        self.needs_parent(path)?;
                    }
                    if let (Address::Unit(name), Value::Unit(Unit { known: false, .. })) = (at, &was) {
                        let text = format!("The named service {name} is not available");
                        return Err(Problem::new(ProblemKind::Refused, text));
                    }
                    images.extend(self.foreseen(act, at, was)?);
                }
                Act::Run { .. } | Act::Poke { .. } | Act::Refresh => {}
            }
        }
        self.foresee_packages(acts, &mut images)?;
        Ok(images)
    }

    fn verify(&mut self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        let mut all = aside.clone();
        let mut unsure = false;
        for (at, value) in &self.over {
            match at {
                Address::Path(path) => all.paths.push((path.clone(), value.clone())),
                Address::Unit(_) => {}
                _ => unsure = true,
            }
        }
        let wanted = acts.iter().filter_map(|act| Some(readers::assigned(act)?.2));
        for value in wanted.chain(self.over.values()) {
            if let Value::File { content, .. } = value
                && let Some(bytes) = self.kept.get(content)
            {
                all.bytes.insert(*content, bytes.clone());
            }
        }
        match self.inner.verify(acts, &all) {
            // Users, packages and the like that come first may be what is missing.
            Err(_) if unsure => Ok(Verified::default()),
            told => told,
        }
    }

    fn perform(&mut self, acts: &[Act], _before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        let mut changes = Vec::new();
        self.refreshed |= acts.contains(&Act::Refresh);
        for act in acts {
            let Act::Assign { at, to, .. } = act else {
                continue;
            };
            let before = self.read(at);
            let after = self.settled(at, to);
            match at {
                Address::Path(path) => self.put(path, after.clone()),
                _ => drop(self.over.insert(at.clone(), after.clone())),
            }
            changes.push(Change {
                at: at.clone(),
                before,
                after,
            });
        }
        for change in std::mem::take(&mut self.along) {
            self.over.insert(change.at.clone(), change.after.clone());
            changes.push(change);
        }
        Ok(Performed {
            changes,
            output: None,
        })
    }

    fn forget(&mut self) {
        // The system below does not change under a plan.
    }
}

/// Whether one of the acts makes the directory that a path lies in.
pub(crate) fn made(acts: &[Act], path: &str) -> bool {
    let above = crate::undo::parent(path);
    let makes = |act: &Act| {
        readers::assigned(act)
            .is_some_and(|(made, _, to)| above == Some(made) && matches!(to, Value::Dir { .. }))
    };
    acts.iter().any(makes)
}

#[cfg(test)]
mod tests;
