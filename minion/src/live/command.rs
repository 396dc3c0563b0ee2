//! The one place that starts programs (A5, A6): argument vectors, a clean environment, a process group of its own, a time
//! limit that ends the whole tree, bounded output.
//!
//! Another user is taken on by `setpriv` (or `runuser`, `su`), never by this process: supplementary groups come from the
//! host's own name service, which a static program must not load.

mod capture;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::{Command, Output, Problem};

use super::{Live, failed, refused};
use capture::Capture;

/// Where programs are looked for.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Marks all processes of one command, so that a time limit finds those that left its group.
pub(crate) const MARK: &str = "SALT_RS_COMMAND";
/// How long a tree may take to end after TERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long output is waited for after the program itself has ended.
const SILENCE: Duration = Duration::from_millis(500);

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// How long the programs of an agent that was killed are waited for: dpkg may have much to do.
const OUTLIVED: Duration = Duration::from_secs(60);

/// Waits until the programs that an agent process started have ended; false when one still runs after the limit.
pub(crate) fn outwait(process: u32) -> bool {
    let until = Instant::now() + OUTLIVED;
    while tree::of_process(process) {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Who a command runs as.
#[derive(Debug, Default, Clone)]
struct Person {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
    shell: String,
}

impl Live {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// `Refused` when its user, group or directory does not exist; a program that does not exist is exit code 127.
    pub fn run(&self, command: &Command) -> Result<Output, Problem> {
        if command
            .argv
            .first()
            .is_some_and(|program| program == states::mysql::query::PROGRAM)
        {
            return self.query(command);
        }
        let person = self.person(command)?;
        let argv = self.wrapped(command, &person)?;
        let Some((program, rest)) = argv.split_first() else {
            return Err(refused("a command without a program"));
        };
        let mark = format!(
            "{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        let mut starter = starter(program);
        starter
            .args(rest)
            .env_clear()
            .envs(environment(&person))
            .envs(&command.env)
            .env(MARK, &mark)
            .stdin(if command.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut starter, 0);
        if self.root == Path::new("/") {
            starter.current_dir(self.directory(command, &person)?);
        }
        match starter.spawn() {
            Ok(child) => attend(child, command, &mark),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Output {
                code: 127,
                stderr: format!("{}: not found", command.argv.first().unwrap_or(program)),
                ..Output::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(Output {
                code: 126,
                stderr: format!("{}: {error}", command.argv.first().unwrap_or(program)),
                ..Output::default()
            }),
            Err(error) => Err(failed(format!("cannot start {}: {error}", shown(command)))),
        }
    }

    /// Runs a command that works on files of this process' own, never inside another root.
    pub(crate) fn run_here(&self, command: &Command) -> Result<Output, Problem> {
        Self {
            root: PathBuf::from("/"),
            ..Self::open(self.objects.clone())
        }
        .run(command)
    }

    /// A program that reads `input` and whose output is read as it comes.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn filter(&self, argv: &[&str], input: std::fs::File) -> std::io::Result<Filter> {
        let (program, rest) = argv.split_first().unwrap_or((&"cat", &[]));
        let mut child = starter(program)
            .args(rest)
            .env_clear()
            .envs(environment(&Person::default()))
            .stdin(Stdio::from(input))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| std::io::Error::new(error.kind(), format!("{program}: {error}")))?;
        let output = child.stdout.take();
        Ok(Filter { child, output })
    }

    /// Two programs, the output of the first being the input of the second; how each ended and what it complained of.
    ///
    /// # Errors
    /// One of them cannot be started or waited for.
    pub(crate) fn pipe(&self, from: &[String], to: &[String]) -> Result<(Output, Output), Problem> {
        let broken =
            |error: std::io::Error| failed(format!("cannot run {} into {}: {error}", from[0], to[0]));
        let start = |argv: &[String], input: Stdio, output: Stdio| {
            let mut starter = starter(&argv[0]);
            starter
                .args(&argv[1..])
                .env_clear()
                .envs(environment(&Person::default()));
            let pipes = starter.stdin(input).stdout(output).stderr(Stdio::piped());
            pipes.spawn().map_err(broken)
        };
        let mut first = start(from, Stdio::null(), Stdio::piped())?;
        let between = first.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let second = start(to, between, Stdio::null());
        let mut second = second.inspect_err(|_| {
            first.kill().ok();
        })?;
        let captures = [&mut first, &mut second].map(|child| Capture::start(None, child.stderr.take()));
        let loaded = second.wait().map_err(broken)?;
        let dumped = first.wait().map_err(broken)?;
        let mut outputs = [dumped, loaded]
            .into_iter()
            .zip(captures)
            .map(|(status, capture)| Output {
                code: status.code().unwrap_or(-1),
                stderr: capture.finish(SILENCE).1,
                ..Output::default()
            });
        Ok((
            outputs.next().unwrap_or_default(),
            outputs.next().unwrap_or_default(),
        ))
    }

    /// Runs one of the host's own tools, limited to ten minutes.
    pub(crate) fn tool(&self, argv: &[&str]) -> Result<Output, Problem> {
        self.run(&Command {
            timeout: Some(600),
            ..Command::program(argv)
        })
    }

    /// A tool that must succeed; its standard output.
    pub(crate) fn must(&self, argv: &[&str]) -> Result<String, Problem> {
        self.must_run(&Command {
            timeout: Some(600),
            ..Command::program(argv)
        })
    }

    /// A command that must succeed; its standard output.
    pub(crate) fn must_run(&self, command: &Command) -> Result<String, Problem> {
        let output = self.run(command)?;
        if output.success(command) {
            return Ok(output.stdout);
        }
        Err(failed(format!(
            "{} ended with {}",
            shown(command),
            ending(&output)
        )))
    }

    /// Whether a program of that name can be started.
    pub(crate) fn has_program(&self, name: &str) -> bool {
        self.program(name).is_some()
    }

    /// Where a program of that name lies on the host.
    pub(crate) fn program(&self, name: &str) -> Option<String> {
        PATH.split(':')
            .map(|folder| format!("{folder}/{name}"))
            .find(|path| {
                std::fs::metadata(self.real(path)).is_ok_and(|meta| {
                    meta.is_file()
                        && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0
                })
            })
    }

    fn person(&self, command: &Command) -> Result<Person, Problem> {
        let name = command.runas.clone().unwrap_or_default();
        let looked_up = if name.is_empty() {
            self.passwd_by_uid(rustix::process::geteuid().as_raw())
        } else {
            let found = self.passwd_by_name(&name);
            if found.is_none() {
                return Err(refused(format!("User '{name}' is not available")));
            }
            found
        };
        let mut person = looked_up.map_or_else(
            || Person {
                name: "root".to_owned(),
                home: "/".to_owned(),
                shell: "/bin/sh".to_owned(),
                ..Person::default()
            },
            |line| Person {
                uid: line.uid,
                gid: line.gid,
                home: line.home,
                shell: line.shell,
                name: line.name,
            },
        );
        if let Some(group) = command.group.as_deref().filter(|group| !group.is_empty()) {
            person.gid = self
                .gid_of(group)
                .ok_or_else(|| refused(format!("Group '{group}' is not available")))?;
        }
        Ok(person)
    }

    /// The argument vector with everything that has to come before the program itself.
    fn wrapped(&self, command: &Command, person: &Person) -> Result<Vec<String>, Problem> {
        let mut argv: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| argv.extend(words.iter().map(|&word| word.to_owned()));
        if self.root != Path::new("/") {
            let directory = self.directory(command, person)?;
            add(&["chroot", &self.root.to_string_lossy()]);
            add(&[
                "/bin/sh",
                "-c",
                "cd \"$0\" && exec \"$@\"",
                &directory.to_string_lossy(),
            ]);
        }
        let me = rustix::process::geteuid().as_raw();
        let other = person.uid != me || command.group.is_some();
        if command.runas.is_some() && other {
            let (uid, gid) = (person.uid.to_string(), person.gid.to_string());
            if me != 0 {
                return Err(refused(format!("only root can run commands as {}", person.name)));
            } else if self.has_program("setpriv") {
                add(&["setpriv", "--reuid", &uid, "--regid", &gid, "--init-groups", "--"]);
            } else if self.has_program("runuser") {
                add(&["runuser", "-u", &person.name, "--"]);
            } else {
                add(&[
                    "su",
                    "-s",
                    "/bin/sh",
                    "-c",
                    "exec \"$0\" \"$@\"",
                    &person.name,
                    "--",
                ]);
            }
        } else if command.group.is_some() && me == 0 {
            let gid = person.gid.to_string();
            add(&["setpriv", "--regid", &gid, "--clear-groups", "--"]);
        }
        if let Some(mask) = command.umask {
            let mask = format!("{:04o}", mask & 0o777);
            add(&["/bin/sh", "-c", "umask \"$0\" && exec \"$@\"", &mask]);
        }
        match &command.shell {
            Some(shell) => {
                add(&[shell, "-c"]);
                argv.extend(command.argv.iter().cloned());
            }
            None => argv.extend(command.argv.iter().cloned()),
        }
        Ok(argv)
    }

    /// Salt's default working directory is the home of whoever runs.
    fn directory(&self, command: &Command, person: &Person) -> Result<PathBuf, Problem> {
        let there = |path: &str| std::fs::metadata(self.real(path)).is_ok_and(|meta| meta.is_dir());
        match command.cwd.as_deref().filter(|cwd| !cwd.is_empty()) {
            Some(cwd) if there(cwd) => Ok(PathBuf::from(cwd)),
            Some(cwd) => Err(refused(format!(
                "Desired working directory \"{cwd}\" is not available"
            ))),
            None if there(&person.home) => Ok(PathBuf::from(&person.home)),
            None => Ok(PathBuf::from("/")),
        }
    }
}

/// A running [`Live::filter`]; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Filter {
    child: Child,
    output: Option<std::process::ChildStdout>,
}

impl std::io::Read for Filter {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.output.as_mut().map_or(Ok(0), |output| output.read(buffer))
    }
}

