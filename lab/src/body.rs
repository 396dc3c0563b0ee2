//! The body of a host: the processes and the disk of one that runs.
//!
//! Each host is kept by a thread of the process that owns the lab. A reboot inside a pid namespace ends its first
//! process by SIGHUP and a poweroff by SIGINT: on the first the keeper boots it again, with a new network namespace, as
//! addresses that a daemon added are gone on real hardware too.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cable::Cable;
use crate::os;
use crate::process::Pid;
use crate::{HostSpec, Kind, LabError, Site, machine, network, started, text};

/// Most that can be written on a host, in MiB; memory is used only for what is written.
const DISK_MB: u64 = 3072;
/// Longest time a host may take to boot, on a busy machine.
const BOOT: Duration = Duration::from_secs(60);
const ENTER: &str = "echo $$ > \"$CGROUP/cgroup.procs\" && exec nsenter --target \"$ANCHOR\" --mount -- unshare --mount --pid \
    --fork --kill-child --uts --ipc --cgroup --net bash -c \"$BOOT\"";
/// What a host and its keeper share.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) spec: HostSpec,
    pub(super) site: Arc<Site>,
    pub(super) ip: Ipv4Addr,
    pub(super) cable: Cable,
    /// Directories whose file systems were filled.
    filled: Mutex<BTreeSet<String>>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Where a host is in its life.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) init: Option<Pid>,
    /// How often it has booted.
    pub(super) boots: u32,
    /// Whether a keeper looks after it.
    pub(super) kept: bool,
}

