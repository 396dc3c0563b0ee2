//! The reference of execution functions: one table for templates, `salt-rs call`, `salt-rs doc` and `sys.*`.
//!
//! It is a text file, so that a function is one line. Functions of the agent are in it too; a test holds the agent's own
//! table against it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::compile::diagnostic::nearest;

/// Where a function is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By the master alone.
    Master,
    /// By the master, from what the host is asked.
    Asks,
    /// By the agent.
    Host,
}

/// One function there is.
#[derive(Debug)]
pub struct Entry {
    /// `module.function`.
    pub name: &'static str,
    /// Where it is answered.
    pub place: Place,
    /// Its parameters as Salt writes them.
    pub params: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// One of a function's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// It must be given.
    Required(&'static str),
    /// It has a default.
    Optional(&'static str),
    /// `*name`: any number by place; those after it only by name.
    Many,
    /// `**name`: any others by name.
    Others,
}

impl Entry {
    /// Its parameters.
    pub(crate) fn params(&self) -> impl Iterator<Item = Param> {
        split(self.params).map(|text| match text.split_once('=') {
            Some((name, _)) => Param::Optional(name),
            None if text.starts_with("**") => Param::Others,
            None if text.starts_with('*') => Param::Many,
            None => Param::Required(text),
        })
    }
}

/// Parameters as they are written; a default may hold a comma.
fn split(params: &'static str) -> impl Iterator<Item = &'static str> {
    let mut quote = None;
    params
        .split(move |c: char| {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '\'' || c == '"' => quote = Some(c),
                _ => {}
            }
            c == ',' && quote.is_none()
        })
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

#[derive(Debug, Default)]
struct Reference {
    entries: BTreeMap<&'static str, Entry>,
    /// Functions of Salt's that there are none of, and the way out.
    absent: BTreeMap<String, &'static str>,
    /// Modules of Salt's of which there is nothing, likewise.
    modules: BTreeMap<&'static str, &'static str>,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let mut all = Reference::default();
    for line in include_str!("reference.txt").lines() {
        match line.strip_prefix("no ") {
            Some(rest) => {
                let (names, way) = rest.split_once(" | ").unwrap_or((rest, ""));
                match names.split_once(": ") {
                    Some((module, names)) => all
                        .absent
                        .extend(names.split(' ').map(|name| (format!("{module}.{name}"), way))),
                    None => _ = all.modules.insert(names, way),
                }
            }
            None => all.entries.extend(entry(line).map(|entry| (entry.name, entry))),
        }
    }
    all
});

fn entry(line: &'static str) -> Option<Entry> {
    let (name, rest) = line.split_once(' ').filter(|(name, _)| name.contains('.'))?;
    let (place, rest) = rest.split_once(" (")?;
    let (params, doc) = rest.rsplit_once(") ")?;
    let place = match place {
        "master" => Place::Master,
        "asks" => Place::Asks,
        "host" => Place::Host,
        _ => return None,
    };
    Some(Entry {
        name,
        place,
        params,
        doc,
    })
}

/// Every function there is, by name.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    REFERENCE.entries.values()
}

/// Functions of Salt's that there are none of, in modules that are there, with the way out where one is known.
pub fn absent() -> impl Iterator<Item = (&'static str, &'static str)> {
    REFERENCE.absent.iter().map(|(name, way)| (name.as_str(), *way))
}

/// Modules of Salt's of which there is nothing, with the way out where one is known.
pub fn absent_modules() -> impl Iterator<Item = (&'static str, &'static str)> {
    REFERENCE.modules.iter().map(|(name, way)| (*name, *way))
}

/// A function by name.
pub fn find(name: &str) -> Option<&'static Entry> {
    REFERENCE.entries.get(name)
}

/// What to do where Salt has a function and there is none here; `None` for names that Salt does not know either.
pub fn way_out(name: &str) -> Option<&'static str> {
    let whole = || REFERENCE.modules.get(name.split('.').next()?).copied();
    REFERENCE.absent.get(name).copied().or_else(whole)
}

/// The name that may have been meant.
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, REFERENCE.entries.keys().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let written = include_str!("reference.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("no "));
        assert_eq!(all().count(), written.count());
        for entry in all() {
            assert!(
                !entry.doc.is_empty() && !entry.doc.ends_with('.'),
                "{}",
                entry.name
            );
            assert!(
                !entry.doc.contains('('),
                "{}: the last `) ` ends the parameters",
                entry.name
            );
            assert!(
                way_out(entry.name).is_none(),
                "{} is there and is not",
                entry.name
            );
        }
    }

    #[test]
    fn a_comma_in_a_default_ends_nothing() {
        let names: Vec<&str> = split("a, b=', ', *c, d=None, **e").collect();
        assert_eq!(names, ["a", "b=', '", "*c", "d=None", "**e"]);
    }

    #[test]
    fn what_salt_has_and_we_have_not_has_a_way_out() {
        assert!(way_out("file.write").is_some_and(|way| way.contains("file.managed")));
        assert!(way_out("publish.publish").is_some());
        assert!(way_out("nosuch.thing").is_none() && find("nosuch.thing").is_none());
        assert_eq!(near("pillar.gt"), Some("pillar.get"));
    }
}
