//! The conformance corpus: small trees with Salt's own answers, run through the built program.
//!
//! `case` runs one, `normal` takes out what no two runs share, `compare` says how much of an answer is right, `classes`
//! sorts refusals, `expect` holds what is known to hold. One corpus lies beside the repository, the
//! other is `tests/cases`; `tests/oracle.sh` asks real Salt for the answers of the latter.

mod case;
mod classes;
mod compare;
mod expect;
mod normal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::thread;

pub use case::Case;
pub use classes::{class, classes};
pub use compare::{chunks, compare, same};
pub use expect::Expected;
pub use normal::Normal;

use crate::os::{self, OsError};

/// How much of an answer is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Something that matters is wrong.
    Fail,
    /// Order, arguments, results, files and refusals are right; a comment, the content of changes or the class of an
    /// error is not.
    Core,
    /// Everything is right.
    Full,
    /// There is no front door for any of its steps.
    Skipped,
}

impl Score {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Score::Fail => "fail",
            Score::Core => "core",
            Score::Full => "full",
            Score::Skipped => "skipped",
        }
    }

    /// The score of this word.
    pub fn of(word: &str) -> Option<Score> {
        [Score::Fail, Score::Core, Score::Full, Score::Skipped]
            .into_iter()
            .find(|score| score.word() == word)
    }
}

/// How a case went: its score, and what kept it from a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of its steps.
    pub score: Score,
    /// What the first step of that score says; empty for a full score.
    pub why: String,
    /// What going back to the time before the case left otherwise than it was, without a word about it.
    pub left: Option<String>,
}

impl Verdict {
    fn new(score: Score, why: impl Into<String>) -> Verdict {
        let (why, left) = (why.into(), None);
        Verdict { score, why, left }
    }
}

/// The directory beside the repository that holds the corpus and the seed tree; `None` where it is not.
pub fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    path.is_dir().then_some(path)
}

/// The corpora: the one beside the repository, where it is, and the project's own.
pub fn corpora() -> Vec<PathBuf> {
    let beside = shared().map(|dir| dir.join("conformance/cases"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    beside.into_iter().chain([own]).collect()
}

/// The directories of all cases by name, `category/name`.
///
/// # Errors
/// A directory that cannot be listed.
///
/// # Panics
/// When two corpora have a case of the same name.
pub fn cases(corpora: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, OsError> {
    let mut found = BTreeMap::new();
    for corpus in corpora {
        for category in os::names(corpus)? {
            for case in os::names(&corpus.join(&category))? {
                let name = format!("{category}/{case}");
                let dir = corpus.join(&name);
                if dir.join("expected.json").is_file() {
                    let twice = found.insert(name, dir.clone());
                    assert!(twice.is_none(), "{} is there twice", dir.display());
                }
            }
        }
    }
    Ok(found)
}

/// Runs cases, two at a time.
///
/// # Panics
/// When a case cannot be read or the machine refuses a scratch directory.
pub fn run(cases: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Verdict> {
    let next = Mutex::new(cases.iter());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some((name, dir)) = held(&next).next() {
            let verdict = Case::read(dir).and_then(|case| case.run());
            let verdict = verdict.unwrap_or_else(|err| panic!("{name}: {err}"));
            held(&done).insert(name.clone(), verdict);
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    done.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn held<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One line per category and one for all: how many cases hold.
pub fn tally(verdicts: &BTreeMap<String, Verdict>) -> String {
    let mut categories: BTreeMap<&str, Vec<Score>> = BTreeMap::new();
    for (name, verdict) in verdicts {
        let category = name.split('/').next().unwrap_or_default();
        categories.entry(category).or_default().push(verdict.score);
    }
    let line = |what: &str, scores: &[Score]| {
        let count = |score| scores.iter().filter(|one| **one == score).count();
        let (full, core) = (count(Score::Full), count(Score::Core));
        format!(
            "{what} {}: full {full}, core {}, fail {}, skipped {}\n",
            scores.len(),
            full + core,
            count(Score::Fail),
            count(Score::Skipped)
        )
    };
    let all: Vec<Score> = verdicts.values().map(|verdict| verdict.score).collect();
    let mut text: String = categories
        .iter()
        .map(|(category, scores)| line(category, scores))
        .collect();
    text.push_str(&line("cases", &all));
    text
}
