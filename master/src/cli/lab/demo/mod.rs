//! `salt-rs lab demo`: the scene the product exists for, from nothing to eleven hosts and back, each step told in one line.
//!
//! A step is the command a user would type and what came of it. The steps are data ([`STEPS`]): the recording in the README
//! is checked against them. What they do is in `steps`, how they are told in `stage`.

mod figures;
mod stage;
mod steps;

use std::path::PathBuf;

use clap::Args;

use super::Ground;
use super::check::interrupted;
use crate::cli::options::Common;
use crate::failure::{Failure, Kind};
use stage::Stage;
use steps::STEPS;

/// Show everything: eleven hosts made, converged, checked, broken, rolled back, and taken down
///
/// Each step prints the command a user would type, what came of it, and its time; a table of the speed figures beside their
/// limits ends it. A step that fails ends the demo with its cause and exit status. The lab is taken down in the end, also
/// after a failure, unless --keep is given.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The lab file [default: vagrant/lab.yaml, here or above]
    #[arg(long, value_name = "LAB.yaml")]
    file: Option<PathBuf>,
    /// Leave the lab up
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(command: &Demo, ground: &Ground, common: &Common) -> Result<u8, Failure> {
    super::check::watch()?;
    let mut stage = Stage::new(ground, common, command.file.clone());
    let played = play(&mut stage);
    if played.is_ok() {
        stage.table();
    }
    if stage.is_up() && !command.keep {
        let down = stage.step("salt-rs lab down", |stage| stage.down());
        played.as_ref().map_err(again).and(down.as_ref().map_err(again))?;
    }
    // A failure has a document of its own.
    played?;
    if ground.screen.json {
        ground.screen.document(&stage.document());
    }
    Ok(0)
}

fn play(stage: &mut Stage<'_>) -> Result<(), Failure> {
    for step in STEPS {
        let command = step.command.replace("RUN", &stage.run);
        stage.step(&command, step.run)?;
        if interrupted() {
            return Err(Failure::new(Kind::Interrupted, "interrupted"));
        }
    }
    Ok(())
}

/// The same failure once more.
fn again(failure: &Failure) -> Failure {
    Failure::of(failure.kind, failure.diagnostics.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `$` lines of the page's recording.
    fn recorded() -> Vec<String> {
        let page = include_str!("../../../../../README.md");
        let (_, rest) = page.split_once("$ salt-rs lab demo\n").unwrap_or_default();
        let (recording, _) = rest.split_once("\n```").unwrap_or_default();
        let lines = recording.lines().filter_map(|line| line.strip_prefix("$ "));
        let run = regex::Regex::new("[0-9A-HJKMNP-TV-Z]{26}").unwrap();
        lines
            .map(|line| run.replace_all(line, "RUN").into_owned())
            .collect()
    }

    #[test]
    fn the_recording_in_the_readme_has_these_steps_in_this_order() {
        let mut wanted: Vec<_> = STEPS.iter().map(|step| step.command.to_owned()).collect();
        wanted.push("salt-rs lab down".to_owned());
        assert_eq!(recorded(), wanted, "record it again: `salt-rs lab demo`");
    }
}
