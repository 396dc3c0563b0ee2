//! `# salt-rs: allow CODE[, CODE]`: warnings the author has seen and means.
//!
//! A comment allows what is said of its own line or, when it stands alone, of the next line that is no comment; at the
//! top of a file, before anything else, of the whole file. Errors cannot be allowed.

use std::collections::BTreeMap;

use crate::compile::codes;
use crate::compile::diagnostic::{Diagnostic, Severity, did_you_mean};

/// What the comment begins with, behind its `#`.
const WORDS: &str = "salt-rs: allow ";

/// One code that a comment allows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allow {
    code: String,
    /// Line and column of the code.
    at: (u32, u32),
    /// The line it speaks of; none for the whole file.
    line: Option<u32>,
    used: bool,
}

/// Takes out what the comments of the files allow, and tells of comments that allow nothing.
///
/// `text` gives the text of a file as the problems name it; `files` are all that are looked at.
pub(super) fn apply(
    problems: Vec<Diagnostic>,
    files: impl IntoIterator<Item = String>,
    text: impl Fn(&str) -> Option<String>,
) -> Vec<Diagnostic> {
    let mut allowed: BTreeMap<String, Vec<Allow>> = BTreeMap::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let Some(text) = text(&file).filter(|text| text.contains(WORDS)) else {
            continue;
        };
        allowed.insert(file.clone(), read(&text));
        texts.insert(file, text);
    }
    let mut kept: Vec<Diagnostic> = problems
        .into_iter()
        .filter(|problem| {
            let (Severity::Warning, Some(code), Some(file)) =
                (problem.severity, problem.code(), &problem.file)
            else {
                return true;
            };
            let mut free = false;
            for allow in allowed.get_mut(file).into_iter().flatten() {
                if allow.code == code && (allow.line.is_none() || allow.line == problem.line) {
                    allow.used = true;
                    free = true;
                }
            }
            !free
        })
        .collect();
    for (file, allows) in allowed {
        for allow in allows.iter().filter(|allow| !allow.used) {
            let code = &allow.code;
            let problem = match codes::find(code) {
                None => {
                    let names = codes::CODES.iter().map(|code| code.name);
                    let help = did_you_mean(code, names);
                    Diagnostic::warning(format!("there is no code `{code}`"))
                        .coded("unknown-allow")
                        .with_help(help.unwrap_or_else(|| "`salt-rs lint --explain` lists them".to_owned()))
                }
                Some(known) if known.severity == Severity::Error => {
                    Diagnostic::warning(format!("`{code}` is an error and cannot be allowed"))
                        .coded("unknown-allow")
                        .with_help("mend what it says")
                }
                Some(_) => Diagnostic::warning(format!("nothing here is `{code}`"))
                    .coded("idle-allow")
                    .with_help("take the comment out"),
            };
            let (line, column) = allow.at;
            let problem = problem.in_file(file.clone()).at(line, column);
            kept.push(problem.with_source(texts.get(&file).map_or("", String::as_str)));
        }
    }
    kept
}

/// The comments of a text.
fn read(text: &str) -> Vec<Allow> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut top = true;
    for (index, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let alone = trimmed.starts_with('#');
        let blank = trimmed.is_empty();
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX - 1) + 1;
        if let Some((before, codes)) = line.split_once(WORDS)
            && before.trim_end().ends_with('#')
        {
            let speaks_of = match alone {
                true if top => None,
                true => {
                    let next = |line: &&str| !line.trim_start().starts_with('#') && !line.trim().is_empty();
                    let below = lines[index + 1..].iter().position(next);
                    below.map(|below| number(index + 1 + below)).or(Some(0))
                }
                false => Some(number(index)),
            };
            let mut column = before.chars().count() + WORDS.chars().count();
            for part in codes.split(',') {
                let code = part.trim();
                let lead = part.chars().take_while(|ch| ch.is_whitespace()).count();
                if !code.is_empty() {
                    found.push(Allow {
                        code: code.split_whitespace().next().unwrap_or(code).to_owned(),
                        at: (number(index), number(column + lead)),
                        line: speaks_of,
                        used: false,
                    });
                }
                column += part.chars().count() + 1;
            }
        }
        if !alone && !blank {
            top = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_speak_of_their_line_the_next_or_the_file() {
        let text =
            "# salt-rs: allow a-b\nx: 1 # salt-rs: allow c, d-e\n  # salt-rs: allow f\n\n# why\ny: 2\n";
        let lines: Vec<_> = read(text)
            .into_iter()
            .map(|allow| (allow.code, allow.line, allow.at))
            .collect();
        assert_eq!(
            lines,
            [
                ("a-b".to_owned(), None, (1, 18)),
                ("c".to_owned(), Some(2), (2, 23)),
                ("d-e".to_owned(), Some(2), (2, 26)),
                ("f".to_owned(), Some(6), (3, 20)),
            ]
        );
    }
}
