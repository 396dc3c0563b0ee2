//! The cases that do not hold in full, `name score reason` a line, in a file that is rewritten with `UPDATE_EXPECT=1`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Score, Verdict};
use crate::os::{self, OsError};

const HEAD: &str = "# Every case of the conformance corpora holds in full but for these: case, score, reason.\n# Rewritten by `UPDATE_EXPECT=1 cargo test -p salt-rs-tests --test it conformance`; reasons that begin with\n# `because` are written by hand and kept while the score is the same.\n";

/// How a reason begins that somebody wrote.
const BY_HAND: &str = "because ";

/// Longest reason, in characters.
const REASON: usize = 200;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(BTreeMap<String, Verdict>);

impl Expected {
    /// Reads it; a missing one expects everything in full.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn read(file: &Path) -> Result<Expected, OsError> {
        let text = if file.exists() {
            os::read_text(file)?
        } else {
            String::new()
        };
        Ok(Expected::parse(&text))
    }

    fn parse(text: &str) -> Expected {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let cases = lines.filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (name, score) = (words.next()?, Score::of(words.next()?)?);
            let why = words.next().unwrap_or_default().to_owned();
            Some((name.to_owned(), Verdict::new(score, why)))
        });
        Expected(cases.collect())
    }

    /// The cases that do not hold in full.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What differs from it, one line each. `whole` says that all cases were run.
    pub fn differences(&self, got: &BTreeMap<String, Verdict>, whole: bool) -> Vec<String> {
        let mut out = Vec::new();
        for (name, verdict) in got {
            let (score, why) = (verdict.score.word(), &verdict.why);
            let known = self.0.get(name).map_or(Score::Full, |known| known.score);
            if known < verdict.score {
                out.push(format!(
                    "{name} is {score} now, was {}: rewrite the file",
                    known.word()
                ));
            } else if known > verdict.score {
                out.push(format!("{name} does not hold {}: {score}: {why}", known.word()));
            }
        }
        let gone = self.0.keys().filter(|name| whole && !got.contains_key(*name));
        out.extend(gone.map(|name| format!("{name} is gone from the corpus")));
        out
    }

    /// The text of the file for these results.
    pub fn rewritten(&self, got: &BTreeMap<String, Verdict>) -> String {
        let mut text = HEAD.to_owned();
        for (name, verdict) in got.iter().filter(|(_, verdict)| verdict.score != Score::Full) {
            let by_hand = |known: &&Verdict| known.score == verdict.score && known.why.starts_with(BY_HAND);
            let known = self.0.get(name).filter(by_hand);
            let why = known.map_or(&verdict.why, |known| &known.why);
            let why: String = why.replace('\n', "\\n").chars().take(REASON).collect();
            text.push_str(format!("{name} {} {why}", verdict.score.word()).trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn got(cases: &[(&str, Score, &str)]) -> BTreeMap<String, Verdict> {
        let one = |(name, score, why): &(&str, Score, &str)| ((*name).to_owned(), Verdict::new(*score, *why));
        cases.iter().map(one).collect()
    }

    #[test]
    fn a_reason_lives_as_long_as_its_score() {
        let known =
            Expected::parse("# about\na/x core because we know better\na/y fail b\na/z fail because c\n");
        let now = got(&[
            ("a/x", Score::Core, "found"),
            ("a/y", Score::Full, ""),
            ("a/z", Score::Core, "d"),
        ]);
        let text = known.rewritten(&now);
        assert_eq!(
            text,
            format!("{HEAD}a/x core because we know better\na/z core d\n")
        );
        assert!(Expected::parse(&text).differences(&now, true).is_empty());
    }

    #[test]
    fn every_difference_is_said() {
        let known = Expected::parse("a/x core\na/z core\n");
        let now = got(&[
            ("a/w", Score::Full, ""),
            ("a/x", Score::Full, ""),
            ("a/y", Score::Fail, "no"),
        ]);
        assert_eq!(known.differences(&now, true).len(), 3);
        assert_eq!(known.differences(&now, false).len(), 2);
    }
}
