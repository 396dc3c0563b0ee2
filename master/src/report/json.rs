//! The contract's JSON document of a run (section 7).

use proto::Outcome;
use serde_json::{Map, Value as Json, json};

use super::{HostResult, RunResult};

/// The document of `apply`, `plan` and `rollback`.
pub fn document(run: &RunResult) -> Json {
    let hosts: Map<String, Json> = run
        .hosts
        .iter()
        .map(|host| (host.host.clone(), host_object(host)))
        .collect();
    let count = |outcome| run.count(outcome);
    json!({
        "run": run.run,
        "commit": run.commit,
        "mode": run.mode.word(),
        "hosts": hosts,
        "summary": {
            "hosts": run.hosts.len(),
            "ok": count(Outcome::Ok),
            "changed": count(Outcome::Changed),
            "failed": count(Outcome::Failed),
            "unreachable": count(Outcome::Unreachable),
            "unknown": count(Outcome::Unknown),
            "refused": count(Outcome::Refused),
            "rolled_back": count(Outcome::RolledBack),
        },
        "undo": run.undo_command(),
    })
}

/// One host of the document; also what the run file keeps.
pub fn host_object(host: &HostResult) -> Json {
    let mut object = json!({
        "outcome": host.outcome,
        "generation": host.generation,
        "previous_generation": host.previous_generation,
        "duration_ms": host.duration_ms,
        "states": host.states,
        "compiled": host.compiled,
        "traffic": {
            "bytes_up": host.traffic.bytes_up,
            "bytes_down": host.traffic.bytes_down,
            "round_trips": host.traffic.round_trips,
        },
        "agent": { "peak_rss_kib": host.peak_rss_kib, "cpu_ms": host.cpu_ms },
    });
    if let Json::Object(map) = &mut object {
        if let Some((cause, help)) = &host.error {
            map.insert("error".into(), json!({ "message": cause, "help": help }));
        }
        if !host.conflicts.is_empty() {
            map.insert("conflicts".into(), json!(host.conflicts));
        }
        if !host.orphans.is_empty() {
            map.insert("orphans".into(), json!(host.orphans));
        }
        if !host.notes.is_empty() {
            map.insert("notes".into(), json!(host.notes));
        }
    }
    object
}
