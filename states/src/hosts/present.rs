//! `host.present`: a name stands in /etc/hosts.

use core::net::IpAddr;

use proto::Args;
use serde_json::Value as Json;

use super::file::{CONFIG, Entry, Hosts, written};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `host.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "host",
    fun: "present",
    doc: "Make sure that a name stands in /etc/hosts at an address.",
    params: &[
        Param::required("ip", Kind::List, "The address, or several."),
        Param::new("comment", Kind::Text, "Remark at the end of the line."),
        Param::new("clean", Kind::Flag, "Remove the name from all other addresses."),
        CONFIG,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let ips = args.texts("ip");
        let remark = args.text("comment").filter(|remark| !remark.is_empty());
        if let Some(bad) = ips.iter().find(|ip| ip.parse::<IpAddr>().is_err()) {
            return Err(Stop::Failed(format!("Invalid IP Address for {name} ({bad})")));
        }
        let hosts = Hosts::read(call, host)?;
        let mut entries = hosts.entries.clone();
        let mut told = Told::default();
        for ip in &ips {
            let known = entries.iter_mut().find_map(|entry| match entry {
                Entry::Names {
                    ip: at,
                    names,
                    comment,
                } if at == ip => Some((names, comment)),
                _ => None,
            });
            let Some((names, comment)) = known else {
                entries.push(Entry::Names {
                    ip: ip.clone(),
                    names: vec![name.to_owned()],
                    comment: remark.clone(),
                });
                told.added(name, ip);
                remark.iter().for_each(|remark| told.remarked(ip, remark));
                continue;
            };
            let there = names.iter().any(|other| other == name);
            if !there {
                names.push(name.to_owned());
                told.added(name, ip);
            }
            match &remark {
                Some(remark) if comment.as_ref() != Some(remark) => {
                    *comment = Some(remark.clone());
                    told.remarked(ip, remark);
                }
                _ if there => told.unchanged.push(format!("Host {name} ({ip}) already present")),
                _ => {}
            }
        }
        let mut warnings = Vec::new();
        for entry in &mut entries {
            let Entry::Names { ip, names, .. } = entry else {
                continue;
            };
            if ips.contains(ip) || !names.iter().any(|other| other == name) {
                continue;
            }
            if args.flag("clean", false) {
                names.retain(|other| other != name);
                told.removed(name, ip);
            } else {
                warnings.push(format!(
                    "Host {name} present for IP address {ip}. To get rid of this warning, either run this state with 'clean' set to True to remove {name} from {ip}, or add {ip} to the 'ip' argument."
                ));
            }
        }
        entries.retain(|entry| !matches!(entry, Entry::Names { names, .. } if names.is_empty()));
        let would = told.comment(true);
        let comment = told.comment(false);
        if told.changes.is_empty() {
            return Ok(Plan {
                warnings,
                ..Plan::met(comment)
            });
        }
        let act = hosts.write(host, &written(&entries));
        Ok(Plan {
            warnings,
            verdict: Verdict::WouldChange,
            ..Plan::change(vec![act], told.changes, comment).or_would(would, None)
        })
    }
}

/// What changes, in Salt's shape, and the sentences about it.
#[derive(Default)]
struct Told {
    changes: Args,
    unchanged: Vec<String>,
    /// What was done and what would be.
    sentences: Vec<(String, String)>,
}

impl Told {
    fn add(&mut self, kind: &str, ip: &str, what: &str) {
        let map = self.changes.entry(kind).or_insert_with(|| Args::new().into());
        if let Some(map) = map.as_object_mut() {
            let list = map.entry(ip).or_insert_with(|| Json::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(what.into());
            }
        }
    }

    fn added(&mut self, name: &str, ip: &str) {
        self.add("added", ip, name);
        self.sentences.push((
            format!("Added host {name} ({ip})"),
            format!("Host {name} ({ip}) would be added"),
        ));
    }

    fn remarked(&mut self, ip: &str, remark: &str) {
        self.add("comment_added", ip, remark);
        self.sentences.push((
            format!("Set comment for host {ip} ({remark})"),
            format!("Comment for {ip} ({remark}) would be added"),
        ));
    }

    fn removed(&mut self, name: &str, ip: &str) {
        self.add("removed", ip, name);
        self.sentences.push((
            format!("Removed host {name} ({ip})"),
            format!("Host {name} ({ip}) would be removed"),
        ));
    }

    fn comment(&self, would: bool) -> String {
        let sentences = self
            .sentences
            .iter()
            .map(|(did, will)| if would { will } else { did });
        let all: Vec<&str> = self
            .unchanged
            .iter()
            .chain(sentences)
            .map(String::as_str)
            .collect();
        all.join("\n")
    }
}

/// `{host: name}`, which `host.absent` tells.
pub(super) fn gone(name: &str) -> Args {
    one("host", name)
}
