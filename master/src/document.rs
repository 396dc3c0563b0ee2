//! YAML files of our own (settings, roster) as values that remember where they were written.
//!
//! Here lives the reading of fields: known names, expected shapes, problems collected with their place.
//! What a state tree's YAML means is decided in `compile`, not here.

use std::path::Path;

use serde_json::{Map, Number, Value};

use crate::compile::diagnostic::{Diagnostic, did_you_mean};

mod reader;

/// A place in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and the place it begins at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Mark,
    pub(crate) shape: Shape,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Null,
    /// A scalar other than null: its text as written, and what the text means.
    Scalar {
        text: String,
        means: Value,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Mark,
    pub(crate) value: Node,
}

impl Node {
    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.shape {
            Shape::Null => Value::Null,
            Shape::Scalar { means, .. } => means.clone(),
            Shape::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Shape::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// What the value is, in words for a message.
    fn kind(&self) -> &'static str {
        match &self.shape {
            Shape::Null => "nothing",
            Shape::Scalar {
                means: Value::Bool(_),
                ..
            } => "a boolean",
            Shape::Scalar {
                means: Value::Number(_),
                ..
            } => "a number",
            Shape::Scalar { .. } => "text",
            Shape::List(_) => "a list",
            Shape::Map(_) => "a mapping",
        }
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
        let root = match reader::read(text) {
            Ok(root) => Some(root),
            Err(problem) => {
                document.report(problem.at, problem.message, None);
                None
            }
        };
        (document, root)
    }

    /// Records an error at a place.
    pub(crate) fn report(&mut self, at: Mark, message: impl Into<String>, help: Option<String>) {
        let problem = Diagnostic::error(message);
        self.problems.push(self.placed(problem, at).with_help_if(help));
    }

    /// Records an error at a place whose text must not be shown, as it holds a secret.
    pub(crate) fn report_hidden(&mut self, at: Mark, message: impl Into<String>) {
        let problem = Diagnostic::error(message);
        self.problems
            .push(problem.in_file(self.file.clone()).at(at.line, at.column));
    }

    /// Records a warning at a place.
    pub(crate) fn warn(&mut self, at: Mark, message: impl Into<String>, help: &str) {
        let problem = Diagnostic::warning(message);
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

    /// The entries of a mapping; null counts as an empty one. Anything else is reported.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, of: &'static str) -> Fields<'n> {
        let entries: &[Entry] = match &node.shape {
            Shape::Map(entries) => entries,
            Shape::Null => &[],
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be a mapping, not {}", node.kind()),
                    None,
                );
                &[]
            }
        };
        Fields {
            of,
            entries,
            known: Vec::new(),
        }
    }

    /// A scalar's text as written.
    pub(crate) fn text(&mut self, node: &Node, of: &str) -> Option<String> {
        match &node.shape {
            Shape::Scalar { text, .. } => Some(text.clone()),
            _ => {
                self.report(node.at, format!("{of} must be text, not {}", node.kind()), None);
                None
            }
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&mut self, node: &Node, of: &str) -> Option<Vec<String>> {
        match &node.shape {
            Shape::List(items) => items.iter().map(|item| self.text(item, of)).collect(),
            _ => Some(vec![self.text(node, of)?]),
        }
    }

    /// A boolean.
    pub(crate) fn truth(&mut self, node: &Node, of: &str) -> Option<bool> {
        match &node.shape {
            Shape::Scalar {
                means: Value::Bool(truth),
                ..
            } => Some(*truth),
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be true or false, not {}", node.kind()),
                    None,
                );
                None
            }
        }
    }

    /// A whole number from `least` to `most`; digits in quotes count, as in Salt's rosters.
    pub(crate) fn number(&mut self, node: &Node, of: &str, least: u64, most: u64) -> Option<u64> {
        let found = match &node.shape {
            Shape::Scalar {
                means: Value::Number(number),
                ..
            } => number.as_u64(),
            Shape::Scalar {
                means: Value::String(text),
                ..
            } => text.parse().ok(),
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

    /// A mapping as JSON.
    pub(crate) fn object(&mut self, node: &Node, of: &str) -> Option<Map<String, Value>> {
        match node.to_json() {
            Value::Object(map) => Some(map),
            Value::Null => Some(Map::new()),
            _ => {
                self.report(
                    node.at,
                    format!("{of} must be a mapping, not {}", node.kind()),
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
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of a field; `None` when it is absent or null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (entry.value.shape != Shape::Null).then_some(&entry.value)
    }

    /// Reports every field nobody asked for, with the nearest one that somebody did ask for.
    pub(crate) fn finish(self, document: &mut Document<'_>) {
        for entry in self
            .entries
            .iter()
            .filter(|entry| !self.known.contains(&entry.key.as_str()))
        {
            let help = did_you_mean(&entry.key, self.known.iter().copied())
                .unwrap_or_else(|| format!("known are: {}", self.known.join(", ")));
            document.report(
                entry.at,
                format!("unknown key `{}` in {}", entry.key, self.of),
                Some(help),
            );
        }
    }
}

/// What a plain scalar means, as Salt's YAML 1.1 loader resolves it (salt-semantics: a leading zero is dropped,
/// a float needs a dot, `y` and `n` and dates stay text). `None` is null.
fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return None,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = digits.starts_with(|ch: char| ch.is_ascii_digit());
    let cleaned = text.replace('_', "");
    let unsigned = cleaned.strip_prefix('+').unwrap_or(&cleaned);
    if starts
        && digits.chars().all(|ch| ch.is_ascii_digit() || ch == '_')
        && let Ok(number) = unsigned.parse::<i64>()
    {
        return Some(Value::Number(number.into()));
    }
    let float = starts
        && digits.contains('.')
        && digits
            .chars()
            .all(|ch| ch.is_ascii_digit() || "._eE+-".contains(ch));
    if let Some(number) = float
        .then(|| unsigned.parse::<f64>().ok())
        .flatten()
        .and_then(Number::from_f64)
    {
        return Some(Value::Number(number));
    }
    Some(Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Vec<Diagnostic>, Option<Node>) {
        let (document, root) = Document::read(text, Path::new("a.yaml"));
        (document.into_problems(), root)
    }

    #[test]
    fn reads_values_as_yaml_1_1() {
        let text = "a: [1, 010, 1.5, yes, 'yes', ~, y, 2020-01-01, 1.2.3]\nb: {c: ''}\nd:\ne: |\n  x\n  y";
        let (problems, root) = read(text);
        assert_eq!(problems, []);
        let want = json!({"a": [1, 10, 1.5, true, "yes", null, "y", "2020-01-01", "1.2.3"], "b": {"c": ""}, "d": null, "e": "x\ny\n"});
        assert_eq!(root.unwrap().to_json(), want);
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
    fn keeps_digits_as_written() {
        let (_, root) = read("ref: 0012345\n");
        let root = root.unwrap();
        let (mut document, _) = Document::read("", Path::new("x"));
        let mut fields = document.fields(&root, "tree");
        let node = fields.take("ref").unwrap();
        assert_eq!(document.text(node, "ref").as_deref(), Some("0012345"));
    }
}
