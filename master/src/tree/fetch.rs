//! Fetching a remote repository into a bare mirror, by the `git` program.
//!
//! The program is used because every way people have set up credentials works with it. It gets an argument list,
//! an environment of our own, two protocols, no hooks, no prompts, no redirects to other hosts, a time limit and
//! a size limit (requirements G1, G7).

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use git2::{Repository, RepositoryInitOptions};
use proto::Digest;
use regex::Regex;

use super::TreeError;
use super::location::RemoteUrl;

/// How long a fetch may take.
const TIME: Duration = Duration::from_secs(120);
/// How large a mirror may become, in bytes.
const SIZE: u64 = 1 << 30;
/// What is kept of git's own messages.
const MESSAGE: u64 = 64 << 10;

/// What of our environment reaches git: finding its configuration, keys, agents, proxies and certificates.
const ENVIRONMENT: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// Brings the mirror of `url` up to date and returns its directory. A commit given in full that is already there
/// needs no network.
pub(super) fn mirror(url: &RemoteUrl, rev: &str, state_dir: &Path) -> Result<PathBuf, TreeError> {
    Fetch {
        url: url.as_str(),
        protocols: "ssh:https",
        time: TIME,
        size: SIZE,
    }
    .mirror(rev, state_dir)
}

struct Fetch<'a> {
    url: &'a str,
    protocols: &'static str,
    time: Duration,
    size: u64,
}

impl Fetch<'_> {
    fn mirror(&self, rev: &str, state_dir: &Path) -> Result<PathBuf, TreeError> {
        let key = Digest::of(self.url.as_bytes()).hex();
        let mirrors = state_dir.join("mirrors");
        let fail = |error| TreeError::Io(mirrors.clone(), error);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&mirrors)
            .map_err(fail)?;
        let dir = mirrors.join(format!("{}.git", key.get(..16).unwrap_or(&key)));
        // Two processes may fetch the same mirror; the lock ends with the file handle.
        let lock = lock_file(&dir.with_extension("lock")).map_err(fail)?;
        lock.lock().map_err(fail)?;
        let repository = self.repository(&dir)?;
        let whole =
            rev.len() == 40 && git2::Oid::from_str(rev).is_ok_and(|id| repository.find_commit(id).is_ok());
        if !whole {
            self.fetch(&dir)?;
        }
        Ok(dir)
    }

    fn repository(&self, dir: &Path) -> Result<Repository, TreeError> {
        // Without templates there are no hooks.
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).mkpath(false);
        let made = if dir.exists() {
            Repository::open_bare(dir)
        } else {
            Repository::init_opts(dir, &options)
        };
        made.map_err(|error| TreeError::Git(dir.to_owned(), "the mirror".to_owned(), error))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts git, on the master"
    )]
    fn fetch(&self, dir: &Path) -> Result<(), TreeError> {
        let mut git = Command::new("git");
        git.env_clear().envs(
            ENVIRONMENT
                .iter()
                .filter_map(|name| Some((name, env::var_os(name)?))),
        );
        if env::var_os("GIT_SSH_COMMAND").is_none() {
            git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        git.env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("SSH_ASKPASS_REQUIRE", "never");
        git.env("GIT_ALLOW_PROTOCOL", self.protocols)
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        for option in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "http.followRedirects=false",
            "fetch.fsckObjects=true",
            "transfer.fsckObjects=true",
            "gc.auto=0",
        ] {
            git.args(["-c", option]);
        }
        git.arg("--git-dir").arg(dir).args([
            "fetch",
            "--quiet",
            "--prune",
            "--no-tags",
            "--no-recurse-submodules",
        ]);
        git.args([
            "--no-write-fetch-head",
            "--",
            self.url,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ]);
        git.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = git
            .spawn()
            .map_err(|error| self.failed(format!("git does not start: {error}")))?;
        self.wait(child, dir)
    }

    /// Waits within the limits; git's own messages are the reason of a failure.
    fn wait(&self, mut child: Child, dir: &Path) -> Result<(), TreeError> {
        let stderr = child.stderr.take();
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stderr) = stderr {
                stderr.by_ref().take(MESSAGE).read_to_end(&mut text)?;
                io::copy(&mut stderr, &mut io::sink())?;
            }
            Ok::<_, io::Error>(text)
        });
        let start = Instant::now();
        let mut measured = start;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(error) => return Err(self.failed(error.to_string())),
            }
            let over = if start.elapsed() > self.time {
                Some(format!("it takes longer than {} seconds", self.time.as_secs()))
            } else if measured.elapsed() > Duration::from_secs(1) {
                measured = Instant::now();
                (size(dir) > self.size).then(|| format!("it is larger than {} MiB", self.size >> 20))
            } else {
                None
            };
            if let Some(reason) = over {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .map_err(|error| self.failed(error.to_string()))?;
                return Err(self.failed(reason));
            }
            thread::sleep(Duration::from_millis(10));
        };
        if status.success() {
            return Ok(());
        }
        let text = match reader.join() {
            Ok(Ok(text)) => String::from_utf8_lossy(&text).into_owned(),
            _ => String::new(),
        };
        Err(self.failed(if text.trim().is_empty() {
            status.to_string()
        } else {
            text
        }))
    }

    fn failed(&self, reason: impl AsRef<str>) -> TreeError {
        TreeError::Fetch {
            url: self.url.to_owned(),
            reason: without_credentials(reason.as_ref().trim()),
        }
    }
}

