//! apt's half: lines of `/etc/apt/sources.list` and the `*.list` files beside it. Lines that are not ours stay letter by
//! letter; files in deb822 form (`*.sources`) are read by nobody here, as in Salt.

use proto::{Act, Address, Args, Question, Value, arrange};
use serde_json::{Value as Json, json};

use super::{key, put, refresh, text};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Plan, Stop, paths};

/// The file that lines go to where the state names none.
const MAIN: &str = "/etc/apt/sources.list";
/// Where the others lie.
const FOLDER: &str = "/etc/apt/sources.list.d";

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entry {
    disabled: bool,
    kind: String,
    /// What stands in brackets, key and value.
    options: Vec<(String, String)>,
    uri: String,
    dist: String,
    comps: Vec<String>,
    comment: String,
}

/// A line's number, and what takes its place.
type Edit = (usize, Option<String>);

/// A line with its place.
struct Found {
    file: String,
    /// Which line of the file.
    number: usize,
    entry: Entry,
}

/// Reads a line; `None` for comments and what else is no source.
fn parse(line: &str) -> Option<Entry> {
    let line = line.trim();
    let (disabled, line) = line.strip_prefix('#').map_or((false, line), |rest| (true, rest));
    let (line, comment) = line.split_once('#').unwrap_or((line, ""));
    let (kind, rest) = line.trim().split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let options = options
        .split_whitespace()
        .filter_map(|option| option.split_once('='));
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Entry {
        disabled,
        kind: kind.to_owned(),
        options: options
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        uri: words.next()?,
        dist: words.next()?,
        comps: words.collect(),
        comment: comment.trim().to_owned(),
    })
}

