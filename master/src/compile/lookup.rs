//! Questions to the master itself: programs, files outside the tree, variables, decryption.
//!
//! They are to the master what `proto::Question` is to a host. Compiling stays pure: an answer that is not there is
//! written down, the pass is thrown away, and whoever compiles answers (`crate::own`), once per run. What may be asked
//! is decided by the settings alone; nothing in a tree can name a program or a file of the master.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

/// One question. Paths are as the settings have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// What a program prints, as text.
    Program(Vec<String>),
    /// An environment variable; null when there is none.
    Variable(String),
    /// The text of a file; null when there is none.
    File(String),
    /// A directory as a mapping of names; files are text, null when there is no directory.
    Folder {
        /// Where.
        path: String,
        /// Follow links to directories.
        follow: bool,
    },
    /// What all hosts told the mine: `{host: {told, grains, age}}`.
    Mine,
    /// The plain text of an armored message.
    Decrypt(Cipher, String),
}

/// What a message is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cipher {
    /// GnuPG.
    Gpg,
    /// age.
    Age,
}

impl Cipher {
    /// By the name of the renderer.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gpg" => Some(Self::Gpg),
            "age" => Some(Self::Age),
            _ => None,
        }
    }

    /// How an armored message begins and ends.
    const fn armor(self) -> (&'static str, &'static str) {
        match self {
            Self::Gpg => ("-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"),
            Self::Age => (
                "-----BEGIN AGE ENCRYPTED FILE-----",
                "-----END AGE ENCRYPTED FILE-----",
            ),
        }
    }

    /// The text with every armored message in it decrypted; `None` when there is none in it. Newlines at the end of what
    /// was decrypted go, as the renderer `gpg` of Salt does it.
    ///
    /// # Errors
    /// A message that cannot be decrypted, or whose end is missing.
    pub(crate) fn plain(
        self,
        text: &str,
        decrypt: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Option<String>, String> {
        let (begin, end) = self.armor();
        let Some((mut before, mut rest)) = text.split_once(begin) else {
            return Ok(None);
        };
        let mut out = String::new();
        loop {
            out.push_str(before);
            let (body, after) = rest
                .split_once(end)
                .ok_or_else(|| format!("the message has no `{end}`"))?;
            let message = format!("{begin}{body}{end}\n").replace("\\n", "\n");
            out.push_str(&decrypt(&message)?);
            match after.split_once(begin) {
                Some(next) => (before, rest) = next,
                None => {
                    out.push_str(after);
                    break;
                }
            }
        }
        Ok(Some(out.trim_end_matches('\n').to_owned()))
    }
}

/// An answer; the error is a fragment that fits after "cannot …: ".
pub type Answer = Result<Json, String>;

/// What the master has answered so far, and the notes that compiling leaves for it.
#[derive(Clone, Default)]
pub struct Known {
    /// Answers by question.
    pub answers: Arc<BTreeMap<Lookup, Answer>>,
    /// Secrets seen while compiling.
    pub secrets: Arc<Secrets>,
    /// Questions without an answer: while there are any, what was compiled is worth nothing.
    wanted: Arc<Mutex<BTreeSet<Lookup>>>,
}

impl Known {
    /// With these answers, and nothing wanted yet.
    pub fn new(answers: BTreeMap<Lookup, Answer>, secrets: Arc<Secrets>) -> Self {
        Self {
            answers: Arc::new(answers),
            secrets,
            wanted: Arc::default(),
        }
    }

    /// The answer; a question without one is written down.
    pub(crate) fn look(&self, lookup: Lookup) -> Option<Answer> {
        let found = self.answers.get(&lookup).cloned();
        if found.is_none() {
            self.wanted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(lookup);
        }
        found
    }

    /// The questions without an answer.
    pub fn wanted(&self) -> BTreeSet<Lookup> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.answers.keys()).finish()
    }
}

/// Shown in place of a secret.
pub const MASK: &str = "**********";
/// The shortest text that is looked for inside others: a shorter one would be found where it means nothing.
const SHORTEST: usize = 6;

