//! A file of known hosts: its entries, names hashed or not, and where it is.

use proto::digest::to_hex;
use proto::{Act, Args, Digest, Meta, Value};

use crate::file::place::{self, Above};
use crate::file::whole::Whole;
use crate::hash::sha1;
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Stop, paths, perms};

/// One key of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) names: String,
    pub(super) enc: String,
    pub(super) key: String,
}

/// How fingerprints are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Print {
    Sha256,
    Sha1,
}

impl Print {
    /// The kind a state wants.
    ///
    /// # Errors
    /// [`Stop::Failed`] for one there is none of.
    pub(super) fn wanted(args: &Args) -> Result<Self, Stop> {
        match args.text("fingerprint_hash_type").map(|kind| kind.to_lowercase()) {
            None => Ok(Self::Sha256),
            Some(kind) if kind.is_empty() || kind == "sha256" => Ok(Self::Sha256),
            Some(kind) if kind == "sha1" => Ok(Self::Sha1),
            Some(kind) => Err(Stop::Failed(format!(
                "The fingerprint_hash_type {kind} is not supported."
            ))),
        }
    }
}

impl Entry {
    /// A line such as `host ssh-ed25519 AAAA…`; `None` for remarks and what is no entry.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with('@'));
        let names = words.next().filter(|names| !names.starts_with('#'))?;
        let (enc, key) = (words.next()?, words.next()?);
        decode(key)?;
        Some(Self {
            names: names.to_owned(),
            enc: enc.to_owned(),
            key: key.to_owned(),
        })
    }

    pub(super) fn line(&self) -> String {
        format!("{} {} {}\n", self.names, self.enc, self.key)
    }

    /// The key's fingerprint, as hexadecimal digits with colons.
    pub(super) fn fingerprint(&self, print: Print) -> String {
        let key = decode(&self.key).unwrap_or_default();
        let sum = match print {
            Print::Sha256 => Digest::of(&key).bytes().to_vec(),
            Print::Sha1 => sha1(&key).to_vec(),
        };
        sum.iter()
            .map(|byte| to_hex(&[*byte]))
            .collect::<Vec<_>>()
            .join(":")
    }

    /// As Salt's `changes` show it.
    pub(super) fn told(&self, print: Option<Print>) -> Args {
        let mut told = Args::new();
        for (name, value) in [("hostname", &self.names), ("key", &self.key), ("enc", &self.enc)] {
            told.insert(name.to_owned(), value.clone().into());
        }
        if let Some(print) = print {
            told.insert("fingerprint".to_owned(), self.fingerprint(print).into());
        }
        told
    }

    fn is_of(&self, host: &str) -> bool {
        self.names.split(',').any(|name| match name.strip_prefix("|1|") {
            Some(hashed) => hashed.split_once('|').is_some_and(|(salt, sum)| {
                decode(salt).is_some_and(|salt| encode(&hmac(&salt, host)) == sum)
            }),
            None => name.eq_ignore_ascii_case(host),
        })
    }
}

/// Hosts that are known.
pub(super) struct Known {
    whole: Whole,
    owner: Option<(u32, u32)>,
    /// The file as the state names it.
    pub(super) config: String,
    lines: Vec<(String, Option<Entry>)>,
}

impl Known {
    /// The file a state is about.
    ///
    /// # Errors
    /// [`Stop::Ask`] while it is not known; [`Stop::Failed`] with Salt's comment.
    pub(super) fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        let args = call.args();
        let given = args.text("config").filter(|config| !config.is_empty());
        let user = args.text("user").filter(|user| !user.is_empty());
        let (config, full, owner) = match user {
            None => {
                let config = given.unwrap_or_else(|| "/etc/ssh/ssh_known_hosts".to_owned());
                if !config.starts_with('/') {
                    let why = "If not specifying a \"user\", specify an absolute \"config\".";
                    return Err(Stop::failed(why));
                }
                (config.clone(), config, None)
            }
            Some(user) => {
                let config = given.unwrap_or_else(|| ".ssh/known_hosts".to_owned());
                let account = host.user(&user)?;
                let account = account.ok_or_else(|| Stop::Failed(format!("User {user} does not exist")))?;
                let owner = (perms::uid(host, &user)?.unwrap_or(0), account.gid.unwrap_or(0));
                let full = paths::join(&account.home, &config);
                (config, full, Some(owner))
            }
        };
        let full =
            paths::clean(&full).ok_or_else(|| Stop::failed("Cannot determine absolute path to file."))?;
        // In a user's own directory nothing may be followed.
        let whole = match owner {
            Some(_) => Whole::unlinked(host, &full)?,
            None => Whole::read(host, &full)?,
        };
        let lines = whole.text.split_inclusive('\n');
        let lines = lines
            .map(|line| (line.to_owned(), Entry::of_line(line)))
            .collect();
        Ok(Self {
            whole,
            owner,
            config,
            lines,
        })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &str {
        &self.whole.path
    }

