//! Paths as a plan leaves them: planned values over what is there, links followed through both.

use proto::{Address, Answer, Problem, ProblemKind, Question, Value};

use super::Dry;
use crate::system::System;
use crate::undo::parent;

/// Links in one path at most, as the kernel has it.
const LINKS: usize = 40;

impl<S: System> Dry<S> {
    /// Whether a planned value above `path` leaves no room for what is really there.
    pub(super) fn covered(&self, path: &str) -> bool {
        let mut above = parent(path);
        while let Some(folder) = above {
            match self.over.get(&Address::Path(folder.to_owned())) {
                Some(Value::Dir { .. }) | None => above = parent(folder),
                Some(_) => return true,
            }
        }
        false
    }

    /// Plans a value at a path; what lay below it is gone with it.
    pub(super) fn put(&mut self, path: &str, value: Value) {
        let at = Address::Path(path.to_owned());
        if !matches!(value, Value::Dir { .. }) {
            self.over.retain(|other, _| !crate::undo::below(other, &at));
        } else if !matches!(self.over.get(&at), Some(Value::Dir { .. }) | None) {
            // A directory where something else was planned away: what was really below is still gone.
            if let Answer::Tree(Some(tree)) = self.ask_below(Question::List(path.to_owned())) {
                for (relative, _) in tree {
                    self.over
                        .entry(Address::Path(join(path, &relative)))
                        .or_insert(Value::Absent);
                }
            }
        }
        self.over.insert(at, value);
    }

    fn ask_below(&mut self, question: Question) -> Answer {
        self.inner.answer(&[question]).pop().unwrap_or(Answer::Missing)
    }

    /// The parent must be a directory, as the writer will find.
    pub(super) fn needs_parent(&mut self, path: &str) -> Result<(), Problem> {
        let Some(folder) = parent(path) else {
            return Ok(());
        };
        match self.follow(folder).1 {
            Value::Dir { .. } => Ok(()),
            _ => Err(Problem::new(
                ProblemKind::Refused,
                format!("{folder} is not a directory"),
            )),
        }
    }

    /// Where a path leads, and what is there.
    pub(super) fn follow(&mut self, path: &str) -> (String, Value) {
        let mut left: Vec<String> = parts(path);
        let mut done = String::from("/");
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                done = parent(&done).unwrap_or("/").to_owned();
                continue;
            }
            let next = join(&done, &part);
            match self.read(&Address::Path(next.clone())) {
                Value::Link { to, .. } => {
                    links += 1;
                    if links > LINKS {
                        return (next, Value::Absent);
                    }
                    if to.starts_with('/') {
                        done = String::from("/");
                    }
                    left.extend(parts(&to));
                }
                Value::Absent => {
                    let rest = left.into_iter().rev().fold(next, |path, part| join(&path, &part));
                    return (rest, Value::Absent);
                }
                _ => done = next,
            }
        }
        let value = self.read(&Address::Path(done.clone()));
        (done, value)
    }

    /// The bytes of the file a path leads to.
    pub(super) fn bytes(&mut self, path: &str) -> Option<Vec<u8>> {
        match self.follow(path) {
            (end, Value::File { content, .. }) if self.over.contains_key(&Address::Path(end.clone())) => {
                let kept = self.object(&content);
                match kept {
                    Some(bytes) => Some(bytes),
                    // Only its attributes are planned: the bytes are those that lie there.
                    None => match self.ask_below(Question::Bytes(end)) {
                        Answer::Bytes(bytes) => bytes,
                        _ => None,
                    },
                }
            }
            (end, Value::File { .. }) => match self.ask_below(Question::Bytes(end)) {
                Answer::Bytes(bytes) => bytes,
                _ => None,
            },
            _ => None,
        }
    }

    /// All entries below a directory, planned ones included.
    pub(super) fn list(&mut self, path: &str) -> Option<Vec<(String, Value)>> {
        let (end, value) = self.follow(path);
        if !matches!(value, Value::Dir { .. }) {
            return None;
        }
        let mut found = std::collections::BTreeMap::new();
        if !self.covered(&end)
            && let Answer::Tree(Some(tree)) = self.ask_below(Question::List(end.clone()))
        {
            let kept = tree.into_iter().filter(|(relative, _)| {
                let full = join(&end, relative);
                !self.covered(&full) && !self.over.contains_key(&Address::Path(full))
            });
            found.extend(kept);
        }
        let top = Address::Path(end.clone());
        for (at, value) in &self.over {
            if let Address::Path(full) = at
                && crate::undo::below(at, &top)
                && !value.is_absent()
                && let Some(relative) = full.strip_prefix(end.as_str())
            {
                found.insert(relative.trim_start_matches('/').to_owned(), value.clone());
            }
        }
        Some(found.into_iter().collect())
    }
}

fn parts(path: &str) -> Vec<String> {
    let named = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    named.rev().map(str::to_owned).collect()
}

fn join(folder: &str, name: &str) -> String {
    if folder.ends_with('/') {
        format!("{folder}{name}")
    } else {
        format!("{folder}/{name}")
    }
}
