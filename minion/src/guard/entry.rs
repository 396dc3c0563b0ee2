//! Where the guard lives: outside the session and the run's own process, and in an entry that works at boot.
//!
//! On a host with systemd a transient unit is started over its private socket, so that the end of the ssh session's scope
//! does not take it along and a killed one comes back; elsewhere it is a process of its own. The entry for the boot is a
//! unit file with its link. It comes before the network: systemd waits with that until the files are back.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proto::Digest;

use super::Outside;
use super::probation::Probation;
use crate::journal::{Journal, JournalError, make_dir, place, sync_dir};
use crate::live::Live;

/// The real thing.
pub const OUTSIDE: Outside = Outside { entry, start };

const UNITS: &str = "/etc/systemd/system";
const WANTS: &str = "/etc/systemd/system/sysinit.target.wants";

fn systemd() -> bool {
    Path::new("/run/systemd/system").is_dir() && rustix::process::geteuid().is_root()
}

/// The unit's name: one for each state directory.
fn name(dir: &Path) -> String {
    if dir == Path::new("/var/lib/salt-rs") {
        return "salt-rs-guard".to_owned();
    }
    format!(
        "salt-rs-guard-{}",
        Digest::of(dir.as_os_str().as_encoded_bytes()).short()
    )
}

/// What will be made outside the state directory, in the order in which it goes.
fn entry(dir: &Path) -> Vec<PathBuf> {
    if !systemd() {
        return Vec::new();
    }
    let unit = format!("{}.service", name(dir));
    let mut paths = vec![Path::new(WANTS).join(&unit), Path::new(UNITS).join(&unit)];
    if !Path::new(WANTS).is_dir() {
        paths.push(WANTS.into());
    }
    paths
}

/// Writes the entry for the boot and starts the guard of a window.
fn start(journal: &Journal, probation: &Probation) -> Result<(), JournalError> {
    let dir = journal.dir();
    let failed = |cause| JournalError::io(dir, cause);
    let agent = fs::read_link("/proc/self/exe").map_err(failed)?;
    if let [link, unit, ..] = probation.entry.as_slice() {
        place(unit, unit_text(&agent, dir).as_bytes())?;
        make_link(unit, link)?;
        let name = format!("{}-{}", name(dir), probation.run.to_lowercase());
        let (agent, dir) = (agent.to_string_lossy(), dir.to_string_lossy());
        let argv = [
            "systemd-run",
            "--quiet",
            "--collect",
            "--no-ask-password",
            "--description=Takes back a run of salt-rs unless it is confirmed",
            "--property=Restart=on-failure",
            "--property=RestartSec=1",
            "--property=OOMScoreAdjust=-900",
            &format!("--unit={name}"),
            "--",
            &agent,
            "guard",
            "--dir",
            &dir,
            "--run",
            &probation.run,
        ];
        if Live::open(journal.objects().clone()).must(&argv).is_ok() {
            return Ok(());
        }
    }
    detached(&agent, dir, &probation.run).map_err(failed)
}

/// Lets systemd forget the boot's entry once it is gone; it knows it only if it was told to look again meanwhile.
pub fn forget(journal: &Journal) {
    let unit = format!("{}.service", name(journal.dir()));
    if !systemd() || Path::new(UNITS).join(&unit).exists() {
        return;
    }
    let live = Live::open(journal.objects().clone());
    let list = [
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        &unit,
    ];
    if live.must(&list).is_ok_and(|known| !known.trim().is_empty()) {
        // At the next reload it goes anyway.
        live.must(&["systemctl", "daemon-reload"]).ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "the guard's own boot entry")]
fn make_link(unit: &Path, link: &Path) -> Result<(), JournalError> {
    let failed = |cause| JournalError::io(link, cause);
    let wants = Path::new(WANTS);
    if !wants.is_dir() {
        make_dir(wants)?;
    }
    match std::os::unix::fs::symlink(unit, link) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(failed(cause)),
        _ => {}
    }
    sync_dir(wants)
}

/// The guard begins a session of its own, so that nothing that ends this one ends it.
#[expect(
    clippy::disallowed_methods,
    reason = "the agent starts itself, and nothing else"
)]
fn detached(agent: &Path, dir: &Path, run: &str) -> io::Result<()> {
    let mut guard = Command::new("/proc/self/exe");
    guard.arg0(agent).args(["guard", "--run", run, "--dir"]).arg(dir);
    guard.current_dir("/").env_clear();
    guard
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // It outlives this process; whoever inherits it waits for it.
    guard.spawn().map(drop)
}

/// The unit that is there for the next boot only.
fn unit_text(agent: &Path, dir: &Path) -> String {
    let word = |path: &Path| {
        let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
        text.replace('%', "%%").replace('$', "$$")
    };
    let (agent, dir) = (word(agent), word(dir));
    format!(
        "# Written by salt-rs while a run waits to be confirmed; gone with that.\n\
         [Unit]\n\
         Description=Takes back a run of salt-rs that was not confirmed before the boot\n\
         DefaultDependencies=no\n\
         RequiresMountsFor=\"{dir}\"\n\
         After=local-fs.target\n\
         Wants=network-pre.target\n\
         Before=network-pre.target shutdown.target\n\
         Conflicts=shutdown.target\n\
         \n\
         [Service]\n\
         Type=notify\n\
         TimeoutStartSec=60\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         OOMScoreAdjust=-900\n\
         ExecStart=\"{agent}\" guard --dir \"{dir}\"\n\
         \n\
         [Install]\n\
         WantedBy=sysinit.target\n"
    )
}

/// What systemd waits for at boot before it goes on to the network; said once.
#[derive(Debug, Default)]
pub struct Ready {
    said: bool,
}

impl Ready {
    /// Lets the boot go on.
    pub fn say(&mut self) {
        if std::mem::replace(&mut self.said, true) {
            return;
        }
        if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
            // Nobody there to hear it: then nobody waits.
            UnixDatagram::unbound()
                .and_then(|line| line.send_to(b"READY=1", Path::new(&socket)))
                .ok();
        }
    }
}
