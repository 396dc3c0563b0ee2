//! Where a repository is: a directory on this machine or a URL that the `git` program fetches.
//!
//! A location is checked once, here; nothing behind it sees an option in disguise, a password or a protocol
//! that runs programs (requirements G1, G7, T3).

use std::fmt;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

/// Where the tree's repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A work tree, a bare repository or a directory inside a work tree.
    Local(PathBuf),
    /// Fetched over ssh or https into a mirror of ours.
    Remote(RemoteUrl),
}

/// An `ssh://` or `https://` URL without any secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl(String);

/// Why a URL is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    /// Other protocols are unauthenticated or run programs.
    #[error("the protocol `{0}` is not supported: use a path, file://, ssh:// or https://")]
    Protocol(String),
    /// The URL would be shown in process lists and logs.
    #[error(
        "a URL must hold no user or password for https and no password for ssh: use git's credential helper or an ssh key"
    )]
    Credentials,
    /// No host, or one that reads as an option.
    #[error("the host in the URL is not a host name")]
    Host,
    /// Blanks or control characters.
    #[error("the URL holds blanks or control characters")]
    Characters,
    /// An empty text.
    #[error("the location is empty")]
    Empty,
}

impl Location {
    /// Reads a location as written in the settings; a relative path is relative to `base`, `~` is `home`.
    /// `user@host:path` is the short form of an ssh URL, as git has it.
    pub fn parse(text: &str, base: &Path, home: Option<&Path>) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if let Some((protocol, rest)) = text.split_once("://") {
            return match protocol {
                "file" => Ok(Self::Local(normal(Path::new(rest)))),
                "ssh" | "https" => remote(protocol, rest),
                other => Err(LocationError::Protocol(other.to_owned())),
            };
        }
        // git's helpers (`ext::`, `fd::`) start programs.
        if let Some((helper, _)) = text.split_once("::") {
            return Err(LocationError::Protocol(format!("{helper}::")));
        }
        match text.split_once(':') {
            Some((host, path)) if !host.contains('/') => {
                remote("ssh", &format!("{host}/{}", path.trim_start_matches('/')))
                    .map(|location| scp(location, host, path))
            }
            _ => Ok(Self::Local(normal(&base.join(expand(text, home))))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(url) => url.fmt(f),
        }
    }
}

impl RemoteUrl {
    /// The URL as the `git` program takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short form keeps a path relative to the login directory, which a URL cannot say; git reads the short
/// form itself, so it stays as written.
fn scp(location: Location, host: &str, path: &str) -> Location {
    match location {
        Location::Remote(_) if !path.starts_with('/') => {
            Location::Remote(RemoteUrl(format!("{host}:{path}")))
        }
        other => other,
    }
}

fn remote(protocol: &str, rest: &str) -> Result<Location, LocationError> {
    if rest.chars().any(|ch| ch.is_whitespace() || ch.is_control()) {
        return Err(LocationError::Characters);
    }
    let (authority, path) = rest.split_once('/').ok_or(LocationError::Host)?;
    let (user, host) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| protocol == "https" || user.contains(':')) {
        return Err(LocationError::Credentials);
    }
    let plain = |text: &str| {
        text.starts_with(|ch: char| ch.is_ascii_alphanumeric() || ch == '[' || ch == '_')
            && text
                .chars()
                .all(|ch| ch.is_ascii_alphanumeric() || "._-:[]%".contains(ch))
    };
    if !plain(host) || !user.is_none_or(plain) || path.is_empty() {
        return Err(LocationError::Host);
    }
    Ok(Location::Remote(RemoteUrl(format!("{protocol}://{rest}"))))
}

/// `~` and `~/…` with the home directory; anything else as it is.
pub(crate) fn expand(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

/// The path without `.` components, so that `dir/.` is shown as `dir`. `..` stays: what it means depends on links.
pub(crate) fn normal(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, LocationError> {
        let location = Location::parse(text, Path::new("/base"), Some(Path::new("/home/me")))?;
        Ok(match location {
            Location::Local(path) => format!("path {}", path.display()),
            Location::Remote(url) => format!("url {url}"),
        })
    }

    #[test]
    fn reads_paths_and_urls() {
        for (text, want) in [
            (".", "path /base"),
            ("./x/.", "path /base/x"),
            ("/srv/tree.git", "path /srv/tree.git"),
            ("~/tree", "path /home/me/tree"),
            ("~", "path /home/me"),
            ("-x", "path /base/-x"),
            ("file:///srv/tree", "path /srv/tree"),
            (
                "ssh://git@example.org:2222/a.git",
                "url ssh://git@example.org:2222/a.git",
            ),
            ("https://example.org/a/b.git", "url https://example.org/a/b.git"),
            ("git@example.org:a/b.git", "url git@example.org:a/b.git"),
            ("git@example.org:/a/b.git", "url ssh://git@example.org/a/b.git"),
            ("./odd:name", "path /base/odd:name"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_harm() {
        for text in [
            "",
            "http://example.org/a",
            "git://example.org/a",
            "ext::sh -c x",
            "https://me:secret@example.org/a",
            "https://token@example.org/a",
            "ssh://me:secret@example.org/a",
            "ssh://-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "ssh://me@-x/a",
            "ssh://host",
            "https://example.org/a b",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_do_not_show_secrets() {
        let error = parse("https://me:hunter2@example.org/a").unwrap_err().to_string();
        assert!(!error.contains("hunter2"));
    }
}
