//! `nftables.append`, `insert` and `delete`: one rule of a chain.

use proto::{Address, Meta, Value};

use super::rule::built;
use super::{FAMILY, Rules, family, table, word};
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, paths};

/// `nftables.append`.
#[derive(Debug)]
pub struct Append;

/// `nftables.insert`.
#[derive(Debug)]
pub struct Insert;

/// `nftables.delete`.
#[derive(Debug)]
pub struct Delete;

static PARAMS: &[Param] = &[
    Param::required("table", Kind::Text, "The table."),
    Param::required("chain", Kind::Text, "The chain."),
    FAMILY,
    Param::new(
        "position",
        Kind::Number,
        "Not supported with insert: a handle is known to the live kernel only. A rule is deleted by its words.",
    ),
    Param::new("save", Kind::Flag, "Write the rules to a file, too."),
    Param::new(
        "save_filename",
        Kind::Text,
        "That file (default `/etc/nftables`).",
    ),
    Param::new("if", Kind::Text, "Name of the interface a packet comes in by."),
    Param::new("of", Kind::Text, "Name of the interface it goes out by."),
    Param::new("proto", Kind::Text, "`tcp` or `udp`."),
    Param::new("match", Kind::Text, "Accepted; nftables needs no such word."),
    Param::new(
        "connstate",
        Kind::Text,
        "State of the connection: `new`, `established,related`.",
    ),
    Param::new("icmp-type", Kind::Text, "Type of an ICMP packet."),
    Param::new("pkttype", Kind::Text, "`unicast`, `broadcast` or `multicast`."),
    Param::new("counter", Kind::Flag, "Count what matches."),
    Param::new("saddr", Kind::Text, "Where it comes from."),
    Param::new("source", Kind::Text, "The same."),
    Param::new("daddr", Kind::Text, "Where it goes to."),
    Param::new("destination", Kind::Text, "The same."),
    Param::new("dport", Kind::Text, "Port it goes to; `1:9` is a range."),
    Param::new("sport", Kind::Text, "Port it comes from."),
    Param::new("dports", Kind::Text, "Ports it goes to, commas between them."),
    Param::new("sports", Kind::Text, "Ports it comes from."),
    Param::new(
        "jump",
        Kind::Text,
        "What is done: `accept`, `drop`, `jump CHAIN`, …",
    ),
    Param::new("target", Kind::Text, "The same."),
    Param::new("j", Kind::Text, "The same."),
    Param::new("redirect-to", Kind::Text, "Redirect to this port."),
    Param::new("to-port", Kind::Text, "The same."),
    Param::new("to-source", Kind::Text, "Words after `snat`."),
    Param::new("to-destination", Kind::Text, "Words after `dnat`."),
    Param::new("reject-with", Kind::Text, "Refuse with this answer."),
];

const fn spec(fun: &'static str, doc: &'static str) -> Spec {
    Spec {
        state: "nftables",
        fun,
        doc,
        params: PARAMS,
        free: false,
        watch: false,
        undo: Undo::Exact,
    }
}

static APPEND: Spec = spec(
    "append",
    "Make sure that a rule is in a chain, at its end where it is missing.",
);
static INSERT: Spec = spec(
    "insert",
    "Make sure that a rule is in a chain, at its beginning where it is missing.",
);
static DELETE: Spec = spec("delete", "Make sure that a rule is not in a chain.");

/// What all three need: the rules, the rule, and whether (and at which places) it is in the chain.
struct About<'a> {
    rules: Rules<'a>,
    chain: String,
    rule: String,
    place: Option<usize>,
}

fn about<'a>(call: &Call<'_>, host: &Host<'a>) -> Result<About<'a>, Stop> {
    let args = call.args();
    let rules = Rules::read(call, host, &table(call))?;
    let chain = word(&args.text("chain").unwrap_or_default())?;
    let rule = built(args, &rules.family);
    if rule.is_empty() {
        return Err(Stop::failed("Rule needs to be specified"));
    }
    let Some(lines) = rules.chain(&chain) else {
        return Err(Stop::Failed(format!(
            "Failed to set nftables rule for {}.\nAttempted rule was {rule} for {}.\nChain {chain} in table {} in family {} does \
             not exist",
            call.name(),
            family(call),
            rules.table,
            family(call)
        )));
    };
    let at = rules.at();
    // nft's own way to write the rule: the chain with nothing else in it.
    let told = format!("flush chain {at} {chain}\nadd rule {at} {chain} {rule}");
    let alone = Rules {
        text: rules.after(host, &told)?,
        value: rules.value,
        family: rules.family.clone(),
        table: rules.table.clone(),
    };
    let written = alone
        .chain(&chain)
        .and_then(|lines| lines.last().copied())
        .unwrap_or_default();
    let own = |line: &&&str| !line.trim().starts_with("type ");
    let place = lines.iter().filter(own).position(|line| *line == written);
    Ok(About {
        chain,
        rule,
        place,
        rules,
    })
}

