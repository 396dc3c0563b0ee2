//! YAML files of our own (settings, roster) as values that remember where they were written.
//!
//! Here lives the reading of fields: known names, expected shapes, problems collected with their place.
//! What a state tree's YAML means is decided in `compile`, not here.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::compile::diagnostic::{Diagnostic, did_you_mean};
use crate::compile::yaml::{self, Mark, Node, Value, YamlError};

/// What a value is, in words for a message.
fn kind(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// One file being read, with the problems found so far.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    file: String,
    text: &'a str,
    problems: Vec<Diagnostic>,
}

impl<'a> Document<'a> {
    /// Reads the text; `None` for its root when it is not YAML (the problem is then recorded).
    pub(crate) fn read(text: &'a str, file: &Path) -> (Self, Option<Node>) {
        let mut document = Self {
            file: file.display().to_string(),
            text,
            problems: Vec::new(),
        };
        let root = match yaml::load(text) {
            Ok(root) => Some(root),
            Err(problem) => {
                document.malformed(problem);
                None
            }
        };
        (document, root)
    }

    /// Records an error at a place.
    pub(crate) fn report(&mut self, at: Mark, message: impl Into<String>, help: Option<String>) {
        let problem = Diagnostic::error(message).coded("settings");
        self.problems.push(self.placed(problem, at).with_help_if(help));
    }

    /// Records that the text is no YAML.
    fn malformed(&mut self, error: YamlError) {
        let index = usize::try_from(error.at.line)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let line = self.text.lines().nth(index);
        let help = error.help(line.unwrap_or_default());
        let at = match error.began {
            Some((began, _)) if line.is_none() => began,
            _ => error.at,
        };
        let problem = Diagnostic::error(error.message);
        self.problems.push(self.placed(problem, at).with_help_if(help));
    }

    /// Records an error at a place whose text must not be shown, as it holds a secret.
    pub(crate) fn report_hidden(&mut self, at: Mark, message: impl Into<String>) {
        let problem = Diagnostic::error(message).coded("settings");
        self.problems
            .push(problem.in_file(self.file.clone()).at(at.line, at.column));
    }

    /// Records a warning at a place.
    pub(crate) fn warn(&mut self, at: Mark, message: impl Into<String>, help: &str) {
        let problem = Diagnostic::warning(message).coded("settings");
        self.problems.push(self.placed(problem, at).with_help(help));
    }

    fn placed(&self, problem: Diagnostic, at: Mark) -> Diagnostic {
        let mut problem = problem
            .in_file(self.file.clone())
            .at(at.line, at.column)
            .with_source(self.text);
        // A roster line may hold a password beside the mistake (requirement P3).
        problem.excerpt = problem.excerpt.filter(|line| !line.contains("passwd"));
        problem
    }

    /// Ends the reading: everything that was found, in the order of the file.
    pub(crate) fn into_problems(mut self) -> Vec<Diagnostic> {
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }

