//! `ssh_known_hosts.absent`: a host is not known.

use proto::Args;
use serde_json::Value as Json;

use super::file::{Entry, Known, Print};
use crate::plan::one;
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `ssh_known_hosts.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "ssh_known_hosts",
    fun: "absent",
    doc: "Make sure that a host is not known by any key.",
    params: &[
        Param::new("user", Kind::Text, "Whose; without it those of all users."),
        Param::new(
            "config",
            Kind::Text,
            "The file; with `user` from the home directory on.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let known = Known::read(call, host)?;
        let stored: Vec<(usize, &Entry)> = known.of(name).collect();
        if stored.is_empty() {
            return Ok(Plan::met("Host is already absent"));
        }
        let out: Vec<usize> = stored.iter().map(|(at, _)| *at).collect();
        let acts = known.write(host, &out, &[])?;
        let old: Vec<Json> = stored
            .iter()
            .map(|(_, entry)| entry.told(Some(Print::Sha256)).into())
            .collect();
        let mut changes = one("old", old);
        changes.insert("new".to_owned(), Json::Null);
        let mut comment: String = out
            .iter()
            .map(|at| format!("# Host {name} found: line {at}\n"))
            .collect();
        comment.push_str(&format!("{} updated.", known.path()));
        let would = format!("Key for {name} is set to be removed from {}", known.config);
        Ok(Plan::change(acts, changes, comment).or_would(would, Some(Args::new())))
    }
}
