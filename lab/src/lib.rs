//! Real hosts on one machine: namespaces, an overlay over a shared image, systemd as first process, sshd.
//!
//! A lab is owned by the value `Lab`. When it is dropped, or the process that holds it ends in whatever way, the reaper
//! takes everything down. What lives here knows nothing of salt-rs: it makes hosts, runs programs on them, breaks them.
//! `machine` says whether this machine can, `image` and `repo` are cached outside the repository, `place` is where a lab
//! is on this machine, `network` has its addresses, `cable` and `delay` what can be wrong with a cable, `body` boots and keeps one host, `host` is what one does
//! with it, `fault` breaks it, `tree` tells what is on its disk.

mod body;
mod cable;
mod delay;
mod error;
mod fault;
mod host;
pub mod http;
mod image;
pub mod load;
pub mod machine;
mod network;
pub mod npm;
pub mod os;
mod packages;
mod place;
mod process;
mod repo;
mod rpm;
pub mod serve;
mod spec;
mod ssh;
mod tree;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use process::Pid;
use repo::DEBIAN;

pub use cable::Cable;
pub use error::LabError;
pub use host::{Host, Snapshot, Usage};
pub use image::{Image, VARIANTS, Variant, cache};
pub use network::Network;
pub use place::Place;
pub use repo::{Repo, SOURCE};
pub use spec::{HostSpec, Kind, good_name};
pub use tree::{Attributes, Tree, matches};

/// What all hosts of a lab share.
#[derive(Debug)]
struct Site {
    place: Place,
    anchor: Pid,
    /// Between this machine and all hosts.
    cable: Cable,
    cgroup: PathBuf,
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
        self.place.dir().join("disks")
    }

    /// The key every host lets in as root and as `admin`.
    fn private_key(&self) -> PathBuf {
        self.place.dir().join("id_ed25519")
    }

    fn known_hosts(&self) -> PathBuf {
        self.place.dir().join("known_hosts")
    }
}

