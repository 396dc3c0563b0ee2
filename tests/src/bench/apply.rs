//! One host: the first time, the second time, and what a connection alone costs.

use serde_json::Value;

use super::measure::{Run, median_of, millis, run, settled, watch};
use super::peers::Peer;
use super::sheet::{Missing, Row, Sheet, Unit};
use super::{job, peers};
use crate::lab::Lab;

/// Goal of the architecture for a no-op of 100 states, on the host.
const ON_HOST: f64 = 50.0;
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
    let (first, agent) = watch("salt-rs-minion", &cgroup(lab), || {
        job::erase(host)?;
        run(&apply).and_then(|run| outcome(&run, "changed"))
    });
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

    // The peers have just made the files; what is left to compare is who finds that out soonest.
    let again = match &first {
        Ok(_) => converged(&apply),
        Err(why) => Err(why.clone()),
    };
    let ssh = millis(9, host.ssh_command("root").arg("true"));
    let no_op = again.and_then(|_| {
        median_of(9, || {
            run(&apply)
                .and_then(|run| outcome(&run, "ok"))
                .map(|run| run.millis)
        })
    });
    sheet.add(Row::new(
        "`ssh host true`, OpenSSH as it comes",
        Unit::Millis,
        ssh.clone(),
    ));
    let mut row =
        Row::new("no-op, one command", Unit::Millis, no_op).at_most_measured(&ssh, "`ssh host true`");
    row.others = others
        .iter()
        .map(|other| (other.name.to_owned(), settled(&other.command())))
        .collect();
    sheet.add(row);

    let last = run(&apply).and_then(|run| outcome(&run, "ok"));
    let document = last.as_ref().map_err(Clone::clone).and_then(document);
    let figure = |path: &str| document.clone().and_then(|all| number(&all, path));
    let on_host = figure(&format!("/hosts/{HOST}/duration_ms"));
    sheet.add(Row::new("no-op, time on the host", Unit::Millis, on_host).at_most(ON_HOST));
    let traffic = |name: &str| {
        let host = figure(&format!("/hosts/{HOST}/traffic/{name}"));
        host.or_else(|_| figure(&format!("/traffic/{name}")))
    };
    sheet.add(
        Row::new(
            "no-op on an open session, round trips",
            Unit::Count,
            traffic("round_trips"),
        )
        .at_most(1.0),
    );
    sheet.add(Row::new(
        "no-op on an open session, bytes sent",
        Unit::Bytes,
        traffic("bytes_up"),
    ));
    sheet.add(Row::new(
        "no-op on an open session, bytes received",
        Unit::Bytes,
        traffic("bytes_down"),
    ));
    sheet.add(Row::new(
        "peak memory of the master, no-op",
        Unit::Bytes,
        last.map(|run| run.peak),
    ));
    sheet.add(Row::new(
        "peak memory of the agent, first converge",
        Unit::Bytes,
        first.and(agent),
    ));
}

/// Brings the host to where nothing is left to do.
fn converged(apply: &std::process::Command) -> Result<(), Missing> {
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
