//! `kmod.present`: a module of the kernel is loaded.

use proto::{Args, Command, Question};

use super::MODS;
use super::known::{Known, built_in, modprobe, report, subject, wanted};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `kmod.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "kmod",
    fun: "present",
    doc: "Make sure that a module of the kernel is loaded.",
    params: &[
        Param::new(
            "persist",
            Kind::Flag,
            "Load it at every boot too (`/etc/modules-load.d/salt_managed.conf`).",
        ),
        MODS,
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let mods = wanted(call)?;
        let persist = call.args().flag("persist", false);
        let known = Known::read(host)?;
        let mut part = Vec::new();
        for name in &mods {
            part.extend(built_in(host, name)?.then_some(name.as_str()));
        }
        let loaded = |name: &str| known.loaded(name) || part.contains(&name);
        let right = |name: &&str| loaded(name) && (!persist || known.at_boot(name));
        let (there, missing): (Vec<&str>, Vec<&str>) = mods.iter().map(String::as_str).partition(right);
        let mut comment = String::new();
        if !there.is_empty() {
            let (what, are) = subject(&there);
            comment = format!("{what} {are} already present");
        }
        if missing.is_empty() {
            return Ok(Plan::met(comment));
        }
        // Asked of modprobe, which knows those that are part of the kernel, too.
        let ask = |name: &str| {
            let name = name.split_whitespace().next().unwrap_or_default();
            Command::program(&["modprobe", "--dry-run", "--quiet", name])
        };
        host.expect(missing.iter().map(|name| Question::Command(ask(name))));
        let mut unavailable = Vec::new();
        for name in missing.iter().filter(|name| !loaded(name)) {
            if host.command(ask(name))?.code != 0 {
                unavailable.push(*name);
            }
        }
        if !unavailable.is_empty() {
            let (what, are) = subject(&unavailable);
            return Err(Stop::Failed(
                format!("{comment}\n{what} {are} unavailable").trim().to_owned(),
            ));
        }
        let load = missing.iter().filter(|name| !loaded(name));
        let mut acts: Vec<_> = load.map(|name| modprobe(name, true)).collect();
        if persist {
            let new: Vec<&str> = missing
                .iter()
                .copied()
                .filter(|name| !known.at_boot(name))
                .collect();
            if !new.is_empty() {
                acts.push(known.keep(host, &new));
            }
        }
        let changes: Args = missing
            .iter()
            .map(|name| ((*name).to_owned(), "loaded".into()))
            .collect();
        let (what, are) = subject(&missing);
        let would = format!("{comment}\n{what} {are} set to be loaded");
        let did = format!("{comment}\nLoaded {}", what.replacen('K', "k", 1));
        Ok(Plan::change(acts, changes, did.trim()).or_would(would.trim(), Some(Args::new())))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(plan, done, "load")
    }
}
