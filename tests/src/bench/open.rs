//! A session that stays open: the same request twice on one pipe, spoken here frame by frame over the system's `ssh`.
//!
//! What the second one costs is what a host that is as declared costs a master that keeps its sessions.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use proto::codec::{Frame, control, parse};
use proto::frame::{Apply, PROTOCOL};
use proto::{Decoder, Digest, FromMaster, FromMinion, Outcome, Report};
use serde::Deserialize;

use super::sheet::Missing;
use crate::lab::Host;
use crate::os;
use crate::relay::Relay;

/// Bytes of one message at most.
const LIMIT: usize = 64 << 20;
/// Requests of which the median is taken.
const TIMES: usize = 9;

/// What one request on an open session costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trip {
    pub(super) millis: f64,
    pub(super) turns: f64,
    pub(super) up: f64,
    pub(super) down: f64,
    /// Milliseconds of CPU time of the agent.
    pub(super) cpu: f64,
}

/// What the host was told last, as its agent keeps it.
#[derive(Debug, Deserialize)]
struct Fence {
    epoch: u64,
    master: String,
    catalog: Option<Digest>,
}

/// Repeats what the host was told last on one open session, over a wire of this length. Nothing is left to do.
pub(super) fn no_op(host: &Host, delay: Duration) -> Result<Trip, Missing> {
    let text = |err: &dyn std::fmt::Display| err.to_string();
    let fence = host.read("/var/lib/salt-rs/epoch").map_err(|err| text(&err))?;
    let fence: Fence = serde_json::from_str(&fence).map_err(|err| text(&err))?;
    let agent = host
        .check("echo /var/lib/salt-rs/agent/*/salt-rs-minion")
        .map_err(|err| text(&err))?;
    let address: SocketAddr = format!("{}:22", host.ip())
        .parse()
        .map_err(|_| "no address".to_owned())?;
    let relay = Relay::new(address, delay).map_err(|err| text(&err))?;
    let mut session = Session::start(host, relay.port(), agent.trim())?;
    session.say(&[FromMaster::Hello {
        protocol: PROTOCOL,
        master: fence.master,
        attach: None,
        take_over: false,
        limits: Default::default(),
        known: None,
    }])?;
    let request = |number: usize| -> Result<FromMaster, Missing> {
        Ok(FromMaster::Apply(Apply {
            run: format!("bench-{number}"),
            epoch: fence.epoch,
            rev: "bench".to_owned(),
            by: "bench".to_owned(),
            catalog: fence.catalog.ok_or("the host was told nothing")?,
            following: Vec::new(),
            plan: false,
            confirm: None,
            scope: String::new(),
            prune: false,
        }))
    };
    // The first answers stand for the beginning of the session.
    let mut cpu = session.apply(&request(0)?)?.cpu_ms;
    let mut trips = Vec::new();
    for number in 1..=TIMES {
        let (before, start) = (relay.passed(), Instant::now());
        let report = session.apply(&request(number)?)?;
        let (millis, after) = (start.elapsed().as_secs_f64() * 1000.0, relay.passed());
        trips.push(Trip {
            millis,
            turns: (after.turns - before.turns) as f64,
            up: (after.up - before.up) as f64,
            down: (after.down - before.down) as f64,
            cpu: report.cpu_ms.saturating_sub(cpu) as f64,
        });
        cpu = report.cpu_ms;
    }
    session.end()?;
    let middle = |take: fn(&Trip) -> f64| {
        let mut all: Vec<f64> = trips.iter().map(take).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Ok(Trip {
        millis: middle(|trip| trip.millis),
        turns: middle(|trip| trip.turns),
        up: middle(|trip| trip.up),
        down: middle(|trip| trip.down),
        cpu: middle(|trip| trip.cpu),
    })
}

/// An agent at the other end of `ssh`.
struct Session {
    ssh: Child,
    to: ChildStdin,
    from: ChildStdout,
    decoder: Decoder,
}

impl Session {
    fn start(host: &Host, port: u16, agent: &str) -> Result<Session, Missing> {
        let mut command = os::command("ssh");
        command.args(host.ssh_options()).args([
            "-o",
            &format!("HostKeyAlias={}", host.ip()),
            "-p",
            &port.to_string(),
            "root@127.0.0.1",
            &format!("exec {agent} serve --dir /var/lib/salt-rs"),
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut ssh = command.spawn().map_err(|err| err.to_string())?;
        match (ssh.stdin.take(), ssh.stdout.take()) {
            (Some(to), Some(from)) => Ok(Session {
                ssh,
                to,
                from,
                decoder: Decoder::new(LIMIT),
            }),
            _ => Err("no pipes".to_owned()),
        }
    }

    fn say(&mut self, messages: &[FromMaster]) -> Result<(), Missing> {
        for message in messages {
            let bytes = control(message).map_err(|err| err.to_string())?;
            self.to.write_all(&bytes).map_err(|err| err.to_string())?;
        }
        self.to.flush().map_err(|err| err.to_string())
    }

    /// One request up to its report.
    fn apply(&mut self, request: &FromMaster) -> Result<Report, Missing> {
        self.say(std::slice::from_ref(request))?;
        loop {
            match self.hear()? {
                FromMinion::Report(report) if report.outcome == Outcome::Ok => return Ok(report),
                FromMinion::Welcome { .. } | FromMinion::Entry(_) | FromMinion::Alive => {}
                other => return Err(format!("the agent said {other:?}")),
            }
        }
    }

    fn hear(&mut self) -> Result<FromMinion, Missing> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.decoder.next_frame().map_err(|err| err.to_string())? {
                Some(Frame::Control(body)) => return parse(&body).map_err(|err| err.to_string()),
                Some(Frame::Blob(..)) => return Err("the agent sent a blob".to_owned()),
                None => {}
            }
            match self.from.read(&mut buffer).map_err(|err| err.to_string())? {
                0 => return Err("the agent ended".to_owned()),
                count => self.decoder.feed(&buffer[..count]),
            }
        }
    }

    fn end(mut self) -> Result<(), Missing> {
        self.say(&[FromMaster::Bye])?;
        drop(self.to);
        self.ssh.wait().map(drop).map_err(|err| err.to_string())
    }
}