impl Body {
    pub(super) fn new(site: &Arc<Site>, spec: HostSpec, ip: Ipv4Addr) -> Self {
        let number = site.place.network().number(ip);
        Body {
            spec,
            site: site.clone(),
            ip,
            cable: Cable::new(site.anchor, format!("v{number}"), number),
            filled: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn init(&self) -> Result<Pid, LabError> {
        self.lock()
            .init
            .ok_or_else(|| LabError::Down(self.spec.name.clone()))
    }

    pub(super) fn filled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cgroup(&self) -> PathBuf {
        self.site.cgroup.join(&self.spec.name)
    }

    pub(super) fn disk(&self) -> PathBuf {
        self.site.disks().join(&self.spec.name)
    }

    /// The same, seen from the lab's own mount namespace.
    fn disk_inside(&self) -> PathBuf {
        self.site.disks_inside().join(&self.spec.name)
    }

    /// What the host itself has written.
    pub(super) fn written(&self) -> PathBuf {
        self.disk().join(if self.spec.disk_mb.is_some() {
            "disk.img"
        } else {
            "upper"
        })
    }

    /// Makes its disk: a file system of its own, so that one that is full is full for this host alone.
    pub(super) fn make_disk(&self) -> Result<(), LabError> {
        let disk = self.disk();
        if !disk.exists() {
            os::make_dir(&disk)?;
            let size = format!("size={DISK_MB}m,mode=755");
            self.mount(&["-t", "tmpfs", "-o", &size, &self.spec.name])?;
        }
        for name in ["upper", "work", "root"] {
            os::make_dir(&disk.join(name))?;
        }
        if let Some(mb) = self.spec.disk_mb {
            let image = text(&disk.join("disk.img"));
            os::run("rm", &["-f", &image])?;
            os::run("truncate", &["-s", &format!("{mb}M"), &image])?;
            os::run("mkfs.ext4", &["-q", "-F", "-m", "0", &image])?;
        }
        Ok(())
    }

    /// Takes all free space away from its disk.
    pub(super) fn shrink_disk(&self) -> Result<(), LabError> {
        let shrink = || {
            let used = machine::used(&self.disk()).ok()?;
            self.mount(&["-o", &format!("remount,size={used}")]).ok()
        };
        // What is written in between makes it refuse.
        let done = os::wait_for(Duration::from_secs(5), shrink);
        done.ok_or_else(|| self.late("moment without writing"))
    }

    /// Gives it back.
    pub(super) fn grow_disk(&self) -> Result<(), LabError> {
        self.mount(&["-o", &format!("remount,size={DISK_MB}m")])
    }

    /// Mounts at its disk, where all of the lab's processes see it.
    fn mount(&self, options: &[&str]) -> Result<(), LabError> {
        let (anchor, disk) = (self.site.anchor.to_string(), text(&self.disk_inside()));
        let enter = ["--target", &anchor, "--mount", "--", "mount"];
        os::run("nsenter", &[&enter, options, &[&disk]].concat())?;
        Ok(())
    }

    /// The keeper's life: boots until the host is switched off.
    pub(super) fn keep(&self) {
        let again = |status: ExitStatus| status.signal() == Some(1);
        loop {
            let ended = self.boot();
            self.sweep();
            match ended {
                Ok(status) if again(status) => (),
                Ok(_) => break,
                Err(err) => {
                    self.log(&err.to_string());
                    break;
                }
            }
        }
        self.lock().kept = false;
        self.changed.notify_all();
    }

    /// One life of the host, from its first process to its last.
    fn boot(&self) -> Result<ExitStatus, LabError> {
        let mut child = self.first_process()?;
        let booted = self.bring_up(&mut child);
        if booted.is_err() {
            // Not yet a host: what there is of it must not wait for its cable for ever.
            _ = child.kill();
        }
        let status = child.wait();
        self.lock().init = None;
        self.changed.notify_all();
        booted?;
        status.map_err(|source| {
            os::OsError::Start {
                program: "unshare".to_owned(),
                source,
            }
            .into()
        })
    }

    fn first_process(&self) -> Result<Child, LabError> {
        // Not with the directories above it: when those are gone, so is the lab.
        os::claim_dir(&self.cgroup())?;
        let disk = self.disk_inside();
        let mut command = os::command("setsid");
        command
            .args(["sh", "-c", ENTER])
            .env("BOOT", include_str!("boot.sh"));
        command
            .env("CGROUP", self.cgroup())
            .env("ANCHOR", self.site.anchor.to_string());
        command.env("NAME", &self.spec.name).env("BASE", &self.site.base);
        command.env("REPO", self.site.repo.clone().unwrap_or_default());
        command.env(
            "KIND",
            if self.spec.kind == Kind::Systemd {
                "systemd"
            } else {
                "light"
            },
        );
        command.env("ROOT", disk.join("root")).env("DISK", disk);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(os::append(&self.log_file())?);
        started(&mut command)
    }

    fn bring_up(&self, child: &mut Child) -> Result<(), LabError> {
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            // Nothing to read means the script has failed; its reason is in the log.
            BufReader::new(out).read_line(&mut line).ok();
        }
        if line.trim() != "here" {
            return Err(self.late("first process"));
        }
        let init = Pid::child_of(child.id())?;
        // The waiting `unshare` is outside the pid namespace: in the host's cgroup it would read as process 0 there.
        os::control(
            &self.site.cgroup.join("anchor/cgroup.procs"),
            &child.id().to_string(),
        )?;
        network::plug_host(
            self.site.place.network(),
            self.site.anchor,
            init,
            self.ip,
            &self.cable,
        )?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(b"\n").ok();
        }
        let mut state = self.lock();
        state.init = Some(init);
        state.boots += 1;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Ends what is left in the host's cgroup and removes it.
    fn sweep(&self) {
        let cgroup = self.cgroup();
        if os::control(&cgroup.join("cgroup.kill"), "1").is_err() {
            return;
        }
        let empty =
            || os::read_text(&cgroup.join("cgroup.events")).is_ok_and(|text| text.contains("populated 0"));
        os::wait_for(Duration::from_secs(5), || empty().then_some(()));
        // Should one stay, the reaper removes it.
        _ = os::run(
            "find",
            &[
                &text(&cgroup),
                "-depth",
                "-type",
                "d",
                "-exec",
                "rmdir",
                "{}",
                ";",
            ],
        );
    }

    /// Waits for a boot to answer on ssh, or just to begin where nothing comes through.
    pub(super) fn ready(&self, boots: u32) -> Result<(), LabError> {
        let state = self.lock();
        let waiting = |state: &mut State| state.kept && (state.boots < boots || state.init.is_none());
        let wait = self.changed.wait_timeout_while(state, BOOT, waiting);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if state.boots < boots || state.init.is_none() {
            let kept = state.kept;
            drop(state);
            return Err(if kept {
                self.late("boot")
            } else {
                self.died("boot")
            });
        }
        drop(state);
        if self.cable.is_cut() || self.site.cable.is_cut() {
            return Ok(());
        }
        let address = SocketAddr::new(self.ip.into(), 22);
        // One that is gone will not answer any more.
        let gone = || !self.lock().kept;
        let answer = os::wait_for(BOOT, || (greets(address) || gone()).then_some(()));
        match answer {
            Some(()) if gone() => Err(self.died("answer on ssh")),
            Some(()) => Ok(()),
            None => Err(self.late("answer on ssh")),
        }
    }

    /// Waits until the host is down.
    pub(super) fn ended(&self) -> Result<(), LabError> {
        let state = self.lock();
        let wait = self.changed.wait_timeout_while(state, BOOT, |state| state.kept);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if state.kept {
            return Err(self.late("poweroff"));
        }
        Ok(())
    }

    pub(super) fn late(&self, what: &'static str) -> LabError {
        LabError::Late {
            host: self.spec.name.clone(),
            what,
            limit: BOOT,
            log: self.last_words(),
        }
    }

    fn died(&self, what: &'static str) -> LabError {
        LabError::Died {
            host: self.spec.name.clone(),
            what,
            log: self.last_words(),
        }
    }

    /// The end of its boot log and its console.
    fn last_words(&self) -> String {
        let mut log = String::new();
        for path in [self.log_file(), self.disk().join("console.log")] {
            let bytes = os::read(&path).unwrap_or_default();
            let bytes = &bytes[bytes.len().saturating_sub(2000)..];
            log.push_str(&String::from_utf8_lossy(bytes));
        }
        log
    }

    fn log_file(&self) -> PathBuf {
        self.site.place.dir().join(format!("{}.log", self.spec.name))
    }

    fn log(&self, line: &str) {
        if let Ok(mut file) = os::append(&self.log_file()) {
            // The log is for whoever looks for a cause; its own failure has no better place to go.
            _ = writeln!(file, "{line}");
        }
    }
}

/// Whether an sshd says hello there.
fn greets(address: SocketAddr) -> bool {
    let limit = Duration::from_secs(1);
    let Ok(mut stream) = TcpStream::connect_timeout(&address, limit) else {
        return false;
    };
    let mut hello = [0; 4];
    stream.set_read_timeout(Some(limit)).is_ok() && stream.read_exact(&mut hello).is_ok() && &hello == b"SSH-"
}
