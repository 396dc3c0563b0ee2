//! Statements to a database server, through the server's own client: SQL on its input, a password in a file that only root
//! reads, rows as tab-separated lines. Nothing of it ever stands in an argument or in the environment.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use proto::{Command, Digest, Output, Problem};

use super::super::{Live, failed, refused};

/// What one statement gave: rows, the names of the columns first (none when there is no row), or the server's error.
pub(crate) type Answered = Result<Vec<Vec<String>>, Complaint>;

/// A server's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Its number.
    pub(crate) code: u32,
    /// Its text.
    pub(crate) text: String,
}

impl Complaint {
    /// As Salt words it.
    pub(crate) fn told(&self) -> String {
        format!("MySQL Error {}: {}", self.code, self.text)
    }
}

/// What to do after an error of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// Questions are independent of each other.
    GoOn,
    /// What follows depends on it.
    Stop,
}

/// Marks where the rows of a statement begin; no such row comes from a server.
const MARK: &str = "salt-rs statement";
/// First lines of every script: literals are read the same way on every server.
const PRELUDE: &str = "SET SESSION sql_mode='';\n";
/// How long a server that is starting may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds a script of our own may take.
const LONGEST: u64 = 3600;
/// Errors of the client: it could not connect.
const NO_SERVER: &[u32] = &[2002, 2003, 2005, 2013, 2026];

impl Live {
    /// Puts statements to a server, one line each.
    ///
    /// # Errors
    /// There is no client, or the server does not answer or let us in; with the way out.
    pub(crate) fn sql(
        &self,
        server: &str,
        statements: &[String],
        on_error: OnError,
    ) -> Result<Vec<Answered>, Problem> {
        let mut script = PRELUDE.to_owned();
        for (number, statement) in statements.iter().enumerate() {
            script.push_str(&format!("SELECT '{MARK}', {number};\n{statement};\n"));
        }
        let options: &[&str] = match on_error {
            OnError::GoOn => &["--force"],
            OnError::Stop => &[],
        };
        let output = self.reach(server, options, &script, Some(LONGEST))?;
        Ok(sorted(&output, statements.len()))
    }

    /// Runs statements that depend on each other; the first error ends it.
    pub(crate) fn sql_must(
        &self,
        server: &str,
        statements: &[String],
    ) -> Result<Vec<Vec<Vec<String>>>, Problem> {
        self.sql(server, statements, OnError::Stop)?
            .into_iter()
            .map(|answered| answered.map_err(|complaint| failed(complaint.told())))
            .collect()
    }

    /// Runs the client on a script; a server that is starting is waited for.
    pub(crate) fn reach(
        &self,
        server: &str,
        options: &[&str],
        script: &str,
        timeout: Option<u64>,
    ) -> Result<Output, Problem> {
        let began = Instant::now();
        loop {
            let output = self.client(server, options, script, timeout)?;
            let Some((_, complaint)) = complaints(&output.stderr).next() else {
                if output.code == 0 || !output.stdout.is_empty() {
                    return Ok(output);
                }
                let said = output.stderr.lines().last().unwrap_or_default();
                return Err(failed(format!(
                    "the database's client ended with {}: {said}",
                    output.code
                )));
            };
            let unreachable = NO_SERVER.contains(&complaint.code) && output.stdout.is_empty();
            if unreachable && began.elapsed() < self.patience(server) {
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
            if !unreachable && !(1044..=1045).contains(&complaint.code) && complaint.code != 1698 {
                return Ok(output);
            }
            let way_out = if unreachable {
                "is the database server installed and running? see `systemctl status mariadb` (or `mysql`)"
            } else {
                "the server does not let this account in; see the connection_* arguments"
            };
            return Err(failed(format!("{}\n{way_out}", complaint.told())));
        }
    }

    /// How long to wait for a server here that does not answer: systemd knows whether it is starting. One that is up and
    /// silent listens elsewhere.
    fn patience(&self, server: &str) -> Duration {
        if server.split(' ').any(|word| word.starts_with("host=")) {
            return Duration::ZERO;
        }
        let units = ["mariadb.service", "mysql.service", "mysqld.service"];
        let waits = units.iter().map(|unit| {
            let output = self.tool(&["systemctl", "is-active", unit]);
            match output.map(|output| output.stdout).unwrap_or_default().trim() {
                "activating" | "reloading" => PATIENCE,
                "active" => PATIENCE / 10,
                _ => Duration::ZERO,
            }
        });
        waits.max().unwrap_or_default()
    }

    /// Starts the client once.
    fn client(
        &self,
        server: &str,
        options: &[&str],
        script: &str,
        timeout: Option<u64>,
    ) -> Result<Output, Problem> {
        let (mut argv, folder) = self.client_argv(self.client_program()?, server, "client")?;
        argv.extend(["--batch", "--binary-mode", "--connect-timeout=10"].map(str::to_owned));
        argv.extend(options.iter().map(|&option| option.to_owned()));
        let output = self.run(&Command {
            argv,
            stdin: Some(script.to_owned()),
            timeout,
            ..Command::default()
        });
        if let Some(folder) = folder {
            self.unstage(&folder);
        }
        output
    }

    /// The client this host has.
    pub(super) fn client_program(&self) -> Result<&'static str, Problem> {
        let known = ["mariadb", "mysql"];
        known.into_iter().find(|name| self.has_program(name)).ok_or_else(|| {
            refused(
                "the host has neither `mariadb` nor `mysql`, the client of a database server: install the server's \
                 package, or that of the client",
            )
        })
    }

