//! `kmod.absent`: a module of the kernel is not loaded.

use proto::Args;

use super::MODS;
use super::known::{Known, modprobe, report, subject, wanted};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `kmod.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "kmod",
    fun: "absent",
    doc: "Make sure that a module of the kernel is not loaded.",
    params: &[
        Param::new("persist", Kind::Flag, "Nor loaded at boot."),
        Param::new(
            "comment",
            Kind::Flag,
            "With `persist`, leave its line as a comment (default true).",
        ),
        MODS,
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let mods = wanted(call)?;
        let persist = call.args().flag("persist", false);
        let known = Known::read(host)?;
        let all: Vec<&str> = mods.iter().map(String::as_str).collect();
        let at_boot: Vec<&str> = all
            .iter()
            .copied()
            .filter(|name| persist && known.at_boot(name))
            .collect();
        let there: Vec<&str> = all
            .iter()
            .copied()
            .filter(|name| known.loaded(name) || at_boot.contains(name))
            .collect();
        if there.is_empty() {
            let (what, are) = subject(&all);
            return Ok(Plan::met(format!("{what} {are} already removed")));
        }
        let loaded = there.iter().filter(|name| known.loaded(name));
        let mut acts: Vec<_> = loaded.map(|name| modprobe(name, false)).collect();
        if !at_boot.is_empty() {
            acts.push(known.drop(host, &at_boot, call.args().flag("comment", true)));
        }
        let changes: Args = there
            .iter()
            .map(|name| ((*name).to_owned(), "removed".into()))
            .collect();
        let (what, are) = subject(&there);
        let did = format!("Removed {}", what.replacen('K', "k", 1));
        Ok(Plan::change(acts, changes, did)
            .or_would(format!("{what} {are} set to be removed"), Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(plan, done, "remove")
    }
}