/// Running hosts in a network of their own. Dropping it takes them down and leaves nothing behind.
#[derive(Debug)]
pub struct Lab {
    // In the order of dropping: the hosts' keepers are waited for after the reaper has ended the hosts.
    ground: Ground,
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
        machine::ready(specs)?;
        Lab::up_with(image, &Repo::of(image, DEBIAN)?, specs)
    }

    /// The same with another repository.
    ///
    /// # Errors
    /// As `up`.
    pub fn up_with(image: &Image, repo: &Repo, specs: &[HostSpec]) -> Result<Lab, LabError> {
        machine::ready(specs)?;
        let place = Place::any(&cache())?;
        Lab::begin(place, image, repo, specs)?.boot()
    }

    /// Boots these hosts at a place of the caller's choice. `tell` hears of each step as it begins.
    ///
    /// # Errors
    /// As `up`; when a lab is there already or the network is in use; when an address is not one of the network.
    pub fn up_at(
        place: Place,
        image: &Image,
        repo: &Repo,
        specs: &[HostSpec],
        tell: &dyn Fn(&str),
    ) -> Result<Lab, LabError> {
        machine::ready(specs)?;
        place.take()?;
        tell("network and disks");
        let lab = Lab::begin(place, image, repo, specs)?;
        tell("hosts");
        lab.boot()
    }

    /// Makes what the hosts stand on.
    fn begin(place: Place, image: &Image, repo: &Repo, specs: &[HostSpec]) -> Result<Lab, LabError> {
        let mut reaper = place.reaper()?;
        reaper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let ground = Ground {
            reaper: Mutex::new(started(&mut reaper)?),
            anchor: Mutex::default(),
        };
        let addresses = addresses(place.network(), specs)?;
        let cgroup = place.cgroup()?;
        os::make_dir(&cgroup.join("anchor"))?;
        os::make_dir(&place.dir().join("disks"))?;
        let anchor = ground.anchor(&place, &cgroup)?;
        network::plug_outside(&place, anchor)?;

        let mut names = "127.0.0.1 localhost\n".to_owned();
        for (spec, ip) in specs.iter().zip(&addresses) {
            _ = writeln!(names, "{ip} {}", spec.name);
        }
        let site = Arc::new(Site {
            place,
            anchor,
            cable: Cable::new(anchor, network::OUTSIDE, 1),
            cgroup,
            base: image.path().to_owned(),
            repo: Some(repo.path().to_owned()),
            names,
        });
        let key = text(&site.private_key());
        os::run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", &key],
        )?;
        let hosts = specs
            .iter()
            .zip(addresses)
            .map(|(spec, ip)| Host::new(&site, spec.clone(), ip))
            .collect();
        Ok(Lab { ground, hosts, site })
    }

    fn boot(self) -> Result<Lab, LabError> {
        each(&self.hosts, Host::seed)?;
        let mut known = String::new();
        for host in &self.hosts {
            let key = host.public_host_key()?;
            _ = writeln!(known, "{},{} {key}", host.name(), host.ip());
        }
        os::write(&self.site.known_hosts(), known)?;
        each(&self.hosts, Host::start)?;
        Ok(self)
    }

    /// Takes it down, as dropping it does, and returns when nothing is left.
    pub fn down(&self) {
        self.ground.end();
        for host in &self.hosts {
            host.join();
        }
    }

    /// The host with this name.
    ///
    /// # Panics
    /// When the lab was not given such a host: a mistake in the test.
    pub fn host(&self, name: &str) -> &Host {
        self.find(name)
            .unwrap_or_else(|| panic!("the lab has no host `{name}`"))
    }

    /// The host with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// All hosts, in the order given.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Directory for files of this lab. It goes when the lab goes.
    pub fn dir(&self) -> &Path {
        self.site.place.dir()
    }

    /// The cable between this machine and all of the lab.
    pub fn cable(&self) -> &Cable {
        &self.site.cable
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
        self.site.place.network().outside().to_string()
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

/// Number of the first host whose address the lab chooses.
const FIRST: u32 = 10;

/// The two processes a lab stands on. Dropped, they take it down.
#[derive(Debug)]
struct Ground {
    reaper: Mutex<Child>,
    anchor: Mutex<Option<Child>>,
}

impl Ground {
    /// Starts the process that holds what the hosts share, and waits until that is there.
    fn anchor(&self, place: &Place, cgroup: &Path) -> Result<Pid, LabError> {
        let enter =
            "echo $$ > \"$CGROUP/anchor/cgroup.procs\" && exec unshare --mount --net sh -c \"$SCRIPT\"";
        let network = place.network();
        let gateway = format!("{}/{}", network.gateway(), network.prefix());
        let log = place.dir().join("anchor.log");
        let mut command = os::command("setsid");
        command
            .args(["sh", "-c", enter])
            .env("SCRIPT", include_str!("anchor.sh"))
            .env("CGROUP", cgroup);
        command
            .env("DISKS", place.dir().join("disks"))
            .env("GATEWAY", gateway);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(os::append(&log)?);
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let child = anchor.insert(started(&mut command)?);
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

impl Ground {
    /// Ends both processes and with them all of the lab.
    fn end(&self) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        drop(reaper.stdin.take());
        // How it ended does not matter here: whoever claims this place next repeats what it could not do.
        _ = reaper.wait();
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        // Killed by the reaper; this collects it.
        _ = anchor.as_mut().map(Child::wait);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.end();
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

/// The address of each host: the one it was given, or the next free one.
fn addresses(network: Network, specs: &[HostSpec]) -> Result<Vec<Ipv4Addr>, LabError> {
    let mut names = BTreeSet::new();
    let mut taken = BTreeSet::from([network.outside(), network.gateway()]);
    for spec in specs {
        if !good_name(&spec.name) || !names.insert(&spec.name) {
            return Err(LabError::BadName(spec.name.clone()));
        }
        if let Some(ip) = spec.ip
            && !(network.has(ip) && taken.insert(ip))
        {
            return Err(LabError::BadAddress {
                ip,
                network: network.to_string(),
            });
        }
    }
    let mut next = FIRST;
    let mut choose = || {
        while taken.contains(&network.address(next)) {
            next += 1;
        }
        next += 1;
        Some(network.address(next - 1)).filter(|ip| network.has(*ip))
    };
    let chosen = specs.iter().map(|spec| spec.ip.or_else(&mut choose));
    chosen.collect::<Option<_>>().ok_or(LabError::NoNetwork)
}
