//! `nftables.table_present` and `nftables.table_absent`.

use super::{FAMILY, Rules, family};
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `nftables.table_present`.
#[derive(Debug)]
pub struct TablePresent;

/// `nftables.table_absent`.
#[derive(Debug)]
pub struct TableAbsent;

static PRESENT: Spec = Spec {
    state: "nftables",
    fun: "table_present",
    doc: "Make sure that the table `name` is in the live rules.\n\nAll states of this module change the live rules only, as \
          one whole. Rules that shall be there after a boot belong in a file: `file.managed` on `/etc/nftables.conf` with \
          `check_cmd: nft -c -f`, and a `service.running` with `reload: True` that watches it.",
    params: &[FAMILY],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static ABSENT: Spec = Spec {
    state: "nftables",
    fun: "table_absent",
    doc: "Make sure that the table `name`, with all that is in it, is not in the live rules.",
    params: &[FAMILY],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for TablePresent {
    fn spec(&self) -> &'static Spec {
        &PRESENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (name, family) = (call.name(), family(call));
        let rules = Rules::read(call, host, name)?;
        if rules.lines().is_some() {
            return Ok(Plan::met(format!(
                "nftables table {name} already exists in family {family}"
            )));
        }
        let told = format!("add table {}", rules.at());
        let done = format!("nftables table {name} successfully created in family {family}");
        let would = format!("nftables table {name} would be created in family {family}");
        rules.tell(call, host, &told, done, would)
    }
}

impl State for TableAbsent {
    fn spec(&self) -> &'static Spec {
        &ABSENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (name, family) = (call.name(), family(call));
        let rules = Rules::read(call, host, name)?;
        if rules.lines().is_none() {
            return Ok(Plan::met(format!(
                "nftables table {name} is already absent from family {family}"
            )));
        }
        let told = format!("delete table {}", rules.at());
        let done = format!("nftables table {name} successfully deleted from family {family}");
        let would = format!("nftables table {name} would be deleted from family {family}");
        rules.tell(call, host, &told, done, would)
    }
}
