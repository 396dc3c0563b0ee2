//! What was looked for and is not there: the nearest name among those there are, and the way a template came to
//! where it failed.

use std::rc::Rc;
use std::sync::Arc;

use super::error::Fault;
use super::eval::Interp;
use super::objects::globals;
use super::parse::ast::Pos;
use super::scope::Scope;
use super::values::text::quote;
use super::values::{Missing, Undefined, Value};
use super::{Known, World};
use crate::compile::diagnostic::{did_you_mean, nearest};

/// Most steps of a chain of calls that are kept.
const STEPS: usize = 12;

/// A name that is not there.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) among: Among,
}

/// The names there are.
#[derive(Debug, Clone)]
pub(crate) enum Among {
    /// Variables in sight, which only the place of the error knows.
    Variables,
    /// These.
    Names(Vec<String>),
    /// Those of the world.
    World(Known),
}

/// One step of the way to an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The file as the template is named.
    pub file: String,
    /// Line in that file, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What happens there.
    pub what: String,
}

impl Among {
    /// The names an element or attribute of a value can have.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Dict(dict) => Self::Names(dict.keys().iter().filter_map(text).collect()),
            Value::Object(object) => object.names(),
            _ => Self::Names(Vec::new()),
        }
    }

    /// Names written out.
    pub(crate) fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self::Names(names.into_iter().map(str::to_owned).collect())
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Wanted {
    /// The way out, if one is near.
    pub(crate) fn help(&self, world: &Arc<dyn World>) -> Option<String> {
        let Self { name, among } = self;
        match among {
            Among::Variables => None,
            Among::Names(names) => {
                let others = names.iter().map(String::as_str).filter(|one| one != name);
                did_you_mean(name, others)
            }
            Among::World(Known::Files) => {
                let files = world.known(Known::Files);
                let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
                let near = did_you_mean(name, files.iter().map(String::as_str));
                let elsewhere = || {
                    let same = files.iter().find(|path| file(path) == file(name))?;
                    Some(format!("did you mean `{same}`?"))
                };
                Some(near.or_else(elsewhere).unwrap_or_else(|| {
                    format!("there is no file `{name}` below the file roots; paths start at a file root, or with `./`")
                }))
            }
            Among::World(known) => did_you_mean(name, world.known(*known).iter().map(String::as_str)),
        }
    }
}

impl Fault {
    /// Says what was looked for.
    pub(crate) fn wanting(mut self: Box<Self>, name: &str, among: Among) -> Box<Self> {
        self.wanted = Some(Box::new(Wanted {
            name: name.to_owned(),
            among,
        }));
        self
    }

    /// Finds the nearest variable where one was looked for that is not in this scope.
    pub(crate) fn seen_from(mut self: Box<Self>, scope: &Scope) -> Box<Self> {
        if let Some(wanted) = &mut self.wanted
            && matches!(wanted.among, Among::Variables)
        {
            let mut names: Vec<String> = scope.visible().keys().map(|name| name.to_string()).collect();
            names.sort();
            names.extend(scope.unit.base.keys().map(|name| name.to_string()));
            names.extend(["salt", "grains", "pillar", "opts"].map(str::to_owned));
            names.extend(globals::names().map(str::to_owned));
            let near = nearest(&wanted.name, names.iter().map(String::as_str)).map(str::to_owned);
            wanted.among = Among::Names(near.into_iter().collect());
        }
        self
    }

    /// The same fault, met behind a call, an import or an include at this place.
    pub(crate) fn through(mut self: Box<Self>, file: &Arc<str>, pos: Pos, what: &str) -> Box<Self> {
        let same = |place: &(Arc<str>, Pos)| place.0 == *file && place.1.line == pos.line;
        if self.place.as_ref().is_none_or(same) && self.trail.is_empty() {
            return self.at(file, pos);
        }
        let step = Step {
            file: file.to_string(),
            line: pos.line as usize,
            column: pos.column as usize,
            what: what.to_owned(),
        };
        if self.trail.len() < STEPS && !self.trail.contains(&step) {
            self.trail.push(step);
        }
        self
    }
}

impl Interp<'_> {
    /// The undefined value that a missing attribute is.
    pub(crate) fn missing_attr(&self, of: &Value, name: &str) -> Value {
        let said = format!("{} has no attribute {}", quote(&of.kind_name()), quote(name));
        self.lacking(said, of, name)
    }

    /// What misses an attribute, element or export.
    pub(crate) fn lacking(&self, said: String, of: &Value, name: &str) -> Value {
        Value::Undefined(Rc::new(Undefined {
            what: Missing::Lacks {
                said,
                of: of.clone(),
                name: name.to_owned(),
            },
            lenient: self.env.allow_undefined,
        }))
    }
}
