//! The codes of problems: a short stable name for each kind, with what is behind it and an example.
//!
//! `codes.txt` is the registry. What lint warns of names its code itself; the sentences of the compiler are Salt's and
//! fixed, so their code is recognised by what they say, in the order of the registry.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::diagnostic::Severity;

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The name: `octal-mode`.
    pub name: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// A line that says what it is.
    pub title: &'static str,
    /// Why it matters and what to do.
    pub why: String,
    /// Parts of messages by which it is known.
    says: Vec<&'static str>,
    /// A tree that has it: path and text.
    pub bad: Option<Example>,
    /// One that has not.
    pub good: Option<Example>,
}

/// A file of an example.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Example {
    /// Its path in the tree.
    pub path: &'static str,
    /// Its text.
    pub text: String,
}

/// All codes, in the order of the registry.
pub static CODES: LazyLock<Vec<Code>> = LazyLock::new(|| parse(include_str!("codes.txt")));

/// The code of this name.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// The code a message is known by.
pub fn recognise(message: &str) -> Option<&'static Code> {
    CODES
        .iter()
        .find(|code| code.says.iter().any(|part| message.contains(part)))
}

/// Where what a line says goes to.
enum Part {
    Why,
    Bad,
    Good,
}

fn parse(text: &'static str) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    let mut part = Part::Why;
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("= ") {
            let (head, title) = head.split_once(": ").unwrap_or((head, ""));
            let (name, severity) = head.split_once(' ').unwrap_or((head, ""));
            part = Part::Why;
            codes.push(Code {
                name,
                severity: if severity == "error" {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                title,
                why: String::new(),
                says: Vec::new(),
                bad: None,
                good: None,
            });
            continue;
        }
        let Some(code) = codes.last_mut() else { continue };
        if let Some(says) = line.strip_prefix("? ") {
            code.says.extend(says.split(" | "));
            continue;
        }
        let example = line
            .strip_suffix(':')
            .map(|head| head.split_once(' ').unwrap_or((head, "salt/a.sls")))
            .filter(|(head, _)| matches!(*head, "bad" | "good"));
        if let Some((head, path)) = example {
            let text = String::new();
            let example = Some(Example { path, text });
            if head == "bad" {
                code.bad = example;
                part = Part::Bad;
            } else {
                code.good = example;
                part = Part::Good;
            }
            continue;
        }
        let into = match part {
            Part::Why => Some(&mut code.why),
            Part::Bad => code.bad.as_mut().map(|example| &mut example.text),
            Part::Good => code.good.as_mut().map(|example| &mut example.text),
        };
        if let Some(into) = into {
            into.push_str(line);
            into.push('\n');
        }
    }
    for code in &mut codes {
        code.why.truncate(code.why.trim_end().len());
        for example in code.bad.iter_mut().chain(&mut code.good) {
            example.text.truncate(example.text.trim_end().len());
            example.text.push('\n');
        }
    }
    codes
}

impl Code {
    /// The whole page of a code, as text.
    pub fn page(&self) -> String {
        let mut page = format!("{} ({}): {}\n", self.name, self.severity, self.title);
        if !self.why.is_empty() {
            page += &format!("\n{}\n", self.why);
        }
        for (word, example) in [("bad", &self.bad), ("good", &self.good)] {
            if let Some(example) = example {
                page += &format!("\n{word}:\n");
                for line in example.text.lines() {
                    page += &format!("    {line}\n");
                }
            }
        }
        page
    }
}

/// The page of all codes, for docs.
pub fn markdown() -> String {
    let mut page = String::new();
    for severity in [Severity::Error, Severity::Warning] {
        let word = match severity {
            Severity::Error => "Errors",
            Severity::Warning => "Warnings",
        };
        let some = || CODES.iter().filter(move |code| code.severity == severity);
        // Writing to a text cannot fail.
        writeln!(page, "## {word}\n\n| code | what |\n|---|---|").ok();
        for code in some() {
            writeln!(page, "| [`{0}`](#{0}) | {1} |", code.name, code.title).ok();
        }
        for code in some() {
            writeln!(page, "\n### {}\n\n{}.", code.name, upper(code.title)).ok();
            if !code.why.is_empty() {
                writeln!(page, "{}", code.why).ok();
            }
            for (word, example) in [("Bad", &code.bad), ("Good", &code.good)] {
                if let Some(example) = example {
                    writeln!(page, "\n{word}:\n```yaml\n{}```", example.text).ok();
                }
            }
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn upper(title: &str) -> String {
    let mut chars = title.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_told() {
        let names: HashSet<_> = CODES.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), CODES.len());
        for code in CODES.iter() {
            assert!(
                !code.title.is_empty() && !code.title.ends_with('.'),
                "{}",
                code.name
            );
            assert!(
                code.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                code.name
            );
            assert_eq!(code.bad.is_some(), code.good.is_some(), "{}", code.name);
        }
    }

    #[test]
    fn messages_are_recognised() {
        let name = |message: &str| recognise(message).map(|code| code.name);
        assert_eq!(name("found conflicting ID 'x'"), Some("yaml-duplicate-key"));
        assert_eq!(name("no such thing"), None);
    }
}
