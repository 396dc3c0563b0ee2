//! What real hosts need of the machine they are made on: root, programs, kernel features, memory, disk space.

use std::path::Path;

use crate::os;
use crate::place;
use crate::{HostSpec, Kind, LabError};

/// A program the lab uses, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name on the search path.
    pub program: &'static str,
    /// The package.
    pub package: &'static str,
}

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

const TOOLS: &[Tool] = &[
    tool("debootstrap", "debootstrap"),
    tool("unshare", "util-linux"),
    tool("nsenter", "util-linux"),
    tool("setpriv", "util-linux"),
    tool("pivot_root", "util-linux"),
    tool("ip", "iproute2"),
    tool("ssh", "openssh-client"),
    tool("ssh-keygen", "openssh-client"),
    tool("dpkg-deb", "dpkg"),
    tool("mkfs.ext4", "e2fsprogs"),
    tool("git", "git"),
];

/// Drops frames; needed by that fault alone.
pub(crate) const NFT: Tool = tool("nft", "nftables");

/// Above this many systemd hosts the machine's limit of inotify instances, shared by all of them, is raised.
const MANY: usize = 12;
/// Memory of a host that runs and has little installed, in MiB.
const IDLE: u64 = 64;

/// Whether this process is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fails where hosts cannot be made.
pub(crate) fn ready(specs: &[HostSpec]) -> Result<(), LabError> {
    if !is_root() {
        return Err(LabError::NotRoot);
    }
    let missing = missing();
    if !missing.is_empty() {
        return Err(LabError::Missing(missing));
    }
    let limit = Path::new("/proc/sys/fs/inotify/max_user_instances");
    let systemd = specs.iter().filter(|spec| spec.kind == Kind::Systemd).count();
    let now = os::read_text(limit)?.trim().parse::<u32>().unwrap_or(0);
    if systemd > MANY && now < 1024 {
        os::control(limit, "1024")?;
    }
    Ok(())
}

/// Leaves the session this process was started in: what ends that must not end this.
pub fn leave_session() {
    // Where it is refused, the process stays what it was: a member of its session.
    _ = place::cgroups().and_then(|cgroups| {
        let id = std::process::id().to_string();
        Ok(os::control(&cgroups.join("cgroup.procs"), &id)?)
    });
}

/// Programs this machine lacks.
pub fn missing() -> Vec<Tool> {
    TOOLS.iter().copied().filter(|tool| !has(tool.program)).collect()
}

pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
    places.any(|place| Path::new(place).join(program).exists())
}

/// Installs what is missing with apt-get, and starts nothing of it.
///
/// # Errors
/// When there is no apt-get, or it fails; the programs are named either way.
pub fn install(tools: &[Tool]) -> Result<(), LabError> {
    if tools.is_empty() {
        return Ok(());
    }
    if !has("apt-get") {
        return Err(LabError::Missing(tools.to_vec()));
    }
    // An index that cannot be fetched is no reason to stop: the install is the judge.
    let mut update = os::command("apt-get");
    os::output(update.args(["-qq", "update"]), b"")?;
    let mut install = os::command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args([
        "-qq",
        "-y",
        "-o",
        "Dpkg::Use-Pty=0",
        "--no-install-recommends",
        "install",
    ]);
    install.args(tools.iter().map(|tool| tool.package));
    os::checked(&mut install)?;
    Ok(())
}

/// Tries out what the kernel must have.
///
/// # Errors
/// When it lacks something, or keeps it from us; the message says what.
pub fn features() -> Result<(), LabError> {
    place::cgroups()?;
    let known = os::read_text(Path::new("/proc/filesystems"))?;
    if !known
        .lines()
        .any(|line| line.trim_start_matches("nodev").trim() == "overlay")
    {
        // A module that nothing has used yet is not in the list.
        let loaded = os::output(os::command("modprobe").arg("overlay"), b"");
        if !loaded.is_ok_and(|out| out.ok()) {
            let why = "/proc/filesystems has no overlay, and modprobe cannot load it".to_owned();
            return Err(LabError::NoFeature {
                what: "overlay file systems",
                why,
            });
        }
    }
    let tries: &[(&'static str, &str)] = &[
        ("namespaces", "true"),
        (
            "virtual cables (veth)",
            "ip link add lab0 type veth peer name lab1",
        ),
        ("bridges", "ip link add lab0 type bridge"),
        ("mounts in a namespace of their own", "mount -t tmpfs lab /mnt"),
    ];
    for (what, script) in tries {
        let mut command = os::command("unshare");
        command.args([
            "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--net",
        ]);
        let out = os::output(command.args(["sh", "-c", script]), b"")?;
        if !out.ok() {
            let why = out.stderr.trim().to_owned();
            return Err(LabError::NoFeature { what, why });
        }
    }
    Ok(())
}

/// Checks that these hosts and `disks_mb` of what is written on them fit into memory.
///
/// # Errors
/// When they do not.
pub fn memory(hosts: usize, disks_mb: u64) -> Result<(), LabError> {
    let hosts = u64::try_from(hosts).unwrap_or(u64::MAX);
    let needed = IDLE.saturating_mul(hosts).saturating_add(disks_mb);
    let text = os::read_text(Path::new("/proc/meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let free = kib.unwrap_or(0) / 1024;
    if free < needed {
        let what = "memory".to_owned();
        return Err(LabError::NoSpace { what, needed, free });
    }
    Ok(())
}

/// Checks that the file system of a path, or of the nearest directory above it that exists, has room.
///
/// # Errors
/// When it has not.
pub fn disk(path: &Path, needed: u64) -> Result<(), LabError> {
    let dir = path
        .ancestors()
        .find(|dir| dir.is_dir())
        .unwrap_or(Path::new("/"));
    let free = free(dir)?;
    if free < needed {
        let what = format!("disk space below {}", dir.display());
        return Err(LabError::NoSpace { what, needed, free });
    }
    Ok(())
}

/// MiB free on the file system of a path.
fn free(path: &Path) -> Result<u64, LabError> {
    let stat = statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize) / 1024 / 1024)
}

/// Bytes in use on the file system of a path.
pub(crate) fn used(path: &Path) -> Result<u64, LabError> {
    let stat = statvfs(path)?;
    Ok((stat.f_blocks.saturating_sub(stat.f_bfree)).saturating_mul(stat.f_frsize))
}

fn statvfs(path: &Path) -> Result<rustix::fs::StatVfs, LabError> {
    let stat = rustix::fs::statvfs(path);
    stat.map_err(|err| {
        os::OsError::File {
            verb: "look at the file system of",
            path: path.to_owned(),
            source: err.into(),
        }
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_figures() {
        assert!(memory(1, 1).is_ok() && disk(Path::new("/"), 0).is_ok());
        let memory = memory(11, 1 << 40).unwrap_err().to_string();
        assert!(
            memory.starts_with("not enough memory: 1099511628480 MiB needed"),
            "{memory}"
        );
        let disk = disk(Path::new("/nowhere/at/all"), 1 << 40)
            .unwrap_err()
            .to_string();
        assert!(disk.starts_with("not enough disk space below /: "), "{disk}");
    }

    #[test]
    fn missing_programs_are_named_with_their_packages() {
        assert!(has("sh") && !has("no-such-program"));
        let text = LabError::Missing(vec![NFT, tool("ip", "iproute2")]).to_string();
        assert_eq!(
            text,
            "real hosts need nft, ip on this machine; Debian's packages are nftables iproute2"
        );
    }
}
