//! `grains`, `pillar` and `opts`: mappings that are read key by key.
//!
//! Of grains each key read is a question of its own; whoever iterates, prints or counts takes them all. Pillar and
//! opts are only converted late, because they can be large.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Object;
use super::basic::Method;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::values::convert::{from_json, from_map};
use crate::compile::jinja::values::items::{Items, iterate};
use crate::compile::jinja::values::text::repr;
use crate::compile::jinja::values::{Value, ops};
use crate::compile::jinja::wanted::Among;
use crate::compile::jinja::{CallError, Known, World};

/// Which mapping of the world.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Grains,
    Pillar,
    Opts,
}

/// The mapping.
pub(crate) struct Lazy {
    pub(crate) world: Arc<dyn World>,
    pub(crate) source: Source,
    seen: RefCell<HashMap<String, Option<Value>>>,
    all: RefCell<Option<Value>>,
}

impl Lazy {
    pub(crate) fn value(world: &Arc<dyn World>, source: Source) -> Value {
        Value::Object(Rc::new(Self {
            world: world.clone(),
            source,
            seen: RefCell::default(),
            all: RefCell::default(),
        }))
    }

    /// One value by its key.
    pub(crate) fn get(&self, key: &Value) -> Res<Option<Value>> {
        if let Some(Value::Dict(all)) = &*self.all.borrow() {
            return all.get(key);
        }
        let Value::Str(name) = key else { return Ok(None) };
        if let Some(known) = self.seen.borrow().get(&**name) {
            return Ok(known.clone());
        }
        let found = match self.source {
            Source::Grains => match self.world.grain(name) {
                Ok(found) => found.as_ref().map(from_json),
                Err(error) => Some(answer(error, name)?),
            },
            Source::Pillar => self.world.pillar().get(&**name).map(from_json),
            Source::Opts => self.world.opts().get(&**name).map(from_json),
        };
        self.seen.borrow_mut().insert(name.to_string(), found.clone());
        Ok(found)
    }

    /// The whole mapping; what was read and perhaps changed before is part of it.
    fn whole(&self) -> Res<Value> {
        if let Some(all) = &*self.all.borrow() {
            return Ok(all.clone());
        }
        let all = match self.source {
            Source::Grains => match self.world.grains() {
                Ok(all) => from_map(&all),
                Err(error) => answer(error, "grains")?,
            },
            Source::Pillar => from_map(self.world.pillar()),
            Source::Opts => from_map(self.world.opts()),
        };
        if let Value::Dict(dict) = &all {
            for (key, value) in self.seen.borrow_mut().drain() {
                if let (Some(value), Some(_)) = (value, dict.get_text(&key)) {
                    dict.set(&key, value);
                }
            }
        }
        *self.all.borrow_mut() = Some(all.clone());
        Ok(all)
    }
}

/// What an error of the world means for a template.
pub(crate) fn answer(error: CallError, name: &str) -> Res<Value> {
    match error {
        CallError::Pending => Ok(Value::pending()),
        CallError::Unknown => Err(fault::undefined(format!(
            "'salt.utils.templates.AliasedLoader object' has no attribute '{name}'"
        ))
        .wanting(name, Among::World(Known::Functions))),
        CallError::Failed(message) => Err(fault::function(message)),
        CallError::Raised(message) => Err(fault::other(message)),
    }
}

impl Object for Lazy {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "dict"
    }

    fn repr(&self) -> Res<String> {
        repr(&self.whole()?)
    }

    fn names(&self) -> Among {
        match self.source {
            Source::Grains => Among::World(Known::Grains),
            Source::Pillar => Among::names(self.world.pillar().keys().map(String::as_str)),
            Source::Opts => Among::names(self.world.opts().keys().map(String::as_str)),
        }
    }

    fn item(&self, _it: &mut Interp<'_>, key: &Value) -> Res<Option<Value>> {
        self.get(key)
    }

    fn iterate(&self) -> Res<Option<Items>> {
        iterate(&self.whole()?).map(Some)
    }

    fn len(&self) -> Res<Option<usize>> {
        ops::length(&self.whole()?).map(Some)
    }

    fn contains(&self, needle: &Value) -> Res<Option<bool>> {
        Ok(Some(match self.get(needle)? {
            Some(value) => !value.is_pending(),
            None => false,
        }))
    }

    fn data(&self) -> Res<Option<Value>> {
        self.whole().map(Some)
    }
}

/// `grains.get`, which asks for one key only.
pub(crate) struct LazyGet {
    pub(crate) of: Value,
}

impl Object for LazyGet {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "builtin_function_or_method"
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        let bound = args.bind("get", ["key", "default"], 1)?;
        let Value::Object(object) = &self.of else {
            return Ok(Value::None);
        };
        Ok(object
            .item(it, &bound.value(0))?
            .unwrap_or_else(|| bound.value(1)))
    }
}

/// The method `name` of a lazy mapping.
pub(crate) fn method(of: &Value, name: &str) -> Value {
    if name == "get" {
        Value::object(LazyGet { of: of.clone() })
    } else {
        Value::object(Method {
            receiver: of.clone(),
            name: name.to_owned(),
        })
    }
}
