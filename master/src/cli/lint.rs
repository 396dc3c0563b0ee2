//! `salt-rs lint`: all problems of a tree at once.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Map;

use super::context::{Context, settings};
use super::options::Common;
use super::problem_json;
use crate::compile::codes::{self, CODES, Code, Example};
use crate::compile::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::compile::lint::{Lint as Found, sarif};
use crate::failure::{Failure, Kind};
use crate::report::screen::Screen;
use crate::tree::location::Location;

/// Report all problems of a tree at once, file:line:col
///
/// Looks at the files as they lie (or at a commit with --rev): YAML and Jinja syntax, top files, includes, declarations,
/// unknown states and arguments, requisites to nothing, missing sources, and words that YAML reads as something else.
/// What depends on a host is looked at for every host of the roster whose grains are known, from the roster or since it
/// was last reached; no host is contacted. Exit status 65 when there is an error; warnings alone are 0 unless --deny
/// says otherwise. A comment `# salt-rs: allow CODE` on the line, on a line of its own before it, or at the top of the
/// file takes a warning away.
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Directory of the tree; the settings' one unless given
    path: Option<PathBuf>,
    /// Explain a code; without one list all
    #[arg(long, value_name = "CODE", num_args = 0..=1)]
    explain: Option<Option<String>>,
    /// Print one SARIF 2.1.0 document on stdout
    #[arg(long, conflicts_with = "explain")]
    sarif: bool,
    /// Exit with 65 for these too: `warnings`, or a code
    #[arg(long, value_name = "CODE")]
    deny: Vec<String>,
}

pub(super) fn run(command: &Lint, common: &Common, screen: Screen) -> Result<u8, Failure> {
    if let Some(code) = &command.explain {
        return explain(code.as_deref(), screen);
    }
    if let Some(unknown) = command
        .deny
        .iter()
        .find(|code| *code != "warnings" && codes::find(code).is_none())
    {
        return Err(no_code(unknown));
    }
    let mut common = common.clone();
    if let Some(path) = &command.path {
        place(&mut common, path)?;
    }
    let settings = settings(&common)?;
    // Only a tree on this machine has files that lie around.
    common.worktree = common.rev.is_none() && matches!(settings.tree.url, Location::Local(_));
    let one = common.id.is_some() || common.local;
    let alone = !one && !settings.roster.exists();
    common.local |= alone;
    let context = Context::load(common, None, screen)?;
    let hosts = if alone {
        Vec::new()
    } else {
        context.compiled_for()?
    };
    let found = context.compiler(Vec::new(), Map::new())?.lint(&hosts);
    if !found.unknown.is_empty() {
        let names = found.unknown.join(", ");
        screen.err(format!(
            "not looked at for {names}: grains are not known yet (`salt-rs show grains` asks)"
        ));
    }
    if command.sarif {
        screen.document(&sarif::document(&found.problems, ""));
    } else {
        tell(&found, screen);
    }
    let denied = |problem: &Diagnostic| {
        let named = |code: &String| code == "warnings" || problem.code() == Some(code);
        problem.severity == Severity::Error || command.deny.iter().any(named)
    };
    Ok(if found.problems.iter().any(denied) {
        Kind::Tree.exit_code()
    } else {
        0
    })
}

/// The page of one code, or a line for each.
fn explain(name: Option<&str>, screen: Screen) -> Result<u8, Failure> {
    let told: Vec<&Code> = match name {
        Some(name) => vec![codes::find(name).ok_or_else(|| no_code(name))?],
        None => CODES.iter().collect(),
    };
    if screen.json {
        let example = |example: &Option<Example>| {
            let example = example.as_ref();
            example.map(|one| serde_json::json!({ "path": one.path, "text": one.text }))
        };
        let as_json = |code: &&Code| {
            serde_json::json!({
                "code": code.name,
                "severity": code.severity,
                "title": code.title,
                "why": code.why,
                "bad": example(&code.bad),
                "good": example(&code.good),
            })
        };
        screen.document(&told.iter().map(as_json).collect());
    } else if name.is_some() {
        told.iter().for_each(|code| screen.out(code.page()));
    } else {
        for code in told {
            screen.out(format!(
                "{:20} {:8} {}",
                code.name,
                code.severity.to_string(),
                code.title
            ));
        }
    }
    Ok(0)
}

fn no_code(name: &str) -> Failure {
    let near = did_you_mean(name, CODES.iter().map(|code| code.name));
    let help = near.unwrap_or_else(|| "`salt-rs lint --explain` lists all codes".to_owned());
    Failure::usage(format!("there is no code `{name}`")).hint(help)
}

/// The problems are what was asked for, so they are the output and no failure of the command.
fn tell(found: &Found, screen: Screen) {
    let errors = found.errors();
    let warnings = found.problems.len() - errors;
    if screen.json {
        let of = |severity| -> Vec<_> {
            let some = found
                .problems
                .iter()
                .filter(|problem| problem.severity == severity);
            some.map(problem_json).collect()
        };
        let document = serde_json::json!({
            "errors": of(Severity::Error),
            "warnings": of(Severity::Warning),
            "unknown": found.unknown,
        });
        screen.document(&document);
        return;
    }
    for problem in &found.problems {
        screen.out(problem);
    }
    let count = |number: usize, word: &str| match number {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        more => format!("{more} {word}s"),
    };
    screen.out(match found.problems.len() {
        0 => "no problems".to_owned(),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    });
}

/// A directory with settings of its own is a project; any other is a tree.
fn place(common: &mut Common, path: &Path) -> Result<(), Failure> {
    if !path.is_dir() {
        let text = format!("{} is not a directory", path.display());
        return Err(Failure::usage(text).hint("lint takes the directory of a project or of a tree"));
    }
    let own = path.join("salt-rs.yaml");
    if common.config.is_none() && own.is_file() {
        common.config = Some(own);
    } else {
        common.tree = Some(path.to_owned());
    }
    Ok(())
}
