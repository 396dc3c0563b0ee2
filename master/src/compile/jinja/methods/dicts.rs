//! Methods of mappings.

use std::rc::Rc;

use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::objects::views::{View, ViewKind};
use crate::compile::jinja::values::text::repr;
use crate::compile::jinja::values::{Dict, Key, Value, items};

pub(super) const NAMES: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

pub(super) fn call(dict: &Rc<Dict>, name: &str, args: CallArgs) -> Res<Value> {
    let view = |kind| {
        Value::object(View {
            dict: dict.clone(),
            kind,
        })
    };
    match name {
        "get" => {
            let bound = args.bind("get", ["key", "default"], 1)?;
            Ok(dict.get(&bound.value(0))?.unwrap_or_else(|| bound.value(1)))
        }
        "keys" => Ok(view(ViewKind::Keys)),
        "values" => Ok(view(ViewKind::Values)),
        "items" => Ok(view(ViewKind::Items)),
        "copy" => Ok(Value::dict(Dict::of(dict.pairs()))),
        "clear" => {
            let old = std::mem::take(&mut *dict.entries.borrow_mut());
            drop(old);
            Ok(Value::None)
        }
        "setdefault" => {
            let bound = args.bind("setdefault", ["key", "default"], 1)?;
            let key = bound.value(0);
            if let Some(found) = dict.get(&key)? {
                return Ok(found);
            }
            dict.insert(Key::new(key)?, bound.value(1));
            Ok(bound.value(1))
        }
        "pop" => {
            let bound = args.bind("pop", ["key", "default"], 1)?;
            match (dict.remove(&bound.value(0))?, bound.get(1)) {
                (Some(value), _) => Ok(value),
                (None, Some(default)) => Ok(default.clone()),
                (None, None) => Err(fault::other(repr(&bound.value(0))?)),
            }
        }
        "popitem" => match dict.entries.borrow_mut().pop() {
            Some((key, value)) => Ok(Value::tuple(vec![key.value().clone(), value])),
            None => Err(fault::other("'popitem(): dictionary is empty'")),
        },
        "update" => {
            update(dict, &args)?;
            Ok(Value::None)
        }
        "fromkeys" => {
            let bound = args.bind("fromkeys", ["iterable", "value"], 1)?;
            let made = Dict::default();
            for key in items::collect(&bound.value(0))? {
                made.insert(Key::new(key)?, bound.value(1));
            }
            Ok(Value::dict(made))
        }
        _ => Err(fault::other(format!("'dict' object has no attribute '{name}'"))),
    }
}

/// `dict.update` and the rest of `dict(…)`.
pub(crate) fn update(dict: &Rc<Dict>, args: &CallArgs) -> Res<()> {
    if args.positional.len() > 1 {
        return Err(fault::other(format!(
            "update expected at most 1 argument, got {}",
            args.positional.len()
        )));
    }
    match args.positional.first() {
        None => {}
        Some(Value::Dict(other)) => {
            for (key, value) in other.pairs() {
                dict.insert(key, value);
            }
        }
        Some(Value::Object(object)) if object.data()?.is_some() => {
            if let Some(Value::Dict(other)) = object.data()? {
                for (key, value) in other.pairs() {
                    dict.insert(key, value);
                }
            }
        }
        Some(other) => {
            for (index, pair) in items::collect(other)?.into_iter().enumerate() {
                let pair = items::collect(&pair).map_err(|_| {
                    fault::other(format!(
                        "cannot convert dictionary update sequence element #{index} to a sequence"
                    ))
                })?;
                let [key, value] = <[Value; 2]>::try_from(pair).map_err(|pair| {
                    fault::other(format!(
                        "dictionary update sequence element #{index} has length {}; 2 is required",
                        pair.len()
                    ))
                })?;
                dict.insert(Key::new(key)?, value);
            }
        }
    }
    for (name, value) in &args.keywords {
        dict.set(name, value.clone());
    }
    Ok(())
}