impl Filter {
    /// Waits for the end, which must be a success.
    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        self.output = None;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "it is damaged: its compression does not end well",
        ))
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // Ended already, or no longer wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
fn starter(program: &str) -> std::process::Command {
    let found = if program.contains('/') {
        PathBuf::from(program)
    } else {
        // Looked up in our own list: the parent's PATH must not decide what runs.
        PATH.split(':')
            .map(|folder| Path::new(folder).join(program))
            .find(|path| path.is_file())
            .unwrap_or_else(|| PathBuf::from(program))
    };
    let mut starter = std::process::Command::new(found);
    std::os::unix::process::CommandExt::arg0(&mut starter, program);
    starter
}

fn environment(person: &Person) -> [(&'static str, &str); 7] {
    [
        ("PATH", PATH),
        ("LANG", "C"),
        ("LC_ALL", "C"),
        ("HOME", &person.home),
        ("USER", &person.name),
        ("LOGNAME", &person.name),
        (
            "SHELL",
            if person.shell.is_empty() {
                "/bin/sh"
            } else {
                &person.shell
            },
        ),
    ]
}

/// Feeds, reads and waits for a started program.
fn attend(mut child: Child, command: &Command, mark: &str) -> Result<Output, Problem> {
    let pid = child.id();
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), command.stdin.clone()) {
        // A program that does not read its input ends the write; that is its own business.
        std::thread::spawn(move || std::io::Write::write_all(&mut pipe, text.as_bytes()).ok());
    }
    let capture = Capture::start(child.stdout.take(), child.stderr.take());
    let deadline = command.timeout.filter(|&seconds| seconds > 0).map(|seconds| {
        Instant::now()
            .checked_add(Duration::from_secs(seconds))
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(u64::from(u32::MAX)))
    });
    let lost = |error: std::io::Error| failed(format!("cannot wait for {}: {error}", shown(command)));
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(lost)? {
            break status;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            timed_out = true;
            tree::end(&mut child, mark, GRACE);
            break child.wait().map_err(lost)?;
        }
        capture.pause(deadline);
    };
    let (stdout, stderr) = capture.finish(SILENCE);
    let code = match (
        status.code(),
        std::os::unix::process::ExitStatusExt::signal(&status),
    ) {
        (Some(code), _) => code,
        (None, Some(signal)) => -signal,
        (None, None) => -1,
    };
    Ok(Output {
        pid,
        code,
        stdout,
        stderr,
        timed_out,
    })
}

