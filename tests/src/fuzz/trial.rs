//! One tree through the compiler, and what is wrong with its answer.

use std::sync::Arc;

use master::compile::diagnostic::{Diagnostic, Severity};
use master::compile::lint::lint;
use master::compile::{Compiled, Grains, Input, Layout, Options, Roots, Tree, What, compile};
use master::tree::Memory;
use serde_json::json;

use super::Case;

/// Compiles a case. Every error has to name a line of one of its files.
///
/// # Errors
/// What is wrong with the answer.
pub fn trial(case: &Case) -> Result<(), String> {
    let files = case.files.iter().map(|(path, content)| (path.as_str(), content));
    let source = Memory::tree(files);
    let roots = Roots {
        states: [("base".to_owned(), vec!["salt".to_owned()])]
            .into_iter()
            .collect(),
        pillar: [("base".to_owned(), vec!["pillar".to_owned()])]
            .into_iter()
            .collect(),
    };
    let layout = Layout::of(&source, &roots).map_err(|error| error.to_string())?;
    let tree = Tree {
        source: Arc::new(source),
        layout: Arc::new(layout),
    };
    let grains = json!({"id": "m1", "os": "Debian", "roles": ["web"], "n": {"d": 1}, "odd": "a: b\n'"});
    let input = Input {
        minion: "m1",
        grains: Grains::Complete(Arc::new(grains.as_object().cloned().unwrap_or_default())),
        answers: Arc::default(),
        pillar: None,
        options: Arc::new(Options::default()),
        what: &What::Highstate,
        exclude: &[],
    };
    if let Compiled::Broken(problems) = compile(&tree, &input) {
        if problems.is_empty() {
            return Err("refused without a reason".to_owned());
        }
        placed(case, &problems)?;
    }
    placed(
        case,
        &lint(&tree, &input.options, std::slice::from_ref(&input)).problems,
    )
}

fn placed(case: &Case, problems: &[Diagnostic]) -> Result<(), String> {
    for problem in problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
    {
        let wrong = |why: &str| Err(format!("{why}: {problem:?}"));
        if problem.message.trim().is_empty() {
            return wrong("an error without a message");
        }
        // The heading of problems that have places of their own.
        if problem.message.starts_with("Pillar failed to render") {
            continue;
        }
        let Some(file) = &problem.file else {
            return wrong("an error without a file");
        };
        let Some((_, content)) = case.files.iter().find(|(path, _)| path == file) else {
            return wrong("an error in a file that is not there");
        };
        let lines = content
            .iter()
            .filter(|byte| matches!(byte, b'\n' | b'\r'))
            .count();
        // Unicode has further ends of lines.
        let others = String::from_utf8_lossy(content)
            .matches(['\u{85}', '\u{2028}', '\u{2029}'])
            .count();
        match problem.line {
            None => return wrong("an error without a line"),
            Some(line) if line == 0 || line as usize > lines + others + 1 => {
                return wrong("an error beyond the end of its file");
            }
            Some(_) => {}
        }
    }
    Ok(())
}
