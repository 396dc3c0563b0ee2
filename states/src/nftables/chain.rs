//! `nftables.chain_present`, `chain_absent`, `flush` and `set_policy`.

use super::{CHAIN, FAMILY, Rules, TABLE, family, table, word};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `nftables.chain_present`.
#[derive(Debug)]
pub struct ChainPresent;

/// `nftables.chain_absent`.
#[derive(Debug)]
pub struct ChainAbsent;

/// `nftables.flush`.
#[derive(Debug)]
pub struct Flush;

/// `nftables.set_policy`.
#[derive(Debug)]
pub struct SetPolicy;

const fn spec(fun: &'static str, doc: &'static str, params: &'static [Param]) -> Spec {
    Spec {
        state: "nftables",
        fun,
        doc,
        params,
        free: false,
        watch: false,
        undo: Undo::Exact,
    }
}

static PRESENT: Spec = spec(
    "chain_present",
    "Make sure that the chain `name` is in a table of the live rules. With `table_type`, `hook` and `priority` it is one \
     that the kernel calls.",
    &[
        TABLE,
        Param::new("table_type", Kind::Text, "`filter`, `nat` or `route`."),
        Param::new(
            "hook",
            Kind::Text,
            "`input`, `output`, `forward`, `prerouting`, `postrouting` or `ingress`.",
        ),
        Param::new(
            "priority",
            Kind::Text,
            "Its place among the chains of the same hook.",
        ),
        FAMILY,
    ],
);

static ABSENT: Spec = spec(
    "chain_absent",
    "Make sure that the chain `name`, with its rules, is not in a table of the live rules.",
    &[TABLE, FAMILY],
);

static FLUSH: Spec = spec(
    "flush",
    "Remove all rules of a table, or of one chain.",
    &[
        TABLE,
        CHAIN,
        Param::new(
            "ignore_absence",
            Kind::Flag,
            "A table or chain that is not there is fine.",
        ),
        FAMILY,
    ],
);

static POLICY: Spec = spec(
    "set_policy",
    "Make sure that a chain has a policy: what becomes of packets that no rule decides.",
    &[
        TABLE,
        Param::required("chain", Kind::Text, "The chain."),
        Param::required("policy", Kind::Text, "`accept` or `drop`."),
        Param::new("save", Kind::Flag, "Write the rules to a file, too."),
        Param::new(
            "save_filename",
            Kind::Text,
            "That file (default `/etc/nftables`).",
        ),
        FAMILY,
    ],
);

impl State for ChainPresent {
    fn spec(&self) -> &'static Spec {
        &PRESENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (name, family, table) = (word(call.name())?, family(call), table(call));
        let rules = Rules::read(call, host, &table)?;
        if rules.chain(&name).is_some() {
            return Ok(Plan::met(format!(
                "nftables {name} chain is already exist in {table} table for {family}"
            )));
        }
        let failed = |why: &str| {
            Stop::Failed(format!(
                "Failed to create {name} chain in {table} table: {why} for {family}"
            ))
        };
        if rules.lines().is_none() {
            return Err(failed(&format!(
                "Table {table} in family {family} does not exist"
            )));
        }
        let hooked = ["table_type", "hook", "priority"].map(|key| call.args().text(key));
        let hook = match &hooked {
            [None, None, None] => String::new(),
            [Some(kind), Some(hook), Some(priority)] => {
                format!(
                    " {{ type {} hook {} priority {priority}; }}",
                    word(kind)?,
                    word(hook)?
                )
            }
            _ => return Err(failed("Table_type, hook, and priority required.")),
        };
        let told = format!("add chain {} {name}{hook}", rules.at());
        let done = format!("nftables {name} chain in {table} table create success for {family}");
        let would = format!("nftables chain {name} would be created in table {table} for family {family}");
        rules.tell(call, host, &told, done, would)
    }
}

impl State for ChainAbsent {
    fn spec(&self) -> &'static Spec {
        &ABSENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (name, family, table) = (word(call.name())?, family(call), table(call));
        let rules = Rules::read(call, host, &table)?;
        if rules.chain(&name).is_none() {
            return Ok(Plan::met(format!(
                "nftables {name} chain is already absent in {table} table for {family}"
            )));
        }
        let at = rules.at();
        let told = format!("flush chain {at} {name}\ndelete chain {at} {name}");
        let done = format!("nftables {name} chain in {table} table delete success for {family}");
        rules.tell(call, host, &told, done.clone(), done)
    }
}

impl State for Flush {
    fn spec(&self) -> &'static Spec {
        &FLUSH
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (family, table) = (family(call), table(call));
        let chain = call.args().text("chain").filter(|chain| !chain.is_empty());
        let rules = Rules::read(call, host, &table)?;
        let done = format!(
            "Flush nftables rules in {table} table {} chain {family} family",
            chain.clone().unwrap_or_default()
        );
        let missing = match &chain {
            _ if rules.lines().is_none() => {
                Some(format!("table {table} in family {family}, table does not exist."))
            }
            Some(chain) if rules.chain(chain).is_none() => Some(format!(
                "chain {chain} in table {table} in family {family}, chain does not exist."
            )),
            _ => None,
        };
        if let Some(missing) = missing {
            if call.args().flag("ignore_absence", false) {
                return Ok(Plan::met(done));
            }
            return Err(Stop::Failed(format!("Failed to flush {missing}")));
        }
        let told = match &chain {
            Some(chain) => format!("flush chain {} {}", rules.at(), word(chain)?),
            None => format!("flush table {}", rules.at()),
        };
        if rules.after(host, &told)? == rules.text {
            return Ok(Plan::met(done));
        }
        rules.tell(call, host, &told, done.clone(), done)
    }
}

impl State for SetPolicy {
    fn spec(&self) -> &'static Spec {
        &POLICY
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let text = |key: &str| call.args().text(key).unwrap_or_default();
        let (family, table, chain, policy) = (family(call), table(call), text("chain"), text("policy"));
        let rules = Rules::read(call, host, &table)?;
        let Some(lines) = rules.chain(&chain) else {
            return Err(Stop::failed("Failed to set nftables default policy"));
        };
        let hook = lines
            .iter()
            .find_map(|line| line.trim().strip_prefix("type "))
            .unwrap_or_default();
        let wanted = policy.to_ascii_lowercase();
        if hook.contains(&format!("policy {wanted};")) {
            return Ok(Plan::met(format!(
                "nftables default policy for chain {chain} on table {table} for {family} already set to {policy}"
            )));
        }
        let told = format!(
            "add chain {} {} {{ policy {}; }}",
            rules.at(),
            word(&chain)?,
            word(&wanted)?
        );
        let saved = if call.args().flag("save", false) {
            "Set and saved"
        } else {
            "Set"
        };
        let done = format!("{saved} default policy for {chain} to {policy} family {family}");
        let would = format!(
            "nftables default policy for chain {chain} on table {table} for {family} needs to be set to {policy}"
        );
        rules.tell(call, host, &told, done, would)
    }
}
