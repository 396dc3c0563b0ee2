//! Salt's `iptables` state module.
//!
//! What is there is asked of iptables itself (`-C`, `-S`). Rules and chains are no addresses: each act is a command, and the
//! command that takes it back.

mod chain;
mod rule;
mod words;

use proto::{Act, Args, Command, Output};

use crate::file::place::{self, Above};
use crate::perms::Perms;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Stop, paths};

pub use chain::{ChainAbsent, ChainPresent, Flush, SetPolicy};
pub use rule::{Append, Delete, Insert};

const FAMILY: Param = Param::new("family", Kind::Text, "`ipv4` (default) or `ipv6`.");
const TABLE: Param = Param::new("table", Kind::Text, "The table (default `filter`).");
const SAVE: Param = Param::new(
    "save",
    Kind::Any,
    "Write all rules to a file when something changes: true for the distribution's own, or its path.",
);

/// The table a state is about.
struct Table {
    family: String,
    table: String,
    program: &'static str,
}

impl Table {
    fn of(call: &Call<'_>) -> Result<Self, Stop> {
        let text = |key: &str, default: &str| call.args().text(key).unwrap_or_else(|| default.to_owned());
        let table = word(&text("table", "filter"))?;
        let family = text("family", "ipv4");
        let program = match family.as_str() {
            "ipv4" => "iptables",
            "ipv6" => "ip6tables",
            other => return Err(Stop::Failed(format!("{other} is no family of iptables"))),
        };
        Ok(Self {
            family,
            table,
            program,
        })
    }

    /// A command on the table.
    fn command(&self, words: &[&str]) -> Command {
        let argv = [&[self.program, "--wait", "-t", &self.table], words].concat();
        Command {
            timeout: Some(60),
            ..Command::program(&argv)
        }
    }

    /// What a command says that changes nothing. In a plan the program may be one that an earlier state brings: `None`.
    fn ask<'a>(&self, call: &Call<'_>, host: &Host<'a>, words: &[&str]) -> Result<Option<&'a Output>, Stop> {
        match host.command(self.command(words)) {
            Ok(output) => Ok(Some(output)),
            Err(Stop::Failed(_)) if call.test => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// The rules of a chain as `-S` lists them, its policy first; `None` when there is no such chain.
    fn chain<'a>(&self, call: &Call<'_>, host: &Host<'a>, chain: &str) -> Result<Option<Vec<&'a str>>, Stop> {
        let output = self.ask(call, host, &["-S", chain])?;
        let there = output.filter(|output| output.code == 0);
        Ok(there.map(|output| output.stdout.lines().collect()))
    }

    /// The command that makes a chain what these lines say.
    fn restore(&self, chain: &str, lines: &[&str]) -> Command {
        let mut text = format!("*{}\n", self.table);
        if lines.first().is_some_and(|line| line.starts_with("-N ")) {
            text.push_str(&format!(":{chain} -\n"));
        }
        text.push_str(&format!("-F {chain}\n"));
        let own = lines.iter().filter(|line| !line.starts_with("-N "));
        text.extend(own.map(|line| format!("{line}\n")));
        text.push_str("COMMIT\n");
        Command {
            stdin: Some(text),
            timeout: Some(60),
            ..Command::program(&[&format!("{}-restore", self.program), "--wait", "--noflush"])
        }
    }

    /// The plan of one command, its undo, and the saving that goes with it.
    fn plan(
        &self,
        call: &Call<'_>,
        host: &Host<'_>,
        run: (Command, Command),
        did: String,
        would: String,
    ) -> Result<Plan, Stop> {
        let mut acts = vec![Act::Run {
            command: run.0,
            undo: Some(run.1),
            verify: None,
            touches: Vec::new(),
        }];
        acts.extend(self.save(call, host)?);
        Ok(Plan::change(acts, one("locale", call.name()), did).or_would(would, Some(Args::new())))
    }

    /// The acts that save all rules, where the state wants them saved.
    fn save(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Vec<Act>, Stop> {
        let Some(given) = call.args().any("save").filter(|save| crate::args::truth(save)) else {
            return Ok(Vec::new());
        };
        let file = match given.as_str() {
            Some(file) => file.to_owned(),
            None => {
                let family = host.grain("os_family")?.and_then(serde_json::Value::as_str);
                match (family, self.program) {
                    (Some("RedHat"), program) => format!("/etc/sysconfig/{program}"),
                    (Some("Debian"), "iptables") => "/etc/iptables/rules.v4".to_owned(),
                    (Some("Debian"), _) => "/etc/iptables/rules.v6".to_owned(),
                    _ => {
                        let why =
                            "Saving iptables to file is not supported here: give the file's path as `save`";
                        return Err(Stop::failed(why));
                    }
                }
            }
        };
        let file =
            paths::clean(&file).ok_or_else(|| Stop::Failed(format!("{file} is not an absolute path")))?;
        let quoted = file.replace('\'', "'\\''");
        let mut acts = match place::above(host, &file)? {
            Above::Dir(_) => Vec::new(),
            Above::Missing(dirs, parent) => place::make_dirs(&dirs, &Perms::default(), &parent, 0o755),
            Above::Blocked(dir) => return Err(Stop::Failed(format!("{dir} is not a directory"))),
        };
        acts.push(Act::Run {
            command: Command::sh(&format!("{}-save > '{quoted}'", self.program)),
            undo: None,
            verify: None,
            touches: vec![file],
        });
        Ok(acts)
    }
}

/// Salt's result when the command failed: its own words before the program's.
fn told(plan: &Plan, done: &Done<'_>, failed: String) -> Report {
    match crate::cmd::failure(done) {
        Some(why) if !plan.acts.is_empty() => Report {
            result: Some(false),
            comment: format!("{failed}\n{}", why.trim()),
            warnings: plan.warnings.clone(),
            ..Report::default()
        },
        _ => Report::of(plan, done),
    }
}

/// A name iptables can be told without its being taken for something else.
fn word(name: &str) -> Result<String, Stop> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-.:+".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(fine) {
        Ok(name.to_owned())
    } else {
        Err(Stop::Failed(format!("{name:?} is no name in iptables")))
    }
}
