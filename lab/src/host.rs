//! One host as tests use it: programs run on it, its files, its power. How it boots is in `body`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::body::Body;
use crate::os::{self, Output};
use crate::{HostSpec, Kind, LabError, Site, machine, repo, text};

const SEARCH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A host of a running lab.
#[derive(Debug)]
pub struct Host {
    body: Arc<Body>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What a host takes of the machine it is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on its disk.
    pub written: u64,
    /// Processes.
    pub processes: usize,
    /// Their memory; what several share is divided among them.
    pub memory_kib: u64,
}

/// What was on a host's disk at one moment.
#[derive(Debug)]
pub struct Snapshot(PathBuf);

impl Host {
    pub(super) fn new(site: &Arc<Site>, spec: HostSpec, ip: Ipv4Addr) -> Self {
        Host {
            body: Arc::new(Body::new(site, spec, ip)),
            keeper: Mutex::default(),
        }
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// Its name, on the host and in the roster.
    pub fn name(&self) -> &str {
        &self.body.spec.name
    }

    /// Its address in the lab's network.
    pub fn ip(&self) -> String {
        self.body.ip.to_string()
    }

    /// Root of the running host's file system as this machine sees it. Follow no absolute symbolic link below it: it
    /// would lead to this machine's own files.
    ///
    /// # Panics
    /// When the host is down.
    pub fn root(&self) -> PathBuf {
        let init = self.body.init().unwrap_or_else(|err| panic!("{err}"));
        PathBuf::from(format!("/proc/{init}/root"))
    }

    /// The directory that holds all the host wrote, as this machine sees it; the image below it is not in it. For a host
    /// without a small disk.
    pub fn upper(&self) -> PathBuf {
        self.body.disk().join("upper")
    }

    /// What the host wrote on its console since it was made.
    pub fn console(&self) -> String {
        let bytes = os::read(&self.body.disk().join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How often it has booted since it was made.
    pub fn boots(&self) -> u32 {
        self.body.lock().boots
    }

    /// Whether it is running.
    pub fn is_up(&self) -> bool {
        self.body.lock().init.is_some()
    }

    /// Whether its processes are stopped where they are.
    pub fn is_frozen(&self) -> bool {
        let events = os::read_text(&self.body.cgroup().join("cgroup.events"));
        events.is_ok_and(|text| text.contains("frozen 1"))
    }

    /// What it takes of this machine now.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage {
            written: machine::used(&self.body.disk()).unwrap_or(0),
            ..Usage::default()
        };
        let mut todo = vec![self.body.cgroup()];
        while let Some(cgroup) = todo.pop() {
            // A cgroup or process that is gone meanwhile takes nothing.
            let text = os::read_text(&cgroup.join("cgroup.procs")).unwrap_or_default();
            for id in text.split_whitespace() {
                usage.processes += 1;
                let maps = os::read_text(Path::new(&format!("/proc/{id}/smaps_rollup"))).unwrap_or_default();
                let line = maps.lines().find_map(|line| line.strip_prefix("Pss:"));
                let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
                usage.memory_kib += kib.unwrap_or(0);
            }
            let below = os::names(&cgroup).unwrap_or_default();
            let below = below.iter().map(|name| cgroup.join(name));
            todo.extend(below.filter(|path| path.is_dir()));
        }
        usage
    }

    /// Runs a shell command line as root inside the host, not over the network: works on a host that is cut off.
    ///
    /// # Errors
    /// When the host is down or cannot be entered; how the command ended is part of the answer.
    pub fn exec(&self, line: &str) -> Result<Output, LabError> {
        self.exec_with(line, b"")
    }

    /// As `exec`, with something to read.
    ///
    /// # Errors
    /// As `exec`.
    pub fn exec_with(&self, line: &str, stdin: &[u8]) -> Result<Output, LabError> {
        let init = self.body.init()?.to_string();
        if self.is_frozen() {
            // Whoever enters it would be frozen, too.
            return Err(LabError::Frozen(self.name().to_owned()));
        }
        // In the host's own cgroup, else `systemctl status` of it fails. Light hosts have no scopes.
        let enter = "for cgroup in \"$CGROUP/init.scope\" \"$CGROUP\"; do
            echo $$ > \"$cgroup/cgroup.procs\" && break; done 2> /dev/null; exec \"$@\"";
        let mut command = os::command("sh");
        command
            .args(["-c", enter, "sh", "nsenter", "--target", &init])
            .env("CGROUP", self.body.cgroup());
        command.args([
            "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", "env", "-i", SEARCH,
        ]);
        command.args([
            "HOME=/root",
            "USER=root",
            "TERM=dumb",
            "LC_ALL=C.UTF-8",
            "sh",
            "-c",
            line,
        ]);
        Ok(os::output(&mut command, stdin)?)
    }

    /// Runs a shell command line that must succeed; its output without the last line end.
    ///
    /// # Errors
    /// As `exec`, and when it ends with another status than 0.
    pub fn check(&self, line: &str) -> Result<String, LabError> {
        let out = self.exec(line)?;
        if out.ok() {
            return Ok(out.stdout.trim_end().to_owned());
        }
        let (host, command) = (self.name().to_owned(), line.to_owned());
        let said = format!("{}{}", out.stdout, out.stderr).trim_end().to_owned();
        Err(LabError::Command {
            host,
            command,
            code: out.code,
            said,
        })
    }

    /// Writes a file on the host, as root with the usual mode.
    ///
    /// # Errors
    /// As `check`.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<(), LabError> {
        let line = format!("mkdir -p \"$(dirname '{path}')\" && cat > '{path}'");
        let out = self.exec_with(&line, bytes.as_ref())?;
        if out.ok() {
            return Ok(());
        }
        let host = self.name().to_owned();
        Err(LabError::Command {
            host,
            command: line,
            code: out.code,
            said: out.stderr,
        })
    }

