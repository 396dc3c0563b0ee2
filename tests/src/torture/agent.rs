//! Runs the agent's own process of a run on a host, under strace where something is to happen to it.
//!
//! The run is given its task the way a session does: the catalog in the object store, the task in its file, the lock as an open
//! file. Only the agent's own calls are counted; the programs it starts are not traced.

use std::collections::BTreeMap;

use proto::codec::Frame;
use proto::frame::{BackTo, RollbackReport};
use proto::{Catalog, Decoder, Digest, Entry, FromMinion, Outcome, Report};
use serde_json::json;

use super::Torn;
use super::stand::Stand;
use super::trace::{self, Call, Inject};
use crate::os;

/// Where the agent keeps its things.
pub const STATE: &str = "/var/lib/salt-rs";

/// A catalog and the contents it needs.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// What is to be.
    pub catalog: Catalog,
    /// Contents by digest.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

/// What a run is to do.
#[derive(Debug, Clone)]
pub enum Order<'a> {
    /// Converge.
    Apply(&'a Bundle),
    /// Go back.
    Back(BackTo),
}

/// How a run is watched.
#[derive(Debug, Clone)]
pub enum Watch<'a> {
    /// Not at all.
    Not,
    /// Its calls are listed.
    List,
    /// Something happens at one of them.
    At(&'a Inject),
}

/// What became of a run.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Exit status of the agent, 128 + signal where it was killed.
    pub code: i32,
    /// Its report.
    pub report: Option<Report>,
    /// Its report, where it went back.
    pub back: Option<RollbackReport>,
    /// What it could not do at all.
    pub fault: Option<String>,
    /// What it and the shell around it complained of.
    pub said: String,
    /// Its calls, where they were listed.
    pub calls: Vec<Call>,
    /// How many acts it told as done.
    pub done: usize,
    /// Whether what was to happen did happen.
    pub hit: bool,
}

impl Heard {
    /// How it ended, if it said so.
    pub fn outcome(&self) -> Option<Outcome> {
        self.report
            .as_ref()
            .map(|report| report.outcome)
            .or(self.back.as_ref().map(|report| report.outcome))
    }

    /// All that went wrong, for people.
    pub fn why(&self) -> String {
        let states = self.report.iter().flat_map(|report| &report.states);
        let failed: Vec<_> = states
            .filter(|state| state.result == Some(false))
            .map(|state| format!("{}: {}", state.id, state.comment))
            .collect();
        let back = self.back.iter().map(|report| {
            let at: Vec<_> = report
                .conflicts
                .iter()
                .map(|conflict| conflict.ours.at.to_string())
                .collect();
            format!(
                "failed {:?} lost {:?} conflicts {at:?}",
                report.failed, report.lost
            )
        });
        let all: Vec<String> = failed.into_iter().chain(back).chain(self.fault.clone()).collect();
        format!(
            "exit {} {:?} {} {}",
            self.code,
            self.outcome(),
            all.join("; "),
            self.said.trim()
        )
    }
}

/// One run on a host. `number` is its epoch, greater than that of the run before.
///
/// # Errors
/// The host cannot be reached; what the agent makes of it is in [`Heard`].
pub fn run(stand: &dyn Stand, order: &Order<'_>, number: u64, watch: &Watch<'_>) -> Result<Heard, Torn> {
    let state = stand.root().join(STATE.trim_start_matches('/'));
    let what = match order {
        Order::Apply(bundle) => {
            let catalog = serde_json::to_vec(&bundle.catalog)?;
            let digest = Digest::of(&catalog);
            let keep = |digest: &Digest, bytes: &[u8]| {
                let hex = digest.hex();
                os::write(&state.join("objects").join(&hex[..2]).join(&hex[2..]), bytes)
            };
            keep(&digest, &catalog)?;
            for (digest, bytes) in &bundle.blobs {
                keep(digest, bytes)?;
            }
            json!({ "apply": {
                "run": format!("RUN{number}"),
                "epoch": number,
                "rev": "commit",
                "by": "test@test",
                "catalog": digest,
                "following": [],
                "plan": false,
            } })
        }
        Order::Back(to) => json!({ "rollback": {
            "run": format!("BACK{number}"),
            "epoch": number,
            "by": "test@test",
            "to": to,
            "plan": false,
            "skip_conflicts": false,
            "force": false,
        } }),
    };
    let task = json!({ "master": "test", "what": what });
    os::write(&state.join("task"), serde_json::to_vec(&task)?)?;
    let strace =
        "/run/torture/ld.so --library-path /run/torture /run/torture/strace -qq -s 90 -o /tmp/torture.trace";
    let traced = match watch {
        Watch::Not => String::new(),
        Watch::List => format!("{strace} -e trace={}", trace::CALLS.join(",")),
        Watch::At(inject) => format!("{strace} {}", inject.arguments()),
    };
    // In a subshell, so that how the agent ends is told as an exit status.
    let (code, said) = stand.shell(&format!(
        "rm -f /tmp/torture.trace; mkdir -p {STATE}; chmod 700 {STATE}
         (exec 0<> {STATE}/lock && flock -x -w 20 0 && exec {traced} /run/torture/agent run --dir {STATE} > /tmp/torture.out)"
    ))?;
    let mut heard = Heard {
        code,
        said,
        ..Heard::default()
    };
    let tmp = stand.root().join("tmp");
    let mut decoder = Decoder::new(1 << 26);
    decoder.feed(&os::read(&tmp.join("torture.out"))?);
    while let Ok(Some(Frame::Control(body))) = decoder.next_frame() {
        match serde_json::from_slice(&body)? {
            FromMinion::Report(report) => heard.report = Some(report),
            FromMinion::RollbackReport(report) => heard.back = Some(report),
            FromMinion::Fault(text) => heard.fault = Some(text),
            FromMinion::Entry(Entry::Done { .. }) => heard.done += 1,
            _ => {}
        }
    }
    if !matches!(watch, Watch::Not) {
        let bytes = os::read(&tmp.join("torture.trace"));
        let bytes = bytes.map_err(|error| Torn(format!("{error}: {}", heard.said)))?;
        let text = String::from_utf8_lossy(&bytes);
        heard.hit = text.contains("(INJECTED)") || text.contains("killed by SIGKILL");
        heard.calls = trace::calls(&text);
    }
    Ok(heard)
}
