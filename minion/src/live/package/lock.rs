//! The package manager's locks, held from the simulation to the end of the transaction, so that what was simulated is what
//! is done, and what changes meanwhile is ours (J12). They are waited for with a limit, and never deleted.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use proto::Problem;
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::journal::limits;
use crate::live::{Live, locked, refused};

/// What every program that changes packages takes first, and what guards the files apt fetches.
const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/cache/apt/archives/lock"];
/// How often the holder of a lock is told while it is waited for.
const TELL: Duration = Duration::from_secs(10);

impl Live {
    /// How long another program that uses the package manager is waited for.
    pub(super) fn package_patience(&self) -> Duration {
        Duration::from_secs(limits::load(&self.state_dir()).packages_wait)
    }

    /// Takes dpkg's and apt's locks, if they are not held already.
    ///
    /// # Errors
    /// `Locked` with who holds one, once the patience is over.
    #[expect(
        clippy::disallowed_methods,
        reason = "the package manager's own lock files, opened as it does"
    )]
    pub(super) fn lock_packages(&mut self) -> Result<(), Problem> {
        if !self.packages.locks.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let mut locks = Vec::new();
        for path in LOCKS {
            let real = self.real(path);
            if !real.parent().is_some_and(std::path::Path::is_dir) {
                continue;
            }
            let mut open = OpenOptions::new();
            let file = open.read(true).write(true).create(true).truncate(false);
            let file = file.mode(0o640).open(&real);
            let file = file.map_err(|error| refused(format!("cannot open the lock {path}: {error}")))?;
            let mut told = None;
            while fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let who = holder(&file).unwrap_or_else(|| "another process".to_owned());
                let limit = self.package_patience();
                if began.elapsed() >= limit {
                    return Err(locked(format!(
                        "{who} uses the package manager (it holds {path}) and did not end within {} seconds; \
                         wait for it, or end it, and run again",
                        limit.as_secs()
                    )));
                }
                if told.is_none_or(|told: Instant| told.elapsed() >= TELL) {
                    let seconds = limit.saturating_sub(began.elapsed()).as_secs();
                    self.say(&format!(
                        "waiting for {who}, which holds {path}, for {seconds} s at most"
                    ));
                    told = Some(Instant::now());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            locks.push(file);
        }
        self.packages.locks = locks;
        Ok(())
    }

    /// Gives the locks back.
    pub(crate) fn unlock_packages(&mut self) {
        self.packages.locks.clear();
    }
}

/// Who holds a lock that was refused, as the kernel tells: `process 4711 (apt-get upgrade)`.
fn holder(file: &File) -> Option<String> {
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let id = locks.lines().find_map(|line| {
        // `1: POSIX  ADVISORY  WRITE 4711 00:2f:12345 0 EOF`
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, "POSIX", _, _, id, at, ..] if at.ends_with(&inode) => Some((*id).to_owned()),
            _ => None,
        }
    })?;
    let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words: Vec<_> = command
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .take(3)
        .map(String::from_utf8_lossy)
        .collect();
    Some(format!("process {id} ({})", words.join(" ")))
}