    /// The fields of a mapping; null counts as an empty one. Anything else is reported.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, of: &'static str) -> Fields<'n> {
        Fields {
            of,
            entries: self.entries(node, of),
            known: Vec::new(),
        }
    }

    /// The entries of a mapping whose keys the user chooses.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, of: &str) -> &'n [(Node, Node)] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be a mapping, not {}", kind(node)),
                    None,
                );
                &[]
            }
        }
    }

    /// A scalar's text as written.
    pub(crate) fn text(&mut self, node: &Node, of: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(self.written(node)),
            _ => {
                self.report(node.at, format!("{of} must be text, not {}", kind(node)), None);
                None
            }
        }
    }

    /// A plain scalar as it stands in the file: a commit or a name of digits keeps its leading zeros.
    fn written(&self, node: &Node) -> String {
        let index = |from_one: u32| usize::try_from(from_one.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = self.text.lines().nth(index(node.at.line)).unwrap_or_default();
        let ends = |ch: &char| !ch.is_whitespace() && !",]}".contains(*ch);
        let written: String = line
            .chars()
            .skip(index(node.at.column))
            .take_while(ends)
            .collect();
        if yaml::plain_scalar(&written) == node.value {
            written
        } else {
            node.value.python_text()
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&mut self, node: &Node, of: &str) -> Option<Vec<String>> {
        match &node.value {
            Value::List(items) => items.iter().map(|item| self.text(item, of)).collect(),
            _ => Some(vec![self.text(node, of)?]),
        }
    }

    /// A boolean.
    pub(crate) fn truth(&mut self, node: &Node, of: &str) -> Option<bool> {
        match node.value {
            Value::Bool(truth) => Some(truth),
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be true or false, not {}", kind(node)),
                    None,
                );
                None
            }
        }
    }

    /// A whole number from `least` to `most`; digits in quotes count, as in Salt's rosters.
    pub(crate) fn number(&mut self, node: &Node, of: &str, least: u64, most: u64) -> Option<u64> {
        let found = match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        match found {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be a whole number from {least} to {most}"),
                    None,
                );
                None
            }
        }
    }

    /// A number of bytes: whole, or with `K`, `M`, `G` or `T` behind it for powers of 1024.
    pub(crate) fn bytes(&mut self, node: &Node, of: &str) -> Option<u64> {
        let text = self.text(node, of)?;
        let (digits, shift) = match text.char_indices().next_back() {
            Some((end, 'K')) => (&text[..end], 10),
            Some((end, 'M')) => (&text[..end], 20),
            Some((end, 'G')) => (&text[..end], 30),
            Some((end, 'T')) => (&text[..end], 40),
            _ => (text.as_str(), 0),
        };
        let found = digits.parse::<u64>().ok();
        let found = found.and_then(|number| number.checked_mul(1 << shift));
        if found.is_none() {
            let help = "for example 500M or 2G".to_owned();
            self.report(node.at, format!("{of} must be a number of bytes"), Some(help));
        }
        found
    }

    /// A mapping as JSON.
    pub(crate) fn object(&mut self, node: &Node, of: &str) -> Option<Map<String, Json>> {
        match node.to_json() {
            Json::Object(map) => Some(map),
            Json::Null => Some(Map::new()),
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be a mapping, not {}", kind(node)),
                    None,
                );
                None
            }
        }
    }
}

/// The fields of one mapping; those asked for are the known ones.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    of: &'static str,
    entries: &'n [(Node, Node)],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of a field; `None` when it is absent or null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let (_, value) = self.entries.iter().find(|(key, _)| key.as_text() == Some(name))?;
        (value.value != Value::Null).then_some(value)
    }

    /// Reports every field nobody asked for, with the nearest one that somebody did ask for.
    pub(crate) fn finish(self, document: &mut Document<'_>) {
        for (key, _) in self.entries {
            let name = key.value.key_text();
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let help = did_you_mean(&name, self.known.iter().copied())
                .unwrap_or_else(|| format!("known are: {}", self.known.join(", ")));
            document.report(key.at, format!("unknown key `{name}` in {}", self.of), Some(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Diagnostic>, Option<Node>) {
        let (document, root) = Document::read(text, Path::new("a.yaml"));
        (document.into_problems(), root)
    }

    #[test]
    fn names_the_place_of_what_is_not_yaml() {
        for (text, place) in [
            ("a: [1\nb: 2\n", "a.yaml:2:2"),
            ("a: 1\na: 2\n", "a.yaml:2:1"),
            ("a: 1\n---\nb: 1\n", "a.yaml:2:1"),
            ("a: *x\n", "a.yaml:1:4"),
        ] {
            let (problems, root) = read(text);
            assert!(root.is_none(), "{text}");
            assert_eq!(problems[0].place().as_deref(), Some(place), "{text}");
        }
    }

    #[test]
    fn bears_any_input() {
        for text in [
            "",
            "\n",
            "# only a comment",
            "|",
            "a: |",
            "\u{0}",
            "- - - [",
            "? ",
            "!!x y",
            "%YAML 9",
        ] {
            let (problems, root) = read(text);
            assert!(root.is_some() || !problems.is_empty(), "{text:?}");
        }
        let (problems, root) = read(&"[".repeat(100_000));
        assert!(root.is_none() && problems.len() == 1);
    }

    #[test]
    fn keeps_plain_scalars_as_written() {
        let text = "a: 0012345\nb: [007, yes]\nc: { d: 1_000}\ne: &x 08\nf: *x\n";
        let (mut document, root) = Document::read(text, Path::new("a.yaml"));
        let root = root.unwrap();
        let mut texts = |key: &str| document.texts(root.value.get(key).unwrap(), key).unwrap();
        assert_eq!(texts("a"), ["0012345"]);
        assert_eq!(texts("b"), ["007", "yes"]);
        assert_eq!(texts("f"), ["08"]);
        let c = root.value.get("c").unwrap().value.get("d").unwrap();
        assert_eq!(document.text(c, "d").as_deref(), Some("1_000"));
    }
}