/// Where `save` writes, what is there, and what shall be.
pub(super) fn saved(call: &Call<'_>, host: &Host<'_>, rules: &str) -> Result<(Address, Value, Value), Stop> {
    let given = call
        .args()
        .text("save_filename")
        .unwrap_or_else(|| "/etc/nftables".to_owned());
    let mut path =
        paths::clean(&given).ok_or_else(|| Stop::Failed(format!("{given} is not an absolute path")))?;
    if matches!(host.follow(&path)?, Value::Dir { .. }) {
        path.push_str("/salt-all-in-one.nft");
    }
    let there = host.path(&path)?.clone();
    let meta: Meta = there.meta().map_or_else(
        || Perms::default().fresh(None, 0o644),
        |meta| Perms::default().onto(meta),
    );
    let text = format!("#! nft -f\n\n{rules}");
    let to = Value::File {
        content: host.keep(text.as_str()),
        size: text.len() as u64,
        meta,
    };
    Ok((Address::Path(path), there, to))
}

fn put(call: &Call<'_>, host: &Host<'_>, verb: &str) -> Result<Plan, Stop> {
    if verb == "insert" && call.args().any("position").is_some() {
        return Err(Stop::failed(
            "position names a handle, which only the live kernel knows; declare the chain's order in a file instead",
        ));
    }
    let about = about(call, host)?;
    let (name, family, rule) = (call.name(), family(call), &about.rule);
    let (already, would) = if verb == "add" {
        (
            format!("{name} already set ({rule}) for {family}"),
            format!("{name} needs to be set ({rule}) for {family}"),
        )
    } else {
        (
            format!("{name} already set for {family} ({rule})"),
            format!("{name} needs to be set for {family} ({rule})"),
        )
    };
    if about.place.is_some() {
        return Ok(Plan::met(format!("nftables rule for {already}")));
    }
    let told = format!("{verb} rule {} {} {rule}", about.rules.at(), about.chain);
    let set = if call.args().flag("save", false) {
        "Set and Saved"
    } else {
        "Set"
    };
    let done = format!("{set} nftables rule for {name} to: {rule} for {family}");
    about
        .rules
        .tell(call, host, &told, done, format!("nftables rule for {would}"))
}

impl State for Append {
    fn spec(&self) -> &'static Spec {
        &APPEND
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        put(call, host, "add")
    }
}

impl State for Insert {
    fn spec(&self) -> &'static Spec {
        &INSERT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        put(call, host, "insert")
    }
}

impl State for Delete {
    fn spec(&self) -> &'static Spec {
        &DELETE
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let about = about(call, host)?;
        let (name, family, rule) = (call.name(), family(call), &about.rule);
        let Some(place) = about.place else {
            return Ok(Plan::met(format!(
                "nftables rule for {name} already absent for {family} ({rule})"
            )));
        };
        let (at, chain) = (about.rules.at(), &about.chain);
        // Handles are given anew where the rules are tried out; the chain is written again without the rule.
        let lines = about.rules.chain(chain).unwrap_or_default();
        let left = lines
            .iter()
            .filter(|line| !line.trim().starts_with("type "))
            .enumerate();
        let left = left.filter(|(number, _)| *number != place);
        let again: String = left
            .map(|(_, line)| format!("add rule {at} {chain} {}\n", line.trim()))
            .collect();
        let told = format!("flush chain {at} {chain}\n{again}");
        let done = if call.args().flag("save", false) {
            format!("Deleted and Saved nftables rule for {name} for {rule}{family}")
        } else {
            format!("Delete nftables rule for {name} {rule}")
        };
        let would = format!("nftables rule for {name} needs to be deleted for {family} ({rule})");
        about.rules.tell(call, host, &told, done, would)
    }
}
