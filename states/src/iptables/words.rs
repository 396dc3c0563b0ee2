//! A rule's words from a state's arguments, in the order that Salt gives them.

use proto::Args;
use serde_json::Value as Json;

use crate::args::plain;
use crate::spec::GLOBAL;

/// Options that stand after what is done with a packet.
const LAST: &str = " j jump add-set and-mark and-tos checksum-fill clamp-mss-to-pmtu clustermac ctevents ctmask del-set \
    ecn-tcp-remove exist expevents gateway hash-init hashmode helper label local-node log-ip-options log-level log-prefix \
    log-tcp-options log-tcp-sequence log-uid map-set mask mss new nfmask nflog-group nflog-prefix nflog-range nflog-threshold \
    nodst notrack on-ip on-port or-mark or-tos persistent queue-balance queue-bypass queue-num random random-fully \
    rateest-ewmalog rateest-interval rateest-name reject-with restore restore-mark sack-perm save-mark selctx set-class \
    set-dscp set-dscp-class set-mark set-mss set-tos set-xmark strip-options timeout timestamp to to-destination to-ports \
    to-source total-nodes tproxy-mark ttl-dec ttl-inc ttl-set type ulog-cprange ulog-nlgroup ulog-prefix ulog-qthreshold \
    wscale xor-mark xor-tos zone zone-orig zone-reply dst-pfx hl-dec hl-inc hl-set hmark-dport-mask hmark-dst-prefix hmark-mod \
    hmark-offset hmark-proto-mask hmark-rnd hmark-spi-mask hmark-sport-mask hmark-src-prefix hmark-tuple led-always-blink \
    led-delay led-trigger-id queue-cpu-fanout src-pfx to-port addr and-mask delude honeypot or-mask prefix reset reuse set-mac \
    shift static tarpit tname ttl ";
/// Arguments that are no part of the rule.
const APART: [&str; 7] = ["chain", "table", "family", "save", "position", "rules", "name_"];

