//! `mount.swap`: a swap area is in use, now and after the next boot.

use proto::{Act, Address, Args, Value};

use super::CONFIG;
use super::fstab::{Entry, Fstab, Line};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `mount.swap`.
#[derive(Debug)]
pub struct Swap;

static SPEC: Spec = Spec {
    state: "mount",
    fun: "swap",
    doc: "Use a device or file as swap, now and (by a line in /etc/fstab) at every boot.\n\nIt must have been made by \
          mkswap(8) before. Rollback takes it out of use again.",
    params: &[
        Param::new(
            "persist",
            Kind::Flag,
            "Write the line of the fstab (default true).",
        ),
        CONFIG,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Swap {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let path =
            paths::clean(name).ok_or_else(|| Stop::Failed(format!("{name} is not an absolute path")))?;
        let at = Address::Swap(paths::real(host, &path)?);
        let there = host.read(at.clone())?;
        let mut acts = Vec::new();
        let mut changes = Args::new();
        let active = !there.is_absent();
        let mut comment = if active {
            format!("Swap {name} already active")
        } else {
            acts.push(Act::assign(at, Value::Absent, Value::Text(String::new())));
            format!("Swap {name} activated")
        };
        let mut would = format!("Swap {name} is set to be activated");
        if call.args().flag("persist", true) {
            let fstab = Fstab::read(call, host)?;
            let other = fstab
                .entries()
                .any(|line| line[..2] == [name, "none"] && line[2] != "swap");
            let entry = Entry::new(name, "none", "swap", "defaults", "0", "0");
            let (line, text) = fstab.with(call, &entry, false)?;
            if line != Line::Present && !other {
                acts.push(fstab.write(host, &text));
                let (word, did) = match line {
                    Line::Change => ("update", "Updated the entry in the fstab."),
                    _ => ("new", "Added new entry to the fstab."),
                };
                changes.insert("persist".to_owned(), word.into());
                comment = format!("{comment}. {did}");
                if active {
                    would = format!("Swap {name} is set to be added to the fstab and to be activated");
                }
            }
        }
        if acts.is_empty() {
            return Ok(Plan::met(comment));
        }
        Ok(Plan::change(acts, changes, comment).or_would(would, Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        let changed = done.performed.iter().flat_map(|performed| &performed.changes);
        for change in changed {
            if let Value::Text(text) = &change.after {
                let facts = ["type", "size", "priority"].into_iter().zip(text.split(' '));
                report
                    .changes
                    .extend(facts.map(|(key, value)| (key.to_owned(), value.into())));
            }
        }
        report
    }
}
