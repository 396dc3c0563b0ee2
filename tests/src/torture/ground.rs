//! Cheap hosts: an overlay over the lab's base image in namespaces of their own, up in a few hundredths of a second.
//!
//! Real programs, accounts and packages, but no init system; what needs one is tried on the hosts of the crate `lab`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lab::{Image, Repo};

use super::layers::{self, Written};
use super::{Torn, torn};
use crate::os;

/// What all cheap hosts share: the image below them, the packages they install, the agent and strace, a prepared disk.
#[derive(Debug)]
pub struct Soil {
    base: PathBuf,
    repo: PathBuf,
    dir: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Soil {
    /// Prepares the tools; `agent` is the static agent to be tried.
    ///
    /// # Errors
    /// No image, no packages, no strace.
    pub fn new(agent: &Path) -> Result<Self, Torn> {
        let image = Image::base()?;
        let repo = Repo::standard(&image)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // In memory where that can be: thousands of disks come and go.
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let soil = Self {
            base: image.path().to_owned(),
            repo: repo.path().to_owned(),
            dir: above.join(format!("salt-rs-torture-{}-{number}", std::process::id())),
        };
        os::remove_tree(&soil.dir)?;
        let tools = soil.tools();
        os::make_dir(&tools)?;
        let copy = |from: &str, name: &str| {
            os::run("cp", &["-L", from, &tools.join(name).display().to_string()]).map(drop)
        };
        copy(&agent.display().to_string(), "agent")?;
        // The image need not have strace nor its libraries.
        let strace = os::run("sh", &["-c", "command -v strace"])?;
        copy(strace.trim(), "strace")?;
        for line in os::run("ldd", &[strace.trim()])?.lines() {
            let library = line.split_whitespace().find(|word| word.starts_with('/'));
            if let Some(library) = library {
                let name = library.rsplit('/').next().unwrap_or(library);
                copy(library, if name.starts_with("ld-") { "ld.so" } else { name })?;
            }
        }
        Ok(soil)
    }

    /// The directory with the agent and strace.
    pub fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    /// The image below all of them.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// A directory for one disk.
    pub fn place(&self) -> PathBuf {
        self.dir.join(COUNT.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// A host whose disk begins as a copy of `prepared`, or empty.
    ///
    /// # Errors
    /// It does not come up.
    pub fn host(&self, prepared: Option<&Path>) -> Result<Ground, Torn> {
        let disk = self.place();
        os::make_dir(&disk)?;
        match prepared {
            Some(prepared) => {
                os::run("cp", &["-a", &text(prepared), &text(&disk.join("upper"))]).map(drop)?
            }
            None => os::write(&disk.join("upper/etc/apt/sources.list"), lab::SOURCE)?,
        }
        self.host_on(disk, Disk::Own)
    }

    /// A host on a disk that is there: a directory with `upper` and `work`.
    ///
    /// # Errors
    /// It does not come up.
    pub fn host_on(&self, disk: PathBuf, whose: Disk) -> Result<Ground, Torn> {
        let root = self.place();
        if whose == Disk::Own {
            os::make_dir(&disk.join("work"))?;
        }
        os::make_dir(&root)?;
        let mut command = os::command("unshare");
        command.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--uts",
            "--ipc",
            "--net",
        ]);
        command
            .args(["bash", "-c", include_str!("ground.sh")])
            .env("BASE", &self.base)
            .env("DISK", &disk)
            .env("ROOT", &root)
            .env("TOOLS", self.tools())
            .env("REPO", &self.repo)
            .env("SYNC", if whose == Disk::Own { ",volatile" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(torn("cannot start unshare"))?;
        let mut here = [0; 5];
        let read = child.stdout.as_mut().map(|out| out.read_exact(&mut here));
        if !matches!(read, Some(Ok(()))) {
            let out = child.wait_with_output().map_err(torn("unshare"))?;
            return Err(Torn(format!("no host: {}", String::from_utf8_lossy(&out.stderr))));
        }
        let first = format!("/proc/{0}/task/{0}/children", child.id());
        let init = os::read_text(Path::new(&first))?.trim().to_owned();
        Ok(Ground {
            child,
            init,
            disk,
            whose,
            root,
            base: self.base.clone(),
        })
    }
}

impl Drop for Soil {
    fn drop(&mut self) {
        // What stays behind is in the temporary directory.
        os::remove_tree(&self.dir).ok();
    }
}

/// Whose a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// The host's own: it goes with it, and nothing needs to be synced to it.
    Own,
    /// An ext4 on the image `disk.img` in the directory, which stays; there syncing means something.
    Image,
}

/// A cheap host. Dropped, it is gone with all its processes and mounts.
#[derive(Debug)]
pub struct Ground {
    child: Child,
    init: String,
    disk: PathBuf,
    whose: Disk,
    root: PathBuf,
    base: PathBuf,
}

impl Ground {
    /// Its file system as this machine sees it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    /// The directory that holds what it wrote.
    pub fn upper(&self) -> PathBuf {
        self.root().join("run/disk/upper")
    }

    /// Ends it and waits until its disk is free.
    ///
    /// # Errors
    /// It stays.
    pub fn halt(mut self) -> Result<(), Torn> {
        let image = self.disk.join("disk.img").display().to_string();
        drop(self.child.stdin.take());
        self.child.kill().ok();
        self.child.wait().ok();
        let free = || {
            let users = os::run("losetup", &["-j", &image]).ok()?;
            users.trim().is_empty().then_some(())
        };
        os::wait_for(Duration::from_secs(10), free).ok_or(Torn(format!("{image} is still in use")))
    }

    /// A shell command line inside, to be run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = os::command("nsenter");
        command.args([
            "--target", &self.init, "-m", "-p", "-u", "-i", "-n", "-r", "-w", "--",
        ]);
        command.args([
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
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
        command
    }

    /// Runs a shell command line to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn exec(&self, line: &str) -> Result<Output, Torn> {
        let mut command = self.command(line);
        command
            .stdin(Stdio::null())
            .output()
            .map_err(torn("cannot enter the host"))
    }

    /// Runs a shell command line that must succeed; its output.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, line: &str) -> Result<String, Torn> {
        let out = self.exec(line)?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        if out.status.success() {
            return Ok(text);
        }
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        Err(Torn(format!("{line}\nended with {}: {text}{said}", out.status)))
    }

    /// What was written on it since it was the bare image.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn written(&self, noise: &[&str]) -> Result<Written, Torn> {
        layers::written(&self.upper(), &self.base, &self.root(), noise)
    }

    /// Processes besides the first and whoever asks.
    ///
    /// # Errors
    /// It cannot be entered.
    pub fn processes(&self) -> Result<Vec<String>, Torn> {
        let line = "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n = 1 ] || [ $n = $$ ] || \
            { s=$(cut -d' ' -f3 $p/stat 2> /dev/null) && [ \"$s\" != Z ] && tr '\\0' ' ' < $p/cmdline && echo; }; done; true";
        Ok(self.check(line)?.lines().map(str::to_owned).collect())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Its first process ends with its input, and everything in it with that; how does not matter.
        drop(self.child.stdin.take());
        self.child.kill().ok();
        self.child.wait().ok();
        os::remove_tree(&self.root).ok();
        if self.whose == Disk::Own {
            os::remove_tree(&self.disk).ok();
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
