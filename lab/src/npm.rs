//! npm packages for hosts without a way out: the tarballs that lock files name, fetched once, checked against their
//! integrity, and the metadata npm asks a registry for.
//!
//! Laid out as the registry is asked for it: `NAME/-/FILE.tgz`, and `NAME/package` for the metadata. Addresses of tarballs
//! in it begin with `BASE`, which the file server replaces by its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use super::LabError;
use super::image::cached;
use crate::os;

/// Stands in the metadata for the address of the file server.
pub(crate) const BASE: &str = "http://registry.lab.invalid";
/// What the metadata keeps of a lock file's entry.
const FIELDS: &[&str] = &[
    "version",
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bin",
    "engines",
    "os",
    "cpu",
    "hasInstallScript",
];

/// One package of a lock file.
#[derive(Debug)]
struct Locked {
    name: String,
    version: String,
    integrity: String,
    entry: Map<String, Value>,
}

impl Locked {
    /// The file's name in the registry.
    fn file(&self) -> String {
        let base = self.name.rsplit('/').next().unwrap_or_default();
        format!("{base}-{}.tgz", self.version)
    }

    fn path(&self) -> String {
        format!("{}/-/{}", self.name, self.file())
    }
}

/// Makes or finds the directory with the packages of these lock files (`package-lock.json`, version 2 or 3).
///
/// They are fetched with `npm` where this machine has it, else with `curl`, from `$SALT_RS_LAB_NPM`, else from the
/// registry of npm.
///
/// # Errors
/// A lock file cannot be read, a package of it does not come from a registry, cannot be fetched, or is not what the lock
/// file says.
pub fn packages(locks: &[PathBuf]) -> Result<PathBuf, LabError> {
    let mut texts = Vec::new();
    for lock in locks {
        texts.push(os::read_text(lock)?);
    }
    let mut all = BTreeMap::new();
    for (lock, text) in locks.iter().zip(&texts) {
        let found = parse(text).map_err(|why| LabError::NpmLock(lock.display().to_string(), why))?;
        all.extend(found.into_iter().map(|one| (one.path(), one)));
    }
    let mut recipe = vec!["1"];
    recipe.extend(all.values().map(|one| one.integrity.as_str()));
    cached("npm", &recipe, |path| {
        os::make_dir(path)?;
        let wanted: Vec<&Locked> = all.values().collect();
        for some in wanted.chunks(40) {
            fetch(some, path)?;
        }
        metadata(&wanted, path)
    })
}

/// Fetches the packages of one lock file into a directory.
pub(crate) fn fetch_all(lock: &str, to: &Path) -> Result<(), LabError> {
    let found = parse(lock).map_err(|why| LabError::NpmLock("the lab's own".to_owned(), why))?;
    fetch(&found.iter().collect::<Vec<_>>(), to)
}

