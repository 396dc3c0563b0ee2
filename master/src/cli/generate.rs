//! `salt-rs completions` and `salt-rs man`: made from the command line's own definition.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::report::screen::Screen;

/// Print a completion script for a shell
///
/// For bash: salt-rs completions bash > /etc/bash_completion.d/salt-rs
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

/// Write man pages into a directory
///
/// One page for salt-rs and one for each command, in section 1.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Where to; made if missing
    dir: PathBuf,
}

pub(super) fn completions(command: &Completions, mut cli: clap::Command, screen: Screen) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut cli, "salt-rs", &mut script);
    screen.out(String::from_utf8_lossy(&script));
    0
}

#[expect(
    clippy::disallowed_methods,
    reason = "writes where the user of the master asked it to, not on a host"
)]
pub(super) fn man(command: &Man, cli: clap::Command, screen: Screen) -> Result<u8, Failure> {
    let fail = |error| {
        Failure::usage(format!(
            "cannot write man pages to {}: {error}",
            command.dir.display()
        ))
    };
    std::fs::create_dir_all(&command.dir).map_err(fail)?;
    clap_mangen::generate_to(cli, &command.dir).map_err(fail)?;
    if !screen.json {
        screen.out(format!(
            "man pages are in {}; read one with `man -l {}/salt-rs.1`",
            command.dir.display(),
            command.dir.display()
        ));
    }
    Ok(0)
}
