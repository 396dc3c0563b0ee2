//! Everything that can be said about a tree without touching a host: all problems of all files at once.
//!
//! Files without Jinja, and templates that ask for nothing of a host, are read as they are (`files`). What depends on a
//! host is compiled for each host of the roster with the grains that are known of it; where one is missing nothing is
//! said of that host. `declared` judges chunks, `traps` warns of what YAML makes of plain words.

mod allow;
mod declared;
mod files;
mod habits;
pub mod sarif;
mod secrets;
mod traps;
mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::diagnostic::{Diagnostic, Severity};
use super::files::{Files, Which};
use super::oracle::{Grains, Oracle};
use super::{Input, Options, Stop, Tree, What, ordered, with_pillar};

/// What was found.
#[derive(Debug, Default)]
pub struct Lint {
    /// Problems by file and line, each once.
    pub problems: Vec<Diagnostic>,
    /// Hosts that nothing could be said of, as grains or other answers of theirs are not known.
    pub unknown: Vec<String>,
}

impl Lint {
    /// How many of the problems are errors.
    pub fn errors(&self) -> usize {
        let error = |problem: &&Diagnostic| problem.severity == Severity::Error;
        self.problems.iter().filter(error).count()
    }
}

/// Looks at all files of a tree, and at what the hosts among `inputs` would get.
pub fn lint(tree: &Tree, options: &Arc<Options>, inputs: &[Input<'_>]) -> Lint {
    let mut problems = Vec::new();
    for which in [Which::States, Which::Pillar] {
        problems.extend(files::all(nobody(tree, options, which), which));
        let files = Files::new(tree, which);
        problems.extend(unused::told(&files));
        problems.extend(secrets::told(&files));
    }
    let mut unknown = Vec::new();
    for input in inputs {
        let made = with_pillar(tree, input, |renderer| {
            let ordered = ordered(renderer, input)?;
            let files = &renderer.oracle.files;
            let judge = declared::Judge {
                files,
                sources: &renderer.sources,
            };
            let held = habits::Held::new();
            let mut found = habits::together(&ordered.lows, &renderer.sources);
            for low in &ordered.lows {
                found.extend(judge.chunk(low));
                found.extend(habits::chunk(low, &held, &renderer.sources));
            }
            Ok(found)
        });
        match made {
            Ok(made) => problems.extend(made.value.into_iter().chain(made.warnings)),
            Err(Stop::Broken(found)) => problems.extend(found),
            Err(Stop::Ask(_)) => unknown.push(input.minion.to_owned()),
        }
    }
    let written: BTreeSet<String> = [Which::States, Which::Pillar]
        .into_iter()
        .flat_map(|which| files::written(&Files::new(tree, which)))
        .collect();
    let files = Files::new(tree, Which::States);
    let text = |file: &str| Some(files.text_at(file)?.to_string());
    Lint {
        problems: by_place(allow::apply(without_echoes(tidy(problems)), written, text)),
        unknown,
    }
}

/// An oracle of a host of which nothing is known.
fn nobody(tree: &Tree, options: &Arc<Options>, which: Which) -> Arc<Oracle> {
    let input = Input {
        minion: "",
        grains: Grains::Asserted(Arc::default()),
        answers: Arc::default(),
        pillar: None,
        options: options.clone(),
        what: &What::Highstate,
        exclude: &[],
    };
    Arc::new(Oracle::new(
        &input,
        Files::new(tree, which),
        Json::Object(Map::new()),
    ))
}

/// In the order of files and lines.
fn by_place(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems
}

/// A clash between roles is no news where a host has both, nor what is unused while a top file is broken.
fn without_echoes(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let top = |problem: &Diagnostic| {
        let file = problem.file.as_deref().unwrap_or_default();
        problem.severity == Severity::Error && file.ends_with("top.sls")
    };
    if problems.iter().any(top) {
        problems.retain(|problem| problem.code() != Some("unused-file"));
    }
    let known: Vec<Option<String>> = problems
        .iter()
        .filter(|problem| problem.code() == Some("duplicate-id"))
        .map(Diagnostic::place)
        .collect();
    problems.retain(|problem| problem.code() != Some("role-clash") || !known.contains(&problem.place()));
    problems
}

/// In the order of files and lines, each once.
fn tidy(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    type At = (Option<String>, Option<u32>, Option<u32>);
    let mut places: BTreeMap<At, Vec<Diagnostic>> = BTreeMap::new();
    for mut problem in problems {
        let here = places
            .entry((problem.file.clone(), problem.line, problem.column))
            .or_default();
        // What a host's compilation says of a file is what was said of the file, with other first words.
        let same = |one: &&mut Diagnostic| {
            one.message.ends_with(&problem.message) || problem.message.ends_with(&one.message)
        };
        match here.iter_mut().find(same) {
            None => here.push(problem),
            Some(one) => {
                if one.message.len() < problem.message.len() {
                    std::mem::swap(one, &mut problem);
                }
            }
        }
    }
    places.into_values().flatten().collect()
}
