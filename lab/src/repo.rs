//! The package repository hosts install from, without a network: Debian's own packages downloaded once, and a few of
//! ours in two versions (`packages`). Flat, bound read-only into each host. A second repository lies in `next/`, as a
//! distribution's updates do: nobody has it unless told, and it holds a later version of a real service.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::LabError;
use crate::image::{Image, cached};
use crate::machine;
use crate::os;
use crate::packages::PACKAGES;

/// Line of a host's sources.list.
pub const SOURCE: &str = "deb [trusted=yes] file:/srv/lab-repo ./\n";
/// Debian's packages that tests install.
pub(crate) const DEBIAN: &[&str] = &[
    "nginx-light",
    "haproxy",
    "keepalived",
    "mariadb-server",
    "nftables",
    "sshfs",
    "tree",
    "python3-venv",
];

/// Debian's packages of which `next/` holds a later version, where the repository has them at all.
const UPDATED: &[&str] = &["nginx"];
/// What makes their version later.
const LATER: &str = "+lab1";

/// Space a repository takes while it is filled, in MiB.
const REPO_MB: u64 = 1500;

/// A package repository for the hosts of one image.
#[derive(Debug, Clone)]
pub struct Repo {
    path: PathBuf,
}

impl Repo {
    /// Makes or finds the repository with these of Debian's packages, whatever `image` lacks for them, and our own.
    ///
    /// # Errors
    /// When it has to be built and cannot.
    pub fn of(image: &Image, packages: &[impl AsRef<str>]) -> Result<Self, LabError> {
        let ours = format!("{PACKAGES:?}");
        let image_name = image.path().display().to_string();
        let debian: Vec<_> = packages.iter().map(AsRef::as_ref).collect();
        let updated: Vec<_> = UPDATED.iter().filter(|name| debian.contains(name)).collect();
        let names = debian.join(" ");
        let next = format!("{updated:?} {LATER}");
        let mut recipe = vec![image_name.as_str(), &ours, &names];
        if !updated.is_empty() {
            recipe.push(&next);
        }
        let path = cached("repo", &recipe, |path| {
            machine::disk(path, REPO_MB)?;
            os::make_dir(&path.join("partial"))?;
            if !debian.is_empty() {
                download(image, path, &debian)?;
            }
            build_ours(path)?;
            updated.iter().try_for_each(|package| build_next(path, package))?;
            index(path)
        })?;
        Ok(Repo { path })
    }

    /// What hosts on an image install from unless a lab says otherwise.
    ///
    /// # Errors
    /// When it has to be built and cannot.
    pub fn standard(image: &Image) -> Result<Self, LabError> {
        Repo::of(image, DEBIAN)
    }

    pub(crate) const fn at(path: PathBuf) -> Self {
        Repo { path }
    }

