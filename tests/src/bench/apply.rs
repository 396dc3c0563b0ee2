//! One host: the first time, the second time, and what a connection alone costs.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::measure::{Run, median, millis, run, settled, watch};
use super::peers::Peer;
use super::sheet::{Missing, Row, Sheet, Unit};
use super::{job, open, peers};
use crate::lab::{Host, Lab};

/// CPU time of a no-op of 100 states on the host, in milliseconds.
const ON_HOST: f64 = 50.0;
/// Bytes a first converge may send, the agent included.
const SENT: f64 = 2.0 * 1_048_576.0;
/// Bytes the agent may hold in memory while it applies a thousand states.
const RESIDENT: f64 = 20.0 * 1_048_576.0;
/// How often the two commands are measured in turn.
const PAIRS: usize = 9;
const HOST: &str = "h1";

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("100 file states on one host (sshd in a namespace, this machine's two ends share its cores)");
    let lab = match job::lab([HOST.to_owned()].into_iter()) {
        Ok(lab) => lab,
        Err(why) => return sheet.note(&why),
    };
    let others = peers::ready(&lab, lab.hosts());
    own(sheet, &lab, &others);
}

fn own(sheet: &mut Sheet, lab: &Lab, others: &[Peer]) {
    let host = lab.host(HOST);
    let project = job::project(lab);
    let mut apply = project.command();
    apply.args(["apply", HOST, "--json"]);

    let fresh = |sheet: &Peer| peers::fresh(host, &sheet.command());
    let first = job::erase(host)
        .and_then(|()| run(&apply))
        .and_then(|run| outcome(&run, "changed"));
    let mut row = Row::new(
        "first converge, agent sent",
        Unit::Millis,
        first.as_ref().map(|run| run.millis).map_err(Clone::clone),
    );
    row.others = others
        .iter()
        .map(|other| (other.name.to_owned(), fresh(other)))
        .collect();
    sheet.add(row);
    let sent = first.clone().and_then(|run| figure(&run, "traffic/bytes_up"));
    sheet.add(Row::new("first converge, bytes sent", Unit::Bytes, sent).at_most(SENT));

    // The peers have just made the files; what is left to compare is who finds that out soonest.
    let again = match &first {
        Ok(_) => converged(&apply),
        Err(why) => Err(why.clone()),
    };
    let ssh = host.ssh_command("root");
    let mut last = Err("not measured".to_owned());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let taken = again.and_then(|()| {
        for _ in 0..PAIRS {
            theirs.push(millis(1, &with(&ssh, "true"))?);
            let done = run(&apply).and_then(|run| outcome(&run, "ok"))?;
            ours.push(done.millis);
            last = Ok(done);
        }
        Ok(())
    });
    let middle = |all: Vec<f64>| taken.clone().and_then(|()| median(all));
    let (ours, theirs) = (middle(ours), middle(theirs));
    sheet.add(Row::new(
        "`ssh host true`, OpenSSH as it comes",
        Unit::Millis,
        theirs.clone(),
    ));
    let mut row =
        Row::new("no-op, one command", Unit::Millis, ours).at_most_measured(&theirs, "`ssh host true`");
    row.others = others
        .iter()
        .map(|other| (other.name.to_owned(), settled(&other.command())))
        .collect();
    sheet.add(row);
    let of_last = |path: &str| last.clone().and_then(|run| figure(&run, path));
    sheet.add(
        Row::new(
            "no-op, one command, CPU on the host",
            Unit::Millis,
            of_last("agent/cpu_ms"),
        )
        .at_most(ON_HOST),
    );
    sheet.add(Row::new("no-op, catalogs compiled again", Unit::Count, of_last("compiled")).at_most(0.0));
    sheet.add(Row::new(
        "no-op, bytes sent with one command",
        Unit::Bytes,
        of_last("traffic/bytes_up"),
    ));
    sheet.add(Row::new(
        "peak memory of the master, no-op",
        Unit::Bytes,
        last.map(|run| run.peak),
    ));
    on_open(sheet, host);
    thousand(sheet, lab);
}

