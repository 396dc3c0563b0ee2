//! The host as a state sees it: answers that are known, questions that are recorded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proto::{
    Account, Address, Answer, Answers, Command, Digest, Group, Output, Package, Question, Unit, Value,
};

/// Why a plan could not be finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// An answer is missing; the question was recorded.
    Ask,
    /// The state cannot be made true; Salt's comment.
    Failed(String),
}

impl Stop {
    /// A failure with Salt's comment.
    pub fn failed(comment: impl Into<String>) -> Self {
        Self::Failed(comment.into())
    }
}

/// A host through its answers. Each read either yields or records a question and stops the pass.
#[derive(Debug)]
pub struct Host<'a> {
    answers: &'a Answers,
    asked: RefCell<BTreeSet<Question>>,
    kept: RefCell<BTreeMap<Digest, Vec<u8>>>,
}

impl<'a> Host<'a> {
    /// A host of which `answers` are known.
    pub const fn new(answers: &'a Answers) -> Self {
        Self {
            answers,
            asked: RefCell::new(BTreeSet::new()),
            kept: RefCell::new(BTreeMap::new()),
        }
    }

    /// The questions of this pass, and the bytes states produced, by digest.
    pub fn finish(self) -> (BTreeSet<Question>, BTreeMap<Digest, Vec<u8>>) {
        (self.asked.into_inner(), self.kept.into_inner())
    }

    /// The answer to any question.
    ///
    /// # Errors
    /// [`Stop::Ask`] when it is not known yet, [`Stop::Failed`] when the host said it cannot be answered.
    pub fn ask(&self, question: Question) -> Result<&'a Answer, Stop> {
        match self.answers.get(&question) {
            Some(Answer::Failed(why)) => Err(Stop::Failed(why.clone())),
            Some(answer) => Ok(answer),
            None => {
                self.asked.borrow_mut().insert(question);
                Err(Stop::Ask)
            }
        }
    }

    /// Records questions without stopping, so that what will be needed together is asked together.
    pub fn expect(&self, questions: impl IntoIterator<Item = Question>) {
        let unknown = questions
            .into_iter()
            .filter(|question| !self.answers.contains_key(question));
        self.asked.borrow_mut().extend(unknown);
    }

    /// Keeps bytes the state produced in the object store; acts carry the digest.
    pub fn keep(&self, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.kept.borrow_mut().insert(digest, bytes);
        digest
    }

    /// What is at an address.
    ///
    /// # Errors
    /// As [`Host::ask`], as do all readers below.
    pub fn read(&self, at: Address) -> Result<&'a Value, Stop> {
        let question = Question::Read(at);
        match self.ask(question.clone())? {
            Answer::Value(value) => Ok(value),
            other => Err(unexpected(&question, other)),
        }
    }

    /// What is at a path; the last component is not followed.
    pub fn path(&self, path: &str) -> Result<&'a Value, Stop> {
        self.read(Address::Path(path.to_owned()))
    }

    /// What a path leads to once links are followed.
    pub fn follow(&self, path: &str) -> Result<&'a Value, Stop> {
        match self.ask(Question::Follow(path.to_owned()))? {
            Answer::Value(value) => Ok(value),
            other => Err(unexpected(&Question::Follow(path.to_owned()), other)),
        }
    }

    /// A file's bytes, links followed; `None` when there is no such file.
    pub fn bytes(&self, path: &str) -> Result<Option<&'a [u8]>, Stop> {
        match self.ask(Question::Bytes(path.to_owned()))? {
            Answer::Bytes(bytes) => Ok(bytes.as_deref()),
            other => Err(unexpected(&Question::Bytes(path.to_owned()), other)),
        }
    }

    /// All entries below a directory by relative path, sorted; `None` when there is no such directory.
    pub fn list(&self, path: &str) -> Result<Option<&'a [(String, Value)]>, Stop> {
        match self.ask(Question::List(path.to_owned()))? {
            Answer::Tree(tree) => Ok(tree.as_deref()),
            other => Err(unexpected(&Question::List(path.to_owned()), other)),
        }
    }

    /// What a read-only command does.
    pub fn command(&self, command: Command) -> Result<&'a Output, Stop> {
        let question = Question::Command(command);
        match self.ask(question.clone())? {
            Answer::Output(output) => Ok(output),
            other => Err(unexpected(&question, other)),
        }
    }

    /// A user account; `None` when there is none.
    pub fn user(&self, name: &str) -> Result<Option<&'a Account>, Stop> {
        match self.read(Address::User(name.to_owned()))? {
            Value::User(account) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// A group; `None` when there is none.
    pub fn group(&self, name: &str) -> Result<Option<&'a Group>, Stop> {
        match self.read(Address::Group(name.to_owned()))? {
            Value::Group(group) => Ok(Some(group)),
            _ => Ok(None),
        }
    }

    /// A package; `None` when it is neither installed nor configured.
    pub fn package(&self, name: &str) -> Result<Option<&'a Package>, Stop> {
        match self.read(Address::Package(name.to_owned()))? {
            Value::Package(package) => Ok(Some(package)),
            _ => Ok(None),
        }
    }

    /// A systemd unit by full name.
    pub fn unit(&self, name: &str) -> Result<Unit, Stop> {
        match self.read(Address::Unit(name.to_owned()))? {
            Value::Unit(unit) => Ok(unit.clone()),
            _ => Ok(Unit::default()),
        }
    }

    /// One grain; `None` when it is undefined.
    pub fn grain(&self, key: &str) -> Result<Option<&'a serde_json::Value>, Stop> {
        match self.ask(Question::Grain(key.to_owned()))? {
            Answer::Json(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Bytes a state kept earlier in this pass, or that an answer carries.
    pub fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.kept.borrow().get(digest).cloned()
    }

    /// The bytes of an object of the host's store (a source, an unpacked file), for diffs.
    pub fn object(&self, digest: &Digest) -> Result<Option<&'a [u8]>, Stop> {
        self.bytes(&object_path(digest))
    }
}

/// The pseudo-path under which [`Question::Bytes`] reads an object of the store.
pub fn object_path(digest: &Digest) -> String {
    format!("object:{}", digest.hex())
}

fn unexpected(question: &Question, answer: &Answer) -> Stop {
    Stop::Failed(format!(
        "the agent answered {question:?} with {answer:?}: a bug in salt-rs"
    ))
}
