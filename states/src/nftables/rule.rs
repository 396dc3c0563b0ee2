//! One rule from the arguments that Salt gives its parts.

use proto::{Args, arrange};

use crate::ArgsExt;

/// The rule in nft's words, in Salt's order: what is matched, then what is done.
pub(super) fn built(args: &Args, family: &str) -> String {
    let text = |key: &str| args.text(key).filter(|text| !text.is_empty());
    let either = |one: &str, other: &str| text(one).or_else(|| text(other));
    let proto = text("proto").unwrap_or_default();
    // Tables of both kinds of addresses have to be told which one is meant.
    let net = |address: &str| match family {
        "ip" | "ip6" | "arp" => family.to_owned(),
        _ if address.contains(':') => "ip6".to_owned(),
        _ => "ip".to_owned(),
    };
    let ports = |key: &str| text(key).map(|port| port.replace(':', "-"));
    let several = |key: &str| {
        let given = text(key)?;
        let mut ports: Vec<&str> = given.split(',').map(str::trim).collect();
        let number = |port: &str| port.parse::<u32>().unwrap_or(0);
        arrange(&mut ports, &|a, b| number(a) > number(b));
        Some(ports.join(", "))
    };
    let parts = [
        text("if").map(|name| format!("meta iifname {name}")),
        text("of").map(|name| format!("meta oifname {name}")),
        text("connstate").map(|state| format!("ct state {{ {state} }}")),
        text("icmp-type").map(|kind| format!("icmp type {{ {kind} }}")),
        text("pkttype").map(|kind| format!("meta pkttype {{ {kind} }}")),
        args.any("counter").map(|_| "counter".to_owned()),
        either("saddr", "source").map(|from| format!("{} saddr {from}", net(&from))),
        either("daddr", "destination").map(|to| format!("{} daddr {to}", net(&to))),
        ports("dport").map(|port| format!("{proto} dport {{ {port} }}")),
        ports("sport").map(|port| format!("{proto} sport {{ {port} }}")),
        several("dports").map(|ports| format!("{proto} dport {{ {ports} }}")),
        several("sports").map(|ports| format!("{proto} sport {{ {ports} }}")),
        either("jump", "target"),
        text("j"),
        either("redirect-to", "to-port").map(|port| format!("redirect to {port}")),
        text("to-source"),
        text("to-destination"),
        text("reject-with").map(|with| format!("reject with {with}")),
    ];
    let words: Vec<String> = parts.into_iter().flatten().collect();
    words.join(" ")
}
