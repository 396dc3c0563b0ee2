//! Execution functions that the master answers, one file per Salt module; the agent's own are questions to the host.
//!
//! What there is stands in the reference. Functions here either know the answer (the tree, the pillar, options), or make
//! it from what they ask of the host (`asked`).

use serde_json::Value as Json;

use super::oracle::Oracle;

mod alternatives;
mod args;
mod asked;
mod config;
mod cp;
mod defaults;
mod disk;
mod dnsutil;
mod environ;
mod file;
mod file_find;
mod git;
mod grains;
mod hashutil;
mod hosts;
mod ini;
mod jinja;
mod kmod;
mod locale;
mod matching;
mod mine;
mod mount;
mod network;
mod pillar;
mod pkg;
mod process;
mod random;
pub mod reference;
mod salt_version;
mod saltutil;
mod sdb;
mod service;
mod slsutil;
mod sys;
mod test;

pub(crate) use args::{Args, is_misuse, mapping};

/// An execution function.
pub(crate) type Function = fn(&Oracle, &mut Args) -> Result<Json, String>;

/// Every function, by module and name.
const MODULES: &[(&str, &[(&str, Function)])] = &[
    ("aliases", dnsutil::ALIASES),
    ("alternatives", alternatives::FUNCTIONS),
    ("cmd", process::CMD),
    ("config", config::FUNCTIONS),
    ("cp", cp::FUNCTIONS),
    ("cryptdev", mount::CRYPTDEV),
    ("defaults", defaults::FUNCTIONS),
    ("disk", disk::FUNCTIONS),
    ("dnsutil", dnsutil::FUNCTIONS),
    ("environ", environ::FUNCTIONS),
    ("file", file::FUNCTIONS),
    ("git", git::FUNCTIONS),
    ("grains", grains::FUNCTIONS),
    ("hashutil", hashutil::FUNCTIONS),
    ("hosts", hosts::FUNCTIONS),
    ("ini", ini::FUNCTIONS),
    ("jinja", jinja::FUNCTIONS),
    ("kmod", kmod::FUNCTIONS),
    ("locale", locale::FUNCTIONS),
    ("log", test::LOG),
    ("match", matching::FUNCTIONS),
    ("mount", mount::FUNCTIONS),
    ("network", network::FUNCTIONS),
    ("pillar", pillar::FUNCTIONS),
    ("pkg", pkg::FUNCTIONS),
    ("pkg_resource", pkg::RESOURCE),
    ("ps", process::FUNCTIONS),
    ("random", random::FUNCTIONS),
    ("salt_version", salt_version::FUNCTIONS),
    ("saltutil", saltutil::FUNCTIONS),
    ("service", service::FUNCTIONS),
    ("shadow", random::SHADOW),
    ("mine", mine::FUNCTIONS),
    ("sdb", sdb::FUNCTIONS),
    ("slsutil", slsutil::FUNCTIONS),
    ("state", cp::STATE),
    ("status", disk::STATUS),
    ("sys", sys::FUNCTIONS),
    ("sysctl", kmod::SYSCTL),
    ("test", test::FUNCTIONS),
    ("timezone", locale::TIMEZONE),
];

/// The function of that name, where the master answers.
pub(crate) fn find(name: &str) -> Option<Function> {
    let (module, function) = name.split_once('.')?;
    let (_, functions) = MODULES.iter().find(|(one, _)| *one == module)?;
    functions
        .iter()
        .find(|(one, _)| *one == function)
        .map(|(_, function)| *function)
}

/// Whether Salt has a module of that name.
pub(crate) fn is_module(name: &str) -> bool {
    reference::all().any(|entry| entry.name.split('.').next() == Some(name))
        || reference::absent_modules().any(|(module, _)| module == name)
}

/// Whether Salt has a function of that name: one that is there, or one that is refused with a way out.
pub(crate) fn is_known(name: &str) -> bool {
    reference::find(name).is_some() || reference::way_out(name).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use reference::Place;

    #[test]
    fn the_reference_names_what_there_is() {
        let here: BTreeSet<String> = MODULES
            .iter()
            .flat_map(|(module, functions)| functions.iter().map(move |(name, _)| format!("{module}.{name}")))
            .collect();
        let told: BTreeSet<String> = reference::all()
            .filter(|entry| entry.place != Place::Host)
            .map(|entry| entry.name.to_owned())
            .collect();
        let hosts = |name: &String| reference::find(name).is_some_and(|entry| entry.place == Place::Host);
        let (lost, dead): (Vec<_>, Vec<_>) = (
            here.difference(&told).filter(|name| !hosts(name)).collect(),
            told.difference(&here).collect(),
        );
        assert!(
            lost.is_empty() && dead.is_empty(),
            "no line: {lost:?}, no code: {dead:?}"
        );
    }
}
