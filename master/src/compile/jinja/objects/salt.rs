//! `salt`: execution functions as `salt['mod.fun'](…)` and `salt.mod.fun(…)`.

use std::any::Any;
use std::sync::Arc;

use serde_json::Map;

use super::Object;
use super::lazy::answer;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::convert::{from_json, to_json};
use crate::compile::jinja::values::dict::{Dict, Key};
use crate::compile::jinja::values::text::str;
use crate::compile::jinja::wanted::Among;
use crate::compile::jinja::{Known, World};

/// The object named `salt`.
pub(crate) struct Salt {
    pub(crate) world: Arc<dyn World>,
}

/// `salt.mod`.
struct Module {
    world: Arc<dyn World>,
    name: String,
}

/// A function.
struct Function {
    world: Arc<dyn World>,
    name: String,
}

fn function(world: &Arc<dyn World>, name: String) -> Option<Value> {
    world.has_function(&name).then(|| {
        Value::object(Function {
            world: world.clone(),
            name,
        })
    })
}

impl Object for Salt {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "salt.utils.templates.AliasedLoader"
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        // `salt` is a mapping of functions, with a mapping's `get`.
        Ok((name == "get" || self.world.has_module(name)).then(|| {
            Value::object(Module {
                world: self.world.clone(),
                name: name.to_owned(),
            })
        }))
    }

    fn names(&self) -> Among {
        Among::World(Known::Functions)
    }

    fn item(&self, it: &mut Interp<'_>, key: &Value) -> Res<Option<Value>> {
        let Some(name) = key.as_str() else {
            return Ok(None);
        };
        match function(&self.world, name.to_owned()) {
            None if name != "get" => self.attr(it, name),
            found => Ok(found),
        }
    }

    fn contains(&self, needle: &Value) -> Res<Option<bool>> {
        Ok(Some(
            needle.as_str().is_some_and(|name| self.world.has_function(name)),
        ))
    }
}

impl Object for Module {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "salt.loader.lazy.LoadedMod"
    }

    fn repr(&self) -> Res<String> {
        Ok(format!("<LoadedMod module='salt.loaded.{}'>", self.name))
    }

    fn item(&self, it: &mut Interp<'_>, key: &Value) -> Res<Option<Value>> {
        key.as_str().map_or(Ok(None), |name| self.attr(it, name))
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        Ok(function(&self.world, format!("{}.{name}", self.name)))
    }

    fn names(&self) -> Among {
        let all = self.world.known(Known::Functions);
        let below = |name: &String| {
            let (module, name) = name.split_once('.')?;
            (module == self.name).then(|| name.to_owned())
        };
        Among::Names(all.iter().filter_map(below).collect())
    }

    fn callable(&self) -> bool {
        self.name == "get"
    }

    /// `salt.get('mod.fun')`: `salt` is a mapping of functions.
    fn call(&self, _it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        if self.name != "get" {
            return Err(fault::other("'LoadedMod' object is not callable"));
        }
        let bound = args.bind("get", ["key", "default"], 1)?;
        Ok(function(&self.world, bound.text(0)?).unwrap_or_else(|| bound.value(1)))
    }
}

impl Object for Function {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "salt.loader.lazy.LoadedFunc"
    }

    fn repr(&self) -> Res<String> {
        Ok(format!("<LoadedFunc name='{}'>", self.name))
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, _it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        call(&self.world, &self.name, &args)
    }
}

/// Calls a function of the world. An argument that waits for an answer makes the call wait too.
pub(crate) fn call(world: &Arc<dyn World>, name: &str, args: &CallArgs) -> Res<Value> {
    let mut values = args
        .positional
        .iter()
        .chain(args.keywords.iter().map(|(_, value)| value));
    if values.any(Value::is_pending) {
        return Ok(Value::pending());
    }
    let positional = args.positional.iter().map(to_json).collect::<Res<Vec<_>>>()?;
    let mut keywords = Map::new();
    for (key, value) in &args.keywords {
        keywords.insert(key.to_string(), to_json(value)?);
    }
    match world.call(name, &positional, &keywords) {
        Ok(result) => {
            let result = from_json(&result);
            if IN_PLACE.contains(&name)
                && !args
                    .keywords
                    .iter()
                    .any(|(key, value)| &**key == "in_place" && matches!(value, Value::Bool(false)))
                && let (Some(first @ Value::Dict(dest)), Value::Dict(made)) =
                    (args.positional.first().or_else(|| named(args, "dest")), &result)
            {
                reflect(dest, made)?;
                return Ok(first.clone());
            }
            Ok(result)
        }
        Err(error) => answer(error, name),
    }
}

/// Functions that change their first argument, which templates rely on: `{% do salt['defaults.merge'](a, b) %}`.
const IN_PLACE: [&str; 3] = ["defaults.merge", "defaults.update", "slsutil.update"];

fn named<'a>(args: &'a CallArgs, name: &str) -> Option<&'a Value> {
    let found = args.keywords.iter().find(|(key, _)| &**key == name);
    found.map(|(_, value)| value)
}

/// Makes a mapping what a function made of it. Mappings in it stay the same objects, and keys keep their kind.
fn reflect(dest: &Dict, made: &Dict) -> Res<()> {
    let entries: Vec<(Key, Value)> = made.entries.borrow().clone().into_iter().collect();
    let mut names = Vec::with_capacity(entries.len());
    for (key, _) in &entries {
        names.push(str(key.value())?);
    }
    let mut gone = Vec::new();
    for mine in dest.entries.borrow().keys() {
        if !names.contains(&str(mine.value())?) {
            gone.push(mine.clone());
        }
    }
    for key in gone {
        dest.entries.borrow_mut().shift_remove(&key);
    }
    for (key, value) in entries {
        let text = str(key.value())?;
        let mut old = None;
        for (mine, value) in dest.entries.borrow().iter() {
            if str(mine.value())? == text {
                old = Some((mine.clone(), value.clone()));
                break;
            }
        }
        match (old, value) {
            (Some((_, Value::Dict(mine))), Value::Dict(new)) => reflect(&mine, &new)?,
            (Some((mine, _)), value) => _ = dest.entries.borrow_mut().insert(mine, value),
            (None, value) => _ = dest.entries.borrow_mut().insert(key, value),
        }
    }
    Ok(())
}
