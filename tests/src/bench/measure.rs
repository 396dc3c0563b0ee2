//! Taking a figure: time and memory of commands, medians of several runs.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::sheet::Missing;
use crate::os;

/// Longest time one command may take, in seconds. A tool that takes longer shows that instead of a figure.
const LIMIT: u32 = 300;
/// Milliseconds above which one run says enough.
const SLOW: f64 = 5000.0;

/// What one run of a command took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) millis: f64,
    /// Largest resident memory of the process, or of one it waited for, in bytes.
    pub(crate) peak: f64,
    pub(crate) stdout: String,
}

/// Runs a command under `time` and `timeout`. Another status than 0 is a missing figure, with the end of what it said.
pub(crate) fn run(command: &Command) -> Result<Run, Missing> {
    let mut timed = os::command("timeout");
    timed.args(["-k", "5", &LIMIT.to_string(), "/usr/bin/time", "-f", "peak=%M"]);
    timed.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        timed.current_dir(dir);
    }
    // What a prepared command clears cannot be read back: the others' settings are passed as they are, salt-rs' are the
    // few that `salt_rs_in` sets.
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    let start = Instant::now();
    let out = os::output(&mut timed, b"").map_err(|err| err.to_string())?;
    let millis = start.elapsed().as_secs_f64() * 1000.0;
    if out.code == 124 && millis >= f64::from(LIMIT) * 1000.0 {
        return Err(format!("more than {LIMIT} s"));
    }
    let (said, peak) = out
        .stderr
        .trim_end()
        .rsplit_once("peak=")
        .unwrap_or((&out.stderr, "0"));
    if !out.ok() {
        return Err(format!("status {}: {}", out.code, last_word(said, &out.stdout)));
    }
    let peak = peak.trim().parse::<f64>().unwrap_or(0.0) * 1024.0;
    Ok(Run {
        millis,
        peak,
        stdout: out.stdout,
    })
}

/// What a failed command gave as its reason: the first of the errors in its JSON, else its last line.
fn last_word(stderr: &str, stdout: &str) -> String {
    let document = serde_json::from_str::<serde_json::Value>(stdout).unwrap_or_default();
    if let Some(message) = document
        .pointer("/errors/0/message")
        .and_then(serde_json::Value::as_str)
    {
        return message.to_owned();
    }
    let mut lines = [stdout, stderr]
        .into_iter()
        .rev()
        .flat_map(|text| text.lines().rev())
        .map(str::trim);
    let last = lines.find(|line| !line.is_empty() && !line.starts_with("Command exited"));
    last.unwrap_or("no word").to_owned()
}

/// The median of several figures; the first one that is missing is the answer.
pub(crate) fn median_of(
    times: usize,
    mut take: impl FnMut() -> Result<f64, Missing>,
) -> Result<f64, Missing> {
    median((0..times).map(|_| take()).collect::<Result<Vec<_>, _>>()?)
}

/// The median of several figures.
pub(crate) fn median(mut figures: Vec<f64>) -> Result<f64, Missing> {
    figures.sort_by(f64::total_cmp);
    figures
        .get(figures.len() / 2)
        .copied()
        .ok_or_else(|| "not measured".to_owned())
}

/// Milliseconds of a command, the median of several runs.
pub(crate) fn millis(times: usize, command: &Command) -> Result<f64, Missing> {
    median_of(times, || run(command).map(|run| run.millis))
}

/// Milliseconds of another tool's run: the first one warms its caches, unless it is so slow that they no longer matter.
pub(crate) fn settled(command: &Command) -> Result<f64, Missing> {
    let first = run(command)?.millis;
    if first > SLOW {
        Ok(first)
    } else {
        millis(3, command)
    }
}

/// While `act` runs, watches processes with this name in this cgroup: the largest resident memory any of them had, in bytes.
pub(crate) fn watch<T>(name: &str, cgroup: &str, act: impl FnOnce() -> T) -> (T, Result<f64, Missing>) {
    let done = AtomicBool::new(false);
    let (answer, peak) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0.0_f64;
            os::wait_for(Duration::from_secs(3600), || {
                peak = peak.max(largest(name, cgroup));
                done.load(Ordering::SeqCst).then_some(())
            });
            peak
        });
        let answer = act();
        done.store(true, Ordering::SeqCst);
        (answer, watcher.join().unwrap_or(0.0))
    });
    (
        answer,
        if peak > 0.0 {
            Ok(peak)
        } else {
            Err("never seen".to_owned())
        },
    )
}

fn largest(name: &str, cgroup: &str) -> f64 {
    let proc = Path::new("/proc");
    let ids = os::names(proc).unwrap_or_default();
    let mut largest = 0.0_f64;
    for id in ids
        .iter()
        .filter(|id| id.starts_with(|c: char| c.is_ascii_digit()))
    {
        let read = |file: &str| os::read_text(&proc.join(id).join(file)).unwrap_or_default();
        // A process may end between two looks: its figure then is the last one seen.
        if read("comm").trim() != name || !read("cgroup").contains(cgroup) {
            continue;
        }
        let status = read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        largest = largest.max(kib.unwrap_or(0.0) * 1024.0);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_and_an_error_is_the_first() {
        let mut figures = [3.0, 1.0, 2.0].into_iter();
        assert_eq!(median_of(3, || figures.next().ok_or_else(String::new)), Ok(2.0));
        let mut figures = [Ok(3.0), Err("no".to_owned()), Err("never asked".to_owned())].into_iter();
        assert_eq!(median_of(3, || figures.next().unwrap()), Err("no".to_owned()));
    }

    #[test]
    fn a_failed_command_is_a_missing_figure() {
        let mut command = os::command("sh");
        command.args(["-c", "echo said >&2; exit 3"]);
        assert_eq!(run(&command), Err("status 3: said".to_owned()));
        let mut command = os::command("sh");
        command.args([
            "-c",
            r#"echo '{"errors": [{"message": "why"}]}'; echo more >&2; exit 65"#,
        ]);
        assert_eq!(run(&command), Err("status 65: why".to_owned()));
        let mut command = os::command("sh");
        command.args(["-c", "echo out"]);
        let good = run(&command).unwrap();
        assert_eq!(good.stdout, "out\n");
        assert!(good.millis > 0.0 && good.peak > 100_000.0);
    }
}
