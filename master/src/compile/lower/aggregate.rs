//! `aggregate`: packages of several states in one transaction, that of the first (Salt's `mod_aggregate` of `pkg`).
//!
//! The first state names the packages of those that follow it and say the same otherwise; they find them there when it is
//! their turn, as under Salt. Different from Salt on purpose: the first one's own `name` is among them (Salt 3008 loses
//! it), and a state that may be kept from running by a guard or a requisite is left alone.

use proto::{Args, Chunk, RequisiteKind};
use serde_json::{Value as Json, json};

use crate::compile::options::Options;
use crate::compile::python;

/// Functions whose states are joined.
const JOINED: [&str; 4] = ["installed", "latest", "removed", "purged"];
/// Most states that are joined, as under Salt.
const MOST: usize = 500;

/// Whether a state may be joined with others: its own word, else the option `state_aggregate`.
pub(super) fn allowed(options: &Options, state: &str, args: &Args) -> bool {
    match args
        .get("aggregate")
        .or_else(|| options.salt.get("state_aggregate"))
    {
        Some(Json::Bool(yes)) => *yes,
        Some(Json::Array(modules)) => modules.iter().any(|module| module.as_str() == Some(state)),
        _ => false,
    }
}

/// Joins what may be joined; `allowed` says which chunks may.
pub(super) fn join(chunks: &mut [Chunk], allowed: &[bool]) {
    let mut joined = vec![false; chunks.len()];
    for first in 0..chunks.len() {
        let may = |place: usize| allowed.get(place) == Some(&true) && joins(&chunks[place]);
        if joined[first] || !may(first) {
            continue;
        }
        let others = (first + 1..chunks.len())
            .filter(|&place| may(place) && alike(&chunks[first], &chunks[place]))
            .take(MOST - 1);
        let others: Vec<usize> = others.collect();
        if others.is_empty() {
            continue;
        }
        let mut all: Vec<Json> = Vec::new();
        for &place in std::iter::once(&first).chain(&others) {
            joined[place] = true;
            for package in packages(&chunks[place]) {
                if !all.contains(&package) {
                    all.push(package);
                }
            }
        }
        let args = &mut chunks[first].args;
        args.remove("version");
        args.insert("pkgs".to_owned(), all.into());
    }
}

/// Whether a chunk is of a kind that is joined, and always runs once its requirements have.
fn joins(chunk: &Chunk) -> bool {
    let options = &chunk.options;
    let plain = |key: &String| !matches!(key.as_str(), "sources" | "hold");
    chunk.id.state == "pkg"
        && JOINED.contains(&chunk.id.fun.as_str())
        && !chunk.check_only
        && chunk.slots.is_empty()
        && chunk.args.keys().all(plain)
        && chunk.args.get("pkgs").is_none_or(Json::is_array)
        && options.onlyif.is_empty()
        && options.unless.is_empty()
        && options.creates.is_none()
        && options.disabled.is_none()
        && chunk.needs.iter().all(|need| need.kind == RequisiteKind::Require)
}

/// Whether the packages of `other` may come with `first`: the same is said of both, and `other` needs nothing that
/// `first` does not.
fn alike(first: &Chunk, other: &Chunk) -> bool {
    let said = |chunk: &Chunk| {
        let mut args = chunk.args.clone();
        for key in ["name", "pkgs", "version"] {
            args.remove(key);
        }
        args
    };
    let needs = |chunk: &Chunk| -> Vec<usize> {
        chunk
            .needs
            .iter()
            .flat_map(|need| need.on.iter().copied())
            .collect()
    };
    let known = needs(first);
    first.id.fun == other.id.fun
        && said(first) == said(other)
        && needs(other).iter().all(|on| known.contains(on))
}

/// Packages as `pkgs` names them.
fn packages(chunk: &Chunk) -> Vec<Json> {
    match (chunk.args.get("pkgs"), chunk.args.get("version")) {
        (Some(Json::Array(named)), _) => named.clone(),
        (_, Some(version)) if python::truth(version) => vec![json!({ chunk.id.name.as_str(): version })],
        _ => vec![json!(chunk.id.name)],
    }
}
