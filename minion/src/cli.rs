//! The agent's command line: what works on the host alone, and what the master starts.

mod text;

use std::io::{self, Write};
use std::path::PathBuf;

use proto::frame::{BackTo, Rollback};
use proto::{FromMinion, Outcome};

use crate::guard;
use crate::journal::ledger::Ledger;
use crate::journal::lock::{self, Fence, Lock};
use crate::journal::sweep::{self, When};
use crate::journal::{Journal, JournalError, limits, recover};
use crate::live::Live;
use crate::log::{self, Private, Shown};
use crate::serve::{self, child};
use crate::undo::rollback::{self, Request};
use crate::undo::shown;
use crate::{blame, verify};

const HELP: &str = "\
The agent of salt-rs on a host

Usage: salt-rs-minion COMMAND [--dir DIR]

Commands:
  log [-n N] [--diff]       The change record, newest first
  log verify                Check every record and every kept content
  log blame PATH            Which runs made a path what it is, line by line
  status                    Generation, last run, what is owed, and whether something is going on
  rollback [--to GENERATION | --run RUN | --redo] [--plan] [--skip-conflicts] [--merge] [--force]
           [--past-irreversible]
                            Back to the state before the last run, after the given generation, before the given
                            run, or (--redo) to before the last rollback
  journal [--sweep]         What the record takes up and how far back it reaches; --sweep lets go of
                            what the settings do not want kept
  confirm                   The last run stays, though no master confirmed it
  release                   Forget which master this host obeys; the next one that applies takes it over
  serve                     Serve a master over standard input and output (the master starts this)

Options:
  --dir DIR                 Where the journal lies [default: /var/lib/salt-rs]
  -h, --help                Print this
  -V, --version             Print the version

Exit status: 0 done, 1 something failed, 2 a plan has changes to make, 5 refused, 64 usage.
";

/// Exit statuses (contract section 6).
const FAILED: u8 = 1;
const CHANGES: u8 = 2;
const REFUSED: u8 = 5;
const USAGE: u8 = 64;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    command: String,
    dir: PathBuf,
    count: usize,
    to: Option<u64>,
    run: Option<String>,
    /// What is to be told of the record.
    word: Option<String>,
    path: Option<String>,
    flags: Vec<String>,
}