/// All packages of a lock file that come from a registry.
fn parse(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(packages) = lock.get("packages").and_then(Value::as_object) else {
        return Err("it has no `packages`: make it anew with npm 7 or later".to_owned());
    };
    let mut found = Vec::new();
    for (place, entry) in packages {
        let Some((_, name)) = place.rsplit_once("node_modules/") else {
            continue;
        };
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let flag = |key: &str| entry.get(key).and_then(Value::as_bool) == Some(true);
        if flag("link") || flag("inBundle") {
            continue;
        }
        let name = text("name").unwrap_or(name);
        let (Some(version), Some(integrity)) = (text("version"), text("integrity")) else {
            return Err(format!(
                "{name} has no version or no integrity: it does not come from a registry"
            ));
        };
        let plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "@/._+-".contains(c))
        };
        if !plain(name) || !plain(version) || name.contains("..") {
            return Err(format!("{name} {version} cannot be a package of npm's"));
        }
        found.push(Locked {
            name: name.to_owned(),
            version: version.to_owned(),
            integrity: integrity.to_owned(),
            entry: entry.as_object().cloned().unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Fetches tarballs and puts each where it belongs once it is the one that the lock file names.
fn fetch(wanted: &[&Locked], to: &Path) -> Result<(), LabError> {
    let load = to.join("load");
    os::make_dir(&load)?;
    let registry =
        std::env::var("SALT_RS_LAB_NPM").unwrap_or_else(|_| "https://registry.npmjs.org".to_owned());
    let has_npm = os::run("npm", &["--version"]).is_ok();
    let mut command = os::command(if has_npm { "npm" } else { "curl" });
    command.current_dir(&load);
    if has_npm {
        let nowhere = load.join("cache");
        command
            .args(["pack", "--silent", "--registry", &registry, "--cache"])
            .arg(nowhere);
        command.args(wanted.iter().map(|one| format!("{}@{}", one.name, one.version)));
    } else {
        command.args(["--silent", "--show-error", "--fail", "--location", "--retry", "3"]);
        for one in wanted {
            // As `npm pack` names them: without what only says whose they are.
            command
                .args(["--output", &packed(one)])
                .arg(format!("{registry}/{}", one.path()));
        }
    }
    os::checked(&mut command)?;
    for one in wanted {
        let bytes = os::read(&load.join(packed(one)))?;
        let found = format!("sha512-{}", base64(&Sha512::digest(&bytes)));
        if !one.integrity.split(' ').any(|sum| sum == found) {
            return Err(LabError::NpmPackage {
                name: format!("{}@{}", one.name, one.version),
                wanted: one.integrity.clone(),
                found,
            });
        }
        let path = to.join(one.path());
        os::write(&path, bytes)?;
    }
    Ok(os::remove_tree(&load)?)
}

/// The name `npm pack` gives a file.
fn packed(one: &Locked) -> String {
    let name = one.name.trim_start_matches('@').replace('/', "-");
    format!("{name}-{}.tgz", one.version)
}

/// Writes what a registry says of each package, as far as the lock files know.
fn metadata(all: &[&Locked], to: &Path) -> Result<(), LabError> {
    let mut by_name: BTreeMap<&str, Vec<&Locked>> = BTreeMap::new();
    for one in all {
        by_name.entry(&one.name).or_default().push(one);
    }
    for (name, mut versions) in by_name {
        versions.sort_by_key(|one| numbers(&one.version));
        let mut map = Map::new();
        for one in &versions {
            let mut manifest = Map::new();
            manifest.insert("name".to_owned(), json!(name));
            for field in FIELDS {
                if let Some(value) = one.entry.get(*field) {
                    manifest.insert((*field).to_owned(), value.clone());
                }
            }
            let dist = json!({ "tarball": format!("{BASE}/{}", one.path()), "integrity": one.integrity });
            manifest.insert("dist".to_owned(), dist);
            map.insert(one.version.clone(), Value::Object(manifest));
        }
        let latest = versions.last().map(|one| one.version.as_str());
        let document = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": map });
        os::write(&to.join(name).join("package"), document.to_string())?;
    }
    Ok(())
}

/// What orders versions, roughly: their numbers; what is not final comes before.
fn numbers(version: &str) -> (Vec<u64>, bool) {
    let (main, rest) = version.split_once('-').unwrap_or((version, ""));
    let parts = main.split(['.', '+']).map(|part| part.parse().unwrap_or(0));
    (parts.collect(), rest.is_empty())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_are_read() {
        let text = r#"{"lockfileVersion":3,"packages":{"":{"name":"app"},
            "node_modules/ms":{"version":"2.1.3","integrity":"sha512-x"},
            "node_modules/a/node_modules/@s/b":{"version":"1.0.0-rc.1","resolved":"https://registry.npmjs.org/@s/b/-/b-1.0.0-rc.1.tgz","integrity":"sha512-y"},
            "node_modules/own":{"resolved":"own","link":true}}}"#;
        let found = parse(text).expect("a lock file");
        let paths: Vec<String> = found.iter().map(Locked::path).collect();
        assert_eq!(paths, ["ms/-/ms-2.1.3.tgz", "@s/b/-/b-1.0.0-rc.1.tgz"]);
        assert_eq!(packed(&found[1]), "s-b-1.0.0-rc.1.tgz");
        assert!(parse("{}").is_err());
        let foreign = r#"{"packages":{"node_modules/x":{"resolved":"git+ssh://example.org/x"}}}"#;
        assert!(parse(foreign).expect_err("no integrity").contains("registry"));
    }

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_eq!(base64(b"any carnal pleasu"), "YW55IGNhcm5hbCBwbGVhc3U=");
        assert_eq!(base64(b"any carnal pleasur"), "YW55IGNhcm5hbCBwbGVhc3Vy");
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(numbers("1.10.0") > numbers("1.9.3"));
        assert!(numbers("2.0.0") > numbers("2.0.0-beta.1"));
    }
}
