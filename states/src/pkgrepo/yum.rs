//! yum's and dnf's half: sections of the `*.repo` files in `/etc/yum.repos.d`. Other sections and remarks stay.

use proto::{Act, Address, Args, Question, Value};
use serde_json::Value as Json;

use super::apt::{differing, would_configure, would_remove};
use super::{put, refresh, text};
use crate::args::{plain, truth};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Plan, Stop};

/// Where repositories are kept.
const FOLDER: &str = "/etc/yum.repos.d";
/// Arguments that are no keys of a section.
const OURS: &[&str] = &[
    "name",
    "humanname",
    "enabled",
    "disabled",
    "comments",
    "copr",
    "basedir",
    "strict_config",
    "refresh",
    "refresh_db",
    "ppa",
    "ppa_auth",
    "aptkey",
    "keyid",
    "keyid_ppa",
    "keyserver",
    "key_url",
    "key_text",
    "allow_insecure_key",
    "file",
    "dist",
    "comps",
    "architectures",
    "consolidate",
    "clean_file",
    "signed-by",
    "signed_by",
    "signedby",
];

/// A section where it lies.
struct Section {
    file: String,
    text: String,
    /// First line, the one with the brackets, and the line after its last.
    lines: (usize, usize),
    keys: Vec<(String, String)>,
    comments: Vec<String>,
    /// Other sections stand in the same file.
    others: bool,
}

fn folder(call: &Call<'_>) -> String {
    let given = call.args().text("basedir");
    given
        .and_then(|dir| crate::paths::clean(&dir))
        .unwrap_or_else(|| FOLDER.to_owned())
}

fn heading(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}

