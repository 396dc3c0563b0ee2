//! `salt-rs lab down`: everything goes.

use clap::Args;
use lab::LabError;
use serde_json::json;

use super::Ground;
use crate::failure::Failure;
use crate::lab::failure;
use crate::lab::wire::{self, Request};

/// Take everything down; leaves nothing behind, whatever ended before
///
/// The hosts' disks are gone then, and so is the lab's copy of the tree with what was committed there. Images and packages
/// stay in the cache. Where no lab is up, what one left behind is removed.
#[derive(Debug, Args)]
pub(super) struct Down {}

/// Takes everything down; whether a lab was up.
pub(super) fn take_down(ground: &Ground) -> Result<bool, Failure> {
    if !lab::machine::is_root() {
        return Err(failure(&LabError::NotRoot));
    }
    let was_up = ground.folder.is_up();
    if was_up {
        // One that cannot be asked is taken down all the same.
        wire::ask(&ground.folder, &Request::Down).ok();
    }
    ground.folder.clear().map_err(|error| failure(&error))?;
    Ok(was_up)
}

pub(super) fn run(ground: &Ground) -> Result<u8, Failure> {
    let since = std::time::Instant::now();
    let was_up = take_down(ground)?;
    let (screen, dir) = (ground.screen, ground.folder.dir().display());
    if screen.json {
        screen.document(&json!({ "dir": dir.to_string(), "was_up": was_up }));
    } else if was_up {
        screen.out(format!(
            "the lab is down after {:.1} s",
            since.elapsed().as_secs_f64()
        ));
    } else {
        screen.out(format!("no lab was up in {dir}"));
    }
    Ok(0)
}
