//! The key that signs a repository, as a file that apt reads.

use proto::{Act, Answer, Question, Sourced, Value};

use super::put;
use crate::{ArgsExt, Call, Host, Stop, paths, source};

/// Keys that all repositories may be signed with.
const TRUSTED: &str = "/etc/apt/trusted.gpg.d";

/// A key and where it shall be.
#[derive(Debug)]
pub(super) struct Key {
    /// A path, or a path without its extension (which the key's form decides).
    at: String,
    signed: bool,
    from: From,
}

#[derive(Debug)]
enum From {
    Url(String),
    Text(String),
}

/// The key a state asks for; `None` when it asks for none.
///
/// # Errors
/// [`Stop::Failed`] for arguments that contradict each other, and for keys that only a key server has.
pub(super) fn wanted(call: &Call<'_>, host: &Host<'_>, signed_by: &str) -> Result<Option<Key>, Stop> {
    let (args, name) = (call.args(), call.name());
    let (url, text) = (args.text("key_url"), args.text("key_text"));
    let server = args.any("keyid").is_some() || args.any("keyserver").is_some();
    for (given, key) in [(url.is_some(), "key_url"), (text.is_some(), "key_text")] {
        if given && server {
            return Err(Stop::Failed(format!(
                "You may not use both \"keyid\"/\"keyserver\" and \"{key}\" argument."
            )));
        }
    }
    if url.is_some() && text.is_some() {
        return Err(Stop::failed(
            "You may not use both \"key_url\" and \"key_text\" argument.",
        ));
    }
    if server {
        let keyid = args.texts("keyid").join(" ");
        return Err(Stop::Failed(format!(
            "Failed to configure repo '{name}': keys of a key server are not fetched (keyid {keyid}). Put the key into the \
             tree and name it by `key_url: salt://…`, or give the URL of one that was checked"
        )));
    }
    if signed_by.is_empty() && !args.flag("aptkey", true) {
        return Err(Stop::Failed(format!(
            "Failed to configure repo '{name}': missing 'signedby' option when apt-key is missing"
        )));
    }
    let insecure = url.as_deref().is_some_and(|url| url.trim().starts_with("http:"));
    if insecure && !args.flag("allow_insecure_key", true) {
        return Err(Stop::failed(
            "Cannot have 'key_url' using http with 'allow_insecure_key' set to True",
        ));
    }
    let Some(from) = url.map(From::Url).or_else(|| text.map(From::Text)) else {
        return Ok(None);
    };
    let signed = !signed_by.is_empty();
    let at = if signed {
        paths::clean(signed_by)
            .ok_or_else(|| Stop::Failed(format!("signed-by={signed_by} is not an absolute path")))?
    } else {
        format!("{TRUSTED}/{}", slug(call, host))
    };
    Ok(Some(Key { at, signed, from }))
}

/// A name for a key that nobody named: the file of its repository, or its URL.
fn slug(call: &Call<'_>, _host: &Host<'_>) -> String {
    let args = call.args();
    let from = args
        .text("file")
        .map(|file| paths::base(&file).trim_end_matches(".list").to_owned());
    let from = from.unwrap_or_else(|| call.name().split("://").nth(1).unwrap_or("repository").to_owned());
    let from = from
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    from.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

impl Key {
    /// Acts that put it in its place. One that was downloaded is not downloaded again to see whether it changed.
    ///
    /// # Errors
    /// [`Stop::Ask`] while its bytes are not known; [`Stop::Failed`] when there are none.
    pub(super) fn acts(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Vec<Act>, Stop> {
        let name = call.name();
        let bytes = match &self.from {
            From::Text(text) => text.clone().into_bytes(),
            From::Url(url) => match call.chunk.sources.get(url) {
                Some(Sourced::File { content, .. }) => host.object(content)?.unwrap_or_default().to_vec(),
                Some(_) => {
                    return Err(Stop::Failed(format!(
                        "Failed to configure repo '{name}': file not found: {url}"
                    )));
                }
                None if self.is_there(host)? => return Ok(Vec::new()),
                None => match source::local(url) {
                    Some(path) => host.bytes(path)?.unwrap_or_default().to_vec(),
                    None => downloaded(host, name, url)?,
                },
            },
        };
        if bytes.is_empty() {
            return Err(Stop::Failed(format!(
                "Failed to configure repo '{name}': the key is empty"
            )));
        }
        let armoured = bytes.starts_with(b"-----BEGIN PGP");
        let at = match (self.signed, armoured) {
            (true, _) => self.at.clone(),
            (false, true) => format!("{}.asc", self.at),
            (false, false) => format!("{}.gpg", self.at),
        };
        // By its name apt decides how to read it.
        if armoured && !at.ends_with(".asc") {
            let plain = unarmoured(&bytes).ok_or_else(|| {
                Stop::Failed(format!("Failed to configure repo '{name}': the key is damaged"))
            })?;
            return put(host, &at, &plain);
        }
        put(host, &at, &bytes)
    }

    fn is_there(&self, host: &Host<'_>) -> Result<bool, Stop> {
        let ends: &[&str] = if self.signed { &[""] } else { &[".asc", ".gpg"] };
        for end in ends {
            if matches!(host.follow(&format!("{}{end}", self.at))?, Value::File { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn downloaded(host: &Host<'_>, name: &str, url: &str) -> Result<Vec<u8>, Stop> {
    let ask = Question::Fetch {
        url: url.to_owned(),
        hash: None,
    };
    let answer = host.ask(ask).map_err(|stop| match stop {
        Stop::Failed(why) => Stop::Failed(format!("Failed to configure repo '{name}': {why}")),
        ask => ask,
    })?;
    match answer {
        Answer::Blob { digest, .. } => Ok(host.object(digest)?.unwrap_or_default().to_vec()),
        _ => Err(Stop::Failed(format!(
            "Failed to configure repo '{name}': file not found: {url}"
        ))),
    }
}

/// The bytes inside an armour (RFC 9580, section 6.2); its checksum is not looked at, apt's own reader checks the key.
fn unarmoured(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.is_empty())
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with('=') && !line.starts_with("-----"));
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for c in lines.flat_map(str::bytes).filter(|c| *c != b'=') {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armour_comes_off() {
        let text = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\nSGVsbG8s\nIHdvcmxkIQ==\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(unarmoured(text).as_deref(), Some(b"Hello, world!".as_slice()));
        assert_eq!(unarmoured(b"-----BEGIN PGP\n\n!!\n"), None);
        assert_eq!(unarmoured(b"-----BEGIN PGP\n"), None);
    }
}
