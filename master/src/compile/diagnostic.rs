//! Problems of a tree, settings or roster file, with the place they were found at.
//!
//! A `Diagnostic` is a value: problems are collected and shown together, never thrown one by one. Choosing an
//! exit status and colours is the business of the command line, not of this file.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::codes;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing stops.
    Warning,
    /// Nothing is run while one of these stands.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A further place that belongs to a problem: the other declaration, a step of a chain of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What is there.
    pub message: String,
    /// The file as the user knows it.
    pub file: Option<String>,
    /// The line in the user's own text, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
}

/// One problem: what, where, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it stops the run.
    pub severity: Severity,
    /// Its code, where it was given one; [`Diagnostic::code`] knows the others.
    code: Option<&'static str>,
    /// What is wrong, as a lower-case sentence fragment or in Salt's own words.
    pub message: String,
    /// The file as the user knows it.
    pub file: Option<String>,
    /// The line in the user's own text, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// The next step: the nearest name, the way out.
    pub help: Option<String>,
    /// The line of the source at that place, as written.
    pub excerpt: Option<String>,
    /// Further places, in the order in which they explain the problem.
    pub notes: Vec<Note>,
}

/// The longest excerpt, in characters.
const EXCERPT: usize = 300;

impl Diagnostic {
    /// Makes an error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into())
    }

    /// Makes a warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self {
            severity,
            code: None,
            message,
            file: None,
            line: None,
            column: None,
            help: None,
            excerpt: None,
            notes: Vec::new(),
        }
    }

    /// Gives it a code of the registry.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The stable short name of this kind of problem. What has no place in a file has none.
    pub fn code(&self) -> Option<&'static str> {
        self.code.or_else(|| {
            self.file.as_ref()?;
            codes::recognise(&self.message).map(|code| code.name)
        })
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names line and column, both from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the next step if there is one.
    #[must_use]
    pub fn with_help_if(mut self, help: Option<String>) -> Self {
        if help.is_some() {
            self.help = help;
        }
        self
    }

    /// Takes the excerpt from the text of the file; does nothing when the line is not known or not there.
    #[must_use]
    pub fn with_source(mut self, text: &str) -> Self {
        let index = self
            .line
            .and_then(|line| usize::try_from(line).ok())
            .and_then(|line| line.checked_sub(1));
        if let Some(line) = index.and_then(|index| text.lines().nth(index)) {
            self.excerpt = Some(discreet(line.trim_end()).chars().take(EXCERPT).collect());
        }
        self
    }

    /// Adds a further place: that of another problem, which says what is there.
    #[must_use]
    pub fn with_note(mut self, note: Self) -> Self {
        self.notes.push(Note {
            message: note.message,
            file: note.file,
            line: note.line,
            column: note.column,
        });
        self
    }

    /// `file:line:column` as far as known; `None` when not even the file is.
    pub fn place(&self) -> Option<String> {
        place(self.file.as_deref(), self.line, self.column)
    }

    /// The line below the excerpt that points at the column.
    fn marker(&self) -> Option<String> {
        let excerpt = self.excerpt.as_ref()?;
        let column = usize::try_from(self.column?.checked_sub(1)?).ok()?;
        let mut rest = excerpt.chars().skip(column).peekable();
        rest.peek()?;
        let word = rest.take_while(|ch| ch.is_alphanumeric() || "_-./".contains(*ch));
        let blank = |ch: char| if ch == '\t' { '\t' } else { ' ' };
        let before: String = excerpt.chars().take(column).map(blank).collect();
        Some(before + &"^".repeat(word.count().max(1)))
    }
}

impl Note {
    /// `file:line:column` as far as known; `None` when not even the file is.
    pub fn place(&self) -> Option<String> {
        place(self.file.as_deref(), self.line, self.column)
    }
}

fn place(file: Option<&str>, line: Option<u32>, column: Option<u32>) -> Option<String> {
    let file = file?;
    Some(match (line, column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        _ => file.to_owned(),
    })
}

/// A line without the secret it gives away: what stands behind a key that speaks of one, unless a template makes it.
fn discreet(line: &str) -> Cow<'_, str> {
    const SECRET: [&str; 6] = ["passw", "secret", "token", "api_key", "apikey", "private_key"];
    let Some((key, value)) = line.split_once(':') else {
        return Cow::Borrowed(line);
    };
    let low = key.to_lowercase();
    let plain = !value.trim().is_empty() && !value.contains("{{") && !value.contains("{%");
    if plain && SECRET.iter().any(|word| low.contains(word)) && !low.trim_start().starts_with("{%") {
        Cow::Owned(format!("{key}: …"))
    } else {
        Cow::Borrowed(line)
    }
}

