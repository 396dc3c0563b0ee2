//! Runs trials in a process that may die of one, and makes small what it died of.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{Case, trial};
use crate::os;

/// Most ticks (of 10 ms) of a processor for one trial; an unoptimised build is some twenty times slower than what people
/// use. Time on the clock would judge the machine.
const PATIENCE: u64 = 2000;
/// Most memory while trials run.
const MEMORY: u64 = 1 << 30;
/// How often the watch looks.
const LOOK: Duration = Duration::from_millis(100);
/// Most attempts to make a case smaller.
const ATTEMPTS: usize = 400;
/// After so many findings a hunt ends.
const ENOUGH: usize = 10;
/// How a worker says that an answer was wrong, that one took too long, or that one took too much memory.
const WRONG: i32 = 3;
const SLOW: i32 = 4;
const GREEDY: i32 = 5;

/// What to run.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Where all randomness comes from.
    pub seed: u64,
    /// The first case.
    pub from: u64,
    /// How many cases at most.
    pub runs: u64,
    /// When to stop.
    pub until: Option<Instant>,
    /// Where findings are put.
    pub out: PathBuf,
}

/// A case that went wrong.
#[derive(Debug)]
pub struct Found {
    /// Its number.
    pub index: u64,
    /// What happened.
    pub what: String,
    /// Where its smallest form lies.
    pub dir: PathBuf,
}

/// How a worker ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Ended {
    fn fine(&self) -> bool {
        self.code == Some(0)
    }

    /// What tells one fault from another while a case is made smaller.
    fn kind(&self) -> String {
        let place = self.said.lines().find(|line| line.contains("panicked at"));
        let sentence = self.said.split(':').next().unwrap_or_default();
        format!(
            "{:?} {}",
            self.code,
            place.unwrap_or(if self.code == Some(WRONG) { sentence } else { "" })
        )
    }
}

/// Runs cases by `program --work`; returns how many ran, and what was found.
///
/// # Errors
/// What cannot be started or written.
pub fn hunt(program: &Path, hunt: &Hunt) -> std::io::Result<(u64, Vec<Found>)> {
    let mut found = Vec::new();
    let mut next = hunt.from;
    let end = hunt.from.saturating_add(hunt.runs);
    os::make_dir(&hunt.out).map_err(std::io::Error::other)?;
    let progress = hunt.out.join("progress");
    while next < end && found.len() < ENOUGH && hunt.until.is_none_or(|until| Instant::now() < until) {
        let seconds = hunt.until.map(|until| {
            until
                .saturating_duration_since(Instant::now())
                .as_secs()
                .to_string()
        });
        let arguments = [
            "--work".to_owned(),
            hunt.seed.to_string(),
            next.to_string(),
            (end - next).to_string(),
            progress.display().to_string(),
            seconds.unwrap_or_default(),
        ];
        let ended = start(program, &arguments)?;
        let mut number = [0; 8];
        File::open(&progress)?.read_exact(&mut number)?;
        let at = u64::from_le_bytes(number);
        next = at + 1;
        if ended.fine() {
            break;
        }
        let dir = hunt.out.join(format!("{}-{at}", hunt.seed));
        let small = smaller(program, Case::new(hunt.seed, at), &ended, &dir)?;
        small.write(&dir)?;
        found.push(Found {
            index: at,
            what: ended.said,
            dir,
        });
    }
    Ok((next - hunt.from, found))
}

fn start(program: &Path, arguments: &[String]) -> std::io::Result<Ended> {
    let output = os::command(&program.to_string_lossy())
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Ended {
        said: match output.status.code() {
            Some(_) => said,
            None => format!("{} {said}", output.status),
        },
        code: output.status.code(),
    })
}

/// The case without all that is not needed to make it go wrong the same way.
fn smaller(program: &Path, mut case: Case, ended: &Ended, dir: &Path) -> std::io::Result<Case> {
    let kind = ended.kind();
    let mut attempts = 0;
    let mut still = |case: &Case| -> std::io::Result<bool> {
        attempts += 1;
        if attempts > ATTEMPTS || ended.code == Some(SLOW) && attempts > ATTEMPTS / 20 {
            return Ok(false);
        }
        case.write(dir)?;
        let again = start(program, &["--repro".to_owned(), dir.display().to_string()])?;
        Ok(!again.fine() && again.kind() == kind)
    };
    for file in (0..case.files.len()).rev() {
        let mut fewer = case.clone();
        fewer.files.remove(file);
        if still(&fewer)? {
            case = fewer;
        }
    }
    for file in 0..case.files.len() {
        let mut width = case.files[file].1.len().next_power_of_two();
        while width > 0 {
            let mut at = 0;
            while at < case.files[file].1.len() {
                let mut fewer = case.clone();
                let text = &mut fewer.files[file].1;
                text.drain(at..(at + width).min(text.len()));
                if still(&fewer)? {
                    case = fewer;
                } else {
                    at += width;
                }
            }
            width /= 2;
        }
    }
    Ok(case)
}

/// The worker: runs cases and notes which it is at. It does not return when one goes wrong.
///
/// # Errors
/// What cannot be written.
pub fn work(
    seed: u64,
    from: u64,
    runs: u64,
    progress: &Path,
    limit: Option<Duration>,
) -> std::io::Result<()> {
    let until = limit.map(|limit| Instant::now() + limit);
    watched(|at| {
        for index in from..from.saturating_add(runs) {
            os::write(progress, index.to_le_bytes()).map_err(std::io::Error::other)?;
            at();
            judge(&Case::new(seed, index));
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
        }
        Ok(())
    })
}

/// Runs one case as a worker does.
///
/// # Errors
/// None but those of `work`.
pub fn once(case: &Case) -> std::io::Result<()> {
    watched(|at| {
        at();
        judge(case);
        Ok(())
    })
}

fn judge(case: &Case) {
    if let Err(wrong) = trial(case) {
        leave(WRONG, &wrong);
    }
}

fn leave(code: i32, why: &str) -> ! {
    os::say(why);
    std::process::exit(code)
}

/// Ends the process when it panics anywhere, when a case takes too long, or when memory runs away.
fn watched(run: impl FnOnce(&dyn Fn()) -> std::io::Result<()>) -> std::io::Result<()> {
    std::panic::set_hook(Box::new(|panic| leave(101, &panic.to_string())));
    let (begin, begun) = channel::<()>();
    std::thread::spawn(move || {
        let mut since = ticks();
        loop {
            match begun.recv_timeout(LOOK) {
                Ok(()) => {
                    // Only where it is now matters.
                    while begun.try_recv().is_ok() {}
                    since = ticks();
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ticks().saturating_sub(since) > PATIENCE {
                leave(SLOW, "a case takes too long");
            }
            if resident() > MEMORY {
                leave(GREEDY, "a case takes too much memory");
            }
        }
    });
    // The watch is gone with the process; a case that ended is of no interest to it.
    run(&|| begin.send(()).unwrap_or(()))
}

/// Ticks of a processor that this process has had.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name may hold blanks; what follows it does not.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or(0) * 4096
}
