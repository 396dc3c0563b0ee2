//! Salt's `mount` state module: mounted file systems, swap, and their lines in /etc/fstab.
//!
//! Live mounts are addresses of their own; the lines of /etc/fstab are edited one by one, so that everybody else's stay.

mod fstab;
mod fstab_absent;
mod fstab_present;
mod mounted;
mod options;
mod swap;
mod unmounted;

use proto::{Act, Address, Asked, Command, Mount, Value};

use crate::file::place::{self, Above};
use crate::perms::Perms;
use crate::{ArgsExt, Host, Kind, Param, Stop, paths};

pub use fstab_absent::FstabAbsent;
pub use fstab_present::FstabPresent;
pub use mounted::Mounted;
pub use swap::Swap;
pub use unmounted::Unmounted;

/// The argument that names another fstab.
const CONFIG: Param = Param::new(
    "config",
    Kind::Text,
    "The fstab to manage (default `/etc/fstab`).",
);

/// What shall be mounted: mount(8)'s words.
fn wanted(asked: Asked) -> Value {
    Value::Mount(Mount {
        // An old way to name a FUSE program; the kernel shows only what follows.
        device: fuse_device(&asked.device).to_owned(),
        fstype: asked.fstype.clone(),
        asked: Some(asked),
        ..Mount::default()
    })
}

/// `sshfs#host:/path` without the program.
fn fuse_device(device: &str) -> &str {
    match device.split_once('#') {
        Some((program, rest))
            if !program.is_empty() && program.chars().all(|c| c.is_alphanumeric() || c == '_') =>
        {
            rest
        }
        _ => device,
    }
}

/// `name` without a slash at its end.
fn trimmed(name: &str) -> String {
    match name.trim_end_matches('/') {
        "" => "/".to_owned(),
        name => name.to_owned(),
    }
}

/// Options as a list, from a list or a text with commas.
fn listed(args: &proto::Args, key: &str) -> Vec<String> {
    let texts = args.texts(key);
    texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::to_owned)
        .collect()
}

/// What is mounted at a path; the address is its path with links followed.
fn live<'a>(host: &Host<'a>, name: &str) -> Result<(Address, &'a Value), Stop> {
    let path = paths::clean(name).ok_or_else(|| Stop::Failed(format!("{name} is not an absolute path")))?;
    let at = Address::Mount(paths::real(host, &path)?);
    Ok((at.clone(), host.read(at)?))
}

/// Acts that make a mount point that is not there.
fn make_point(host: &Host<'_>, name: &str, perms: &Perms) -> Result<Vec<Act>, Stop> {
    let (mut dirs, meta) = match place::above(host, name)? {
        Above::Dir(meta) => (Vec::new(), meta),
        Above::Missing(dirs, meta) => (dirs, meta),
        Above::Blocked(dir) => return Err(Stop::Failed(format!("{dir} is not a directory"))),
    };
    dirs.push(name.to_owned());
    Ok(place::make_dirs(&dirs, perms, &meta, 0o755))
}

/// The device behind `UUID=…` and its like; the text itself for anything else, and where nobody knows.
fn resolved(host: &Host<'_>, device: &str) -> Result<String, Stop> {
    if device.starts_with('/') {
        return paths::real(host, device);
    }
    let Some((key, value)) = device.split_once('=') else {
        return Ok(device.to_owned());
    };
    let folder = key.to_ascii_lowercase();
    if !["uuid", "label", "partuuid", "partlabel"].contains(&folder.as_str()) {
        return Ok(device.to_owned());
    }
    let value = value.trim_matches('"');
    let link = format!("/dev/disk/by-{folder}/{}", value.replace(' ', "\\x20"));
    if matches!(host.path(&link)?, Value::Link { .. }) {
        return paths::real(host, &link);
    }
    let token = format!("{}={value}", key.to_ascii_uppercase());
    let found = host.command(Command::program(&["blkid", "-l", "-o", "device", "-t", &token]))?;
    match found.stdout.trim() {
        "" => Ok(device.to_owned()),
        found => paths::real(host, found),
    }
}
