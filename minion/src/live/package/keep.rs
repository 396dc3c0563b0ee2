//! Package files kept so that a version can come back when no archive has it any more (J12).
//!
//! The object store holds the bytes; beside it, `packages/NAME_VERSION_ARCH` holds the digest as text.

use std::fs::{self, File};

use proto::{Digest, Fidelity, Package, Problem};

use super::dnf;
use super::foresee::gone;
use super::status::World;
use crate::live::{Live, path, refused};

/// Where apt keeps what it fetched.
const ARCHIVES: &str = "/var/cache/apt/archives";
/// Where dnf does, in a directory for each repository.
const CACHE: &str = "/var/cache/dnf";
/// Where kept and fetched package files lie while the package manager works with them.
const STAGE: [&str; 2] = ["/var/cache/apt/salt-rs", "/var/cache/dnf/salt-rs"];

/// What a package file is kept as: its usual name in dpkg's world, without `.deb`.
pub(super) fn file_name(name: &str, package: &Package) -> String {
    let plain = name.split(':').next().unwrap_or_default();
    format!("{plain}_{}_{}", package.version.replace(':', "%3a"), package.arch)
}

impl Live {
    /// Keeps the files of installed packages that are to change, and tells for each how well it can come back.
    pub(super) fn keep_debs(&mut self, packages: &[(String, Package)]) -> Vec<Fidelity> {
        let mut lost: Vec<Option<String>> = packages
            .iter()
            .map(|(name, package)| self.keep_deb(name, package).err().map(|problem| problem.text))
            .collect();
        let names: Vec<&str> = packages.iter().map(|(name, _)| name.as_str()).collect();
        let missing = lost.iter().any(Option::is_some);
        if missing && self.learn_offers(&names).is_ok() {
            let mut wanted = Vec::new();
            for ((name, package), lost) in packages.iter().zip(&lost) {
                let offered = self
                    .offer(name)
                    .is_ok_and(|offer| offer.versions.contains(&package.version));
                if lost.is_some() && offered {
                    wanted.push(if self.packages.world == Some(World::Rpm) {
                        dnf::word(name, package)
                    } else {
                        format!("{name}={}", package.version)
                    });
                }
            }
            let fetched = self.download_debs(&wanted);
            for ((name, package), lost) in packages.iter().zip(&mut lost) {
                if lost.is_some() {
                    *lost = self.keep_deb(name, package).err().map(|problem| match &fetched {
                        Err(why) => format!("{} ({})", problem.text, why.text),
                        Ok(()) => problem.text,
                    });
                }
            }
            self.clear_stage();
        }
        lost.into_iter()
            .map(|lost| lost.map_or(Fidelity::Kept, Fidelity::Lost))
            .collect()
    }

    /// Keeps one package file, if it is at hand.
    fn keep_deb(&mut self, name: &str, package: &Package) -> Result<(), Problem> {
        if self.kept_deb(name, package).is_some() {
            return Ok(());
        }
        let file = file_name(name, package);
        for path in self.places_of(name, package) {
            let real = self.real(&path);
            let Ok(mut source) = File::open(&real) else {
                continue;
            };
            let size = source.metadata().map(|meta| meta.len()).unwrap_or_default();
            path::room_for(&self.objects, size)?;
            self.budget(name, package, size)?;
            let kept = self
                .objects
                .put_from(&mut source)
                .and_then(|(digest, _)| self.keep_beside("packages", &file, digest.hex().as_bytes()));
            return kept.map_err(|error| refused(format!("cannot keep {}: {error}", real.display())));
        }
        Err(refused(gone(name, &package.version)))
    }

    /// Where the package manager, or this one, may have put a package's file.
    pub(super) fn places_of(&self, name: &str, package: &Package) -> Vec<String> {
        if self.packages.world != Some(World::Rpm) {
            let file = file_name(name, package);
            return [ARCHIVES, STAGE[0]]
                .map(|folder| format!("{folder}/{file}.deb"))
                .into();
        }
        let file = dnf::file_name(name, package);
        let caches = fs::read_dir(self.real(CACHE)).into_iter().flatten().flatten();
        let mut places: Vec<String> = caches
            .filter_map(|entry| Some(format!("{CACHE}/{}/packages/{file}", entry.file_name().to_str()?)))
            .collect();
        places.push(format!("{}/{file}", STAGE[1]));
        places
    }

