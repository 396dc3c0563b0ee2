//! `host.absent`: a name does not stand in /etc/hosts.

use proto::Args;

use super::file::{CONFIG, Hosts, without};
use super::present::gone;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `host.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "host",
    fun: "absent",
    doc: "Make sure that a name does not stand in /etc/hosts at an address.",
    params: &[
        Param::required("ip", Kind::List, "The address, or several."),
        CONFIG,
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
        let hosts = Hosts::read(call, host)?;
        let mut text = hosts.text.clone();
        let (mut did, mut would) = (Vec::new(), Vec::new());
        for ip in call.args().texts("ip") {
            if hosts.has(&ip, name) {
                text = without(&text, &ip, name);
                did.push(format!("Removed host {name} ({ip})"));
                would.push(format!("Host {name} ({ip}) needs to be removed"));
            } else {
                let already = format!("Host {name} ({ip}) already absent");
                did.push(already.clone());
                would.push(already);
            }
        }
        if text == hosts.text {
            return Ok(Plan::met(did.join("\n")));
        }
        let act = hosts.write(host, &text);
        Ok(Plan::change(vec![act], gone(name), did.join("\n")).or_would(would.join("\n"), Some(Args::new())))
    }
}
