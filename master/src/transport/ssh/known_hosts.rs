//! known_hosts files, read as OpenSSH reads them: plain and hashed names, `[host]:port`, wildcards and negation,
//! `@cert-authority` and `@revoked` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
//!
//! Only the lines that speak of one host are kept. What a presented key then means is judged in `host_keys`.

use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::{HostPatterns, Marker};
use sha1::Sha1;

use crate::transport::error::ConnectError;

/// A key that known_hosts holds for a host, and where.
#[derive(Debug, Clone)]
pub struct Known {
    /// The key.
    pub key: PublicKey,
    /// `file:line`.
    pub place: String,
}

/// Everything known_hosts says about one host.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Keys of the host itself.
    pub keys: Vec<Known>,
    /// Keys pinned for the host name without its port. They vouch, as in OpenSSH, but do not make another key a changed
    /// one.
    pub portless: Vec<Known>,
    /// Authorities whose host certificates count.
    pub authorities: Vec<Known>,
    /// Keys that are never accepted.
    pub revoked: Vec<Known>,
}

/// The name of a host in known_hosts, in small letters: the bare name for port 22, else `[name]:port`.
pub fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

impl Pins {
    /// Reads what several files say about a host. A file that does not exist says nothing.
    ///
    /// # Errors
    /// [`ConnectError::KnownHosts`] for an unreadable file, and for a `@revoked` line that cannot be understood: ignoring
    /// that one could let a revoked key in. Other lines with unknown key types are skipped, as OpenSSH does.
    pub async fn load(files: &[PathBuf], host: &str, port: u16) -> Result<Self, ConnectError> {
        let mut pins = Self::default();
        for path in files {
            match tokio::fs::read(path).await {
                Ok(bytes) => pins.read(&String::from_utf8_lossy(&bytes), path, host, port)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(bad(path, error.to_string())),
            }
        }
        Ok(pins)
    }

    /// Adds what one file's text says about a host.
    ///
    /// # Errors
    /// As [`Pins::load`].
    pub fn read(&mut self, text: &str, path: &Path, host: &str, port: u16) -> Result<(), ConnectError> {
        let (name, bare) = (lookup_name(host, port), lookup_name(host, 22));
        for (index, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), index + 1);
            let Some(fields) = Fields::of(line) else { continue };
            let exact = fields.matches(&name);
            let portless = port != 22 && fields.matches(&bare);
            if !exact && !portless {
                continue;
            }
            let marker = match fields.marker.map(str::parse) {
                None => None,
                Some(Ok(marker)) => Some(marker),
                Some(Err(_)) => continue,
            };
            let known = match fields.key.parse() {
                Ok(key) => Known { key, place },
                Err(error) if marker == Some(Marker::Revoked) => {
                    return Err(bad(
                        path,
                        format!("line {}: a revoked key of no known form: {error}", index + 1),
                    ));
                }
                Err(_) => continue,
            };
            match marker {
                Some(Marker::Revoked) => self.revoked.push(known),
                Some(Marker::CertAuthority) => self.authorities.push(known),
                None if exact => self.keys.push(known),
                None => self.portless.push(known),
            }
        }
        Ok(())
    }
}

fn bad(path: &Path, text: String) -> ConnectError {
    ConnectError::KnownHosts {
        path: path.to_owned(),
        text,
    }
}

/// One line, split but not yet understood: decoding keys of other hosts would be waste.
pub(super) struct Fields<'a> {
    pub(super) marker: Option<&'a str>,
    pub(super) hosts: &'a str,
    pub(super) key: String,
}

impl<'a> Fields<'a> {
    /// The fields of a line; `None` for a comment, a blank or an incomplete line.
    pub(super) fn of(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut hosts = words.next().filter(|word| !word.starts_with('#'))?;
        let mut marker = None;
        if hosts.starts_with('@') {
            marker = Some(hosts);
            hosts = words.next()?;
        }
        let key = format!("{} {}", words.next()?, words.next()?);
        Some(Self { marker, hosts, key })
    }

    /// Whether this line speaks of the host with this name.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self.hosts.parse() {
            Ok(HostPatterns::HashedName { salt, hash }) => hashed(&salt, name).is_some_and(|own| own == hash),
            Ok(HostPatterns::Patterns(patterns)) => matches_list(&patterns, name),
            Err(_) => false,
        }
    }
}

