//! Salt's `nftables` state module.
//!
//! A state does not run its command on the live rules. What the rules would be is asked of nft itself, in an empty
//! network namespace: the live rules are loaded there, the command is run, and the outcome is listed. That list is then
//! loaded whole (`Address::Firewall`), so a plan knows exactly what an apply leaves, and undo is the old list.

mod chain;
mod rule;
mod rules;
mod table;

use proto::{Act, Address, Args, Command, Meta, Value};

use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Stop};

pub use chain::{ChainAbsent, ChainPresent, Flush, SetPolicy};
pub use rules::{Append, Delete, Insert};
pub use table::{TableAbsent, TablePresent};

const FAMILY: Param = Param::new(
    "family",
    Kind::Text,
    "`ipv4` (default), `ipv6`, `inet`, `arp`, `bridge` or `netdev`.",
);
const TABLE: Param = Param::new("table", Kind::Text, "The table (default `filter`).");
const CHAIN: Param = Param::new("chain", Kind::Text, "The chain.");

/// The rules as they are, and where a state is about.
struct Rules<'a> {
    value: &'a Value,
    text: String,
    /// The family in nft's words, and the table.
    family: String,
    table: String,
}

impl<'a> Rules<'a> {
    /// Reads them; `table` is the one the state names.
    ///
    /// # Errors
    /// [`Stop::Failed`] without nft, or for an unknown family.
    fn read(call: &Call<'_>, host: &Host<'a>, table: &str) -> Result<Self, Stop> {
        let family = call.args().text("family").unwrap_or_else(|| "ipv4".to_owned());
        let family = match family.as_str() {
            "ipv4" | "ip4" | "ip" => "ip",
            "ipv6" | "ip6" => "ip6",
            known @ ("inet" | "arp" | "bridge" | "netdev") => known,
            other => return Err(Stop::Failed(format!("{other} is no family of nftables"))),
        };
        let value = host.read(Address::Firewall)?;
        let Value::File { content, .. } = value else {
            return Err(Stop::failed(
                "nft is not there: install the package nftables first",
            ));
        };
        let bytes = host.object(content)?.unwrap_or_default();
        Ok(Self {
            value,
            text: String::from_utf8_lossy(bytes).into_owned(),
            family: family.to_owned(),
            table: word(table)?,
        })
    }

    /// `ip filter`.
    fn at(&self) -> String {
        format!("{} {}", self.family, self.table)
    }

    /// The lines of the table; `None` when there is none.
    fn lines(&self) -> Option<Vec<&str>> {
        inside(self.text.lines(), &format!("table {} {{", self.at()), "}")
    }

    /// The lines of a chain, trimmed; `None` when there is none.
    fn chain(&self, chain: &str) -> Option<Vec<&str>> {
        inside(self.lines()?.into_iter(), &format!("\tchain {chain} {{"), "\t}")
    }

    /// What the rules would be after nft was told this.
    fn after(&self, host: &Host<'_>, told: &str) -> Result<String, Stop> {
        let output = host.command(Command {
            stdin: Some(format!("{}\n{told}\n", self.text)),
            timeout: Some(60),
            ..Command::program(&[
                "unshare",
                "--net",
                "--",
                "/bin/sh",
                "-c",
                "nft -f - && nft -s list ruleset",
            ])
        })?;
        if output.code == 0 {
            return Ok(if output.stdout.is_empty() {
                String::new()
            } else {
                format!("{}\n", output.stdout)
            });
        }
        Err(Stop::Failed(format!(
            "nft refuses {:?}: {}",
            told.trim(),
            output.stderr.trim()
        )))
    }

    /// The plan that loads the rules as they are after nft was told this.
    fn tell(
        &self,
        call: &Call<'_>,
        host: &Host<'_>,
        told: &str,
        done: String,
        would: String,
    ) -> Result<Plan, Stop> {
        let new = self.after(host, told)?;
        let to = Value::File {
            content: host.keep(new.as_str()),
            size: new.len() as u64,
            meta: Meta::default(),
        };
        let mut acts = vec![Act::assign(Address::Firewall, self.value.clone(), to)];
        if call.args().flag("save", false) {
            let (at, value, to) = rules::saved(call, host, &new)?;
            acts.push(Act::assign(at, value, to));
        }
        Ok(Plan::change(acts, one("locale", call.name()), done).or_would(would, Some(Args::new())))
    }
}

fn inside<'t>(mut lines: impl Iterator<Item = &'t str>, first: &str, last: &str) -> Option<Vec<&'t str>> {
    lines.by_ref().find(|line| *line == first)?;
    Some(lines.take_while(|line| *line != last).collect())
}

/// A name nft can be told without its being taken for something else.
fn word(name: &str) -> Result<String, Stop> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-./\\".contains(c);
    if !name.is_empty() && name.chars().all(fine) {
        Ok(name.to_owned())
    } else {
        Err(Stop::Failed(format!("{name:?} is no name in nftables")))
    }
}

fn family(call: &Call<'_>) -> String {
    call.args().text("family").unwrap_or_else(|| "ipv4".to_owned())
}

fn table(call: &Call<'_>) -> String {
    call.args().text("table").unwrap_or_else(|| "filter".to_owned())
}