    /// Reads a text file of the host.
    ///
    /// # Errors
    /// As `check`.
    pub fn read(&self, path: &str) -> Result<String, LabError> {
        let out = self.exec(&format!("cat '{path}'"))?;
        if out.ok() {
            return Ok(out.stdout);
        }
        let host = self.name().to_owned();
        Err(LabError::Command {
            host,
            command: format!("cat {path}"),
            code: out.code,
            said: out.stderr,
        })
    }

    /// Boots a host that is down and returns when it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self) -> Result<(), LabError> {
        self.join();
        let boots = self.boots();
        self.body.lock().kept = true;
        let body = self.body.clone();
        *self.keeper() = Some(thread::spawn(move || body.keep()));
        self.body.ready(boots + 1)?;
        self.settled()
    }

    /// Reboots it, orderly where there is a systemd, and returns when it is ready again.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn reboot(&self) -> Result<(), LabError> {
        if self.body.spec.kind == Kind::Light {
            self.crash()?;
            return self.start();
        }
        let boots = self.boots();
        // The command may be ended by the very reboot it asks for.
        self.exec("systemctl reboot")?;
        self.body.ready(boots + 1)?;
        self.settled()
    }

    /// Switches it off, orderly where there is a systemd, and returns when it is down.
    ///
    /// # Errors
    /// When it stays up.
    pub fn power_off(&self) -> Result<(), LabError> {
        if self.body.spec.kind == Kind::Light {
            return self.crash();
        }
        os::run("kill", &["-s", "RTMIN+4", &self.body.init()?.to_string()])?;
        self.body.ended()
    }

    /// Ends every process of the host at once, as a power loss does. What was written is still on its disk.
    ///
    /// # Errors
    /// When it is down already.
    pub fn crash(&self) -> Result<(), LabError> {
        self.body.init()?;
        os::control(&self.body.cgroup().join("cgroup.kill"), "1")?;
        self.body.ended()
    }

    /// Brings the host back to how it was when it was made: another disk, another boot, the same name, address and key.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn reset(&self) -> Result<(), LabError> {
        if self.is_up() {
            self.crash()?;
        }
        self.join();
        let disk = self.body.disk();
        let keys = disk.join("keys");
        os::remove_tree(&keys)?;
        os::rename(&disk.join("upper/etc/ssh"), &keys)?;
        os::remove_tree(&disk.join("upper"))?;
        os::remove_tree(&disk.join("work"))?;
        os::make_dir(&disk.join("upper/etc/ssh"))?;
        for name in ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"] {
            os::rename(&keys.join(name), &disk.join("upper/etc/ssh").join(name))?;
        }
        os::remove_tree(&keys)?;
        self.seed()?;
        self.start()
    }

    /// Keeps what is on its disk now; its processes stand still meanwhile. Of a host with a small disk it is the image of
    /// that disk: what was not synced is not in it, as after a power loss. Of others it is all that was written.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn snapshot(&self) -> Result<Snapshot, LabError> {
        let disk = self.body.disk();
        let number = os::names(&disk)?
            .iter()
            .filter(|name| name.starts_with("snap"))
            .count();
        let kept = disk.join(format!("snap{number}"));
        if self.is_up() {
            self.freeze()?;
        }
        let copied = os::run("cp", &["-a", &text(&self.body.written()), &text(&kept)]);
        if self.is_up() {
            self.thaw()?;
        }
        copied?;
        Ok(Snapshot(kept))
    }

    /// Brings a snapshot back and boots the host on it.
    ///
    /// # Errors
    /// When it cannot be copied or the host does not come up.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), LabError> {
        if self.is_up() {
            self.crash()?;
        }
        self.join();
        let work = self.body.disk().join("work");
        let written = text(&self.body.written());
        os::remove_tree(&work)?;
        os::make_dir(&work)?;
        os::run("rm", &["-rf", &written])?;
        os::run("cp", &["-a", &text(&snapshot.0), &written])?;
        self.start()
    }

    /// Waits for the keeper of a host that is down, or going down with its lab.
    pub(super) fn join(&self) {
        let keeper = self.keeper().take();
        if let Some(keeper) = keeper {
            // A keeper that panicked has said so; the host is down either way.
            _ = keeper.join();
        }
    }

    /// Makes the disk and writes what makes this host itself: name, keys, neighbours, package source.
    pub(super) fn seed(&self) -> Result<(), LabError> {
        let body = &self.body;
        body.make_disk()?;
        let upper = body.disk().join("upper");
        let key = upper.join("etc/ssh/ssh_host_ed25519_key");
        if !key.exists() {
            os::make_dir(&upper.join("etc/ssh"))?;
            os::run(
                "ssh-keygen",
                &[
                    "-q",
                    "-t",
                    "ed25519",
                    "-N",
                    "",
                    "-C",
                    self.name(),
                    "-f",
                    &text(&key),
                ],
            )?;
        }
        let public = os::read(&body.site.private_key().with_extension("pub"))?;
        for home in ["root", "home/admin"] {
            os::write(&upper.join(home).join(".ssh/authorized_keys"), &public)?;
            os::chmod(&upper.join(home), 0o700)?;
            os::chmod(&upper.join(home).join(".ssh"), 0o700)?;
        }
        os::run("chown", &["-R", "1000:1000", &text(&upper.join("home/admin"))])?;
        os::write(&upper.join("etc/hostname"), format!("{}\n", self.name()))?;
        let id = os::read_text(Path::new("/proc/sys/kernel/random/uuid"))?;
        os::write(&upper.join("etc/machine-id"), id.replace('-', ""))?;
        os::write(&upper.join("etc/hosts"), &body.site.names)?;
        os::write(&upper.join("etc/apt/sources.list"), repo::SOURCE)?;
        Ok(())
    }

    /// The public half of its host key, as a line of known_hosts has it: `ssh-ed25519 AAAA…`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn public_host_key(&self) -> Result<String, LabError> {
        let line = os::read_text(&self.body.disk().join("upper/etc/ssh/ssh_host_ed25519_key.pub"))?;
        Ok(line.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    fn keeper(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until systemd has finished booting, so that a test begins on a quiet host.
    fn settled(&self) -> Result<(), LabError> {
        if self.body.spec.kind == Kind::Systemd {
            // "degraded" is a state to begin from, too; what has failed is visible to the test.
            self.exec("timeout 30 systemctl is-system-running --wait")?;
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.join();
    }
}
