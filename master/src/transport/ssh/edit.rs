//! Writing known_hosts: `salt-rs hosts scan` adds lines, `salt-rs hosts forget` removes them.
//!
//! A file is replaced as a whole, by rename, so a reader sees the old or the new one.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::HostPatterns;

use super::known_hosts::{Fields, Pins, hashed, lookup_name};
use crate::transport::error::ConnectError;

/// How host names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Readable.
    Plain,
    /// As `HashKnownHosts yes`: the file does not say which hosts it is about.
    Hashed,
}

/// Adds keys of a host to a known_hosts file, making it if need be. Keys that are there already are left. Returns how many
/// were added.
///
/// # Errors
/// [`ConnectError::KnownHosts`] when the file cannot be read or written.
pub fn learn(
    path: &Path,
    host: &str,
    port: u16,
    keys: &[PublicKey],
    names: Names,
) -> Result<usize, ConnectError> {
    let failed = |error: io::Error| problem(path, &error);
    let mut text = read(path).map_err(failed)?;
    let mut pins = Pins::default();
    pins.read(&text, path, host, port)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut added = 0;
    for key in keys {
        if pins
            .keys
            .iter()
            .any(|known| known.key.key_data() == key.key_data())
        {
            continue;
        }
        let name = lookup_name(host, port);
        let name = match names {
            Names::Plain => name,
            Names::Hashed => {
                let salt: [u8; 20] = rand::random();
                let hash = hashed(&salt, &name).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
                HostPatterns::HashedName {
                    salt: salt.to_vec(),
                    hash,
                }
                .to_string()
            }
        };
        let bare = PublicKey::new(key.key_data().clone(), "");
        let key = bare
            .to_openssh()
            .map_err(|error| failed(io::Error::other(error)))?;
        text.push_str(&format!("{name} {}\n", key.trim_end()));
        added += 1;
    }
    if added > 0 {
        replace(path, &text).map_err(failed)?;
    }
    Ok(added)
}

/// Removes a host from a known_hosts file: its own lines go, lists lose its name. Wildcards, authorities and revocations
/// stay, for they speak of more than this host. Returns how many lines changed.
///
/// # Errors
/// [`ConnectError::KnownHosts`] when the file cannot be read or written.
pub fn forget(path: &Path, host: &str, port: u16) -> Result<usize, ConnectError> {
    let failed = |error: io::Error| problem(path, &error);
    let text = read(path).map_err(failed)?;
    let name = lookup_name(host, port);
    let mut kept = String::with_capacity(text.len());
    let mut changed = 0;
    for line in text.split_inclusive('\n') {
        let own = Fields::of(line).filter(|fields| fields.marker.is_none());
        match own {
            Some(fields) if fields.hosts.starts_with('|') && fields.matches(&name) => changed += 1,
            Some(fields) if fields.hosts.split(',').any(|one| one.eq_ignore_ascii_case(&name)) => {
                changed += 1;
                let others: Vec<_> = fields
                    .hosts
                    .split(',')
                    .filter(|one| !one.eq_ignore_ascii_case(&name))
                    .collect();
                if others.iter().any(|one| !one.starts_with('!')) {
                    kept.push_str(&line.replacen(fields.hosts, &others.join(","), 1));
                }
            }
            _ => kept.push_str(line),
        }
    }
    if changed > 0 {
        replace(path, &kept).map_err(failed)?;
    }
    Ok(changed)
}

fn problem(path: &Path, error: &io::Error) -> ConnectError {
    ConnectError::KnownHosts {
        path: path.to_owned(),
        text: error.to_string(),
    }
}

fn read(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        result => result,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "known_hosts lies on the master; no host is written to"
)]
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // The file itself may be a link into a dotfiles directory.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !dir.is_dir() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    let mode = std::fs::metadata(&path).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
    let mut temp = path.clone().into_os_string();
    temp.push(format!(".{:016x}", rand::random::<u64>()));
    let temp = PathBuf::from(temp);
    let written = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temp)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&temp, &path)
    };
    let result = written();
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temp);
    }
    result
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write scratch files")]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn known(path: &Path, host: &str, port: u16) -> usize {
        let mut pins = Pins::default();
        pins.read(&std::fs::read_to_string(path).unwrap(), path, host, port)
            .unwrap();
        pins.keys.len()
    }

    #[test]
    fn learn_makes_the_file_and_adds_each_key_once() {
        let scratch = Scratch::new();
        let path = scratch.path().join("new/known_hosts");
        let keys: Vec<PublicKey> = [ONE, TWO].map(|key| key.parse().unwrap()).to_vec();
        assert_eq!(learn(&path, "web1", 22, &keys, Names::Plain).unwrap(), 2);
        assert_eq!(learn(&path, "web1", 22, &keys, Names::Hashed).unwrap(), 0);
        assert_eq!(learn(&path, "web1", 2222, &keys[..1], Names::Hashed).unwrap(), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.starts_with(&format!("web1 {ONE}\nweb1 {TWO}\n|1|")),
            "{text}"
        );
        assert_eq!((known(&path, "web1", 22), known(&path, "web1", 2222)), (2, 1));
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn learn_mends_a_missing_newline() {
        let scratch = Scratch::new();
        let path = scratch.path().join("known_hosts");
        std::fs::write(&path, format!("db1 {ONE}")).unwrap();
        learn(&path, "web1", 22, &[TWO.parse().unwrap()], Names::Plain).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("db1 {ONE}\nweb1 {TWO}\n")
        );
    }

    #[test]
    fn forget_takes_the_host_and_nothing_else() {
        let scratch = Scratch::new();
        let path = scratch.path().join("known_hosts");
        let rest = format!(
            "# note\n*.lab,web? {ONE}\n@revoked web1 {TWO}\n@cert-authority web1 {TWO}\n[web1]:2222 {ONE}\n"
        );
        std::fs::write(&path, format!("web1 {ONE}\ndb1,web1,db2 {ONE} c\n{rest}")).unwrap();
        learn(&path, "web1", 22, &[TWO.parse().unwrap()], Names::Hashed).unwrap();
        assert_eq!(forget(&path, "web1", 22).unwrap(), 3);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("db1,db2 {ONE} c\n{rest}")
        );
        assert_eq!(forget(&path, "web1", 22).unwrap(), 0);
        assert_eq!(forget(&scratch.path().join("absent"), "web1", 22).unwrap(), 0);
    }
}
