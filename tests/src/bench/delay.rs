//! A host far away: how many round trips a command really waits for.
//!
//! The wire is a relay of our own, 50 ms in each direction. What a command takes longer than over no distance, in units of
//! the round trip, is what it waited for by the clock, and depends on what else the machine does; how often it spoke after
//! an answer had reached it is counted, and is what is judged.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::apply::outcome;
use super::measure::{median, median_of, run};
use super::sheet::{Missing, Row, Sheet, Unit};
use super::{job, open};
use crate::lab::{Host, Lab};
use crate::project::Project;
use crate::relay::Relay;

const ONE_WAY: Duration = Duration::from_millis(50);
const HOST: &str = "far";
/// Runs of which the median is taken.
const TIMES: usize = 5;
/// Parts of a round trip by which a difference of two medians may be wrong.
const UNSURE: f64 = 0.2;

/// What a command takes over a wire.
struct Figures {
    millis: f64,
    turns: f64,
    bytes: f64,
}

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("a host 100 ms away");
    let lab = match job::lab([HOST.to_owned()].into_iter()) {
        Ok(lab) => lab,
        Err(why) => return sheet.note(&why),
    };
    let host = lab.host(HOST);
    let ssh = |port: u16| -> Result<Command, Missing> {
        let mut command = crate::os::command("ssh");
        command.args(host.ssh_options()).args([
            "-o",
            &format!("HostKeyAlias={}", host.ip()),
            "-p",
            &port.to_string(),
        ]);
        command.args(["root@127.0.0.1", "true"]);
        Ok(command)
    };
    let ssh = rows(sheet, host, "`ssh host true`", &ssh, |run| Ok(run.millis), None);
    let project = job::project(&lab);
    // The settings of the project change with the port: it lives as long as the command that is run in it.
    let apply = |port: u16| apply(&lab, &project, host, port);
    let far = rows(
        sheet,
        host,
        "no-op, one command",
        &apply,
        |run| outcome(run, "ok").map(|run| run.millis),
        Some(ssh),
    );
    // On an open session the wire is all that is waited for.
    let far = far.0.and_then(|_| open::no_op(host, ONE_WAY));
    let near = open::no_op(host, Duration::ZERO);
    let waited = far
        .clone()
        .and_then(|far| Ok((far.millis - near?.millis) / round_trip()));
    let what = "no-op on an open session";
    let millis = far.map(|far| far.millis);
    sheet.add(Row::new(format!("{what}: time"), Unit::Millis, millis));
    sheet.add(Row::new(format!("{what}: round trips waited for"), Unit::Count, waited).at_most(1.0 + UNSURE));
}

/// Milliseconds there and back.
fn round_trip() -> f64 {
    2.0 * ONE_WAY.as_secs_f64() * 1000.0
}

fn apply(lab: &Lab, project: &Project, host: &Host, port: u16) -> Result<Command, Missing> {
    let key = host.public_host_key().map_err(|err| err.to_string())?;
    let private = lab.private_key();
    project.write("known_hosts", &format!("[127.0.0.1]:{port} {key}\n"));
    project.settings(&format!(
        "ssh: {{ user: root, key: {}, known_hosts: known_hosts }}\n",
        private.display()
    ));
    project.write(
        "roster.yaml",
        &format!(
            "{HOST}:\n  host: 127.0.0.1\n  port: {port}\n  user: root\n  priv: {}\n",
            private.display()
        ),
    );
    project.commit("another port");
    let mut apply = project.command();
    apply.args(["apply", HOST, "--json"]);
    // Until nothing is left to do: the agent is there, the files are there, the answers are remembered.
    for _ in 0..2 {
        run(&apply)?;
    }
    Ok(apply)
}

type Goal = (Result<f64, Missing>, Result<f64, Missing>);

fn rows(
    sheet: &mut Sheet,
    host: &Host,
    what: &str,
    command: &dyn Fn(u16) -> Result<Command, Missing>,
    judge: impl Fn(&super::measure::Run) -> Result<f64, Missing>,
    goal: Option<Goal>,
) -> Goal {
    let near = over(host, Duration::ZERO, command, &judge);
    let far = over(host, ONE_WAY, command, &judge);
    let figure = |take: fn(&Figures) -> f64| far.as_ref().map(take).map_err(Clone::clone);
    let waited = match (&near, &far) {
        (Ok(near), Ok(far)) => Ok((far.millis - near.millis) / round_trip()),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let millis = figure(|figures| figures.millis);
    // The connection itself is one more, which the relay does not see.
    let trips = figure(|figures| figures.turns + 1.0);
    let mut rows = [
        Row::new(format!("{what}: time"), Unit::Millis, millis.clone()),
        Row::new(
            format!("{what}: round trips, TCP's included"),
            Unit::Count,
            trips.clone(),
        ),
    ];
    if let Some((goal_millis, goal_trips)) = &goal {
        let [time, turns] = rows;
        rows = [
            time.at_most_measured(goal_millis, "`ssh host true`"),
            turns.at_most_measured(goal_trips, "`ssh host true`"),
        ];
    }
    rows.into_iter().for_each(|row| sheet.add(row));
    sheet.add(Row::new(
        format!("{what}: round trips by the clock"),
        Unit::Count,
        waited,
    ));
    sheet.add(Row::new(
        format!("{what}: bytes, both ways"),
        Unit::Bytes,
        figure(|figures| figures.bytes),
    ));
    (millis, trips)
}

fn over(
    host: &Host,
    delay: Duration,
    command: &dyn Fn(u16) -> Result<Command, Missing>,
    judge: impl Fn(&super::measure::Run) -> Result<f64, Missing>,
) -> Result<Figures, Missing> {
    let address: SocketAddr = format!("{}:22", host.ip())
        .parse()
        .map_err(|_| "no address".to_owned())?;
    let relay = Relay::new(address, delay).map_err(|err| err.to_string())?;
    let command = command(relay.port())?;
    let (mut turns, mut bytes) = (Vec::new(), Vec::new());
    let millis = median_of(TIMES, || {
        let before = relay.passed();
        let millis = run(&command).and_then(|run| judge(&run))?;
        let after = relay.passed();
        turns.push((after.turns - before.turns) as f64);
        bytes.push((after.up + after.down - before.up - before.down) as f64);
        Ok(millis)
    })?;
    let (turns, bytes) = (median(turns)?, median(bytes)?);
    Ok(Figures { millis, turns, bytes })
}