/// A command for people: its words, shortened.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.argv.join(" ");
    if text.len() > 300 {
        let mut cut = 300;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        text.push('…');
    }
    format!("`{text}`")
}

/// How a command ended, for people: its code and the last lines it said.
pub(crate) fn ending(output: &Output) -> String {
    let how = if output.timed_out {
        "its time over".to_owned()
    } else if output.code < 0 {
        format!("signal {}", -output.code)
    } else {
        format!("exit code {}", output.code)
    };
    let said = if output.stderr.trim().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = &lines[lines.len().saturating_sub(20)..];
    if last.is_empty() {
        how
    } else {
        format!("{how}:\n{}", last.join("\n"))
    }
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn run(command: &Command) -> Output {
        testing::here().live.run(command).expect("it starts")
    }

    #[test]
    fn codes_texts_and_signals_come_back() {
        let output = run(&Command::sh("printf 'a\n\n'; echo b >&2; exit 3"));
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (3, "a", "b")
        );
        assert_eq!(run(&Command::sh("kill -9 $$")).code, -9);
        assert_eq!(run(&Command::program(&["no-such-program-here"])).code, 127);
        let echo = Command {
            stdin: Some("secret".to_owned()),
            ..Command::program(&["cat"])
        };
        assert_eq!(run(&echo).stdout, "secret");
    }

    #[test]
    fn the_environment_is_clean_and_the_options_count() {
        let command = Command {
            cwd: Some("/usr".to_owned()),
            env: [("FOO".to_owned(), "bar".to_owned())].into(),
            umask: Some(0o27),
            ..Command::sh("echo $FOO; pwd; umask; env | cut -d= -f1 | sort | tr '\n' ' '")
        };
        let text = run(&command).stdout;
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("bar"));
        assert_eq!(lines.next(), Some("/usr"));
        assert_eq!(lines.next(), Some("0027"));
        let names = lines.next().expect("names");
        assert!(!names.contains("CARGO"), "{names}");
        let bad = Command {
            cwd: Some("/no/such/place".to_owned()),
            ..Command::sh("true")
        };
        assert!(testing::here().live.run(&bad).is_err());
    }

    #[test]
    fn another_user_is_taken_on_with_all_groups() {
        if rustix::process::geteuid().as_raw() != 0 {
            return;
        }
        let command = Command {
            runas: Some("daemon".to_owned()),
            ..Command::sh("id -un; id -gn; echo $HOME")
        };
        assert_eq!(run(&command).stdout, "daemon\ndaemon\n/usr/sbin");
        let nobody = Command {
            runas: Some("no-such-user".to_owned()),
            ..Command::sh("true")
        };
        assert!(testing::here().live.run(&nobody).is_err());
    }

    #[test]
    fn a_time_limit_ends_the_whole_tree() {
        let host = testing::here();
        let file = host.path("/pids");
        let command = Command {
            timeout: Some(1),
            ..Command::sh(&format!(
                "(setsid sleep 300 & echo $! > {0}); sh -c 'trap \"\" TERM; echo $$ >> {0}; exec sleep 300' & wait",
                file.display()
            ))
        };
        let output = host.live.run(&command).expect("it starts");
        assert!(output.timed_out);
        let pids = std::fs::read_to_string(&file).expect("pids");
        assert_eq!(pids.lines().count(), 2);
        for pid in pids.lines() {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            assert!(state.is_empty() || state.contains(") Z"), "{pid} lives: {state}");
        }
    }

    #[test]
    fn a_daemon_that_keeps_the_pipe_does_not_hold_the_run() {
        let host = testing::here();
        let started = Instant::now();
        let output = host
            .live
            .run(&Command::sh("sleep 20 & echo $!"))
            .expect("it starts");
        assert!(started.elapsed() < Duration::from_secs(10));
        let pid: i32 = output.stdout.parse().expect("a pid");
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    }

    #[test]
    fn words_are_quoted_where_they_must() {
        assert_eq!(quoted("/etc/a-b.conf"), "/etc/a-b.conf");
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
        assert_eq!(quoted(""), "''");
    }
}