    /// Number of its line and entry of each key of a host.
    pub(super) fn of<'k>(&'k self, host: &'k str) -> impl Iterator<Item = (usize, &'k Entry)> {
        let all = self.lines.iter().enumerate();
        all.filter_map(move |(at, (_, entry))| {
            Some((at + 1, entry.as_ref().filter(|entry| entry.is_of(host))?))
        })
    }

    /// The acts that take entries of a host out and put others in at the end.
    ///
    /// # Errors
    /// [`Stop::Ask`] while the directory is not known; [`Stop::Failed`] when it cannot be one.
    pub(super) fn write(&self, host: &Host<'_>, out: &[usize], put: &[Entry]) -> Result<Vec<Act>, Stop> {
        let kept = self
            .lines
            .iter()
            .enumerate()
            .filter(|(at, _)| !out.contains(&(at + 1)));
        let mut text: String = kept.map(|(_, (line, _))| line.as_str()).collect();
        if !put.is_empty() && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(put.iter().map(Entry::line));
        let own = |mode| {
            let (uid, gid) = self.owner.unwrap_or_default();
            let bare = Meta::default();
            Meta {
                mode,
                uid,
                gid,
                ..bare
            }
        };
        let mut acts = match place::above(host, self.path())? {
            Above::Dir(_) => Vec::new(),
            Above::Missing(dirs, parent) if self.owner.is_none() => {
                place::make_dirs(&dirs, &Perms::default(), &parent, 0o755)
            }
            Above::Missing(dirs, _) => {
                let of = |dir: String| {
                    let to = Value::Dir { meta: own(0o700) };
                    Act::assign(proto::Address::Path(dir), Value::Absent, to)
                };
                dirs.into_iter().map(of).collect()
            }
            Above::Blocked(dir) => return Err(Stop::Failed(format!("{dir} is not a directory"))),
        };
        // A file of all users is for all to read.
        let fresh = own(if self.owner.is_some() { 0o600 } else { 0o644 });
        acts.push(self.whole.write(host, &text, fresh));
        Ok(acts)
    }
}

/// A host's name so that nobody can read it: as OpenSSH does, with a salt from what is no secret.
pub(super) fn hashed(host: &str, seed: &str) -> String {
    let salt = sha1(format!("{seed} {host}").as_bytes());
    format!("|1|{}|{}", encode(&salt), encode(&hmac(&salt, host)))
}

/// HMAC-SHA1 (RFC 2104) with a key of at most a block.
fn hmac(key: &[u8], text: &str) -> [u8; 20] {
    let pad = |with: u8| -> Vec<u8> {
        let key = key.iter().copied().chain(std::iter::repeat(0));
        key.take(64).map(|byte| byte ^ with).collect()
    };
    let inner = sha1(&[&pad(0x36), text.as_bytes()].concat());
    sha1(&[&pad(0x5c), &inner[..]].concat())
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(*three.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { letter.into() } else { '=' });
        }
    }
    text
}

/// Base64 with its padding; `None` when it is none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - bare.len() > 2 || bare.is_empty() {
        return None;
    }
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::new();
    for letter in bare.bytes() {
        let value = LETTERS.iter().position(|other| *other == letter)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_and_hashed_names() {
        for (bytes, text) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert!(decode("Zg=").is_none() && decode("Z!==").is_none() && decode("").is_none());
        let sum = hmac(b"key", "The quick brown fox jumps over the lazy dog");
        assert_eq!(to_hex(&sum), "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9");
        // As ssh-keygen -H wrote it.
        let line = "|1|b7PETBjg5lH9gDhLmyM2PDoG85k=|sin/V6hjrwmCujFqUMc5BDYeud0= ssh-ed25519 AAAA";
        let entry = Entry::of_line(line).expect("an entry");
        assert!(entry.is_of("git.example.org") && !entry.is_of("example.org"));
        let own = Entry {
            names: hashed("a", "seed"),
            ..entry
        };
        assert!(own.is_of("a") && !own.is_of("b"));
    }
}
