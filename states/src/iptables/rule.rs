//! `iptables.append`, `insert` and `delete`: one rule of a chain.

use super::words::{built, split};
use super::{FAMILY, SAVE, TABLE, Table, told, word};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `iptables.append`.
#[derive(Debug)]
pub struct Append;

/// `iptables.insert`.
#[derive(Debug)]
pub struct Insert;

/// `iptables.delete`.
#[derive(Debug)]
pub struct Delete;

static PARAMS: &[Param] = &[
    Param::required("chain", Kind::Text, "The chain."),
    TABLE,
    FAMILY,
    SAVE,
    Param::new(
        "position",
        Kind::Number,
        "Number of the rule, from 1; below 0 from the end.",
    ),
    Param::new("if", Kind::Text, "Name of the interface a packet comes in by."),
    Param::new("of", Kind::Text, "Name of the interface it goes out by."),
    Param::new("proto", Kind::Text, "`tcp`, `udp`, `icmp`, …"),
    Param::new("match", Kind::List, "Extensions the rule needs, such as `state`."),
    Param::new(
        "connstate",
        Kind::Text,
        "State of the connection: `NEW`, `ESTABLISHED,RELATED`.",
    ),
    Param::new("source", Kind::Text, "Where it comes from."),
    Param::new("destination", Kind::Text, "Where it goes to."),
    Param::new("dport", Kind::Text, "Port it goes to; `1:9` is a range."),
    Param::new("sport", Kind::Text, "Port it comes from."),
    Param::new("dports", Kind::List, "Ports it goes to."),
    Param::new("sports", Kind::List, "Ports it comes from."),
    Param::new("comment", Kind::Text, "Remark."),
    Param::new("jump", Kind::Text, "What is done: `ACCEPT`, `DROP`, a chain."),
    Param::new("target", Kind::Text, "The same."),
    Param::new(
        "rules",
        Kind::List,
        "Not supported: several rules in one; declare each.",
    ),
];

const fn spec(fun: &'static str, doc: &'static str) -> Spec {
    Spec {
        state: "iptables",
        fun,
        doc,
        params: PARAMS,
        free: true,
        watch: false,
        undo: Undo::Compensated,
    }
}

static APPEND: Spec = spec(
    "append",
    "Make sure that a rule is in a chain, at its end where it is missing.\n\nEvery option of iptables is an argument; `!` before \
     a value turns it round.",
);
static INSERT: Spec = spec(
    "insert",
    "Make sure that a rule is in a chain, at `position` where it is missing.\n\nEvery option of iptables is an argument.",
);
static DELETE: Spec = spec(
    "delete",
    "Make sure that a rule is not in a chain.\n\nEvery option of iptables is an argument.",
);

/// A rule: where it belongs, its words, and whether it is there.
struct About {
    table: Table,
    chain: String,
    rule: String,
    words: Vec<String>,
    there: bool,
}

impl About {
    fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        let args = call.args();
        if args.any("rules").is_some() {
            return Err(Stop::failed(
                "several rules in one state (`rules`) are not supported: declare each",
            ));
        }
        let table = Table::of(call)?;
        let chain = word(&args.text("chain").unwrap_or_default())?;
        let rule = built(args).map_err(Stop::Failed)?;
        let words = split(&rule);
        let check: Vec<&str> = ["-C", &chain]
            .into_iter()
            .chain(words.iter().map(String::as_str))
            .collect();
        let there = table
            .ask(call, host, &check)?
            .is_some_and(|output| output.code == 0);
        Ok(Self {
            table,
            chain,
            rule,
            words,
            there,
        })
    }

    /// The command as Salt shows it.
    fn shown(&self, verb: &str, position: &str) -> String {
        let Table { program, table, .. } = &self.table;
        format!(
            "/usr/sbin/{program} --wait -t {table} -{verb} {} {position} {}",
            self.chain, self.rule
        )
    }

    /// A command about this rule.
    fn command(&self, verb: &str, position: &str) -> proto::Command {
        let place = Some(position).filter(|position| !position.is_empty());
        let words = [verb, &self.chain].into_iter().chain(place);
        let words: Vec<&str> = words.chain(self.words.iter().map(String::as_str)).collect();
        self.table.command(&words)
    }
}

impl State for Append {
    fn spec(&self) -> &'static Spec {
        &APPEND
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let about = About::read(call, host)?;
        let (name, family) = (call.name(), &about.table.family);
        let shown = about.shown("A", "");
        if about.there {
            return Ok(Plan::met(format!(
                "iptables rule for {name} already set ({shown}) for {family}"
            )));
        }
        let run = (about.command("-A", ""), about.command("-D", ""));
        let did = set(call, name, &shown, family);
        let would = format!("iptables rule for {name} needs to be set ({shown}) for {family}");
        about.table.plan(call, host, run, did, would)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(
            plan,
            done,
            format!("Failed to set iptables rule for {}.", call.name()),
        )
    }
}

impl State for Insert {
    fn spec(&self) -> &'static Spec {
        &INSERT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let about = About::read(call, host)?;
        let (name, family) = (call.name(), &about.table.family);
        let position = call.args().number("position")?;
        let Some(given) = position.filter(|position| *position != 0) else {
            return Err(Stop::failed(
                "Error: Position needs to be specified or use append (-A)",
            ));
        };
        let shown = about.shown("I", &given.to_string());
        if about.there {
            return Ok(Plan::met(format!(
                "iptables rule for {name} already set for {family} ({shown})"
            )));
        }
        let place = if given < 0 {
            let lines = about.table.chain(call, host, &about.chain)?.unwrap_or_default();
            let rules = lines.iter().filter(|line| line.starts_with("-A ")).count();
            i64::max(i64::try_from(rules).unwrap_or(0) + given + 1, 1)
        } else {
            given
        };
        let run = (about.command("-I", &place.to_string()), about.command("-D", ""));
        let did = set(call, name, &shown, family);
        let would = format!("iptables rule for {name} needs to be set for {family} ({shown})");
        about.table.plan(call, host, run, did, would)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(
            plan,
            done,
            format!("Failed to set iptables rule for {}.", call.name()),
        )
    }
}

fn set(call: &Call<'_>, name: &str, shown: &str, family: &str) -> String {
    if call.args().flag("save", false) {
        format!("Set and saved iptables rule {name} for {family}\n{shown}")
    } else {
        format!("Set iptables rule for {name} to: {shown} for {family}")
    }
}

impl State for Delete {
    fn spec(&self) -> &'static Spec {
        &DELETE
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        if call.args().any("position").is_some() {
            return Err(Stop::failed(
                "deleting a rule by its number (`position`) would delete another one each time: give the rule",
            ));
        }
        let about = About::read(call, host)?;
        let (name, family) = (call.name(), &about.table.family);
        let shown = about.shown("D", "");
        if !about.there {
            return Ok(Plan::met(format!(
                "iptables rule for {name} already absent for {family} ({shown})"
            )));
        }
        let lines = about.table.chain(call, host, &about.chain)?.unwrap_or_default();
        let run = (about.command("-D", ""), about.table.restore(&about.chain, &lines));
        let did = if call.args().flag("save", false) {
            format!("Deleted and saved iptables rule {name} for {family}\n{shown}")
        } else {
            format!("Delete iptables rule for {name} {shown}")
        };
        let would = format!("iptables rule for {name} needs to be deleted for {family} ({shown})");
        about.table.plan(call, host, run, did, would)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(
            plan,
            done,
            format!("Failed to delete iptables rule for {}.", call.name()),
        )
    }
}