/// HMAC-SHA1 of a host name, as in a hashed known_hosts line.
pub(super) fn hashed(salt: &[u8], name: &str) -> Option<[u8; 20]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.finalize().into_bytes().into())
}

/// A comma list matches when a pattern matches and no negated one does (ssh_config(5), PATTERNS).
fn matches_list(patterns: &[String], name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches_pattern(negated, name) => return false,
            Some(_) => {}
            None => found |= matches_pattern(pattern, name),
        }
    }
    found
}

/// Matches `*` and `?`, upper and lower case alike.
pub(super) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(want) if *want == b'?' || want == c => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn pins(text: &str, host: &str, port: u16) -> Pins {
        let mut pins = Pins::default();
        pins.read(text, Path::new("kh"), host, port).unwrap();
        pins
    }

    fn places(known: &[Known]) -> Vec<&str> {
        known.iter().map(|known| known.place.as_str()).collect()
    }

    #[test]
    fn names_ports_and_lists() {
        let text = format!(
            "# comment\n\nweb1,192.0.2.1 {ONE}\n[web1]:2222 {TWO} with comment\nother {ONE}\n  web1\t{TWO}\n"
        );
        assert_eq!(places(&pins(&text, "web1", 22).keys), ["kh:3", "kh:6"]);
        assert_eq!(places(&pins(&text, "192.0.2.1", 22).keys), ["kh:3"]);
        let other_port = pins(&text, "web1", 2222);
        assert_eq!(places(&other_port.keys), ["kh:4"]);
        assert_eq!(places(&other_port.portless), ["kh:3", "kh:6"]);
        assert!(pins(&text, "web", 22).keys.is_empty());
    }

    #[test]
    fn wildcards_and_negation() {
        let text = format!("*.example.org,!bad.example.org,web? {ONE}\n");
        for (host, known) in [
            ("a.example.org", 1),
            ("bad.example.org", 0),
            ("web1", 1),
            ("web12", 0),
            ("example.org", 0),
        ] {
            assert_eq!(pins(&text, host, 22).keys.len(), known, "{host}");
        }
        assert_eq!(
            pins(&format!("[*.lab]:22?? {ONE}\n"), "db1.lab", 2201).keys.len(),
            1
        );
    }

    #[test]
    fn hashed_names() {
        let salt = [7; 20];
        let hash = hashed(&salt, "[web1]:2222").unwrap();
        let line = format!(
            "{} {ONE}\n",
            HostPatterns::HashedName {
                salt: salt.to_vec(),
                hash
            }
            .to_string()
        );
        assert_eq!(pins(&line, "web1", 2222).keys.len(), 1);
        assert!(pins(&line, "web1", 22).keys.is_empty());
        assert!(pins(&line, "web2", 2222).keys.is_empty());
    }

    #[test]
    fn a_line_of_ssh_keygen() {
        let line = "@revoked |1|lcY/In3lsGnkJikLENb0DM70B/I=|Qs4e9Nr7mM6avuEv02fw2uFnwQo= ssh-ed25519 \
                    AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio comment";
        assert!(pins(line, "some.other.host", 22).revoked.is_empty());
    }

    #[test]
    fn markers() {
        let text = format!("@cert-authority *.lab {ONE}\n@revoked * {TWO}\n@new-thing * {TWO}\n");
        let pins = pins(&text, "a.lab", 2222);
        assert_eq!(
            (pins.keys.len(), places(&pins.authorities), places(&pins.revoked)),
            (0, vec!["kh:1"], vec!["kh:2"])
        );
    }

    #[test]
    fn odd_lines_are_skipped_but_not_odd_revocations() {
        assert!(
            pins(
                "web1 ssh-dss AAAA\nweb1\nweb1 ssh-ed25519\n@revoked\n",
                "web1",
                22
            )
            .keys
            .is_empty()
        );
        let broken = Pins::default().read("\n@revoked web1 ssh-ed25519 AAAA\n", Path::new("kh"), "web1", 22);
        assert!(matches!(broken, Err(ConnectError::KnownHosts { text, .. }) if text.starts_with("line 2")));
    }

    #[test]
    fn patterns() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("*", "a", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("WEB1", "web1", true),
            ("", "", true),
            ("", "a", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), want, "{pattern} {name}");
        }
    }
}