/// Runs the command line; the result is the exit status.
pub fn main(arguments: impl Iterator<Item = String>) -> u8 {
    let typed = match parse(arguments) {
        Ok(typed) => typed,
        Err(problem) => {
            complain(&format!("{problem}\nsee `salt-rs-minion --help`"));
            return USAGE;
        }
    };
    let done = match typed.command.as_str() {
        "help" => say(HELP),
        "version" => say(&format!("salt-rs-minion {}\n", env!("CARGO_PKG_VERSION"))),
        "serve" => return ended(serve::serve(&typed.dir)),
        "run" => return ended(child::work(&typed.dir)),
        "log" => show_log(&typed),
        "guard" => guard::watch(&typed.dir, typed.run.as_deref()).map(|()| 0),
        "journal" => show_journal(&typed),
        "confirm" => confirm(&typed),
        "status" => status(&typed),
        "rollback" => go_back(&typed),
        _ => release(&typed),
    };
    done.unwrap_or_else(|error| {
        complain(&error.to_string());
        match error {
            JournalError::Busy(_) | JournalError::Unknown(_) => REFUSED,
            JournalError::Io { .. } | JournalError::Damaged(_) => FAILED,
        }
    })
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Typed, String> {
    let mut typed = Typed {
        command: String::new(),
        dir: PathBuf::from("/var/lib/salt-rs"),
        count: 0,
        to: None,
        run: None,
        word: None,
        path: None,
        flags: Vec::new(),
    };
    while let Some(word) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or_else(|| format!("{word} needs {what}"));
        match word.as_str() {
            "--dir" => typed.dir = PathBuf::from(value("a directory")?),
            "-n" => typed.count = number(&value("a number")?)?,
            "--to" => typed.to = Some(number(&value("a generation")?)?),
            "--run" => typed.run = Some(value("a run")?),
            "-h" | "--help" => typed.command = "help".to_owned(),
            "-V" | "--version" => typed.command = "version".to_owned(),
            "--diff"
            | "--sweep"
            | "--plan"
            | "--skip-conflicts"
            | "--force"
            | "--merge"
            | "--redo"
            | "--past-irreversible" => {
                typed.flags.push(word);
            }
            "verify" if typed.command == "log" && typed.word.is_none() => typed.word = Some(word),
            "blame" if typed.command == "log" && typed.word.is_none() => {
                typed.path = Some(value("a path")?);
                typed.word = Some(word);
            }
            "serve" | "run" | "guard" | "log" | "status" | "rollback" | "journal" | "confirm" | "release"
                if typed.command.is_empty() =>
            {
                typed.command = word;
            }
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let allowed: &[&str] = match typed.command.as_str() {
        "" => return Err("no command was given".to_owned()),
        "log" => &["--diff"],
        "journal" => &["--sweep"],
        "rollback" => &[
            "--plan",
            "--skip-conflicts",
            "--force",
            "--merge",
            "--redo",
            "--past-irreversible",
        ],
        _ => &[],
    };
    if usize::from(typed.to.is_some()) + usize::from(typed.run.is_some()) + usize::from(typed.has("--redo"))
        > 1
    {
        return Err("--to, --run and --redo are three ways to say where to: give one".to_owned());
    }
    match typed.flags.iter().find(|flag| !allowed.contains(&flag.as_str())) {
        Some(flag) => Err(format!("{} does not take {flag}", typed.command)),
        None => Ok(typed),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word:?} is not a number"))
}

impl Typed {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }
}

fn say(words: &str) -> Result<u8, JournalError> {
    // A reader that went away has read enough.
    io::stdout().write_all(words.as_bytes()).ok();
    Ok(0)
}

fn complain(words: &str) {
    // Nothing can be said about a standard error that is gone.
    writeln!(io::stderr(), "error: {words}").ok();
}

fn ended(done: Result<(), serve::ServeError>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(error) => {
            complain(&error.to_string());
            FAILED
        }
    }
}

fn show_log(typed: &Typed) -> Result<u8, JournalError> {
    let journal = Journal::open(&typed.dir)?;
    match (typed.word.as_deref(), &typed.path) {
        (Some("verify"), _) => {
            let found = verify::verify(&journal)?;
            say(&text::verified(&found))?;
            return Ok(if found.damage.is_empty() { 0 } else { FAILED });
        }
        (_, Some(path)) => {
            let mut system = Live::open(journal.objects().clone());
            let found = blame::blame(&journal, &mut system, path, Private::Shown)?
                .ok_or_else(|| JournalError::Unknown(format!("no run that is kept touched {path}")))?;
            return say(&text::blame(&found));
        }
        _ => {}
    }
    let list = log::list(&journal, &Shown::for_root(typed.count, typed.has("--diff")))?;
    let damage: Vec<String> = journal
        .runs()?
        .into_iter()
        .filter_map(|number| journal.run(number).ok().flatten())
        .flat_map(|run| run.damage)
        .collect();
    say(&text::log(&list))?;
    for line in &damage {
        complain(&format!("the journal is damaged: {line}"));
    }
    Ok(if damage.is_empty() { 0 } else { FAILED })
}

fn status(typed: &Typed) -> Result<u8, JournalError> {
    let journal = Journal::open(&typed.dir)?;
    let fence = Fence::load(&typed.dir)?;
    let holder = lock::holder(&typed.dir)?;
    let cut_off = if holder.is_some() {
        None
    } else {
        recover::cut_off(&journal)?
    };
    let told = text::Status {
        generation: journal.generation()?,
        last: journal.last(),
        fence,
        holder,
        cut_off: cut_off.map(|run| run.header.run),
        window: guard::window(&journal)?,
        owed: Ledger::load(&journal)?.waiting(&journal),
    };
    say(&told.to_string())
}

