//! `iptables.chain_present`, `chain_absent`, `set_policy` and `flush`: a chain as a whole.

use super::{FAMILY, SAVE, TABLE, Table, told, word};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `iptables.chain_present`.
#[derive(Debug)]
pub struct ChainPresent;

/// `iptables.chain_absent`.
#[derive(Debug)]
pub struct ChainAbsent;

/// `iptables.set_policy`.
#[derive(Debug)]
pub struct SetPolicy;

/// `iptables.flush`.
#[derive(Debug)]
pub struct Flush;

const fn spec(fun: &'static str, doc: &'static str, params: &'static [Param]) -> Spec {
    Spec {
        state: "iptables",
        fun,
        doc,
        params,
        free: false,
        watch: false,
        undo: Undo::Compensated,
    }
}

static PRESENT: Spec = spec(
    "chain_present",
    "Make sure that there is a chain.",
    &[TABLE, FAMILY],
);
static ABSENT: Spec = spec(
    "chain_absent",
    "Make sure that there is no such chain; its rules go first.",
    &[TABLE, FAMILY],
);
static POLICY: Spec = spec(
    "set_policy",
    "Set what becomes of packets that no rule of a chain takes.",
    &[
        Param::required("chain", Kind::Text, "The chain."),
        Param::required("policy", Kind::Text, "`ACCEPT` or `DROP`."),
        TABLE,
        FAMILY,
        SAVE,
    ],
);
static FLUSH: Spec = spec(
    "flush",
    "Make sure that there is no rule in a chain.",
    &[
        Param::required("chain", Kind::Text, "The chain."),
        TABLE,
        FAMILY,
        SAVE,
    ],
);

impl State for ChainPresent {
    fn spec(&self) -> &'static Spec {
        &PRESENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let table = Table::of(call)?;
        let name = &word(call.name())?;
        let (of, family) = (&table.table, &table.family);
        if table.chain(call, host, name)?.is_some() {
            return Ok(Plan::met(format!(
                "iptables {name} chain is already exist in {of} table for {family}"
            )));
        }
        let run = (table.command(&["-N", name]), table.command(&["-X", name]));
        let did = format!("iptables {name} chain in {of} table create success for {family}");
        let would = format!("iptables {name} chain in {of} table needs to be set for {family}");
        table.plan(call, host, run, did, would)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, format!("Failed to create {} chain:", call.name()))
    }
}

impl State for ChainAbsent {
    fn spec(&self) -> &'static Spec {
        &ABSENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let table = Table::of(call)?;
        let name = &word(call.name())?;
        let (of, family) = (&table.table, &table.family);
        let Some(lines) = table.chain(call, host, name)? else {
            return Ok(Plan::met(format!(
                "iptables {name} chain is already absent in {of} table for {family}"
            )));
        };
        // One transaction: with the chain emptied only, a rule that leads there would let everything pass.
        let gone = table.restore(name, &[]);
        let text = gone
            .stdin
            .unwrap_or_default()
            .replace("COMMIT", &format!("-X {name}\nCOMMIT"));
        let run = (
            proto::Command {
                stdin: Some(text),
                ..gone
            },
            table.restore(name, &lines),
        );
        let did = format!("iptables {name} chain in {of} table delete success for {family}");
        let would = format!("iptables {name} chain in {of} table needs to be removed {family}");
        table.plan(call, host, run, did, would)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, format!("Failed to delete {} chain:", call.name()))
    }
}

impl State for SetPolicy {
    fn spec(&self) -> &'static Spec {
        &POLICY
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let table = Table::of(call)?;
        let chain = &word(&args.text("chain").unwrap_or_default())?;
        let policy = &word(&args.text("policy").unwrap_or_default())?;
        let (of, family) = (&table.table, &table.family);
        let lines = table.chain(call, host, chain)?.unwrap_or_default();
        let start = format!("-P {chain} ");
        let now = lines.iter().find_map(|line| line.strip_prefix(&start));
        if now == Some(policy) {
            return Ok(Plan::met(format!(
                "iptables default policy for chain {chain} on table {of} for {family} already set to {policy}"
            )));
        }
        let run = (
            table.command(&["-P", chain, policy]),
            table.command(&["-P", chain, now.unwrap_or("ACCEPT")]),
        );
        let saved = if args.flag("save", false) {
            "Set and saved"
        } else {
            "Set"
        };
        let did = format!("{saved} default policy for {chain} to {policy} family {family}");
        let would = format!(
            "iptables default policy for chain {chain} on table {of} for {family} needs to be set to {policy}"
        );
        table.plan(call, host, run, did, would)
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, "Failed to set iptables default policy".to_owned())
    }
}

impl State for Flush {
    fn spec(&self) -> &'static Spec {
        &FLUSH
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let table = Table::of(call)?;
        let chain = &word(&call.args().text("chain").unwrap_or_default())?;
        let (of, family) = (&table.table, &table.family);
        let Some(lines) = table.chain(call, host, chain)? else {
            return Err(Stop::failed("Failed to flush iptables rules"));
        };
        let did = format!("Flush iptables rules in {of} table {chain} chain {family} family");
        if !lines.iter().any(|line| line.starts_with("-A ")) {
            return Ok(Plan::met(did));
        }
        let run = (table.command(&["-F", chain]), table.restore(chain, &lines));
        let name = call.name();
        let would = format!("iptables rules in {name} table {of} chain {family} family needs to be flushed");
        table.plan(call, host, run, did, would)
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        told(plan, done, "Failed to flush iptables rules".to_owned())
    }
}
