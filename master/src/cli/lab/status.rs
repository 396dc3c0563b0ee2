//! `salt-rs lab status`: the hosts and what they take.

use clap::Args;

use super::Ground;
use crate::failure::Failure;
use crate::lab::wire;
use crate::report::screen::Tone;

/// List the hosts and what they take
///
/// Exit status 3 when no lab is up, or one of its hosts is not.
#[derive(Debug, Args)]
pub(super) struct Status {}

pub(super) fn run(ground: &Ground) -> Result<u8, Failure> {
    let (screen, status) = (ground.screen, wire::status(&ground.folder)?);
    let code = if status.hosts.values().all(|host| host.state == "up") {
        0
    } else {
        3
    };
    if screen.json {
        let document = serde_json::to_value(&status).map_err(Failure::bug)?;
        screen.document(&document);
        return Ok(code);
    }
    let heading = format!(
        "{:16} {:16} {:8} {:>6} {:>10} {:>8} {:>8}  {}",
        "HOST", "ADDRESS", "STATE", "BOOTS", "PROCESSES", "MEMORY", "DISK", "FAULTS"
    );
    screen.out(screen.paint(Tone::Strong, heading.trim_end()));
    for (name, host) in &status.hosts {
        let tone = if host.state == "up" { Tone::Good } else { Tone::Bad };
        let state = screen.paint(tone, format!("{:8}", host.state));
        let line = format!(
            "{name:16} {:16} {state} {:>6} {:>10} {:>6} M {:>6} M  {}",
            host.ip,
            host.boots,
            host.processes,
            host.memory_mib,
            host.disk_mib,
            host.faults.join(", ")
        );
        screen.out(line.trim_end());
    }
    if !status.faults.is_empty() {
        screen.out(format!("{:16} {:61} {}", "master", "", status.faults.join(", ")));
    }
    screen.out(format!(
        "{} hosts in {}, {} MiB of memory, {} MiB written; {}",
        status.hosts.len(),
        status.network,
        status.memory_mib,
        status.disk_mib,
        status.dir
    ));
    Ok(code)
}
