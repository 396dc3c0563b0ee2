//! Running a program on the master: an argument list, bytes in, bytes out, limits.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Most bytes taken of what a program prints.
const OUTPUT: u64 = 16 << 20;
/// Most bytes kept of what it says on standard error.
const ERRORS: u64 = 64 << 10;
/// Most characters of that in a message.
const SAID: usize = 300;

/// Runs a program in `dir` and returns what it prints.
///
/// # Errors
/// It does not start, takes too long, prints too much, or fails; the text says so with the last line of its own words.
#[expect(
    clippy::disallowed_methods,
    reason = "the master's process room for programs the settings name"
)]
pub(super) fn run(
    words: &[String],
    dir: &Path,
    limit: Duration,
    input: Option<&[u8]>,
) -> Result<Vec<u8>, String> {
    let (name, args) = words.split_first().ok_or("no program is named")?;
    // A relative path means one below the settings, wherever the command was typed.
    let program = if name.contains('/') {
        dir.join(name)
    } else {
        name.into()
    };
    let mut child = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    let out = reader(child.stdout.take(), OUTPUT + 1);
    let said = reader(child.stderr.take(), ERRORS);
    let writer = child.stdin.take().zip(input.map(<[u8]>::to_vec));
    // A program that does not read to the end says by its status what that means.
    let writer = writer.map(|(mut pipe, bytes)| thread::spawn(move || pipe.write_all(&bytes).is_ok()));
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() <= limit => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .map_err(|error| format!("`{name}` cannot be ended: {error}"))?;
                return Err(format!("`{name}` takes longer than {} seconds", limit.as_secs()));
            }
            Err(error) => return Err(format!("`{name}`: {error}")),
        }
    };
    if let Some(writer) = writer {
        writer.join().ok();
    }
    if !status.success() {
        let said = joined(said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last: String = said
            .trim_end()
            .lines()
            .last()
            .unwrap_or_default()
            .chars()
            .take(SAID)
            .collect();
        let colon = if last.is_empty() { "" } else { ": " };
        return Err(format!("`{name}` ended with {status}{colon}{last}"));
    }
    let out = joined(out).map_err(|error| format!("`{name}`: {error}"))?;
    if u64::try_from(out.len()).unwrap_or(u64::MAX) > OUTPUT {
        return Err(format!("`{name}` prints more than {} MiB", OUTPUT >> 20));
    }
    Ok(out)
}

type Reading = JoinHandle<io::Result<Vec<u8>>>;

/// Reads a pipe to its end and keeps its beginning.
fn reader(pipe: Option<impl Read + Send + 'static>, most: u64) -> Reading {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.by_ref().take(most).read_to_end(&mut kept)?;
            io::copy(&mut pipe, &mut io::sink())?;
        }
        Ok(kept)
    })
}

fn joined(reading: Reading) -> io::Result<Vec<u8>> {
    reading
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("reading it panicked")))
}