/// Texts that are not to be shown (requirement P3).
#[derive(Default)]
pub struct Secrets(Mutex<BTreeSet<String>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Notes every text of a value.
    pub(crate) fn note(&self, value: &Json) {
        match value {
            Json::String(text) if !text.is_empty() => {
                self.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(text.clone());
            }
            Json::Array(items) => items.iter().for_each(|item| self.note(item)),
            Json::Object(map) => map.values().for_each(|value| self.note(value)),
            _ => {}
        }
    }

    /// Covers secrets, whole ones and the lines of long ones.
    pub fn mask(&self, text: &mut String) {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.contains(text.as_str()) {
            MASK.clone_into(text);
            return;
        }
        // A long secret first: it may hold a short one.
        let mut needles: Vec<&str> = secrets.iter().map(String::as_str).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        let lines = needles.clone().into_iter().filter(|needle| needle.contains('\n'));
        let lines = lines.flat_map(str::lines).map(str::trim);
        for needle in needles.into_iter().chain(lines.collect::<Vec<_>>()) {
            if needle.len() >= SHORTEST && text.contains(needle) {
                *text = text.replace(needle, MASK);
            }
        }
        // What stood there before a secret was changed is one too, and nobody here knows it.
        if text.starts_with("--- ") && text.contains(MASK) {
            let lines = text.lines().map(|line| {
                if line.starts_with('-') && !line.starts_with("--- ") {
                    format!("-{MASK}\n")
                } else {
                    format!("{line}\n")
                }
            });
            *text = lines.collect();
        }
    }

    /// Covers secrets in every text of a value.
    pub fn mask_all(&self, value: &mut Json) {
        if !self.is_empty() {
            self.mask_each(value);
        }
    }

    fn mask_each(&self, value: &mut Json) {
        match value {
            Json::String(text) => self.mask(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.mask_each(item)),
            Json::Object(map) => map.values_mut().for_each(|value| self.mask_each(value)),
            _ => {}
        }
    }

    /// Whether none was met.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> Result<Option<String>, String> {
        Cipher::Gpg.plain(text, |message| {
            let body = message
                .lines()
                .nth(1)
                .ok_or_else(|| "an empty message".to_owned())?;
            Ok(format!("<{body}>\n"))
        })
    }

    #[test]
    fn armor_is_found_anywhere_in_a_text() {
        let block = |body: &str| format!("-----BEGIN PGP MESSAGE-----\n{body}\n-----END PGP MESSAGE-----");
        assert_eq!(plain("plain\n"), Ok(None));
        assert_eq!(plain(&format!("{}\n\n", block("a"))), Ok(Some("<a>".to_owned())));
        let two = format!("u:{}@{}!", block("a"), block("b"));
        assert_eq!(plain(&two), Ok(Some("u:<a>\n@<b>\n!".to_owned())));
        let escaped = block("a").replace('\n', "\\n");
        assert_eq!(plain(&escaped), Ok(Some("<a>".to_owned())));
        assert!(plain("-----BEGIN PGP MESSAGE-----\na").is_err());
    }

    #[test]
    fn secrets_are_covered_whole_and_inside_others() {
        let secrets = Secrets::default();
        secrets.note(&json!({"a": ["hunter2hunter2", "abc"], "b": "first line\nsecond line\n"}));
        let mut shown = json!({
            "whole": "abc", "part": "abcdef", "inside": "-hunter2hunter2-", "line": "+second line", "number": 1
        });
        secrets.mask_all(&mut shown);
        let want = json!({
            "whole": MASK, "part": "abcdef", "inside": format!("-{MASK}-"), "line": format!("+{MASK}"), "number": 1
        });
        assert_eq!(shown, want);
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");

        let mut diff = "--- \n+++ \n@@ -1 +1 @@\n-what it was\n+hunter2hunter2\n".to_owned();
        secrets.mask(&mut diff);
        assert_eq!(diff, format!("--- \n+++ \n@@ -1 +1 @@\n-{MASK}\n+{MASK}\n"));
        let mut other = "--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n".to_owned();
        secrets.mask(&mut other);
        assert!(other.contains("-a"), "{other}");
    }
}
