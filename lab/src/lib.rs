//! Real hosts on one machine: namespaces, an overlay over a shared image, systemd as first process, sshd.
//!
//! A lab is owned by the value `Lab`. When it is dropped, or the process that holds it ends in whatever way, the reaper
//! takes everything down. What lives here knows nothing of salt-rs: it makes hosts, runs programs on them, breaks them.
//! `image` and `repo` are cached outside the repository, `network` gives a lab its number and cables, `body` boots and
//! keeps one host, `host` is what a test does with it, `fault` breaks it, `tree` tells what is on its disk.

mod body;
mod error;
mod fault;
mod host;
mod image;
mod network;
pub mod os;
mod packages;
mod process;
mod repo;
mod spec;
mod ssh;
mod tree;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;

use network::Number;
use process::Pid;

pub use error::LabError;
pub use host::{Host, Snapshot};
pub use image::{Image, cache};
pub use spec::{HostSpec, Kind};
pub use tree::{Attributes, Tree};

/// Space for the changes of all hosts of one lab; memory is used only for what is written.
const DISKS: &str = "6g";
/// Above this many systemd hosts the machine's limit of inotify instances, shared by all of them, is raised.
const MANY: usize = 12;

/// What all hosts of a lab share.
#[derive(Debug)]
struct Site {
    number: Number,
    anchor: Pid,
    cgroup: PathBuf,
    dir: PathBuf,
    base: PathBuf,
    repo: Option<PathBuf>,
    /// `/etc/hosts` of every host.
    names: String,
}

impl Site {
    /// The hosts' disks, seen from this machine.
    fn disks(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/root{}",
            self.anchor,
            self.disks_inside().display()
        ))
    }

    /// The same, seen from the lab's own mount namespace.
    fn disks_inside(&self) -> PathBuf {
        self.dir.join("disks")
    }

    /// The key every host lets in as root and as `admin`.
    fn private_key(&self) -> PathBuf {
        self.dir.join("id_ed25519")
    }

    fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }
}

/// Running hosts in a network of their own. Dropping it takes them down and leaves nothing behind.
#[derive(Debug)]
pub struct Lab {
    // In the order of dropping: the hosts' keepers are waited for after the reaper has ended the hosts.
    _ground: Ground,
    hosts: Vec<Host>,
    site: Arc<Site>,
}

impl Lab {
    /// Boots these hosts on the base image, and returns when all of them answer on ssh and have finished booting.
    ///
    /// # Errors
    /// Without root, when a program is missing, or when a host does not come up.
    pub fn up(specs: &[HostSpec]) -> Result<Lab, LabError> {
        Lab::up_on(&Image::base()?, specs)
    }

    /// Boots these hosts on another image.
    ///
    /// # Errors
    /// As `up`.
    pub fn up_on(image: &Image, specs: &[HostSpec]) -> Result<Lab, LabError> {
        ready_machine(specs)?;
        let repo = Some(repo::repo(image)?);
        let number = Number::claim(&cache())?;
        let mut reaper = number.reaper()?;
        reaper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut ground = Ground {
            reaper: started(&mut reaper)?,
            anchor: None,
        };
        let cgroup = number.cgroup()?;
        let dir = number.dir();
        os::make_dir(&cgroup.join("anchor"))?;
        os::make_dir(&dir.join("disks"))?;
        let anchor = ground.anchor(number, &cgroup, &dir)?;
        network::plug_outside(number, anchor)?;

        let mut names = "127.0.0.1 localhost\n".to_owned();
        for (spec, last) in specs.iter().zip(FIRST..) {
            _ = writeln!(names, "{} {}", number.address(last), spec.name);
        }
        let base = image.path().to_owned();
        let site = Arc::new(Site {
            number,
            anchor,
            cgroup,
            dir,
            base,
            repo,
            names,
        });
        os::run(
            "ssh-keygen",
            &[
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "lab",
                "-f",
                &text(&site.private_key()),
            ],
        )?;
        let hosts = specs
            .iter()
            .zip(FIRST..)
            .map(|(spec, last)| Host::new(&site, spec.clone(), last))
            .collect();
        let lab = Lab {
            _ground: ground,
            hosts,
            site,
        };
        lab.boot()?;
        Ok(lab)
    }

    fn boot(&self) -> Result<(), LabError> {
        each(&self.hosts, Host::seed)?;
        let mut known = String::new();
        for host in &self.hosts {
            let key = host.public_host_key()?;
            _ = writeln!(known, "{},{} {key}", host.name(), host.ip());
        }
        os::write(&self.site.known_hosts(), known)?;
        each(&self.hosts, Host::start)
    }