    /// The staging directory of this host's package manager.
    pub(super) fn stage(&self) -> String {
        STAGE[usize::from(self.packages.world == Some(World::Rpm))].to_owned()
    }

    /// Name, version and architecture of a package file that is an object, which is kept under them: so it can be installed.
    ///
    /// # Errors
    /// It is no package file.
    pub(crate) fn package_file(&mut self, digest: &Digest) -> Result<(String, Package), Problem> {
        let native = self.packages()?.native.clone();
        let path = self.objects.path(digest);
        let path = path.to_string_lossy();
        let told = if self.packages.world == Some(World::Rpm) {
            let format = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}";
            self.must(&["rpm", "-qp", "--nosignature", "--qf", format, "--", &path])
        } else {
            let format = "${Package}\\t${Version}\\t${Architecture}";
            self.must(&["dpkg-deb", "--show", "--showformat", format, &path])
        }?;
        let words: Vec<&str> = told.trim().split('\t').collect();
        let [name, version, arch] = words.as_slice() else {
            return Err(refused(format!("what it says is not understood: {told}")));
        };
        let mut package = Package {
            version: (*version).to_owned(),
            arch: native,
            ..Package::default()
        };
        // Looked for as one of the host's own architecture; one of another it is besides.
        for arch in [package.arch.clone(), (*arch).to_owned()] {
            package.arch = arch;
            self.keep_beside("packages", &file_name(name, &package), digest.hex().as_bytes())
                .map_err(|error| refused(format!("cannot keep it: {error}")))?;
        }
        Ok(((*name).to_owned(), package))
    }

    /// The object of a kept package file.
    pub(super) fn kept_deb(&self, name: &str, package: &Package) -> Option<Digest> {
        let text = self.kept_beside("packages", &file_name(name, package))?;
        let digest = String::from_utf8_lossy(&text).trim().parse().ok()?;
        self.objects.has(&digest).then_some(digest)
    }

    /// Lays a kept package file where the package manager can read it; the path on the host.
    #[expect(
        clippy::disallowed_methods,
        reason = "the package manager's cache; nothing here is a user's"
    )]
    pub(super) fn stage_deb(
        &self,
        name: &str,
        package: &Package,
        digest: &Digest,
    ) -> Result<String, Problem> {
        let stage = self.stage();
        let path = if self.packages.world == Some(World::Rpm) {
            format!("{stage}/{}", dnf::file_name(name, package))
        } else {
            format!("{stage}/{}.deb", file_name(name, package))
        };
        let write = || {
            fs::create_dir_all(self.real(&stage))?;
            fs::write(self.real(&path), self.objects.get(digest)?)
        };
        write().map_err(|error| refused(format!("cannot lay out the kept file of {name}: {error}")))?;
        Ok(path)
    }

    /// Fetches package files into the staging directory.
    #[expect(
        clippy::disallowed_methods,
        reason = "the package manager's cache; nothing here is a user's"
    )]
    fn download_debs(&self, wanted: &[String]) -> Result<(), Problem> {
        if wanted.is_empty() {
            return Ok(());
        }
        let stage = self.stage();
        fs::create_dir_all(self.real(&stage))
            .map_err(|error| refused(format!("cannot make {stage}: {error}")))?;
        if self.packages.world == Some(World::Rpm) {
            return self.download_rpms(wanted);
        }
        let mut argv = vec![
            "apt-get".to_owned(),
            "-q".to_owned(),
            "download".to_owned(),
            "--".to_owned(),
        ];
        argv.extend(wanted.iter().cloned());
        let command = proto::Command {
            argv,
            cwd: Some(stage),
            timeout: Some(600),
            ..proto::Command::default()
        };
        self.must_run(&command).map(drop)
    }

    /// Removes the staged files.
    #[expect(
        clippy::disallowed_methods,
        reason = "the package manager's cache; nothing here is a user's"
    )]
    pub(crate) fn clear_stage(&self) {
        // What stays is replaced by the next use.
        fs::remove_dir_all(self.real(&self.stage())).ok();
    }
}
