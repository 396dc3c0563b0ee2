//! `salt-rs lab fault`: hosts are broken and mended.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Ground;
use crate::failure::Failure;
use crate::lab::wire;

/// Break a host or its cable, or mend it
///
/// Returns when it is so. The name `master` means the cable between this machine and all hosts: `lab fault master delay 50`
/// makes every way between the two 50 ms long, in each direction.
#[derive(Debug, Args)]
pub(super) struct Fault {
    /// A host of the lab, or `master`
    host: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Pull its cable
    Cut,
    /// Plug its cable in again, and end delay and loss
    Heal,
    /// Make its cable slow, in each direction
    Delay {
        /// Milliseconds; 0 ends it
        #[arg(value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=10_000))]
        ms: u32,
    },
    /// Lose frames from and to it, at random
    Loss {
        /// Percent; 0 ends it
        #[arg(value_name = "PCT", value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Leave no space on the file system of a directory
    Fill {
        /// A directory of the host
        path: String,
    },
    /// Give the space back
    Unfill {
        /// The same directory
        path: String,
    },
    /// Reboot it, in order; boot it if it is off
    Reboot,
    /// Cut its power: what was written stays
    Crash,
    /// Stop all its processes: the kernel still answers pings, nobody else does
    Freeze,
    /// Let a frozen host go on
    Thaw,
}

pub(super) fn run(command: &Fault, ground: &Ground) -> Result<u8, Failure> {
    let fault = match command.what.clone() {
        What::Cut => wire::Fault::Cut,
        What::Heal => wire::Fault::Heal,
        What::Delay { ms } => wire::Fault::Delay(ms),
        What::Loss { percent } => wire::Fault::Loss(percent),
        What::Fill { path } => wire::Fault::Fill(path),
        What::Unfill { path } => wire::Fault::Unfill(path),
        What::Reboot => wire::Fault::Reboot,
        What::Crash => wire::Fault::Crash,
        What::Freeze => wire::Fault::Freeze,
        What::Thaw => wire::Fault::Thaw,
    };
    wire::fault(&ground.folder, &command.host, fault)?;
    if ground.screen.json {
        ground.screen.document(&json!({ "host": command.host }));
    }
    Ok(0)
}
