//! The window of a run: the file that says so, and what follows from it. Nothing here waits or starts anything.
//!
//! The file `probation` is durable before the run's first act and goes when the run is confirmed or taken back. Who reads
//! and changes it holds [`Held`], for an instant only.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use proto::RunHeader;
use proto::frame::Probation as How;
use rustix::fs::FlockOperation;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::journal::lock::Holder;
use crate::journal::{JournalError, place};

/// Bytes kept back while a window is open, so that going back has room on a disk that the run filled.
const RESERVE: u64 = 2 << 20;
/// Past the deadline by so much (ms), nobody is at work on it.
const LATE: u64 = 30_000;
/// A run whose journal has not grown for so long (ms) is taken for hung.
const HUNG: u64 = 2 * 60 * 60 * 1000;

/// A run that goes back unless it is confirmed (J11).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probation {
    /// The run.
    pub run: String,
    /// The master it came from.
    pub master: String,
    /// The epoch it was told with.
    pub epoch: u64,
    /// The generation it goes back to: the one before it, or before an older run that was never confirmed either.
    pub to: u64,
    /// Seconds after its end.
    pub window: u64,
    /// The boot it runs in.
    pub boot: String,
    /// The connection it came over; empty where there is none.
    pub line: String,
    /// When it ended, see [`Moment::ms`].
    pub ended: Option<u64>,
    /// It did not end by itself.
    pub died: bool,
    /// What was made outside the state directory, in the order in which it goes.
    pub entry: Vec<PathBuf>,
}

/// A moment no clock setting moves (M6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Names the boot; a container's own where this is one.
    pub boot: String,
    /// Milliseconds by `CLOCK_BOOTTIME`, which counts while suspended.
    pub ms: u64,
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // The first process's start tells a container's boots apart. It is the 20th word after the name.
        let first = fs::read_to_string("/proc/1/stat").unwrap_or_default();
        let start = first
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(19));
        let time = clock_gettime(ClockId::Boottime);
        Self {
            boot: format!("{} {}", id.trim(), start.unwrap_or_default()),
            ms: time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000,
        }
    }
}

/// Who asks: over which connection, and since when.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `SSH_CONNECTION`; empty where there is none.
    pub line: String,
    /// When its session began.
    pub since: Moment,
}

impl Caller {
    /// The session of this process.
    pub fn here() -> Self {
        Self {
            line: line(),
            since: Moment::now(),
        }
    }
}

/// The connection this process was started over. `sudo` hides it, so the processes above are asked, too.
pub fn line() -> String {
    let mut process = "self".to_owned();
    for _ in 0..8 {
        let found = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mut words = found.split(|byte| *byte == 0);
        if let Some(line) = words.find_map(|word| word.strip_prefix(b"SSH_CONNECTION=")) {
            return String::from_utf8_lossy(line).into_owned();
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map(|(_, rest)| rest.to_owned());
        match rest.as_deref().and_then(|rest| rest.split_whitespace().nth(1)) {
            Some("0" | "1") | None => break,
            Some(parent) => parent.clone_into(&mut process),
        }
    }
    String::new()
}

/// What the guard does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Looks again in a moment.
    Wait,
    /// The run ended without saying so: its window begins.
    Died,
    /// The run hangs; this process is to end.
    Hung(u32),
    /// Takes it back.
    Back,
}

/// The id of the run that takes a run back.
pub fn guard_run(run: &str) -> String {
    format!("guard-{run}")
}

impl Probation {
    /// What the guard does now. `holder` tells who holds the run lock, and is asked only where it matters; `quiet` is how
    /// long the journal has not grown, in ms.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn next(
        &self,
        now: &Moment,
        quiet: u64,
        holder: &dyn Fn() -> Result<Option<Holder>, JournalError>,
    ) -> Result<Next, JournalError> {
        if now.boot == self.boot && self.ended.is_some_and(|end| now.ms < self.due(end)) {
            return Ok(Next::Wait);
        }
        Ok(match holder()? {
            Some(holder) if self.ended.is_none() && holder.run == self.run && quiet >= HUNG => {
                Next::Hung(holder.pid)
            }
            // Whoever it is: it ends, confirms, or joins this window to its own.
            Some(_) => Next::Wait,
            None if now.boot != self.boot || self.ended.is_some() => Next::Back,
            None => Next::Died,
        })
    }

    /// How it stands for somebody who asks, and the seconds that are left.
    pub fn standing(&self, now: &Moment, holder: Option<&str>, from: &Caller) -> (How, Option<u64>) {
        if holder == Some(&guard_run(&self.run)) || now.boot != self.boot {
            return (How::Leaving, None);
        }
        let Some(end) = self.ended else {
            let how = if holder == Some(&self.run) {
                How::Going
            } else {
                How::Leaving
            };
            return (how, None);
        };
        let left = self.due(end).checked_sub(now.ms).filter(|left| *left > 0);
        let old = (!self.line.is_empty() && from.line == self.line)
            || from.since.boot != self.boot
            || from.since.ms < end;
        let how = match left {
            None => How::Leaving,
            Some(_) if self.died => How::Leaving,
            Some(_) if old => How::Open,
            Some(_) => How::Kept,
        };
        (how, left.map(|left| left.div_ceil(1000)))
    }

    /// Whether nobody seems to be at work on it; of a run that has not said its end it is so once its lock is free.
    pub fn overdue(&self, now: &Moment) -> bool {
        now.boot != self.boot || self.ended.is_none_or(|end| now.ms > self.due(end) + LATE)
    }

    fn due(&self, end: u64) -> u64 {
        end.saturating_add(self.window.saturating_mul(1000))
    }
}