/// The section of a repository, in whatever file it stands.
fn find(call: &Call<'_>, host: &Host<'_>, id: &str) -> Result<Option<Section>, Stop> {
    let folder = folder(call);
    let listed = host.list(&folder)?.unwrap_or_default();
    let names = listed
        .iter()
        .map(|(name, _)| name)
        .filter(|name| name.ends_with(".repo") && !name.contains('/'));
    let files: Vec<String> = names.map(|name| format!("{folder}/{name}")).collect();
    host.expect(files.iter().map(|file| Question::Bytes(file.clone())));
    for file in files {
        let text = text(host, &file)?;
        let lines: Vec<&str> = text.lines().collect();
        let Some(start) = lines.iter().position(|line| heading(line) == Some(id)) else {
            continue;
        };
        let rest = &lines[start + 1..];
        let end = start
            + 1
            + rest
                .iter()
                .position(|line| heading(line).is_some())
                .unwrap_or(rest.len());
        let mut keys: Vec<(String, String)> = Vec::new();
        let mut comments = Vec::new();
        for line in &lines[start + 1..end] {
            if let Some(comment) = line.trim().strip_prefix('#') {
                comments.push(comment.trim_start().to_owned());
            } else if line.starts_with([' ', '\t']) && !line.trim().is_empty() {
                if let Some((_, value)) = keys.last_mut() {
                    value.push_str(&format!("\n{}", line.trim()));
                }
            } else if let Some((key, value)) = line.split_once(['=', ':']) {
                keys.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let others = lines.iter().filter(|line| heading(line).is_some()).count() > 1;
        return Ok(Some(Section {
            lines: (start, end),
            file,
            keys,
            comments,
            others,
            text,
        }));
    }
    Ok(None)
}

/// A value as it stands in the file.
fn shown(value: &Json) -> String {
    match value {
        Json::Bool(true) => "1".to_owned(),
        Json::Bool(false) => "0".to_owned(),
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        other => plain(other),
    }
}

/// Whether a key has its value: truths are the same however they are written.
fn same(there: &str, want: &Json) -> bool {
    let flag = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
    match want {
        Json::Bool(want) => flag(there) == *want,
        want => there == shown(want),
    }
}

/// The keys a state declares, in its order; an empty value takes a key away.
fn declared(call: &Call<'_>) -> Args {
    let args = call.args();
    let ours = |key: &str| OURS.contains(&key) || crate::spec::GLOBAL.contains(&key) || key.starts_with("__");
    let mut keys: Args = args
        .iter()
        .filter(|(key, _)| !ours(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let title = args.text("humanname").unwrap_or_else(|| call.name().to_owned());
    keys.insert("name".to_owned(), title.into());
    let disabled = args.any("disabled").map(truth);
    let enabled = disabled.map_or_else(|| args.flag("enabled", true), |disabled| !disabled);
    keys.insert("enabled".to_owned(), enabled.into());
    keys
}

/// `pkgrepo.managed`.
pub(super) fn managed(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let (args, name) = (call.args(), call.name());
    let refused = |why: &str| Stop::Failed(format!("Failed to configure repo '{name}': {why}"));
    if args.any("copr").is_some() {
        return Err(refused(
            "copr has to be asked of its server; write its `baseurl` and `gpgkey` instead",
        ));
    }
    if args.any("baseurl").is_some_and(truth) && args.any("mirrorlist").is_some_and(truth) {
        return Err(refused("Only one of 'mirrorlist' and 'baseurl' can be specified"));
    }
    let keys = declared(call);
    let comments: Vec<String> = args
        .texts("comments")
        .iter()
        .map(|comment| comment.trim_start_matches('#').trim_start().to_owned())
        .collect();
    let Some(section) = find(call, host, name)? else {
        if !["baseurl", "mirrorlist"]
            .iter()
            .any(|key| args.any(key).is_some_and(truth))
        {
            return Err(refused(
                "The repo does not exist and needs to be created, but either a baseurl or a mirrorlist needs to be given",
            ));
        }
        let mut new = format!("[{name}]\n");
        for (key, value) in keys.iter().filter(|(_, value)| !empty(value)) {
            new.push_str(&line(key, value));
        }
        comments
            .iter()
            .for_each(|comment| new.push_str(&format!("# {comment}\n")));
        new.push('\n');
        let mut acts = put(host, &format!("{}/{name}.repo", folder(call)), new.as_bytes())?;
        if refresh(call) {
            acts.push(Act::Refresh);
        }
        return Ok(Plan::change(
            acts,
            one("repo", name),
            format!("Configured package repo '{name}'"),
        )
        .or_would(would_configure(name), None));
    };
    let there = |key: &str| {
        section
            .keys
            .iter()
            .rev()
            .find(|(other, _)| other == key)
            .map(|(_, value)| value.as_str())
    };
    let fine = keys.iter().all(|(key, want)| match there(key) {
        Some(there) => same(there, want),
        None => empty(want) || key == "enabled" && truth(want),
    });
    if fine && (comments.is_empty() || comments == section.comments) {
        return Ok(Plan::met(format!("Package repo '{name}' already configured")));
    }
    let old: Args = section
        .keys
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    let mut new = old.clone();
    for (gone, other) in [("baseurl", "mirrorlist"), ("mirrorlist", "baseurl")] {
        if keys.get(other).is_some_and(|value| !empty(value)) {
            new.shift_remove(gone);
        }
    }
    for (key, value) in &keys {
        match there(key) {
            Some(there) if same(there, value) => {}
            _ if empty(value) => drop(new.shift_remove(key)),
            _ => drop(new.insert(key.clone(), shown(value).into())),
        }
    }
    let mut acts = rewritten(host, &section, &new, &comments)?;
    if refresh(call) {
        acts.push(Act::Refresh);
    }
    let mut changes = differing(&old, &new);
    let gone = old
        .keys()
        .filter(|key| !new.contains_key(*key) && keys.contains_key(*key));
    changes.extend(gone.map(|key| (key.clone(), serde_json::json!({"new": null, "old": old.get(key)}))));
    if changes.is_empty() {
        changes = one("comments", comments);
    }
    Ok(
        Plan::change(acts, changes, format!("Configured package repo '{name}'"))
            .or_would(would_configure(name), None),
    )
}

fn empty(value: &Json) -> bool {
    matches!(value, Json::Null) || matches!(value, Json::String(text) if text.is_empty())
}

fn line(key: &str, value: &Json) -> String {
    format!("{key}={}\n", shown(value).replace('\n', "\n "))
}

/// The file with the section's keys as they shall be.
fn rewritten(host: &Host<'_>, section: &Section, keys: &Args, comments: &[String]) -> Result<Vec<Act>, Stop> {
    let lines: Vec<&str> = section.text.lines().collect();
    let (start, end) = section.lines;
    let mut new = String::new();
    let mut keep = |line: &str| new.push_str(&format!("{line}\n"));
    lines[..=start].iter().for_each(|line| keep(line));
    let comments = if comments.is_empty() {
        &section.comments
    } else {
        comments
    };
    let body: String = keys.iter().map(|(key, value)| line(key, value)).collect();
    body.lines().for_each(&mut keep);
    comments.iter().for_each(|comment| keep(&format!("# {comment}")));
    keep("");
    lines[end..].iter().for_each(|line| keep(line));
    put(host, &section.file, new.as_bytes())
}

/// `pkgrepo.absent`.
pub(super) fn absent(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let name = call.name();
    let Some(section) = find(call, host, name)? else {
        return Ok(Plan::met(format!("Package repo {name} is absent")));
    };
    let mut acts = if section.others {
        let (start, end) = section.lines;
        let lines = section
            .text
            .lines()
            .enumerate()
            .filter(|(number, _)| !(start..end).contains(number));
        let left: String = lines.map(|(_, line)| format!("{line}\n")).collect();
        put(host, &section.file, left.as_bytes())?
    } else {
        let there = crate::file::place::followed(host, &section.file)?;
        vec![Act::assign(
            Address::Path(there.path),
            there.value.clone(),
            Value::Absent,
        )]
    };
    if refresh(call) {
        acts.push(Act::Refresh);
    }
    Ok(
        Plan::change(acts, one("repo", name), format!("Removed repo {name}"))
            .or_would(would_remove(name), Some(Args::new())),
    )
}
