//! Rust files as the rules see them: code without comments and strings, and without its tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// A Rust file of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the contents of literals blanked; the same number of lines.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let code = code(&text);
        Source { path, text, code }
    }

    /// Whether all of it is tests: a file of the `it` or the `stack` program, or a module of tests beside what it tests.
    pub(crate) fn is_tests(&self) -> bool {
        self.path.starts_with("tests/it/")
            || self.path.starts_with("tests/stack/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The code before its test module; all of it when that is elsewhere.
    pub(crate) fn product(&self) -> &str {
        if self.is_tests() {
            return "";
        }
        &self.code[..self.tests_at()]
    }

    /// The code of its tests.
    pub(crate) fn tests(&self) -> &str {
        if self.is_tests() {
            &self.code
        } else {
            &self.code[self.tests_at()..]
        }
    }

    fn tests_at(&self) -> usize {
        let mut from = 0;
        while let Some(at) = self.code[from..].find("#[cfg(test)]").map(|at| at + from) {
            let next = self.code[at..].trim_start_matches("#[cfg(test)]").trim_start();
            let name = next
                .strip_prefix("pub(crate) ")
                .unwrap_or(next)
                .strip_prefix("mod ");
            // `mod tests;` stands for another file.
            if name.is_some_and(|name| name.find('{') < name.find(';').or(Some(usize::MAX))) {
                return at;
            }
            from = at + 1;
        }
        self.code.len()
    }

    /// Lines of the product's code in this file, comments and blank lines included.
    pub(crate) fn length(&self) -> usize {
        self.product().lines().count()
    }
}

/// Whether code names `std::<module>`, be it in a path or in a group of imports.
pub(crate) fn names_std(code: &str, module: &str) -> bool {
    let tight: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut paths = tight.split("std::").skip(1);
    paths.any(|after| {
        if let Some(group) = after.strip_prefix('{') {
            return group_items(group)
                .iter()
                .any(|item| item.strip_prefix(module).is_some_and(ends));
        }
        after.strip_prefix(module).is_some_and(ends)
    })
}

/// Whether code names a crate or module as the head of a path.
pub(crate) fn names_path(code: &str, head: &str) -> bool {
    let path = format!("{head}::");
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.match_indices(&path)
        .any(|(at, _)| !code[..at].ends_with(word))
}

/// The items of an import group, up to its closing brace, inner groups left out.
fn group_items(group: &str) -> Vec<&str> {
    let (mut items, mut from, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[from..at]);
                from = at + 1;
            }
            _ => (),
        }
    }
    items
}

/// Every Rust file of the workspace's members.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for path in files() {
        if path.ends_with(".rs") {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            found.push(Source::new(path, text));
        }
    }
    assert!(found.len() > 50, "the walk found {} files only", found.len());
    found
}

/// Every file of the repository, by its path from the root, without what is built and git's own.
pub(crate) fn files() -> Vec<String> {
    let root = root();
    let mut todo = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if name == ".git" || name == "target" || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                todo.push(path)
            } else {
                found.push(name)
            }
        }
    }
    found.sort();
    found
}

/// Blanks comments and what is between quotes, keeping line ends.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (kept, skipped) = if rest.starts_with("//") {
            (0, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (0, block_comment(rest))
        } else if let Some(length) = raw_string(rest).filter(|_| !out.ends_with(word)) {
            (0, length)
        } else if c == '"' {
            (0, string(rest))
        } else if let Some(length) = character(rest) {
            (0, length)
        } else {
            (c.len_utf8(), c.len_utf8())
        };
        out.push_str(&rest[..kept]);
        if kept == 0 {
            // Something stays in its place, or `"a" "b"` would become one word with its neighbours.
            out.push(' ');
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        }
        rest = &rest[skipped..];
    }
    out
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") || rest.starts_with("*/") {
            if rest.starts_with("/*") {
                depth += 1
            } else {
                depth -= 1
            }
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let at = inner.find(&end)?;
    Some(text.len() - inner.len() + at + end.len())
}

/// A character literal, which a lifetime is not.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        // The escaped character itself may be a quote.
        let close = inner.get(2..)?.find('\'')?;
        return Some(1 + 2 + close + 1);
    }
    let first = inner.chars().next()?.len_utf8();
    inner[first..].starts_with('\'').then_some(1 + first + 1)
}

mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "a // std::fs\n/* b /* c */\nd */ e \"std::net \\\" // f\" g r#\"h \" i\"# 'j' '\\'' '\"' k<'l> '\\u{7f}' m";
        let words: Vec<_> = code(text).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["a", "e", "g", "k<'l>", "m"]);
        assert_eq!(code(text).lines().count(), text.lines().count());
    }

    #[test]
    fn modules_of_std_are_seen_however_they_are_named() {
        for yes in [
            "use std::fs;",
            "std::fs::read(p)",
            "use std::{fmt, fs::File};",
            "use std::{\n  io::{self, Read},\n  fs,\n};",
        ] {
            assert!(names_std(yes, "fs"), "{yes}");
        }
        for no in [
            "use std::fmt;",
            "use std::{io::{fs, x}, fmt};",
            "mine::fs::x()",
            "std::fsx",
        ] {
            assert!(!names_std(no, "fs"), "{no}");
        }
        assert!(names_path("let x = tokio::spawn(y);", "tokio"));
        assert!(!names_path("let x = crate::tokio::spawn(y);", "tokio"));
    }

    #[test]
    fn a_file_ends_where_its_tests_begin() {
        let text = "//! Doc.\nfn a() {}\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests {\n fn c() {}\n}\n";
        let source = Source::new("x/src/y.rs".to_owned(), text.to_owned());
        assert_eq!(source.length(), 4);
        assert!(source.tests().contains("fn c"));
        let whole = Source::new(
            "x/src/y.rs".to_owned(),
            "//! Doc.\n#[cfg(test)]\nmod tests;\nfn a() {}\n".to_owned(),
        );
        assert_eq!(whole.length(), 4);
    }
}
