//! The command line: one file per command. Each command returns its exit code or a [`Failure`].

mod apply;
mod call;
mod context;
mod doc;
mod explain;
mod generate;
mod hosts;
mod init;
mod lab;
mod lint;
mod log;
pub mod options;
mod rollback;
mod run;
mod show;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::{Failure, Kind};
use crate::report::screen::{Screen, Volume};
use context::Context;
use options::Common;

/// Configuration management in Salt's language: one static binary, a plan that is the apply, and an undo
///
/// salt-rs compiles a Salt tree at one git commit, pushes it over SSH to hosts that need nothing but sshd, records
/// every change with what was there before, and takes it back on request.
///
/// Targets are Salt's: a glob by default, or -L list, -E regex, -G grain, -I pillar, -N nodegroup, -C compound.
///
/// Exit status: 0 as declared; 1 a state failed; 2 plan: there are changes to make; 3 a host could not be reached or
/// its result is unknown; 4 rolled back; 5 refused before any host was touched; 64 usage; 65 the tree does not compile;
/// 70 a bug; 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "salt-rs",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// One command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Compile at one commit and converge hosts
    Apply(apply::Apply),
    /// Show exactly what apply would change, with diffs; changes nothing
    Plan(apply::Plan),
    /// Take hosts back to what they were
    Rollback(rollback::Rollback),
    /// Show the change record, newest first
    Log(log::Log),
    /// Show what the compiler sees
    Show(show::Show),
    /// Explain where a pillar value or a state comes from
    Explain(explain::Explain),
    /// Report all problems of a tree at once, file:line:col
    Lint(lint::Lint),
    /// Run a shell command on hosts
    Run(run::Run),
    /// Call an execution function on hosts
    Call(call::Call),
    /// List hosts, check them, take up or drop their keys
    Hosts(hosts::Hosts),
    /// Make, use, break and take down real hosts on this one machine
    Lab(lab::Lab),
    /// Show the reference of states and functions
    Doc(doc::Doc),
    /// Write a small working project
    Init(init::Init),
    /// Print a completion script for a shell
    Completions(generate::Completions),
    /// Write man pages into a directory
    Man(generate::Man),
}

/// Runs the program; returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::command()
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; all else is wrong use. Where the terminal is gone there is nobody to tell.
            error.print().ok();
            return if error.use_stderr() {
                Kind::Usage.exit_code()
            } else {
                0
            };
        }
    };
    let screen = Screen::new(cli.common.json, cli.common.color, volume(&cli.common));
    match dispatch(cli, screen) {
        Ok(code) => code,
        Err(failure) => {
            tell(&screen, &failure);
            failure.kind.exit_code()
        }
    }
}

fn volume(common: &Common) -> Volume {
    if common.quiet {
        Volume::Quiet
    } else if common.verbose > 0 {
        Volume::Verbose
    } else {
        Volume::Normal
    }
}

fn dispatch(cli: Cli, screen: Screen) -> Result<u8, Failure> {
    let common = cli.common;
    let context = |targets: &options::Targets| Context::load(common.clone(), Some(targets), screen);
    match cli.command {
        Command::Apply(command) => apply::apply(&command, &context(&command.targets)?),
        Command::Plan(command) => apply::plan(&command, &context(&command.targets)?),
        Command::Rollback(command) => rollback::run(&command, &context(&command.targets)?),
        Command::Log(command) => log::run(&command, &context(&command.targets())?),
        Command::Show(command) => show::run(&command, &context(&command.targets)?),
        Command::Explain(command) => explain::run(&command, &context(&command.targets)?),
        Command::Lint(command) => lint::run(&command, &common, screen),
        Command::Run(command) => run::run(&command, &context(&command.targets)?),
        Command::Call(command) => call::run(&command, &context(&command.targets)?),
        Command::Hosts(command) => hosts::run(&command, &Context::load(common.clone(), None, screen)?),
        Command::Lab(command) => lab::run(command, &common, screen),
        Command::Doc(command) => doc::run(&command, screen),
        Command::Init(command) => init::run(&command, screen),
        Command::Completions(command) => Ok(generate::completions(&command, Cli::command(), screen)),
        Command::Man(command) => generate::man(&command, Cli::command(), screen),
    }
}

/// Says why a command ended early: on stderr for people, as the contract's document with `--json`.
fn tell(screen: &Screen, failure: &Failure) {
    if screen.json {
        let errors: Vec<_> = failure.diagnostics.iter().map(problem_json).collect();
        screen.document(&serde_json::json!({ "errors": errors }));
    }
    for diagnostic in &failure.diagnostics {
        screen.err(diagnostic);
    }
}

/// A problem as the contract prints it.
fn problem_json(problem: &crate::compile::diagnostic::Diagnostic) -> serde_json::Value {
    let notes: Vec<_> = problem.notes.iter().map(|note| serde_json::json!(note)).collect();
    serde_json::json!({
        "severity": problem.severity,
        "code": problem.code(),
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "help": problem.help,
        "notes": notes,
    })
}
