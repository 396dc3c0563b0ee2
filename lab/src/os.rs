//! The machine the hosts are made on: programs, files, and waiting. The only place of this crate that starts a program or
//! writes a file, so that every failure names what was run or which path it was.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

/// What went wrong between this program and the machine.
#[derive(Debug, Error)]
pub enum OsError {
    /// A file or directory.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program that could not be started or spoken to.
    #[error("cannot run {program}")]
    Start {
        /// Its name and arguments.
        program: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program that ended badly.
    #[error("{program} ended with {status}: {stderr}")]
    Failed {
        /// Its name and arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
}

/// What a program printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 + signal for a program ended by a signal, as a shell says it.
    pub code: i32,
    /// Standard output, bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// Standard error, bytes that are not UTF-8 replaced.
    pub stderr: String,
}

impl Output {
    /// Whether the program ended with 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }
}

/// A program to be run, without arguments yet. Those for root are found even where the search path leaves them out.
#[expect(clippy::disallowed_methods, reason = "the lab starts programs here only")]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    command
}

/// Runs a program with nothing to read and returns its output if it ended with 0.
///
/// # Errors
/// When it cannot be started or ends otherwise.
pub fn run(program: &str, args: &[&str]) -> Result<String, OsError> {
    let mut command = command(program);
    command.args(args);
    checked(&mut command)
}

/// Runs a prepared command with nothing to read and returns its output if it ended with 0.
///
/// # Errors
/// When it cannot be started or ends otherwise.
pub fn checked(command: &mut Command) -> Result<String, OsError> {
    let out = output(command, b"")?;
    if out.ok() {
        return Ok(out.stdout);
    }
    let status = std::os::unix::process::ExitStatusExt::from_raw(out.code << 8);
    Err(OsError::Failed {
        program: shown(command),
        status,
        stderr: out.stderr.trim().to_owned(),
    })
}

/// Runs a prepared command to its end, whatever that is, with `stdin` to read.
///
/// # Errors
/// When it cannot be started.
pub fn output(command: &mut Command, stdin: &[u8]) -> Result<Output, OsError> {
    use std::os::unix::process::ExitStatusExt;
    let program = shown(command);
    let start = |source| OsError::Start {
        program: program.clone(),
        source,
    };
    let input = if stdin.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let pipe = child.stdin.take();
    let out = thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not read all of its input is judged by how it ends, not by this.
            pipe.map(|mut pipe| pipe.write_all(stdin))
        });
        child.wait_with_output()
    })
    .map_err(start)?;
    let code = out
        .status
        .code()
        .unwrap_or_else(|| 128 + out.status.signal().unwrap_or(0));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Output {
        code,
        stdout: text(&out.stdout),
        stderr: text(&out.stderr),
    })
}

/// A command as one would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn file(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OsError {
    let path = path.to_owned();
    move |source| OsError::File { verb, path, source }
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, OsError> {
    fs::read(path).map_err(file("read", path))
}

/// Reads a whole file as text.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, OsError> {
    fs::read_to_string(path).map_err(file("read", path))
}

/// Names in a directory, sorted.
///
/// # Errors
/// When it cannot be read.
pub fn names(path: &Path) -> Result<Vec<String>, OsError> {
    let entries = fs::read_dir(path).map_err(file("list", path))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(file("list", path))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes a file, making the directories above it.
///
/// # Errors
/// When it cannot be written.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), OsError> {
    if let Some(above) = path.parent() {
        make_dir(above)?;
    }
    fs::write(path, bytes).map_err(file("write", path))
}

/// Writes into a file that exists, as the kernel's control files want it.
///
/// # Errors
/// When it cannot be written.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn control(path: &Path, text: &str) -> Result<(), OsError> {
    fs::write(path, text).map_err(file("write", path))
}

/// Opens a file for adding to it.
///
/// # Errors
/// When it cannot be opened.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn append(path: &Path) -> Result<File, OsError> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(file("open", path))
}

/// Sets the permission bits.
///
/// # Errors
/// When that is refused.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn chmod(path: &Path, mode: u32) -> Result<(), OsError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(file("chmod", path))
}

/// What lies at a path, links not followed.
///
/// # Errors
/// When there is nothing, or it cannot be looked at.
pub fn stat(path: &Path) -> Result<fs::Metadata, OsError> {
    fs::symlink_metadata(path).map_err(file("look at", path))
}

/// Makes a symbolic link.
///
/// # Errors
/// When that is refused.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn link(target: &Path, path: &Path) -> Result<(), OsError> {
    std::os::unix::fs::symlink(target, path).map_err(file("link", path))
}

/// Makes a directory and those above it.
///
/// # Errors
/// When that is refused.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn make_dir(path: &Path) -> Result<(), OsError> {
    fs::create_dir_all(path).map_err(file("make directory", path))
}

/// Makes one directory; says whether it is new. Two processes that ask at once get different answers.
///
/// # Errors
/// When that is refused for another reason than that it exists.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn claim_dir(path: &Path) -> Result<bool, OsError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(err) => Err(file("make directory", path)(err)),
    }
}

/// Removes a file, or a directory with all that is in it. A missing one is no error.
///
/// # Errors
/// When something cannot be removed.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn remove_tree(path: &Path) -> Result<(), OsError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => fs::remove_file(path),
        _ => fs::remove_dir_all(path),
    };
    match removed {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(file("remove", path)(err)),
        _ => Ok(()),
    }
}

/// Removes a directory unless there is something in it. A missing one is no error.
///
/// # Errors
/// When that is refused for another reason.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn remove_empty_dir(path: &Path) -> Result<(), OsError> {
    use std::io::ErrorKind;
    match fs::remove_dir(path) {
        Err(err) if ![ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty].contains(&err.kind()) => {
            Err(file("remove", path)(err))
        }
        _ => Ok(()),
    }
}

/// Gives a file or directory another name on the same file system.
///
/// # Errors
/// When that is refused.
#[expect(clippy::disallowed_methods, reason = "the lab writes files here only")]
pub fn rename(from: &Path, to: &Path) -> Result<(), OsError> {
    fs::rename(from, to).map_err(file("rename", from))
}

/// Holds the only lock of a directory; waits for whoever has it. Dropped with the value, or with the process.
///
/// # Errors
/// When the directory cannot be opened.
pub fn lock_dir(path: &Path) -> Result<File, OsError> {
    let dir = File::open(path).map_err(file("open", path))?;
    dir.lock().map_err(file("lock", path))?;
    Ok(dir)
}

/// Asks until there is an answer; `None` when `limit` has passed first. The only place where time is waited for: what
/// is waited for is always a condition.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Holds this thread until a moment: for what delays bytes on purpose, never for a test that waits.
pub fn hold_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Says something to the person in front of the terminal.
pub fn say(text: &str) {
    use std::io::Write as _;
    // Where nobody listens there is nobody to tell.
    writeln!(std::io::stdout(), "{text}").ok();
}
