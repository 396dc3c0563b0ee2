//! `salt-rs lab`: real hosts on this one machine.

mod check;
mod demo;
mod down;
mod fault;
mod ssh;
mod status;
mod up;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::options::Common;
use crate::failure::Failure;
use crate::lab::folder::Folder;
use crate::report::screen::Screen;
use crate::settings::Surroundings;

/// Make, use, break and take down real hosts on this one machine
///
/// Each host has a network interface, a file system, systemd and sshd of its own, in namespaces of this machine's kernel.
/// vagrant/lab.yaml, or the file named with --file, says which hosts there are. The lab touches nothing of this machine's
/// network, mounts or services, and `lab down` leaves nothing behind. It needs root.
///
/// Its directory is /var/lib/salt-rs/lab, or $SALT_RS_LAB_DIR, or --dir. There lie the settings, the roster, the key and
/// the hosts' keys, so that any command works with the hosts from any terminal:
///
///   salt-rs --config /var/lib/salt-rs/lab/salt-rs.yaml apply
///
/// Images and packages are kept in /var/cache/salt-rs-lab, or $SALT_RS_LAB_CACHE.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Lab {
    #[command(subcommand)]
    command: Command,
    /// The lab's directory
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boot the hosts; returns when all of them answer
    Up(up::Up),
    /// Build the image and fetch the packages, and boot nothing
    ///
    /// The only part of the lab that needs the world outside. After it `lab up` works without any network.
    Prepare(up::Prepare),
    /// Take everything down; leaves nothing behind, whatever ended before
    Down(down::Down),
    /// List the hosts and what they take
    Status(status::Status),
    /// Enter a host, or run a command there, over ssh
    Ssh(ssh::Ssh),
    /// Break a host or its cable, or mend it
    Fault(fault::Fault),
    /// Check the stack that runs on the lab, each check with what it measured
    Check(check::Check),
    /// Show everything: made, converged, checked, broken, rolled back, taken down
    Demo(demo::Demo),
    /// Keep a lab's hosts; started by `lab up`
    #[command(hide = true)]
    Keep(up::Chosen),
}

/// What every one of the lab's commands works with.
struct Ground {
    folder: Folder,
    around: Surroundings,
    screen: Screen,
}

pub(super) fn run(command: Lab, common: &Common, screen: Screen) -> Result<u8, Failure> {
    let around = Surroundings::of_process()
        .map_err(|error| Failure::usage(format!("cannot see the working directory: {error}")))?;
    let ground = Ground {
        folder: Folder::find(command.dir.as_deref(), &around),
        around,
        screen,
    };
    match command.command {
        Command::Up(up) => up::up(&up, &ground),
        Command::Prepare(prepare) => up::prepare(&prepare, &ground),
        Command::Down(_) => down::run(&ground),
        Command::Status(_) => status::run(&ground),
        Command::Ssh(ssh) => ssh::run(&ssh, &ground),
        Command::Fault(fault) => fault::run(&fault, &ground),
        Command::Check(check) => check::run(
            &check,
            &check::Scene::open(&ground.folder, common, screen)?,
            screen,
        ),
        Command::Demo(demo) => demo::run(&demo, &ground, common),
        Command::Keep(chosen) => up::keep(&chosen, &ground),
    }
}
