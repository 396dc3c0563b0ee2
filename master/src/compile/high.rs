//! High data: what the sls files declare, before it becomes chunks.
//!
//! Only the shape lives here. `declare` reads it from YAML, `gather` follows includes, `verify` checks it,
//! `extend` and `requisite` change it, `low` turns it into chunks.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::place::Place;

/// All declarations of one host.
#[derive(Debug, Default, Clone)]
pub struct High {
    /// Declarations by id, in Salt's order: an sls's own before those it includes.
    pub(crate) ids: IndexMap<String, Declared>,
    /// `extend` declarations in the order met.
    pub(crate) extend: Vec<Extension>,
    /// `exclude` declarations.
    pub(crate) exclude: Vec<Json>,
    /// Whether there were any before they were carried out.
    pub(crate) excluded: bool,
}

/// One id.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) sls: String,
    pub(crate) env: String,
    /// Every sls through which the declaring one was included, innermost first.
    pub(crate) included_from: Vec<String>,
    pub(crate) at: Place,
    /// Bodies by state module (`file`), or still `file.managed` where the body is no list.
    pub(crate) modules: IndexMap<String, Module>,
    /// Python's type of the id when it is not text.
    pub(crate) odd_id: Option<&'static str>,
}

/// What an id says about one state module.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    pub(crate) at: Place,
    pub(crate) body: Body,
}

/// The body below a state module.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// The function and arguments.
    List(Vec<Arg>),
    /// Nothing after the colon.
    Nothing,
    /// Something else: an error.
    Odd,
}

/// One entry of a body.
#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) at: Place,
    pub(crate) what: ArgKind,
}

/// Kinds of entries of a body.
#[derive(Debug, Clone)]
pub(crate) enum ArgKind {
    /// A function name.
    Fun(String),
    /// Arguments: usually one, several when the mapping has several keys.
    Map(Vec<Entry>),
    /// Neither: Salt ignores it.
    Odd,
}

/// An argument.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Json,
    pub(crate) at: Place,
    /// Where each entry of a list of references stands; empty for other values.
    pub(crate) items: Vec<Place>,
}

/// An `extend` of one id.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub(crate) id: String,
    pub(crate) sls: String,
    pub(crate) env: String,
    pub(crate) at: Place,
    pub(crate) modules: IndexMap<String, Module>,
}

/// Requisites that must be lists of references.
pub(crate) const REQUISITES: [&str; 12] = [
    "require",
    "require_any",
    "watch",
    "watch_any",
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_stop",
    "prereq",
    "listen",
];

impl Entry {
    /// The place of an entry of a list, the argument's own where it is not known.
    pub(crate) fn item(&self, index: usize) -> Place {
        self.items.get(index).copied().unwrap_or(self.at)
    }
}

impl Arg {
    /// One argument made by the compiler.
    pub(crate) fn made(at: Place, key: &str, value: Json) -> Self {
        Self {
            at,
            what: ArgKind::Map(vec![Entry {
                key: key.to_owned(),
                items: value
                    .as_array()
                    .map_or_else(Vec::new, |list| vec![at; list.len()]),
                value,
                at,
            }]),
        }
    }

    /// A function name.
    pub(crate) fn fun(at: Place, name: &str) -> Self {
        Self {
            at,
            what: ArgKind::Fun(name.to_owned()),
        }
    }

    /// The first argument of this entry: Salt looks no further in many places.
    pub(crate) fn first(&self) -> Option<&Entry> {
        match &self.what {
            ArgKind::Map(entries) => entries.first(),
            _ => None,
        }
    }

    /// As [`Arg::first`], to change it.
    pub(crate) fn first_mut(&mut self) -> Option<&mut Entry> {
        match &mut self.what {
            ArgKind::Map(entries) => entries.first_mut(),
            _ => None,
        }
    }

    /// The only argument of this entry.
    pub(crate) fn only(&self) -> Option<&Entry> {
        match &self.what {
            ArgKind::Map(entries) if entries.len() == 1 => entries.first(),
            _ => None,
        }
    }
}

impl Module {
    /// A body of entries.
    pub(crate) fn list(at: Place, args: Vec<Arg>) -> Self {
        Self {
            at,
            body: Body::List(args),
        }
    }

    /// The entries, none if it is no list.
    pub(crate) fn args(&self) -> &[Arg] {
        match &self.body {
            Body::List(args) => args,
            _ => &[],
        }
    }

    /// The entries alone.
    pub(crate) fn into_args(self) -> Vec<Arg> {
        match self.body {
            Body::List(args) => args,
            _ => Vec::new(),
        }
    }

    /// The entries to change.
    pub(crate) fn args_mut(&mut self) -> Option<&mut Vec<Arg>> {
        match &mut self.body {
            Body::List(args) => Some(args),
            _ => None,
        }
    }

    fn to_json(&self) -> Json {
        match &self.body {
            Body::List(args) => Json::Array(
                args.iter()
                    .map(|arg| match &arg.what {
                        ArgKind::Fun(name) => Json::String(name.clone()),
                        ArgKind::Map(entries) => Json::Object(
                            entries
                                .iter()
                                .map(|entry| (entry.key.clone(), entry.value.clone()))
                                .collect(),
                        ),
                        ArgKind::Odd => Json::Null,
                    })
                    .collect(),
            ),
            Body::Nothing | Body::Odd => Json::Null,
        }
    }
}

impl High {
    /// High data in the shape of Salt's `state.show_highstate`.
    pub fn to_json(&self) -> Json {
        let mut all = Map::new();
        for (id, declared) in &self.ids {
            let mut body = Map::new();
            for (module, what) in &declared.modules {
                body.insert(module.clone(), what.to_json());
            }
            body.insert("__sls__".to_owned(), declared.sls.clone().into());
            body.insert("__env__".to_owned(), declared.env.clone().into());
            if !declared.included_from.is_empty() {
                body.insert(
                    "__sls_included_from__".to_owned(),
                    declared.included_from.clone().into(),
                );
            }
            all.insert(id.clone(), Json::Object(body));
        }
        Json::Object(all)
    }
}