    /// How a program of the server's reaches it. A password makes an option file, in a folder to be removed afterwards.
    pub(super) fn client_argv(
        &self,
        program: &str,
        server: &str,
        folder: &str,
    ) -> Result<(Vec<String>, Option<String>), Problem> {
        let mut first = Vec::new();
        let mut more = Vec::new();
        let mut charset = "utf8mb4";
        let mut defaults = None;
        for (key, value) in server.split(' ').filter_map(|word| word.split_once('=')) {
            match key {
                "charset" => charset = value,
                "defaults" => defaults = Some(value),
                _ => more.push(format!("--{key}={value}")),
            }
        }
        let login = self.login(server);
        let folder = login
            .as_ref()
            .map(|_| format!("mysql-{folder}-{}", std::process::id()));
        match (&login, &folder, defaults) {
            (Some(password), Some(folder), defaults) => {
                let file = self.option_file(folder, password, defaults)?;
                first.push(format!("--defaults-file={file}"));
            }
            (_, _, Some(defaults)) => first.push(format!("--defaults-file={defaults}")),
            _ => {}
        }
        let mut argv = vec![program.to_owned()];
        argv.extend(first);
        argv.extend(more);
        argv.push(format!("--default-character-set={charset}"));
        Ok((argv, folder))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own file, gone when the client has ended"
    )]
    fn option_file(&self, folder: &str, password: &str, defaults: Option<&str>) -> Result<String, Problem> {
        let broken =
            |error: std::io::Error| failed(format!("cannot write the client's option file: {error}"));
        let path = self.staging(folder).map_err(broken)?.join("client.cnf");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(broken)?;
        let include = defaults
            .map(|path| format!("!include {path}\n"))
            .unwrap_or_default();
        let password = password.replace('\\', "\\\\").replace('"', "\\\"");
        write!(file, "{include}[client]\npassword=\"{password}\"\n").map_err(broken)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// The password for a server: told in this session, or kept for going back.
    fn login(&self, server: &str) -> Option<String> {
        let known = self.databases.logins.get(server).cloned();
        known.or_else(|| {
            let kept = self.kept_beside("logins", &Digest::of(server).hex())?;
            String::from_utf8(kept).ok()
        })
    }

    /// Keeps the password for a server, so that a later rollback can log in.
    pub(super) fn keep_login(&self, server: &str) -> Result<(), Problem> {
        let Some(password) = self.databases.logins.get(server) else {
            return Ok(());
        };
        self.keep_beside("logins", &Digest::of(server).hex(), password.as_bytes())
            .map_err(|error| refused(format!("cannot keep how to log in to the database: {error}")))
    }
}

/// The answers of a script, statement by statement. What was not come to is an error, too.
fn sorted(output: &Output, count: usize) -> Vec<Answered> {
    let mut answers: Vec<Answered> = Vec::new();
    let mut reached = 0;
    for _ in 0..count {
        answers.push(Ok(Vec::new()));
    }
    let mut now = None;
    for line in output.stdout.lines() {
        let row: Vec<String> = line.split('\t').map(unescaped).collect();
        if let [mark, number] = row.as_slice()
            && mark == MARK
        {
            now = number.parse::<usize>().ok();
            reached = now.map_or(reached, |now| now + 1);
        } else if let Some(Ok(rows)) = now.and_then(|now| answers.get_mut(now)) {
            rows.push(row);
        }
    }
    for (line, complaint) in complaints(&output.stderr) {
        // Two lines for each statement, after those of the prelude.
        let place = line.checked_sub(PRELUDE.lines().count() + 1).map(|line| line / 2);
        // A statement of several lines is the last one.
        let last = answers.len().saturating_sub(1);
        if let Some(answer) = place.and_then(|place| answers.get_mut(place.min(last))) {
            *answer = Err(complaint);
        }
    }
    for answer in answers.iter_mut().skip(reached) {
        *answer = Err(Complaint {
            code: 0,
            text: "the server did not come to this statement".to_owned(),
        });
    }
    answers
}

/// `ERROR 1133 (28000) at line 7: text` lines. Everything else the client says repeats statements and is nobody's business.
pub(super) fn complaints(stderr: &str) -> impl Iterator<Item = (usize, Complaint)> {
    stderr.lines().filter_map(|line| {
        let rest = line.strip_prefix("ERROR ")?;
        let (head, text) = rest.split_once(": ")?;
        let code = head.split(' ').next()?.parse().ok()?;
        let line = head
            .rsplit_once(" at line ")
            .and_then(|(_, number)| number.parse().ok());
        let text = text.to_owned();
        Some((line.unwrap_or(0), Complaint { code, text }))
    })
}

/// A field of the client's batch mode.
fn unescaped(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => out.extend(letters.next().map(|next| match next {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                other => other,
            })),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let output = Output {
            stdout: format!("{MARK}\t0\na\\tb\tc\\\\\nd\n{MARK}\t1\n{MARK}\t2\nx"),
            stderr: "--------------\nshow create user 'secret'\n--------------\n\nERROR 1133 (28000) at line 5: No: such user"
                .to_owned(),
            code: 1,
            ..Output::default()
        };
        let answers = sorted(&output, 4);
        assert_eq!(
            answers[0],
            Ok(vec![
                vec!["a\tb".to_owned(), "c\\".to_owned()],
                vec!["d".to_owned()]
            ])
        );
        let complaint = answers[1].as_ref().expect_err("an error");
        assert_eq!(complaint.told(), "MySQL Error 1133: No: such user");
        assert_eq!(answers[2], Ok(vec![vec!["x".to_owned()]]));
        assert!(answers[3].is_err());
    }
}