/// git may name a URL from its own configuration, with what stands before the `@`.
fn without_credentials(text: &str) -> String {
    match Regex::new(r"://[^/\s@]*@") {
        Ok(pattern) => pattern.replace_all(text, "://…@").into_owned(),
        Err(_) => String::new(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the master's own state directory, not a managed host"
)]
fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Bytes below a directory; what vanishes meanwhile does not count.
fn size(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Repo;
    use super::super::{Source, git};
    use super::*;
    use crate::scratch::Scratch;

    fn fetch(url: &str) -> Fetch<'_> {
        Fetch {
            url,
            protocols: "file",
            time: TIME,
            size: SIZE,
        }
    }

    /// A hook that would run on every change of a reference.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests write below their own scratch directory only"
    )]
    fn hook(dir: &Path) {
        let file = dir.join("hooks/reference-transaction");
        fs::create_dir_all(dir.join("hooks")).unwrap();
        fs::write(&file, format!("#!/bin/sh\ntouch {}/hook-ran\n", dir.display())).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_mirror_follows_the_remote() {
        let repo = Repo::new();
        let first = repo.commit(&[("salt/a", "1")]);
        let state = Scratch::new();
        let url = format!("file://{}", repo.path().display());
        let dir = fetch(&url).mirror("main", state.path()).unwrap();
        assert_eq!(git::open(&dir, "main", &[]).unwrap().rev(), first);
        hook(&dir);
        let second = repo.commit(&[("salt/a", "2")]);
        let dir = fetch(&url).mirror("main", state.path()).unwrap();
        let tree = git::open(&dir, "main", &[]).unwrap();
        assert_eq!(tree.rev(), second);
        assert_eq!(tree.read("salt/a").unwrap().as_deref(), Some(b"2".as_slice()));
        assert!(!dir.join("hook-ran").exists());
        // A commit that is there needs no remote any more.
        drop(repo);
        assert!(fetch(&url).mirror(&first, state.path()).is_ok());
        assert!(matches!(
            fetch(&url).mirror("main", state.path()),
            Err(TreeError::Fetch { .. })
        ));
    }

    #[test]
    fn other_protocols_are_refused_by_git_too() {
        let repo = Repo::new();
        repo.commit(&[("a", "1")]);
        let state = Scratch::new();
        let url = format!("file://{}", repo.path().display());
        let strict = Fetch {
            url: &url,
            protocols: "ssh:https",
            time: TIME,
            size: SIZE,
        };
        let error = strict.mirror("main", state.path()).unwrap_err().to_string();
        assert!(error.contains("not allowed"), "{error}");
    }

    #[test]
    fn credentials_are_not_shown() {
        let shown = without_credentials("fatal: https://me:hunter2@example.org/x: no, ssh://git@h/y");
        assert_eq!(shown, "fatal: https://…@example.org/x: no, ssh://…@h/y");
    }
}
