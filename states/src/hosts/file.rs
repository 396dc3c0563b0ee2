//! /etc/hosts as Salt reads and writes it: one line per address, comments kept.

use proto::{Act, Address, Question, Value};

use crate::file::place;
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Kind, Param, Stop, paths};

/// The file, unless the state names another.
const HOSTS: &str = "/etc/hosts";

/// The argument that names another.
pub(super) const CONFIG: Param = Param::new(
    "config",
    Kind::Text,
    "File to manage (default `/etc/hosts`, or what the option `hosts.file` says).",
);

/// One entry: a comment line, or an address with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Comment(String),
    Names {
        ip: String,
        names: Vec<String>,
        comment: Option<String>,
    },
}

/// The file as it is.
pub(super) struct Hosts {
    place: String,
    value: Value,
    pub(super) text: String,
    pub(super) entries: Vec<Entry>,
}

impl Hosts {
    pub(super) fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        let file = call.args().text("config").unwrap_or_else(|| HOSTS.to_owned());
        let file =
            paths::clean(&file).ok_or_else(|| Stop::Failed(format!("{file} is not an absolute path")))?;
        host.expect([
            Question::Read(Address::Path(file.clone())),
            Question::Bytes(file.clone()),
        ]);
        let there = place::followed(host, &file)?;
        let text = String::from_utf8_lossy(host.bytes(&file)?.unwrap_or_default()).into_owned();
        Ok(Self {
            place: there.path,
            value: there.value.clone(),
            entries: entries(&text),
            text,
        })
    }

    /// Whether the name stands at the address.
    pub(super) fn has(&self, ip: &str, name: &str) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Names { ip: at, names, .. } => at == ip && names.iter().any(|other| other == name),
            Entry::Comment(_) => false,
        })
    }

    /// The act that puts another text in.
    pub(super) fn write(&self, host: &Host<'_>, text: &str) -> Act {
        let perms = Perms::default();
        let meta = match self.value.meta() {
            Some(meta) => perms.onto(meta),
            None => perms.fresh(None, 0o644),
        };
        let to = Value::File {
            content: host.keep(text),
            size: text.len() as u64,
            meta,
        };
        Act::assign(Address::Path(self.place.clone()), self.value.clone(), to)
    }
}

/// Entries with all names of an address together, where it first stands.
fn entries(text: &str) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            all.push(Entry::Comment(line.to_owned()));
            continue;
        }
        let (line, remark) = line.split_once('#').unwrap_or((line, ""));
        let mut words = line.split_whitespace().map(str::to_owned);
        let Some(ip) = words.next() else { continue };
        let known = all.iter_mut().find_map(|entry| match entry {
            Entry::Names {
                ip: at,
                names,
                comment,
            } if *at == ip => Some((names, comment)),
            _ => None,
        });
        let remark = Some(remark.trim())
            .filter(|remark| !remark.is_empty())
            .map(str::to_owned);
        match known {
            Some((names, comment)) => {
                names.extend(words);
                *comment = remark.or_else(|| comment.take());
            }
            None => all.push(Entry::Names {
                ip,
                names: words.collect(),
                comment: remark,
            }),
        }
    }
    all
}

/// The file's text from its entries.
pub(super) fn written(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let line = match entry {
            Entry::Comment(line) => line.clone(),
            Entry::Names { ip, names, comment } => {
                let remark = comment
                    .as_ref()
                    .map_or_else(String::new, |comment| format!("\t\t# {comment}"));
                format!("{ip}\t\t{}{remark}", names.join(" "))
            }
        };
        text.push_str(line.trim());
        text.push('\n');
    }
    text
}

/// The text without a name at an address; lines that do not have it stay letter by letter.
pub(super) fn without(text: &str, ip: &str, name: &str) -> String {
    let mut new = String::new();
    for line in text.split_inclusive('\n') {
        let (names, remark) = line.trim().split_once('#').unwrap_or((line.trim(), ""));
        let words: Vec<&str> = names.split_whitespace().collect();
        if line.trim().starts_with('#') || words.first() != Some(&ip) || !words.contains(&name) {
            new.push_str(line);
            continue;
        }
        let left: Vec<&str> = words[1..].iter().copied().filter(|word| *word != name).collect();
        if left.is_empty() {
            continue;
        }
        new.push_str(&format!("{ip}\t\t{} ", left.join(" ")));
        if !remark.is_empty() {
            new.push_str(&format!("# {}", remark.trim_start()));
        }
        new.push('\n');
    }
    new
}