/// The right to read and change the file; for an instant only, so it may be waited for.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held until it is dropped")] File);

/// Waits for the right to change the file under `dir`.
///
/// # Errors
/// The directory cannot be opened.
pub fn hold(dir: &Path) -> Result<Held, JournalError> {
    let failed = |cause| JournalError::io(dir, cause);
    let folder = File::open(dir).map_err(failed)?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive).map_err(|cause| failed(cause.into()))?;
    Ok(Held(folder))
}

/// The window that is open, if any.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn load(dir: &Path) -> Result<Option<Probation>, JournalError> {
    let path = dir.join("probation");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| {
            let way = "look at what the last run did, then `salt-rs-minion confirm`";
            JournalError::Damaged(format!("{}: {cause}; {way}", path.display()))
        }),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(JournalError::io(&path, cause)),
    }
}

/// Keeps it, durably; on a full disk in the room that was kept back.
///
/// # Errors
/// It cannot be written.
pub fn store(_: &Held, dir: &Path, probation: &Probation) -> Result<(), JournalError> {
    let path = dir.join("probation");
    let bytes = serde_json::to_vec(probation)
        .map_err(|cause| JournalError::io(&path, std::io::Error::other(cause)))?;
    place(&path, &bytes).or_else(|_| {
        give_room(dir);
        place(&path, &bytes)
    })
}

/// The window of a run that is about to act, joined to one that is still open.
///
/// # Errors
/// There is no room to keep back, or a file cannot be written: the run must not act.
#[expect(clippy::disallowed_methods, reason = "the guard's own files")]
pub fn open(
    held: &Held,
    dir: &Path,
    header: &RunHeader,
    window: u64,
    entry: Vec<PathBuf>,
) -> Result<Probation, JournalError> {
    let path = dir.join("reserve");
    let failed = |cause: rustix::io::Errno| {
        let text = format!(
            "{cause}: a run that may have to go back needs {RESERVE} bytes kept free; --no-confirm does without"
        );
        JournalError::io(&path, std::io::Error::other(text))
    };
    let older = load(dir)?;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|cause| JournalError::io(&path, cause))?;
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE) {
        // A file system that cannot promise room promises none.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(cause) => {
            if older.is_none() {
                give_room(dir);
            }
            return Err(failed(cause));
        }
    }
    let probation = Probation {
        run: header.run.clone(),
        master: header.master.clone(),
        epoch: header.epoch,
        to: older.map_or(header.parent, |older| older.to.min(header.parent)),
        window,
        boot: Moment::now().boot,
        line: line(),
        entry,
        ..Probation::default()
    };
    store(held, dir, &probation)?;
    Ok(probation)
}

/// Ends the window: nothing of it is left.
///
/// # Errors
/// The file cannot be removed.
#[expect(clippy::disallowed_methods, reason = "the guard's own files")]
pub fn dismiss(_: &Held, dir: &Path) -> Result<(), JournalError> {
    let path = dir.join("probation");
    // A damaged file names nothing to remove; the boot's entry removes itself when it finds no window.
    let entry = load(dir)
        .ok()
        .flatten()
        .map(|found| found.entry)
        .unwrap_or_default();
    let gone = |path: &Path| match fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    };
    gone(&path)
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(|cause| JournalError::io(&path, cause))?;
    give_room(dir);
    for path in &entry {
        if gone(path).is_err() {
            // A directory that was made for it goes unless somebody else uses it by now.
            fs::remove_dir(path).ok();
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the guard's own files")]
fn give_room(dir: &Path) {
    // Not there, or not to be removed: then there is no room, and whoever needs it says so.
    fs::remove_file(dir.join("reserve")).ok();
}

/// Lets go of the room that was kept back, before going back.
pub fn make_room(_: &Held, dir: &Path) {
    give_room(dir);
}
