//! Sls files that nothing names.
//!
//! Texts are searched, not documents: a name counts as used wherever it stands, and what a template makes of a name may
//! be anything. So what is said here is certain, but for files that are applied by name.

use std::collections::{HashMap, HashSet};

use super::files::written;
use crate::compile::diagnostic::Diagnostic;
use crate::compile::files::Files;
use crate::compile::python::fnmatch;

/// Stands for what a template prints.
const MADE: char = '\u{1}';

/// Files of these directories are run by name.
const BY_NAME: [&str; 4] = ["orch", "orchestrate", "orchestration", "reactor"];

/// A warning for each sls of the roots that no file names.
pub(super) fn told(files: &Files) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // Each word with a file it stands in, none when it stands in several.
    let mut everywhere: HashMap<String, Option<String>> = HashMap::new();
    for full in written(files) {
        let Some(text) = files.text_at(&full) else {
            continue;
        };
        for word in words(&text) {
            everywhere
                .entry(word)
                .and_modify(|file| *file = None)
                .or_insert_with(|| Some(full.clone()));
        }
    }
    let envs: Vec<&str> = files.envs().collect();
    for env in envs {
        if files.entry(env, "top.sls").is_none() {
            continue;
        }
        for name in files.names(env).iter().filter(|name| *name != "top") {
            let Some(file) = files.sls(env, name) else {
                continue;
            };
            let role = name.split('.').next().unwrap_or_default();
            if BY_NAME.contains(&role) || role.starts_with('_') {
                continue;
            }
            let named = |(word, within): (&String, &Option<String>)| {
                within.as_ref() != Some(&file.full) && names(word, name)
            };
            if !everywhere.iter().any(named) {
                found.push(
                    Diagnostic::warning(format!("nothing names the sls `{name}`"))
                        .coded("unused-file")
                        .in_file(file.full)
                        .at(1, 1)
                        .with_help("name it in a top file or an include, or take it out"),
                );
            }
        }
    }
    found
}

/// The words of a text that could be names; what a template prints is one character.
fn words(text: &str) -> HashSet<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        plain.push_str(before);
        plain.push(MADE);
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let part = |ch: char| ch.is_alphanumeric() || ch == MADE || "_-./*?".contains(ch);
    plain
        .split(|ch| !part(ch))
        .filter(|word| !word.is_empty() && *word != "*")
        .map(|word| {
            word.trim_end_matches(".sls")
                .trim_end_matches("/init")
                .replace('/', ".")
        })
        .collect()
}

/// Whether a word of another file means an sls.
fn names(word: &str, name: &str) -> bool {
    let word = word.trim_start_matches('.');
    let means = |pattern: &str| {
        fnmatch(name, pattern)
            || name.ends_with(&format!(".{pattern}"))
            || fnmatch(name, &format!("*.{pattern}"))
    };
    if word.is_empty() {
        return false;
    }
    if word.contains(MADE) {
        return means(&word.replace(MADE, "*"));
    }
    if word.contains(['*', '?']) {
        return fnmatch(name, word);
    }
    let before = name.strip_suffix(word);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_wherever_it_stands() {
        let used = |text: &str, name: &str| words(text).iter().any(|word| names(word, name));
        assert!(used("- web.config\n", "web.config"));
        assert!(used("- .config\n", "web.config"));
        assert!(used("- roles.{{ role }}\n", "roles.db"));
        assert!(used("- {{ role }}\n", "db"));
        assert!(used("'*': [web.*]\n", "web.config"));
        assert!(used("{% include 'web/part.sls' %}", "web.part"));
        assert!(!used("'*': [web]\n", "db"));
        assert!(!used("'*': [web]\n", "web.config"));
    }
}
