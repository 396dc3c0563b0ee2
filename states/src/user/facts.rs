//! A user as Salt's `user.info` tells it, and the parts of the comment field.

use std::collections::BTreeSet;

use proto::{Account, Args, Gather};

use crate::{ArgsExt, Call};

/// The parts of the comment field.
pub(super) const GECOS: &[&str] = &["fullname", "roomnumber", "workphone", "homephone", "other"];

/// The comment field with the given parts replaced.
pub(super) fn gecos(args: &Args, now: &str) -> String {
    let mut parts: Vec<String> = now.splitn(GECOS.len(), ',').map(str::to_owned).collect();
    parts.resize(GECOS.len(), String::new());
    for (part, key) in parts.iter_mut().zip(GECOS) {
        if let Some(text) = args.text(key) {
            *part = text;
        }
    }
    let text = parts.join(",");
    text.trim_end_matches(',').to_owned()
}

pub(super) fn parts(gecos: &str) -> Vec<String> {
    let mut parts: Vec<String> = gecos.splitn(GECOS.len(), ',').map(str::to_owned).collect();
    parts.resize(GECOS.len(), String::new());
    parts
}

/// A user as Salt's `user.info` tells it.
pub(super) fn facts(call: &Call<'_>, account: &Account) -> Args {
    let mut groups: BTreeSet<String> = account.groups.iter().cloned().gather();
    // The primary group stands among them, by its name: the one given, or the user's own.
    let primary = call.args().text("gid").filter(|gid| gid.parse::<u32>().is_err());
    groups.insert(primary.unwrap_or_else(|| call.name().to_owned()));
    let mut facts = Args::new();
    facts.insert("name".to_owned(), call.name().into());
    facts.insert("uid".to_owned(), account.uid.into());
    facts.insert("gid".to_owned(), account.gid.into());
    facts.insert("groups".to_owned(), groups.into_iter().collect::<Vec<_>>().into());
    facts.insert("home".to_owned(), account.home.clone().into());
    facts.insert("passwd".to_owned(), "x".into());
    facts.insert("shell".to_owned(), account.shell.clone().into());
    for (key, part) in GECOS.iter().zip(parts(&account.fullname)) {
        facts.insert((*key).to_owned(), part.into());
    }
    facts
}
