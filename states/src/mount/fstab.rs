//! /etc/fstab as Salt reads and writes it: lines that are none of ours stay as they are.

use proto::Act;

use crate::file::edit;
use crate::{ArgsExt, Call, Host, Stop, paths};

/// Names of the fields, as `match_on` has them.
const KEYS: [&str; 6] = ["device", "name", "fstype", "opts", "dump", "pass_num"];
/// Types whose lines `match_on: auto` finds by their mount point: their devices are not unique.
const SPECIAL: &[&str] = &[
    "none",
    "tmpfs",
    "sysfs",
    "proc",
    "fusectl",
    "debugfs",
    "securityfs",
    "devtmpfs",
    "cgroup",
    "nfs",
    "nfs4",
    "glusterfs",
    "btrfs",
];

/// One line, its fields in the order of [`KEYS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry(pub(super) [String; 6]);

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Present,
    New,
    Change,
}

impl Line {
    /// Salt's word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::New => "new",
            Self::Change => "change",
        }
    }
}

/// The file as it is.
pub(super) struct Fstab<'a> {
    file: edit::Text<'a>,
}

/// Where it lies.
pub(super) fn path(call: &Call<'_>) -> String {
    call.args()
        .text("config")
        .unwrap_or_else(|| "/etc/fstab".to_owned())
}

/// The fields of a line; `None` for comments and what else is no entry.
fn fields(line: &str) -> Option<[&str; 6]> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.starts_with('#') || !(4..=6).contains(&words.len()) {
        return None;
    }
    let mut all = ["0"; 6];
    all[..words.len()].copy_from_slice(&words);
    Some(all)
}

fn sorted(opts: &str) -> Vec<&str> {
    let mut opts: Vec<&str> = opts.split(',').collect();
    opts.sort_unstable();
    opts
}

impl Entry {
    /// A line of these fields, blanks written as fstab wants them.
    pub(super) fn new(device: &str, name: &str, fstype: &str, opts: &str, dump: &str, pass: &str) -> Self {
        let field = |text: &str| {
            text.replace("\\ ", " ")
                .replace('\t', "\\011")
                .replace(' ', "\\040")
        };
        Self([device, name, fstype, opts, dump, pass].map(field))
    }

    fn line(&self) -> String {
        let [device, name, fstype, opts, dump, pass] = &self.0;
        format!("{device}\t\t{name}\t{fstype}\t{opts}\t{dump} {pass}\n")
    }

    /// Whether a line has the same fields, of those at `places`.
    fn is(&self, line: &[&str; 6], places: &[usize]) -> bool {
        places.iter().all(|&place| match KEYS[place] {
            "opts" => sorted(line[place]) == sorted(&self.0[place]),
            _ => line[place] == self.0[place],
        })
    }

    /// Which fields tell that a line is about the same thing.
    fn matched(&self, call: &Call<'_>) -> Result<Vec<usize>, Stop> {
        let on = call.args().texts("match_on");
        let on: Vec<&str> = match on.first().map(String::as_str) {
            None | Some("auto") if SPECIAL.contains(&self.0[2].as_str()) => vec!["name"],
            None | Some("auto") => vec!["device"],
            _ => on.iter().map(String::as_str).collect(),
        };
        let place = |key: &&str| KEYS.iter().position(|known| known == key);
        on.iter().map(place).collect::<Option<_>>().ok_or_else(|| {
            Stop::Failed(format!(
                "Unrecognized keys in match_on: \"{}\"; there are {}",
                on.join(", "),
                KEYS.join(", ")
            ))
        })
    }
}

impl<'a> Fstab<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// [`Stop::Failed`] when there is none, with Salt's words.
    pub(super) fn read(call: &Call<'_>, host: &Host<'a>) -> Result<Self, Stop> {
        let path = path(call);
        let bad = || Stop::Failed(format!("Bad config file \"{path}\""));
        let file = edit::read(host, &paths::clean(&path).ok_or_else(bad)?)?.ok_or_else(bad)?;
        Ok(Self { file })
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = [&str; 6]> {
        self.file.text.lines().filter_map(fields)
    }

    /// What has to become of an entry's line, and the text with it. `keep`: a line that is there may be different.
    pub(super) fn with(&self, call: &Call<'_>, entry: &Entry, keep: bool) -> Result<(Line, String), Stop> {
        let on = entry.matched(call)?;
        let mut found = None;
        let mut text = String::new();
        for line in self.file.text.split_inclusive('\n') {
            match fields(line).filter(|fields| entry.is(fields, &on)) {
                None => text.push_str(line),
                Some(fields) if keep || entry.is(&fields, &[0, 1, 2, 3, 4, 5]) => {
                    found.get_or_insert(Line::Present);
                    text.push_str(line);
                }
                Some(_) => {
                    found = Some(Line::Change);
                    text.push_str(&entry.line());
                }
            }
        }
        if found.is_none() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&entry.line());
        }
        Ok((found.unwrap_or(Line::New), text))
    }

    /// The text without the lines of a mount point (of one device, where that is given).
    pub(super) fn without(&self, name: &str, device: Option<&str>) -> String {
        let ours = |line: &[&str; 6]| line[1] == name && device.is_none_or(|device| line[0] == device);
        let lines = self.file.text.split_inclusive('\n');
        lines
            .filter(|line| !fields(line).is_some_and(|fields| ours(&fields)))
            .collect()
    }

    /// The act that puts another text in.
    pub(super) fn write(&self, host: &Host<'_>, text: &str) -> Act {
        self.file.write(host, text)
    }
}
