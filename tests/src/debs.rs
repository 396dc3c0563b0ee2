//! Packages made by a test, in a repository of the host itself: what the archive offers can change from one moment to the
//! next, as archives do.

use lab::{Host, LabError};

/// A package to be built.
#[derive(Debug, Clone, Copy)]
pub struct Deb {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its architecture; empty is `all`.
    pub arch: &'static str,
    /// More lines of its control file.
    pub control: &'static str,
    /// Path, content.
    pub files: &'static [(&'static str, &'static str)],
    /// Files of its control archive: `conffiles` and maintainer scripts.
    pub scripts: &'static [(&'static str, &'static str)],
}

impl Deb {
    /// A package without dependencies and scripts, with one file that tells its version.
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            arch: "",
            control: "",
            files: &[],
            scripts: &[],
        }
    }

    /// With more lines of its control file.
    pub const fn control(self, control: &'static str) -> Self {
        Self { control, ..self }
    }

    /// With these files, besides the one that tells its version.
    pub const fn files(self, files: &'static [(&'static str, &'static str)]) -> Self {
        Self { files, ..self }
    }

    /// With these files of its control archive.
    pub const fn scripts(self, scripts: &'static [(&'static str, &'static str)]) -> Self {
        Self { scripts, ..self }
    }

    /// Of another architecture than all.
    pub const fn arch(self, arch: &'static str) -> Self {
        Self { arch, ..self }
    }

    /// Its architecture.
    fn architecture(&self) -> &'static str {
        if self.arch.is_empty() { "all" } else { self.arch }
    }

    /// Its file's name in the repository.
    pub fn file(&self) -> String {
        format!("{}_{}_{}.deb", self.name, self.version, self.architecture())
    }

    /// The lines of shell that build it.
    fn recipe(&self) -> String {
        let mut lines = String::from("rm -rf build && mkdir -p build/DEBIAN\n");
        let control = format!(
            "Package: {}\nVersion: {}\nArchitecture: {}\nMaintainer: nobody <nobody@example.org>\n{}Description: made by a test\n",
            self.name,
            self.version,
            self.architecture(),
            self.control
        );
        let own = format!("usr/share/{}/version", self.name);
        let version = format!("{}\n", self.version);
        let plain = [
            ("DEBIAN/control", control.as_str()),
            (own.as_str(), version.as_str()),
        ];
        for (path, text) in plain.iter().chain(self.files) {
            lines.push_str(&here(&format!("build/{path}"), text));
            if path.contains("bin/") {
                lines.push_str(&format!("chmod 755 build/{path}\n"));
            }
        }
        for (name, text) in self.scripts {
            lines.push_str(&here(&format!("build/DEBIAN/{name}"), text));
            if *name != "conffiles" {
                lines.push_str(&format!("chmod 755 build/DEBIAN/{name}\n"));
            }
        }
        format!(
            "{lines}dpkg-deb --root-owner-group -Znone --build build {} > /dev/null\n",
            self.file()
        )
    }
}

/// A file as a document of the shell.
fn here(path: &str, text: &str) -> String {
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    format!("mkdir -p {folder} && cat > {path} <<'END-OF-FILE'\n{text}END-OF-FILE\n")
}

/// Where the repository lies on the host.
pub const REPO: &str = "/srv/debs";

/// What the repository offers follows from the files in it: to be run after a file came or went.
pub const INDEX: &str = "cd /srv/debs && for deb in *.deb; do dpkg-deb -f $deb && printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' \
    $deb $(stat -c %s $deb) $(sha256sum < $deb | cut -d' ' -f1); done > Packages && apt-get -q update > /dev/null";

/// Builds the packages on the host, and makes their repository the only one it knows.
///
/// # Errors
/// As [`Host::check`].
pub fn offer(host: &Host, debs: &[Deb]) -> Result<(), LabError> {
    let mut script = format!(
        "set -e\nmkdir -p {REPO} && cd {REPO}\necho 'deb [trusted=yes] file:{REPO} ./' > /etc/apt/sources.list\n"
    );
    for deb in debs {
        script.push_str(&deb.recipe());
    }
    script.push_str("rm -rf build\n");
    script.push_str(INDEX);
    host.write("/srv/make-debs", &script)?;
    host.check("sh /srv/make-debs && rm /srv/make-debs").map(drop)
}