    /// The host with this name.
    ///
    /// # Panics
    /// When the lab was not given such a host: a mistake in the test.
    pub fn host(&self, name: &str) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.name() == name)
            .unwrap_or_else(|| panic!("the lab has no host `{name}`"))
    }

    /// All hosts, in the order given.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Directory for files of this lab. It goes when the lab goes.
    pub fn dir(&self) -> &Path {
        &self.site.dir
    }

    /// Key that every host lets in, as root and as `admin` (who may `sudo` without a password).
    pub fn private_key(&self) -> PathBuf {
        self.site.private_key()
    }

    /// The hosts' keys, written when they were made: nothing is trusted on first use.
    pub fn known_hosts(&self) -> PathBuf {
        self.site.known_hosts()
    }

    /// Address of this machine in the lab's network, as hosts see it.
    pub fn outside(&self) -> String {
        self.site.number.outside()
    }

    /// Text of a roster with all hosts, in salt-ssh's format.
    pub fn roster(&self) -> String {
        let mut text = String::new();
        let key = self.private_key();
        for host in &self.hosts {
            let (name, ip) = (host.name(), host.ip());
            _ = writeln!(
                text,
                "{name}:\n  host: {ip}\n  user: root\n  priv: {}\n  timeout: 30",
                key.display()
            );
        }
        text
    }

    /// The `ssh:` settings of a project for these hosts, one YAML line.
    pub fn ssh_settings(&self) -> String {
        let (key, known) = (self.private_key(), self.known_hosts());
        format!(
            "ssh: {{ user: root, key: {}, known_hosts: {} }}\n",
            key.display(),
            known.display()
        )
    }
}

/// The lowest host address in a lab's network, its last number.
const FIRST: u8 = 10;

/// The two processes a lab stands on. Dropped, they take it down.
#[derive(Debug)]
struct Ground {
    reaper: Child,
    anchor: Option<Child>,
}

impl Ground {
    /// Starts the process that holds what the hosts share, and waits until that is there.
    fn anchor(&mut self, number: Number, cgroup: &Path, dir: &Path) -> Result<Pid, LabError> {
        let enter =
            "echo $$ > \"$CGROUP/anchor/cgroup.procs\" && exec unshare --mount --net sh -c \"$SCRIPT\"";
        let gateway = format!("{}/24", number.gateway());
        let log = dir.join("anchor.log");
        let mut command = os::command("setsid");
        command
            .args(["sh", "-c", enter])
            .env("SCRIPT", include_str!("anchor.sh"))
            .env("CGROUP", cgroup);
        command
            .env("DISKS", dir.join("disks"))
            .env("SIZE", DISKS)
            .env("GATEWAY", gateway);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(os::append(&log)?);
        let child = self.anchor.insert(started(&mut command)?);
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            // Nothing to read means the script has failed; its reason is in the log.
            BufReader::new(out).read_line(&mut line).ok();
        }
        if line.trim() == "here" {
            return Pid::of(child.id());
        }
        Err(LabError::NoAnchor(os::read_text(&log)?))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        // How it ended does not matter here: whoever claims this number next repeats what it could not do.
        _ = self.reaper.wait();
        // Killed by the reaper; this collects it.
        _ = self.anchor.as_mut().map(Child::wait);
    }
}

fn started(command: &mut std::process::Command) -> Result<Child, LabError> {
    let child = command.spawn();
    child.map_err(|source| {
        os::OsError::Start {
            program: os::shown(command),
            source,
        }
        .into()
    })
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Does the same to all hosts at once; the first failure is returned after all have finished.
fn each(hosts: &[Host], act: impl Fn(&Host) -> Result<(), LabError> + Sync) -> Result<(), LabError> {
    // More than a few at a time only makes each of them slower.
    for some in hosts.chunks(8) {
        let results: Vec<_> = thread::scope(|scope| {
            let act = &act;
            let threads: Vec<_> = some.iter().map(|host| scope.spawn(move || act(host))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|what| resume_unwind(what)))
                .collect()
        });
        results.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

fn ready_machine(specs: &[HostSpec]) -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    for program in [
        "debootstrap",
        "unshare",
        "nsenter",
        "ip",
        "ssh-keygen",
        "dpkg-deb",
        "setpriv",
        "mkfs.ext4",
    ] {
        let mut places = path.split(':').chain(["/usr/sbin", "/sbin"]);
        if !places.any(|place| Path::new(place).join(program).exists()) {
            return Err(LabError::Missing(program));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for spec in specs {
        if !spec.good_name() || !seen.insert(&spec.name) {
            return Err(LabError::BadName(spec.name.clone()));
        }
    }
    if specs.len() > usize::from(253 - FIRST) {
        return Err(LabError::NoNetwork);
    }
    let limit = Path::new("/proc/sys/fs/inotify/max_user_instances");
    let systemd = specs.iter().filter(|spec| spec.kind == Kind::Systemd).count();
    let now = os::read_text(limit)?.trim().parse::<u32>().unwrap_or(0);
    if systemd > MANY && now < 1024 {
        os::control(limit, "1024")?;
    }
    Ok(())
}