/// Shows the problem as the style guide draws it, without a final newline and without colours. Characters that
/// could steer a terminal are escaped (requirement W3), since excerpts come from files anybody may have written.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "{}[{code}]: {}", self.severity, harmless(&self.message))?,
            None => write!(f, "{}: {}", self.severity, harmless(&self.message))?,
        }
        let place = self.place();
        let help = self.help.as_ref().map(|help| format!("help: {help}"));
        let notes: Vec<String> = self
            .notes
            .iter()
            .map(|note| match note.place() {
                Some(place) => format!("{place}: {}", note.message),
                None => note.message.clone(),
            })
            .collect();
        let marker = self.marker();
        let rows: Vec<&String> = place
            .iter()
            .chain(&self.excerpt)
            .chain(&marker)
            .chain(&notes)
            .chain(&help)
            .collect();
        let last = rows.len().saturating_sub(1);
        for (index, row) in rows.iter().enumerate() {
            let edge = match index {
                0 if last == 0 => '─',
                0 => '┌',
                _ if index == last => '└',
                _ => '│',
            };
            write!(f, "\n  {edge} {}", harmless(row))?;
        }
        Ok(())
    }
}

/// Escapes control characters (C0 but newline and tab, DEL, C1) and bidirectional overrides.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        let steers = (ch.is_control() && ch != '\n' && ch != '\t')
            || matches!(ch, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        if steers {
            out.extend(ch.escape_unicode());
        } else {
            out.push(ch);
        }
    }
    out
}

/// The candidate nearest to a misspelt name, or `None` when all are too far to be meant.
///
/// Distance counts inserted, dropped, changed and swapped neighbouring characters, ignoring case; up to a third
/// of the longer name (at least one) is near. Among equals the first candidate wins.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let limit = (wanted.len().max(letters.len()) / 3).max(1);
        let far = distance(&wanted, &letters);
        if far <= limit && best.is_none_or(|(least, _)| far < least) {
            best = Some((far, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The sentence "did you mean …?" for the nearest candidate.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(left != right))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *right && *left == b[j - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_excerpt_and_help() {
        let text = "a:\n  file.managed:\n    - sorce: salt://x\n";
        let shown = Diagnostic::error("unknown parameter `sorce` for file.managed")
            .in_file("web/init.sls")
            .at(3, 7)
            .with_source(text)
            .with_help("did you mean `source`?")
            .to_string();
        let want = "error: unknown parameter `sorce` for file.managed\n  ┌ web/init.sls:3:7\n  │     - sorce: salt://x\n  │       ^^^^^\n  └ help: did you mean `source`?";
        assert_eq!(shown, want);
    }

    #[test]
    fn shows_what_is_known() {
        assert_eq!(Diagnostic::warning("odd").to_string(), "warning: odd");
        assert_eq!(
            Diagnostic::error("odd").in_file("a").to_string(),
            "error: odd\n  ─ a"
        );
        let shown = Diagnostic::error("odd")
            .in_file("a")
            .at(9, 1)
            .with_source("one line")
            .to_string();
        assert_eq!(shown, "error: odd\n  ─ a:9:1");
    }

    #[test]
    fn notes_come_before_the_help() {
        let shown = Diagnostic::error("odd")
            .in_file("a")
            .at(1, 1)
            .with_note(Diagnostic::error("declared here").in_file("b").at(2, 3))
            .with_help("take one out")
            .to_string();
        assert_eq!(
            shown,
            "error: odd\n  ┌ a:1:1\n  │ b:2:3: declared here\n  └ help: take one out"
        );
    }

    #[test]
    fn an_excerpt_gives_no_secret_away() {
        let excerpt = |line: &str| {
            let problem = Diagnostic::error("odd").in_file("a").at(1, 1).with_source(line);
            problem.excerpt.unwrap_or_default()
        };
        assert_eq!(excerpt("  db_password: hunter2: x"), "  db_password: …");
        assert_eq!(excerpt("  db_password: {{ x }}"), "  db_password: {{ x }}");
        assert_eq!(excerpt("  user: x"), "  user: x");
        assert_eq!(excerpt(&"x".repeat(1000)).len(), 300);
    }

    #[test]
    fn escapes_what_steers_a_terminal() {
        let shown = Diagnostic::error("\u{1b}[2J \u{202e}x").to_string();
        assert_eq!(shown, "error: \\u{1b}[2J \\u{202e}x");
    }

    #[test]
    fn finds_the_nearest_name() {
        let cases = [
            ("sorce", &["source", "name", "mode"][..], Some("source")),
            ("urll", &["url", "ref"][..], Some("url")),
            ("hots", &["port", "host"][..], Some("host")),
            ("Host", &["host"][..], Some("host")),
            ("zzzzzz", &["url", "ref"][..], None),
            ("x", &[][..], None),
            ("", &["url"][..], None),
        ];
        for (name, candidates, want) in cases {
            assert_eq!(nearest(name, candidates.iter().copied()), want, "{name}");
        }
    }
}