/// The rule as one text.
///
/// # Errors
/// With Salt's words for a rule that cannot be.
pub(super) fn built(args: &Args) -> Result<String, String> {
    let mut rule: Vec<String> = Vec::new();
    let mut left: Vec<(&str, &Json)> = args
        .iter()
        .map(|(key, value)| (if key == "target" { "jump" } else { key.as_str() }, value))
        .filter(|(key, _)| !key.starts_with("__") && !APART.contains(key))
        .filter(|(key, _)| !GLOBAL.contains(key) || *key == "timeout")
        .collect();
    let mut take = |key: &str| {
        let at = left.iter().position(|(name, _)| *name == key)?;
        Some(left.remove(at).1)
    };
    let policy = args.get("match").and_then(Json::as_str) == Some("policy");
    for (key, option) in [("if", "-i"), ("of", "-o")] {
        rule.extend(take(key).map(|value| negated(option, value)));
    }
    let proto = if policy { None } else { take("proto") };
    let protocol = take("protocol").or(proto);
    rule.extend(protocol.map(|value| negated("-p", value)));
    if let Some(matches) = take("match") {
        let several: Vec<String> = match matches {
            Json::Array(items) => items.iter().map(plain).collect(),
            one => plain(one).split(',').map(str::to_owned).collect(),
        };
        for one in several {
            rule.push(format!("-m {one}"));
            let named = args
                .get("name_")
                .filter(|_| ["pknock", "quota2", "recent"].contains(&one.trim()));
            rule.extend(named.map(|name| format!("--name {}", plain(name))));
        }
        rule.extend(take("proto").map(|value| negated("--proto", value)));
    }
    for set in take("match-set").map(list).into_iter().flatten() {
        let (not, set) = turned(&set);
        rule.push(format!("-m set {not}--match-set {set}"));
    }
    if let Some(state) = take("connstate") {
        let there = rule.iter().any(|part| part == "-m state");
        rule.extend((!there).then(|| "-m state".to_owned()));
        rule.push(negated("--state", state));
    }
    for key in ["dport", "sport"] {
        rule.extend(take(key).map(|value| negated(&format!("--{key}"), value)));
    }
    for key in ["dports", "sports"] {
        let Some(ports) = take(key).map(list) else {
            continue;
        };
        if !rule.iter().any(|part| part == "-m multiport") {
            rule.push("-m multiport".to_owned());
            if protocol.is_none() {
                return Err("Error: protocol must be specified".to_owned());
            }
        }
        let ports: Vec<(&str, String)> = ports.iter().map(|port| turned(port)).collect();
        if ports.iter().any(|(not, _)| !not.is_empty()) {
            rule.push("!".to_owned());
        }
        let ports: Vec<String> = ports.into_iter().map(|(_, port)| port).collect();
        rule.push(format!("--{key} {}", ports.join(",")));
    }
    if let Some(comment) = take("comment") {
        if !rule.iter().any(|part| part == "-m comment") {
            rule.push("-m comment".to_owned());
        }
        rule.push(format!("--comment \"{}\"", plain(comment)));
    }
    if let Some(set) = take("set").filter(|set| crate::args::truth(set)) {
        rule.push(negated("--match-set", set));
    }
    let mut last = Vec::new();
    for key in LAST.split_whitespace() {
        let Some(value) = take(key) else { continue };
        let value = if value.is_null() {
            String::new()
        } else {
            plain(value)
        };
        last.push(match value.as_str() {
            "" => format!("--{key}"),
            text if text.contains(char::is_whitespace) => format!("--{key} \"{text}\""),
            text => format!("--{key} {text}"),
        });
    }
    for (key, value) in left {
        let dashes = if key.len() == 1 { "-" } else { "--" };
        let option = format!("{dashes}{key}");
        rule.push(match value {
            Json::Null => option,
            value if plain(value).is_empty() => option,
            value => negated(&option, value),
        });
    }
    rule.append(&mut last);
    Ok(rule.join(" "))
}

/// An option and its value; `!` or `not` before the value stands before the option.
fn negated(option: &str, value: &Json) -> String {
    let (not, value) = turned(&plain(value));
    format!("{not}{option} {value}")
}

fn turned(value: &str) -> (&'static str, String) {
    let rest = value.strip_prefix('!').or_else(|| value.strip_prefix("not"));
    match rest {
        Some(rest) => ("! ", rest.trim_start().to_owned()),
        None => ("", value.to_owned()),
    }
}

fn list(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().map(plain).collect(),
        one => vec![plain(one)],
    }
}

/// The words of a text as a shell would part them, quotes taken off.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_in_salts_order() {
        // What Salt's own function makes of them.
        for (args, rule) in [
            (
                json!({"chain": "INPUT", "jump": "ACCEPT", "match": "state", "connstate": "NEW", "dport": 80, "proto": "tcp",
                    "sport": "1025:65535", "save": true}),
                "-p tcp -m state --state NEW --dport 80 --sport 1025:65535 --jump ACCEPT",
            ),
            (
                json!({"chain": "INPUT", "jump": "LOG", "log-prefix": "a b ", "source": "!10.0.0.0/8", "dports": [80, 443],
                    "protocol": "tcp", "comment": "web"}),
                "-p tcp -m multiport --dports 80,443 -m comment --comment \"web\" ! --source 10.0.0.0/8 --jump LOG --log-prefix \"a b \"",
            ),
            (
                json!({"if": "not eth0", "match": ["comment", "policy"], "pol": "ipsec", "target": "DROP"}),
                "! -i eth0 -m comment -m policy --pol ipsec --jump DROP",
            ),
        ] {
            let args = args.as_object().expect("a mapping");
            assert_eq!(built(args).as_deref(), Ok(rule));
        }
        assert_eq!(split("a \"b c\" 'd' e\"f\""), ["a", "b c", "d", "ef"]);
    }
}
