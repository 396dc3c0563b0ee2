//! The base image all hosts share: a Debian made once by `image.sh` and kept outside the repository.
//!
//! A cached thing is named by the digest of its recipe. A changed recipe is another name, so nothing is ever updated
//! in place under hosts that run on it, and a half-built one never has its final name.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::LabError;
use crate::machine;
use crate::os;
use crate::rpm;

const SCRIPT: &str = include_str!("image.sh");
const PACKAGES: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "openssh-server",
    "iproute2",
    "iputils-ping",
    "procps",
    "ca-certificates",
    "sudo",
    "cron",
    "curl",
    "wget",
    "git",
    "acl",
    "attr",
    "gpg",
];

/// Space an image and the packages it is made of take, in MiB.
const IMAGE_MB: u64 = 1200;

/// One of the systems a host can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Its name in a lab file.
    pub name: &'static str,
    /// Debian's code name.
    suite: &'static str,
    /// Packages besides those of every image.
    packages: &'static [&'static str],
    /// A script that finishes the image; `$root` is where it is mounted.
    finish: &'static str,
}

/// Every system there is; the first is what a lab has that names none. To add one, add a line.
pub static VARIANTS: &[Variant] = &[
    Variant {
        name: "debian-12",
        suite: "bookworm",
        packages: &[],
        finish: "",
    },
    // Debian below, with the package manager of Red Hat's world on top.
    Variant {
        name: "rpm",
        suite: "bookworm",
        packages: &["dnf", "dnf-plugins-core", "rpm", "createrepo-c"],
        finish: rpm::FINISH,
    },
    // What is not in Debian 12: MySQL itself.
    Variant {
        name: "debian-sid",
        suite: "sid",
        packages: &[],
        finish: "",
    },
];

/// A root file system that hosts use read-only.
#[derive(Debug, Clone)]
pub struct Image {
    path: PathBuf,
}

impl Image {
    /// The image of all tests. Built on first use (under a minute with a near mirror), found from then on.
    ///
    /// # Errors
    /// When it has to be built and cannot.
    pub fn base() -> Result<Self, LabError> {
        Image::of(VARIANTS[0], &[])
    }

    /// The base image with more packages in it.
    ///
    /// # Errors
    /// When it has to be built and cannot.
    pub fn with(more: &[&str]) -> Result<Self, LabError> {
        Image::of(VARIANTS[0], more)
    }

    /// The image of a variant, with more packages in it.
    ///
    /// # Errors
    /// When it has to be built and cannot.
    pub fn of(variant: Variant, more: &[&str]) -> Result<Self, LabError> {
        let packages = [PACKAGES, variant.packages, more].concat().join(",");
        let suite = variant.suite;
        let mirror = setting("SALT_RS_LAB_MIRROR", "http://deb.debian.org/debian");
        let security = setting("SALT_RS_LAB_SECURITY", "http://deb.debian.org/debian-security");
        let path = cached("image", &[SCRIPT, &packages, suite, variant.finish], |path| {
            machine::disk(path, IMAGE_MB)?;
            let mut work = path.to_owned().into_os_string();
            work.push(".work");
            let mut build = os::command("unshare");
            build.args(["--mount", "--propagation", "private", "bash", "-c", SCRIPT]);
            build
                .env("OUT", path)
                .env("WORK", work)
                .env("DEBS", cache().join("debs").join(suite));
            build
                .env("SUITE", suite)
                .env("MIRROR", &mirror)
                .env("SECURITY", &security);
            build.env("PACKAGES", &packages).env("FINISH", variant.finish);
            match os::checked(&mut build) {
                // The whole script is no name for a program.
                Err(os::OsError::Failed { status, stderr, .. }) => Err(LabError::Os(os::OsError::Failed {
                    program: "debootstrap".to_owned(),
                    status,
                    stderr,
                })),
                other => Ok(other.map(drop)?),
            }
        })?;
        Ok(Image { path })
    }

    /// Where it lies. Nobody writes there.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where images and package repositories are kept between runs: `$SALT_RS_LAB_CACHE`, else `/var/cache/salt-rs-lab`.
pub fn cache() -> PathBuf {
    let named = PathBuf::from(setting("SALT_RS_LAB_CACHE", "/var/cache/salt-rs-lab"));
    // A process that goes elsewhere must find the same one.
    std::path::absolute(&named).unwrap_or(named)
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| default.to_owned())
}

/// The directory `kind-<digest of recipe>` of the cache; `build` fills it when it is not there. One process builds, others
/// wait for it.
pub(crate) fn cached(
    kind: &str,
    recipe: &[&str],
    build: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<PathBuf, LabError> {
    let cache = cache();
    let path = cache.join(format!("{kind}-{}", short_digest(recipe)));
    if path.is_dir() {
        return Ok(path);
    }
    os::make_dir(&cache)?;
    let _building = os::lock_dir(&cache)?;
    if path.is_dir() {
        return Ok(path);
    }
    let half = cache.join(format!("{kind}.half"));
    os::remove_tree(&half)?;
    build(&half)?;
    os::rename(&half, &path)?;
    Ok(path)
}

pub(crate) fn short_digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_its_parts_and_their_borders() {
        assert_eq!(short_digest(&["ab", "c"]), short_digest(&["ab", "c"]));
        assert_ne!(short_digest(&["ab", "c"]), short_digest(&["a", "bc"]));
        assert_eq!(short_digest(&["x"]).len(), 12);
    }
}
