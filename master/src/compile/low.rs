//! High data to low chunks: one per function and name, before requisites are resolved.
//!
//! A chunk prints as Salt's `state.show_lowstate` shows it. Putting chunks in order is the business of `graph`.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::high::{ArgKind, Entry, High};
use super::place::Place;
use super::python;

/// One call of a state function, still with requisites and global options among its arguments.
#[derive(Debug, Clone)]
pub struct Low {
    /// State module, such as `file`.
    pub state: String,
    /// Function, such as `managed`.
    pub fun: String,
    /// The `name` argument; text except where `names` holds something else.
    pub name: Json,
    /// The declared id.
    pub id: String,
    /// The sls that declares it.
    pub sls: String,
    /// The environment of that sls.
    pub env: String,
    /// Every sls through which it was included, innermost first.
    pub included_from: Vec<String>,
    /// All other arguments in the order written.
    pub args: Map<String, Json>,
    /// The place of the declaration.
    pub at: Place,
    /// The place of each argument.
    pub(crate) places: HashMap<String, Place>,
    /// The places of the references of each requisite.
    pub(crate) references: HashMap<String, Vec<Place>>,
    /// Place in a `names` list, from 1, until it is added to the order.
    pub(crate) name_order: Option<u32>,
}

impl Low {
    /// The name as text.
    pub fn name_text(&self) -> String {
        python::text(&self.name)
    }

    /// The place of an argument, that of the declaration where it has none.
    pub(crate) fn place(&self, argument: &str) -> Place {
        self.places.get(argument).copied().unwrap_or(self.at)
    }

    /// The place of one reference of a requisite.
    pub(crate) fn reference(&self, requisite: &str, index: usize) -> Place {
        let known = self.references.get(requisite).and_then(|all| all.get(index));
        known.copied().unwrap_or_else(|| self.place(requisite))
    }

    /// Salt's tag: `state_|-id_|-name_|-fun`.
    pub fn tag(&self) -> String {
        format!(
            "{}_|-{}_|-{}_|-{}",
            self.state,
            self.id,
            self.name_text(),
            self.fun
        )
    }

    /// The chunk as Salt prints it.
    pub fn into_json(self) -> Json {
        let mut out = Map::with_capacity(self.args.len() + 7);
        out.insert("state".to_owned(), self.state.into());
        out.insert("name".to_owned(), self.name);
        out.insert("__sls__".to_owned(), self.sls.into());
        out.insert("__env__".to_owned(), self.env.into());
        if !self.included_from.is_empty() {
            out.insert("__sls_included_from__".to_owned(), self.included_from.into());
        }
        out.insert("__id__".to_owned(), self.id.into());
        out.extend(self.args);
        out.insert("fun".to_owned(), self.fun.into());
        Json::Object(out)
    }
}

/// Chunks in the order of the high data.
pub(crate) fn chunks(high: High) -> Vec<Low> {
    let mut all = Vec::new();
    for (id, declared) in high.ids {
        for (module, body) in declared.modules {
            let mut fun = None;
            let mut names: Vec<(Json, Place)> = Vec::new();
            let mut low = Low {
                state: module,
                fun: String::new(),
                name: id.clone().into(),
                id: id.clone(),
                sls: declared.sls.clone(),
                env: declared.env.clone(),
                included_from: declared.included_from.clone(),
                args: Map::new(),
                at: declared.at,
                places: HashMap::new(),
                references: HashMap::new(),
                name_order: None,
            };
            for arg in body.into_args() {
                match arg.what {
                    ArgKind::Fun(name) => fun = fun.or(Some(name)),
                    ArgKind::Map(entries) => {
                        for entry in entries {
                            if entry.key != "names" {
                                low.set(entry);
                                continue;
                            }
                            let Entry { value, at, items, .. } = entry;
                            let Json::Array(more) = value else { continue };
                            for (index, name) in more.into_iter().enumerate() {
                                if !names.iter().any(|(one, _)| *one == name) {
                                    names.push((name, items.get(index).copied().unwrap_or(at)));
                                }
                            }
                        }
                    }
                    ArgKind::Odd => {}
                }
            }
            let Some(fun) = fun else { continue };
            low.fun = fun;
            if names.is_empty() {
                all.push(low);
                continue;
            }
            for (place, (name, at)) in (1..).zip(&names) {
                let mut one = low.clone();
                one.named(name, *at);
                one.name_order = Some(place);
                all.push(one);
            }
        }
    }
    all
}

impl Low {
    fn set(&mut self, entry: Entry) {
        let Entry {
            key,
            value,
            at,
            items,
        } = entry;
        self.places.insert(key.clone(), at);
        if items.is_empty() {
            self.references.remove(&key);
        } else {
            self.references.insert(key.clone(), items);
        }
        match key.as_str() {
            "state" | "fun" => {}
            "name" if value.is_string() => self.name = value,
            "name" => self.name = self.id.clone().into(),
            _ => {
                self.args.insert(key, value);
            }
        }
    }

    /// Takes an entry of `names`: a name, or a name with arguments of its own.
    fn named(&mut self, entry: &Json, at: Place) {
        let Some((name, own)) = entry.as_object().and_then(|map| map.iter().next()) else {
            self.name = entry.clone();
            return;
        };
        self.name = name.clone().into();
        for args in own.as_array().into_iter().flatten().filter_map(Json::as_object) {
            for (key, value) in args {
                if key == "name" {
                    self.name = value.clone();
                } else if key != "state" && key != "fun" {
                    self.args.insert(key.clone(), value.clone());
                    self.places.insert(key.clone(), at);
                }
            }
        }
    }
}