    /// Where it lies. Nobody writes there.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Lets apt resolve against the image's own list of packages; no chroot is needed for that.
pub(crate) fn download(image: &Image, repo: &Path, packages: &[&str]) -> Result<(), LabError> {
    let state = repo.join("state");
    os::make_dir(&state.join("lists/partial"))?;
    os::make_dir(&state.join("cache"))?;
    let base = image.path().display();
    let (repo, state) = (repo.display(), state.display());
    let conf = format!(
        "Dir::State \"{state}\"; Dir::State::status \"{base}/var/lib/dpkg/status\"; Dir::Cache \"{state}/cache\";\n\
         Dir::Cache::archives \"{repo}\"; Dir::Etc::sourcelist \"{base}/etc/apt/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\"; Dir::Etc::preferencesparts \"/dev/null\"; Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::trustedparts \"{base}/etc/apt/trusted.gpg.d\"; Debug::NoLocking \"true\";\n\
         APT::Install-Recommends \"false\"; APT::Sandbox::User \"root\"; Acquire::Languages \"none\";\n\
         APT::Update::Post-Invoke {{}}; #clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success; #clear DPkg::Post-Invoke;\n"
    );
    let file = PathBuf::from(format!("{state}/apt.conf"));
    os::write(&file, conf)?;
    let file = file.display().to_string();
    os::run("apt-get", &["-qq", "-c", &file, "update"])?;
    let get = |packages: &[&str]| {
        let words = ["-qq", "-y", "-c", &file, "--download-only", "install"];
        os::run("apt-get", &[&words[..], packages].concat())
    };
    // All at once is quicker; packages that cannot be together are fetched one by one.
    if !packages.is_empty() && get(packages).is_err() {
        for package in packages {
            get(&[package])?;
        }
    }
    os::remove_tree(Path::new(&format!("{state}")))?;
    os::remove_tree(Path::new(&format!("{repo}/partial")))?;
    Ok(())
}

fn build_ours(repo: &Path) -> Result<(), LabError> {
    for package in PACKAGES {
        let root = repo.join("build");
        os::remove_tree(&root)?;
        os::write(&root.join("DEBIAN/control"), package.control_file())?;
        for (path, mode, text) in package.files {
            os::write(&root.join(path), package.content(text))?;
            os::chmod(&root.join(path), *mode)?;
        }
        for (name, text) in package.scripts {
            let path = root.join("DEBIAN").join(name);
            os::write(&path, text)?;
            os::chmod(&path, if *name == "conffiles" { 0o644 } else { 0o755 })?;
        }
        let mut build = os::command("dpkg-deb");
        build
            .args(["--root-owner-group", "-Zgzip", "--build"])
            .arg(&root)
            .arg(repo.join(package.file()));
        os::checked(&mut build)?;
        os::remove_tree(&root)?;
    }
    Ok(())
}

/// Packs one of Debian's packages again, with a later version and nothing else changed.
fn build_next(repo: &Path, package: &str) -> Result<(), LabError> {
    let (next, root) = (repo.join("next"), repo.join("build"));
    os::make_dir(&next)?;
    let begins = format!("{package}_");
    for name in os::names(repo)?.iter().filter(|name| name.starts_with(&begins)) {
        let (from, to) = (repo.join(name).display().to_string(), root.display().to_string());
        os::run("dpkg-deb", &["--raw-extract", &from, &to])?;
        let control = root.join("DEBIAN/control");
        let later = |line: &str| match line.strip_prefix("Version: ") {
            Some(version) => format!("Version: {version}{LATER}\n"),
            None => format!("{line}\n"),
        };
        let text: String = os::read_text(&control)?.lines().map(later).collect();
        os::write(&control, text)?;
        let mut build = os::command("dpkg-deb");
        // `dpkg-deb` names the file after what is in it.
        build.args(["-Zgzip", "--build"]).arg(&root).arg(&next);
        os::checked(&mut build)?;
        os::remove_tree(&root)?;
    }
    index(&next)
}

/// Writes Packages and Release, as `dpkg-scanpackages` does.
fn index(repo: &Path) -> Result<(), LabError> {
    let mut packages = String::new();
    for name in os::names(repo)?.iter().filter(|name| name.ends_with(".deb")) {
        let path = repo.join(name);
        let control = os::run("dpkg-deb", &["--field", &path.display().to_string()])?;
        let bytes = os::read(&path)?;
        let (size, sum) = (bytes.len(), sha256(&bytes));
        // Writing to a String cannot fail.
        _ = writeln!(
            packages,
            "{}\nFilename: ./{name}\nSize: {size}\nSHA256: {sum}\n",
            control.trim_end()
        );
    }
    // Without a date that ends: the repository stays good for as long as it lies there.
    let release = format!(
        "Origin: lab\nSuite: lab\nCodename: lab\nDate: Thu, 01 Jan 2026 00:00:00 +0000\nSHA256:\n {} {} Packages\n",
        sha256(packages.as_bytes()),
        packages.len()
    );
    os::write(&repo.join("Packages"), packages)?;
    os::write(&repo.join("Release"), release)?;
    Ok(())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