impl Entry {
    fn option(&self, key: &str) -> &str {
        let found = self.options.iter().find(|(other, _)| other == key);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn architectures(&self) -> Vec<&str> {
        self.option("arch")
            .split(',')
            .filter(|arch| !arch.is_empty())
            .collect()
    }

    fn line(&self) -> String {
        let mut words = vec![self.kind.clone()];
        if self.disabled {
            words.insert(0, "#".to_owned());
        }
        if !self.options.is_empty() {
            let options: Vec<String> = self
                .options
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            words.push(format!("[{}]", options.join(" ")));
        }
        words.extend([self.uri.clone(), self.dist.clone()]);
        words.extend(self.comps.iter().cloned());
        if !self.comment.is_empty() {
            words.push(format!("#{}", self.comment));
        }
        words.join(" ")
    }

    /// The same repository, whatever is taken from it.
    fn same_place(&self, other: &Self) -> bool {
        (&self.kind, self.uri.trim_end_matches('/'), &self.dist)
            == (&other.kind, other.uri.trim_end_matches('/'), &other.dist)
    }

    fn shares(&self, comps: &[String]) -> bool {
        self.comps.iter().any(|comp| comps.contains(comp))
    }

    /// Equal but for the order of what has none.
    fn equal(&self, other: &Self) -> bool {
        let bare = |entry: &Self| {
            let mut entry = entry.clone();
            arrange(&mut entry.options, &|a, b| a < b);
            entry.comps.sort();
            entry
        };
        bare(self) == bare(other)
    }

    /// Salt's mapping of it.
    fn told(&self, file: &str) -> Args {
        let told = json!({
            "file": file, "comps": self.comps, "disabled": self.disabled, "dist": self.dist, "type": self.kind,
            "uri": self.uri, "line": self.line(), "architectures": self.architectures(),
            "signedby": self.option("signed-by"),
        });
        match told {
            Json::Object(map) => map,
            _ => Args::new(),
        }
    }
}

/// All lines of all files.
fn sources(host: &Host<'_>) -> Result<Vec<Found>, Stop> {
    let listed = host.list(FOLDER)?.unwrap_or_default();
    let more = listed.iter().filter(|(name, value)| {
        name.ends_with(".list") && !name.contains('/') && !matches!(value, Value::Dir { .. })
    });
    let files: Vec<String> = core::iter::once(MAIN.to_owned())
        .chain(more.map(|(name, _)| format!("{FOLDER}/{name}")))
        .collect();
    host.expect(files.iter().map(|file| Question::Bytes(file.clone())));
    let mut all = Vec::new();
    for file in files {
        let entries = text(host, &file)?;
        let entries = entries
            .lines()
            .enumerate()
            .filter_map(|(number, line)| Some((number, parse(line)?)));
        all.extend(entries.map(|(number, entry)| Found {
            file: file.clone(),
            number,
            entry,
        }));
    }
    Ok(all)
}

fn entry(name: &str, repo: &str) -> Result<Entry, Stop> {
    parse(repo).ok_or_else(|| {
        Stop::Failed(format!(
            "Failed to configure repo '{name}': Name {repo} is not valid. This must be the complete repo entry as seen in \
             the sources file"
        ))
    })
}

fn listed(call: &Call<'_>, key: &str) -> Option<Vec<String>> {
    let given = call.args().texts(key).join(",");
    let words = given.split(',').map(str::trim).filter(|word| !word.is_empty());
    call.args().any(key).map(|_| words.map(str::to_owned).collect())
}

/// `pkgrepo.managed`.
pub(super) fn managed(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let (args, name) = (call.args(), call.name());
    if args.any("ppa").is_some() || name.starts_with("ppa:") {
        return Err(Stop::Failed(format!(
            "Failed to configure repo '{name}': a PPA has to be asked of launchpad.net; write its `deb` line and `key_url` \
             instead"
        )));
    }
    let named = entry(name, name)?;
    let mut want = named.clone();
    if let Some(dist) = args.text("dist") {
        want.dist = dist;
    }
    if let Some(architectures) = listed(call, "architectures") {
        want.options.retain(|(key, _)| key != "arch");
        if !architectures.is_empty() {
            want.options
                .insert(0, ("arch".to_owned(), architectures.join(",")));
        }
    }
    let signer = ["signed-by", "signed_by", "signedby"]
        .iter()
        .find_map(|key| args.text(key));
    if let Some(signer) = signer.filter(|_| want.option("signed-by").is_empty()) {
        want.options.push(("signed-by".to_owned(), signer));
    }
    let mut known = named.comps.clone();
    if let Some(comps) = listed(call, "comps") {
        known.extend(comps.iter().cloned());
        want.comps = comps;
    }
    want.disabled = args.flag("disabled", !args.flag("enabled", true));
    want.comment = args.texts("comments").join(" ").trim().to_owned();
    let signed = want.option("signed-by").to_owned();
    let key = key::wanted(call, host, &signed)?;

    let found = sources(host)?;
    let same = |found: &&Found| found.entry.same_place(&named) || found.entry.same_place(&want);
    let pre = found.iter().filter(same).find(|found| {
        found.entry.comps.is_empty()
            || found.entry.shares(&known)
            || found.entry.architectures() != want.architectures()
    });
    // Nobody asked for a remark: the one that is there stays.
    if let Some(pre) = pre.filter(|_| args.any("comments").is_none()) {
        want.comment.clone_from(&pre.entry.comment);
    }
    let mut acts = key.map_or_else(|| Ok(Vec::new()), |key| key.acts(call, host))?;
    let new_key = acts.len();
    let file = args.text("file").or_else(|| pre.map(|pre| pre.file.clone()));
    let file = file.unwrap_or_else(|| MAIN.to_owned());
    let file = paths::clean(&file).ok_or_else(|| Stop::Failed(format!("{file} is not an absolute path")))?;
    if pre.is_some_and(|pre| pre.entry.equal(&want)) && acts.is_empty() {
        return Ok(Plan::met(format!("Package repo '{name}' already configured")));
    }
    if !pre.is_some_and(|pre| pre.entry.equal(&want)) {
        acts.extend(written(call, host, pre, &file, &want)?);
    }
    if refresh(call) {
        acts.push(Act::Refresh);
    }
    let changes = match pre {
        None => one("repo", name),
        Some(pre) => differing(&pre.entry.told(&pre.file), &want.told(&pre.file)),
    };
    let mut changes = changes;
    if changes.is_empty() && new_key > 0 {
        changes = one("key", true);
    }
    Ok(
        Plan::change(acts, changes, format!("Configured package repo '{name}'"))
            .or_would(would_configure(name), None),
    )
}

/// Acts that bring a line into its file, in place of the one that is there.
fn written(
    call: &Call<'_>,
    host: &Host<'_>,
    pre: Option<&Found>,
    file: &str,
    want: &Entry,
) -> Result<Vec<Act>, Stop> {
    let line = want.line();
    let old = text(host, file)?;
    let mut lines: Vec<&str> = old.lines().collect();
    let mut acts = Vec::new();
    if call.args().flag("clean_file", false) {
        lines = vec![&line];
    } else {
        match pre.filter(|pre| pre.file == file) {
            Some(pre) => lines[pre.number] = &line,
            None => lines.push(&line),
        }
    }
    if let Some(pre) = pre.filter(|pre| pre.file != file) {
        acts.extend(removed(host, &pre.file, &[(pre.number, None)])?);
    }
    acts.extend(put(host, file, format!("{}\n", lines.join("\n")).as_bytes())?);
    Ok(acts)
}

/// Acts that replace or take out lines of a file; one beside the main file goes when nothing is left in it.
fn removed(host: &Host<'_>, file: &str, lines: &[Edit]) -> Result<Vec<Act>, Stop> {
    let old = text(host, file)?;
    let mut new = String::new();
    for (number, line) in old.lines().enumerate() {
        match lines.iter().find(|(other, _)| *other == number) {
            None => new.push_str(&format!("{line}\n")),
            Some((_, Some(other))) => new.push_str(&format!("{other}\n")),
            Some((_, None)) => {}
        }
    }
    if new.trim().is_empty() && file.starts_with(FOLDER) {
        let there = crate::file::place::followed(host, file)?;
        return Ok(vec![Act::assign(
            Address::Path(there.path),
            there.value.clone(),
            Value::Absent,
        )]);
    }
    put(host, file, new.as_bytes())
}

/// `pkgrepo.absent`.
pub(super) fn absent(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let name = call.name();
    if call.args().any("keyid").is_some() {
        return Err(Stop::failed(
            "Repo key management is not implemented for this platform: remove the key's file with file.absent",
        ));
    }
    let gone = entry(name, name)?;
    let mut acts = Vec::new();
    let mut by_file: Vec<(String, Vec<Edit>)> = Vec::new();
    for found in sources(host)? {
        let there = &found.entry;
        let hit = there.same_place(&gone)
            && there.architectures() == gone.architectures()
            && (there.shares(&gone.comps) || there.comps.is_empty() && gone.comps.is_empty());
        if !hit {
            continue;
        }
        let mut left = there.clone();
        left.comps.retain(|comp| !gone.comps.contains(comp));
        let line = (!left.comps.is_empty()).then(|| left.line());
        match by_file.iter_mut().find(|(file, _)| *file == found.file) {
            Some((_, lines)) => lines.push((found.number, line)),
            None => by_file.push((found.file, vec![(found.number, line)])),
        }
    }
    if by_file.is_empty() {
        return Ok(Plan::met(format!("Package repo {name} is absent")));
    }
    for (file, lines) in by_file {
        acts.extend(removed(host, &file, &lines)?);
    }
    if refresh(call) {
        acts.push(Act::Refresh);
    }
    Ok(
        Plan::change(acts, one("repo", name), format!("Removed repo {name}"))
            .or_would(would_remove(name), Some(Args::new())),
    )
}

/// Salt's changes: what differs, old and new.
pub(super) fn differing(old: &Args, new: &Args) -> Args {
    let keys: Vec<&String> = new.keys().collect();
    let differ = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    differ
        .map(|key| (key.clone(), json!({"new": new.get(key), "old": old.get(key)})))
        .collect()
}

/// Test mode's words.
pub(super) fn would_configure(name: &str) -> String {
    format!(
        "Package repo '{name}' would be configured. This may cause pkg states to behave differently than stated if this \
         action is repeated without test=True, due to the differences in the configured repositories."
    )
}

/// Test mode's words.
pub(super) fn would_remove(name: &str) -> String {
    format!(
        "Package repo '{name}' will be removed. This may cause pkg states to behave differently than stated if this action \
         is repeated without test=True, due to the differences in the configured repositories."
    )
}