fn show_journal(typed: &Typed) -> Result<u8, JournalError> {
    let journal = Journal::open(&typed.dir)?;
    let limits = limits::load(&typed.dir);
    if typed.has("--sweep") {
        let _lock = Lock::take(&typed.dir, "sweep")?;
        let swept = sweep::sweep(&journal, &limits, When::Now)?;
        say(&text::swept(&swept))?;
    }
    let history = journal.history()?;
    let oldest = history.first().map_or(0, |run| run.header.parent);
    say(&text::usage(
        &sweep::usage(&journal)?,
        oldest,
        journal.generation()?,
        &limits,
    ))
}

fn confirm(typed: &Typed) -> Result<u8, JournalError> {
    match guard::keep(&Journal::open(&typed.dir)?)? {
        Some(run) => say(&format!("run {run} stays\n")),
        None => say("no run waits to be confirmed\n"),
    }
}

fn release(typed: &Typed) -> Result<u8, JournalError> {
    let lock = Lock::take(&typed.dir, "release")?;
    let old = Fence::load(&typed.dir)?;
    Fence::default().store(&typed.dir)?;
    drop(lock);
    match old.master.as_str() {
        "" => say("this host obeyed no master\n"),
        master => say(&format!("this host no longer obeys master {master}\n")),
    }
}

fn go_back(typed: &Typed) -> Result<u8, JournalError> {
    let journal = Journal::open(&typed.dir)?;
    let run = format!("local-{}-{}", crate::clock::now(), std::process::id());
    let want = Rollback {
        run: run.clone(),
        epoch: Fence::load(&typed.dir)?.epoch,
        by: "root on this host".to_owned(),
        to: match (typed.to, &typed.run) {
            (Some(generation), _) => BackTo::Generation(generation),
            (None, Some(run)) => BackTo::BeforeRun(run.clone()),
            (None, None) if typed.has("--redo") => BackTo::Redo,
            (None, None) => BackTo::Previous,
        },
        plan: typed.has("--plan"),
        confirm: None,
        skip_conflicts: typed.has("--skip-conflicts"),
        force: typed.has("--force"),
        merge: typed.has("--merge"),
        past_irreversible: typed.has("--past-irreversible"),
        ..Rollback::default()
    };
    let mut system = Live::open(journal.objects().clone());
    let mut report = if want.plan {
        rollback::preview(&journal, &mut system, &want)?
    } else {
        let lock = Lock::take(&typed.dir, &run)?;
        if let Some(recovery) = recover::recover(&journal, &mut system)? {
            recovery.notes.iter().for_each(|note| complain(note));
        }
        let request = Request {
            want: &want,
            master: "",
            cancelled: &|| false,
        };
        rollback::rollback(&journal, &mut system, &request, lock, &mut |_| {})?
    };
    shown::explain(&journal, &mut system, &mut report, Private::Shown)?;
    say(&text::rollback(
        &FromMinion::RollbackReport(report.clone()),
        want.plan,
    ))?;
    Ok(match report.outcome {
        Outcome::Refused => REFUSED,
        Outcome::Failed => FAILED,
        Outcome::Changed if want.plan => CHANGES,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Typed, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments() {
        let found = typed("rollback --to 12 --plan --dir /x").expect("fine");
        assert_eq!(
            (found.to, found.has("--plan"), found.dir.to_str()),
            (Some(12), true, Some("/x"))
        );
        assert_eq!(typed("log -n 3").expect("fine").count, 3);
        assert_eq!(typed("log verify").expect("fine").word.as_deref(), Some("verify"));
        assert_eq!(
            typed("log blame /etc/motd").expect("fine").path.as_deref(),
            Some("/etc/motd")
        );
        for bad in [
            "",
            "nonsense",
            "log --force",
            "rollback --to",
            "rollback --to x",
            "log log",
            "log blame",
            "log verify verify",
            "verify",
            "rollback --redo --to 3",
            "log --merge",
            "--dir",
        ] {
            assert!(typed(bad).is_err(), "{bad}");
        }
    }
}
