//! `host.only`: an address has these names in /etc/hosts, and no others.

use proto::Args;

use super::file::{CONFIG, Entry, Hosts};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `host.only`.
#[derive(Debug)]
pub struct Only;

static SPEC: Spec = Spec {
    state: "host",
    fun: "only",
    doc: "Make sure that an address has these names in /etc/hosts, and no others.\n\nThe name of the state is the address.",
    params: &[
        Param::required(
            "hostnames",
            Kind::List,
            "The names, the first one first; none takes the line away.",
        ),
        CONFIG,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Only {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let ip = call.name();
        let hosts = Hosts::read(call, host)?;
        let names = call.args().texts("hostnames");
        let new = names.iter().map(|name| name.trim()).collect::<Vec<_>>().join(" ");
        if ip.contains(char::is_whitespace) || new.contains(['\n', '#']) {
            return Err(Stop::Failed(format!("{ip} {new} cannot be a line of the file")));
        }
        let old = hosts.entries.iter().find_map(|entry| match entry {
            Entry::Names { ip: at, names, .. } if at == ip => Some(names.join(" ")),
            _ => None,
        });
        let old = old.unwrap_or_default();
        if old == new {
            return Ok(Plan::met(format!("IP address {ip} already set to \"{new}\"")));
        }
        let line = if new.is_empty() {
            String::new()
        } else {
            format!("{ip}\t\t{new}\n")
        };
        let mut text = String::new();
        let mut there = false;
        for old in hosts.text.split_inclusive('\n') {
            if old.split_whitespace().next() != Some(ip) {
                text.push_str(old);
            } else if !there {
                text.push_str(&line);
                there = true;
            }
        }
        if !there {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&line);
        }
        let mut change = one("old", old.as_str());
        change.insert("new".to_owned(), new.as_str().into());
        let did = format!("successfully changed {ip} from \"{old}\" to \"{new}\"");
        let would = format!("Would change {ip} from \"{old}\" to \"{new}\"");
        let acts = vec![hosts.write(host, &text)];
        Ok(Plan::change(acts, one(ip, change), did).or_would(would, Some(Args::new())))
    }
}
