//! Hosts of Red Hat's world: Debian's userland with rpm and dnf on top, and a repository of rpm packages for them.
//!
//! The daemons are real: Debian's, repackaged under the names and in the places that a tree for such hosts expects.

use std::path::Path;

use crate::LabError;
use crate::image::{Image, cached};
use crate::machine;
use crate::npm;
use crate::os;
use crate::repo::{Repo, download};

/// What makes a Debian image one of these.
pub(crate) const FINISH: &str = include_str!("rpm/finish.sh");
/// Runs in the image and fills the repository.
const FILL: &str = include_str!("rpm/repo.sh");
/// Puts the image, read-only below a scratch layer, round the script.
const ENTER: &str = "mount -t tmpfs tmpfs \"$OUT/scratch\"
mkdir \"$OUT\"/scratch/{upper,work,root}
root=$OUT/scratch/root
mount -t overlay overlay -o \"lowerdir=$BASE,upperdir=$OUT/scratch/upper,workdir=$OUT/scratch/work\" \"$root\"
mount --bind \"$OUT\" \"$root/mnt\"
mount -t proc proc \"$root/proc\"
mount -t tmpfs tmpfs \"$root/dev\"
for node in null zero random urandom; do : > \"$root/dev/$node\"; mount --bind /dev/$node \"$root/dev/$node\"; done
ln -s /proc/self/fd \"$root/dev/fd\"
exec chroot \"$root\" bash -c \"$FILL\"";
/// npm, which comes with Node.js there.
const LOCK: &str = include_str!("rpm/package-lock.json");
/// Debian's packages that are repackaged.
const DEBIAN: &[&str] = &[
    "haproxy",
    "keepalived",
    "rsyslog",
    "nginx",
    "wget",
    "git",
    "nodejs",
    "prometheus",
    "prometheus-node-exporter",
];
/// Space a repository takes while it is filled, in MiB.
const REPO_MB: u64 = 1500;

impl Repo {
    /// Makes or finds the repositories for hosts of the image `rpm`: below it `lab` (known to every such host), `nginx` and
    /// `grafana` (as their projects offer them), `files` and `npm`, what their trees download from elsewhere.
    ///
    /// # Errors
    /// When they have to be built and cannot.
    pub fn rpm(image: &Image) -> Result<Self, LabError> {
        let image_name = image.path().display().to_string();
        let path = cached(
            "repo-rpm",
            &[&image_name, FILL, ENTER, LOCK, &DEBIAN.join(" ")],
            |path| {
                machine::disk(path, REPO_MB)?;
                let debs = path.join("debs");
                os::make_dir(&debs.join("partial"))?;
                download(image, &debs, DEBIAN)?;
                let npm = path.join("npm-itself");
                npm::fetch_all(LOCK, &npm)?;
                fill(image, path)?;
                os::remove_tree(&debs)?;
                Ok(os::remove_tree(&npm)?)
            },
        )?;
        Ok(Repo::at(path))
    }
}

fn fill(image: &Image, path: &Path) -> Result<(), LabError> {
    os::make_dir(&path.join("scratch"))?;
    let mut build = os::command("unshare");
    build.args([
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--propagation",
        "private",
    ]);
    build.args(["bash", "-euo", "pipefail", "-c", ENTER]);
    build.env("OUT", path).env("BASE", image.path()).env("FILL", FILL);
    os::checked(&mut build)?;
    Ok(os::remove_tree(&path.join("scratch"))?)
}
