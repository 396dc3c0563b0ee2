//! An ini file as its lines.

use proto::{Act, Args, Meta};

use crate::file::place::{self, Above};
use crate::file::whole::Whole;
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Stop};

/// A file, as it is to be.
#[derive(Debug)]
pub(super) struct Ini {
    whole: Whole,
    fresh: Option<Meta>,
    separator: String,
    /// With blanks around the separator.
    spaces: bool,
    lines: Vec<String>,
}

/// A key with its value and the lines it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    from: usize,
    to: usize,
}

impl Ini {
    /// The file a state names.
    ///
    /// # Errors
    /// [`Stop::Ask`] while it is not known; [`Stop::Failed`] when it is no text file.
    pub(super) fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        let name = place::name(call, host)?;
        let whole = Whole::read(host, &name)?;
        let fresh = match (whole.value.is_absent(), place::above(host, &name)?) {
            (true, Above::Dir(parent)) => Some(Perms::default().fresh(Some(&parent), 0o644)),
            _ => None,
        };
        let separator = call.args().text("separator").filter(|text| !text.is_empty());
        let separator = separator.unwrap_or_else(|| "=".to_owned());
        Ok(Self {
            lines: whole.text.split_inclusive('\n').map(str::to_owned).collect(),
            spaces: !call.args().flag("no_spaces", false) && !separator.trim().is_empty(),
            separator,
            fresh,
            whole,
        })
    }

    /// All sections, in the order of the file.
    pub(super) fn sections(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for name in self.lines.iter().filter_map(|line| header(line)) {
            if !all.iter().any(|other| other == name) {
                all.push(name.to_owned());
            }
        }
        all
    }

    /// Keys and values of a section; of none, those above all sections.
    pub(super) fn entries(&self, section: Option<&str>) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        let mut current = None;
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(name) = header(line) {
                current = Some(name.to_owned());
                continue;
            }
            let bare = line.trim();
            if current.as_deref() != section || bare.is_empty() || is_comment(bare) {
                continue;
            }
            let last = all.last_mut().filter(|last| last.to == at);
            match (self.split(line), last) {
                // What is indented belongs to the value above it.
                (_, Some(last)) if line.starts_with([' ', '\t']) => {
                    last.value.push('\n');
                    last.value.push_str(line.trim_end_matches(['\r', '\n']));
                    last.to = at + 1;
                }
                (Some((key, value)), _) => all.push(Entry {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    from: at,
                    to: at + 1,
                }),
                _ => {}
            }
        }
        all
    }

    /// A key's value.
    pub(super) fn get(&self, section: Option<&str>, key: &str) -> Option<Entry> {
        self.entries(section).into_iter().rfind(|entry| entry.key == key)
    }

    /// A section as Salt tells it.
    pub(super) fn told(&self, section: &str) -> Args {
        let all = self.entries(Some(section)).into_iter();
        all.map(|entry| (entry.key, entry.value.into())).collect()
    }

    /// Gives a key a value: in its place, in that of its commented line, or at the end of its section.
    pub(super) fn set(&mut self, section: Option<&str>, key: &str, value: &str) {
        let between = match self.spaces {
            true => format!(" {} ", self.separator.trim()),
            false => self.separator.clone(),
        };
        let line = format!("{key}{between}{value}\n");
        if let Some(entry) = self.get(section, key) {
            self.lines.splice(entry.from..entry.to, [line]);
            return;
        }
        if let Some(name) = section {
            self.add_section(name);
        }
        let (from, to) = self.range(section);
        let commented = (from..to).find(|at| {
            let bare = self.lines[*at].trim();
            let text = bare.strip_prefix(['#', ';']).map(str::trim_start);
            text.and_then(|text| self.split(text))
                .is_some_and(|(other, _)| other == key)
        });
        if let Some(at) = commented {
            self.lines[at] = line;
            return;
        }
        let filled = (from..to).rfind(|at| !self.lines[*at].trim().is_empty());
        let at = filled.map_or(from, |at| at + 1);
        self.end_line(at);
        self.lines.insert(at, line);
    }

    /// Takes a key away; its value.
    pub(super) fn remove(&mut self, section: Option<&str>, key: &str) -> Option<String> {
        let mut value = None;
        while let Some(entry) = self.get(section, key) {
            self.lines.drain(entry.from..entry.to);
            value.get_or_insert(entry.value);
        }
        value
    }

    /// Makes a section, if it is not there.
    pub(super) fn add_section(&mut self, name: &str) {
        if self.sections().iter().any(|other| other == name) {
            return;
        }
        self.end_line(self.lines.len());
        if self.lines.last().is_some_and(|line| !line.trim().is_empty()) {
            self.lines.push("\n".to_owned());
        }
        self.lines.push(format!("[{name}]\n"));
    }

    /// Takes a section away, with all that is in it.
    pub(super) fn remove_section(&mut self, name: &str) {
        let mut inside = false;
        self.lines.retain(|line| {
            if let Some(other) = header(line) {
                inside = other == name;
            }
            !inside
        });
    }

    /// The act that writes it back, if anything is different.
    ///
    /// # Errors
    /// [`Stop::Failed`] when there is no directory for it.
    pub(super) fn write(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Vec<Act>, Stop> {
        let text = self.lines.concat();
        if text == self.whole.text && !self.whole.value.is_absent() {
            return Ok(Vec::new());
        }
        if self.whole.value.is_absent() && self.fresh.is_none() && !call.test {
            return Err(Stop::Failed(format!(
                "Unable to write file '{0}'. Exception: [Errno 2] No such file or directory: '{0}'",
                call.name()
            )));
        }
        // In a plan an earlier state may make the directory.
        let missing = self.whole.value.is_absent() && self.fresh.is_none();
        let act = self
            .whole
            .write(host, &text, self.fresh.clone().unwrap_or_default());
        Ok(if missing { Vec::new() } else { vec![act] })
    }

    /// The lines of a section below its header.
    fn range(&self, section: Option<&str>) -> (usize, usize) {
        let all = || self.lines.iter().enumerate();
        let from = section.map_or(0, |name| {
            all()
                .find(|(_, line)| header(line) == Some(name))
                .map_or(self.lines.len(), |(at, _)| at + 1)
        });
        let next = all().skip(from).find(|(_, line)| header(line).is_some());
        (from, next.map_or(self.lines.len(), |(at, _)| at))
    }

    /// The line before this place ends.
    fn end_line(&mut self, at: usize) {
        if let Some(line) = at.checked_sub(1).and_then(|before| self.lines.get_mut(before))
            && !line.ends_with('\n')
        {
            line.push('\n');
        }
    }

    fn split<'l>(&self, line: &'l str) -> Option<(&'l str, &'l str)> {
        let separator = match self.separator.trim() {
            "" => " ",
            separator => separator,
        };
        let (key, value) = line.trim().split_once(separator)?;
        let key = key.trim();
        (!key.is_empty()).then_some((key, value.trim()))
    }
}

/// The name of a section, where a line begins one.
fn header(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    (!inner.is_empty()).then_some(inner)
}

fn is_comment(bare: &str) -> bool {
    bare.starts_with(['#', ';'])
}