/// What the same costs a master that keeps its session.
fn on_open(sheet: &mut Sheet, host: &Host) {
    let trip = open::no_op(host, Duration::ZERO);
    let figure = |take: fn(&open::Trip) -> f64| trip.as_ref().map(take).map_err(Clone::clone);
    let name = |what: &str| format!("no-op on an open session, {what}");
    sheet.add(Row::new(name("round trips"), Unit::Count, figure(|trip| trip.turns)).at_most(1.0));
    sheet.add(Row::new(name("CPU on the host"), Unit::Millis, figure(|trip| trip.cpu)).at_most(ON_HOST));
    sheet.add(Row::new(name("time"), Unit::Millis, figure(|trip| trip.millis)));
    sheet.add(Row::new(name("bytes sent"), Unit::Bytes, figure(|trip| trip.up)));
    sheet.add(Row::new(
        name("bytes received"),
        Unit::Bytes,
        figure(|trip| trip.down),
    ));
}

/// What the agent needs for many states.
fn thousand(sheet: &mut Sheet, lab: &Lab) {
    let host = lab.host(HOST);
    let project = job::thousand(lab);
    let mut apply = project.command();
    apply.args(["apply", HOST, "--json"]);
    let (first, seen) = watch("salt-rs-minion", &cgroup(lab), || {
        job::erase(host)?;
        run(&apply).and_then(|run| outcome(&run, "changed"))
    });
    let told = first
        .clone()
        .and_then(|run| figure(&run, "agent/peak_rss_kib"))
        .map(|kib| kib * 1024.0);
    let peak = told.and_then(|told| Ok(seen?.max(told)));
    sheet.add(Row::new(
        "first converge of 1000 states",
        Unit::Millis,
        first.map(|run| run.millis),
    ));
    sheet.add(Row::new("peak memory of the agent in it", Unit::Bytes, peak).at_most(RESIDENT));
}

/// A command with one more word.
fn with(command: &Command, word: &str) -> Command {
    let mut longer = crate::os::command(&command.get_program().to_string_lossy());
    longer.args(command.get_args()).arg(word);
    longer
}

/// A figure of the host in a run's document; `true` and `false` count as 1 and 0.
fn figure(run: &Run, path: &str) -> Result<f64, Missing> {
    let path = format!("/hosts/{HOST}/{path}");
    let all = document(run)?;
    match all.pointer(&path).and_then(Value::as_bool) {
        Some(yes) => Ok(f64::from(u8::from(yes))),
        None => number(&all, &path),
    }
}

/// Brings the host to where nothing is left to do.
fn converged(apply: &Command) -> Result<(), Missing> {
    run(apply)?;
    run(apply).and_then(|run| outcome(&run, "ok")).map(drop)
}

/// The lab's word in every cgroup of its hosts.
pub(super) fn cgroup(lab: &Lab) -> String {
    lab.dir()
        .file_name()
        .map(|name| format!("{}/", name.to_string_lossy()))
        .unwrap_or_default()
}

pub(super) fn document(run: &Run) -> Result<Value, Missing> {
    serde_json::from_str(&run.stdout).map_err(|err| format!("not JSON: {err}"))
}

pub(super) fn number(document: &Value, path: &str) -> Result<f64, Missing> {
    document
        .pointer(path)
        .and_then(Value::as_f64)
        .ok_or_else(|| format!("no {path} in --json"))
}

/// The run itself, if every host of it came out like this: a figure of another job is none.
pub(super) fn outcome(run: &Run, expected: &str) -> Result<Run, Missing> {
    let document = document(run)?;
    let hosts = document["hosts"].as_object().ok_or("no hosts in --json")?;
    match hosts.iter().find(|(_, host)| host["outcome"] != expected) {
        None if !hosts.is_empty() => Ok(run.clone()),
        None => Err("no host took part".to_owned()),
        Some((name, host)) => Err(format!("{name} is {} instead of {expected}", host["outcome"])),
    }
}
