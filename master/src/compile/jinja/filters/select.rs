//! Filters that apply other filters, tests or attribute lookups to each item.

use std::rc::Rc;

use super::Table;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::is_tests;
use crate::compile::jinja::objects::basic::Generator;
use crate::compile::jinja::values::text::str;
use crate::compile::jinja::values::{Tuple, Value, items, ops, sorting};

pub(super) static FILTERS: Table = &[
    ("map", |it, value, args| {
        let mut args = args;
        if !ops::truth(&value)? {
            return Ok(Generator::value("sync_do_map", Vec::new()));
        }
        let mut out = Vec::new();
        let by_attribute =
            args.positional.is_empty() && args.keywords.iter().any(|(name, _)| &**name == "attribute");
        if by_attribute {
            let bound = args.bind("map", ["", "attribute", "default"], 0)?;
            for item in items::collect(&value)? {
                out.push(getter(it, &bound.value(1), bound.some(2), &item)?);
            }
        } else {
            if args.positional.is_empty() {
                return Err(fault::syntax("map requires a filter argument"));
            }
            let name = str(&args.positional.remove(0))?;
            for item in items::collect(&value)? {
                it.burn(1)?;
                out.push(super::apply(it, &name, item, args.clone())?);
            }
        }
        Ok(Generator::value("sync_do_map", out))
    }),
    ("select", |it, value, args| select(it, &value, args, true, false)),
    ("reject", |it, value, args| select(it, &value, args, false, false)),
    ("selectattr", |it, value, args| {
        select(it, &value, args, true, true)
    }),
    ("rejectattr", |it, value, args| {
        select(it, &value, args, false, true)
    }),
    ("sort", |it, value, args| {
        let bound = args.bind("do_sort", ["reverse", "case_sensitive", "attribute"], 0)?;
        let sensitive = bound.truth(1, false)?;
        let all = items::collect(&value)?;
        let attributes: Option<Vec<Value>> = match bound.some(2) {
            None => None,
            Some(Value::Str(names)) => Some(names.split(',').map(Value::str).collect()),
            Some(other) => Some(vec![other.clone()]),
        };
        let mut keys = Vec::with_capacity(all.len());
        for item in &all {
            let mut key = Vec::new();
            match &attributes {
                None => key.push(item.clone()),
                Some(attributes) => {
                    for attribute in attributes {
                        key.push(getter(it, attribute, None, item)?);
                    }
                }
            }
            if !sensitive {
                key = key.into_iter().map(lower).collect();
            }
            keys.push(Value::list(key));
        }
        sorting::sort_by_key(all, keys, bound.truth(0, false)?).map(Value::list)
    }),
    ("groupby", |it, value, args| {
        let bound = args.bind("sync_do_groupby", ["attribute", "default", "case_sensitive"], 1)?;
        let sensitive = bound.truth(2, false)?;
        let mut keyed = Vec::new();
        let mut keys = Vec::new();
        for item in items::collect(&value)? {
            let real = getter(it, &bound.value(0), bound.some(1), &item)?;
            let key = if sensitive {
                real.clone()
            } else {
                lower(real.clone())
            };
            keys.push(key.clone());
            keyed.push(Value::tuple(vec![key, real, item]));
        }
        let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
        for entry in sorting::sort_by_key(keyed, keys, false)? {
            let Value::Tuple(entry) = entry else { continue };
            let [key, real, item] = &entry.items[..] else {
                continue;
            };
            match groups.last_mut() {
                Some((last, _, members)) if ops::equal(last, key)? => members.push(item.clone()),
                _ => groups.push((key.clone(), real.clone(), vec![item.clone()])),
            }
        }
        Ok(Value::list(
            groups
                .into_iter()
                .map(|(_, real, members)| {
                    Value::Tuple(Rc::new(Tuple {
                        items: vec![real, Value::list(members)],
                        names: &["grouper", "list"],
                    }))
                })
                .collect(),
        ))
    }),
];

/// Text in lower case; what is no text stays.
pub(super) fn lower(value: Value) -> Value {
    match value {
        Value::Str(text) => Value::from(text.to_lowercase()),
        other => other,
    }
}

/// The attribute of an item by a dotted path.
pub(super) fn getter(it: &mut Interp<'_>, path: &Value, default: Option<&Value>, item: &Value) -> Res<Value> {
    let parts: Vec<Value> = match path {
        Value::Str(path) => path
            .split('.')
            .map(|part| {
                let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
                match part.parse() {
                    Ok(index) if digits => Value::Int(index),
                    _ => Value::str(part),
                }
            })
            .collect(),
        other => vec![other.clone()],
    };
    let mut value = item.clone();
    for part in parts {
        value = it.item(&value, &part)?;
        if value.is_undefined()
            && let Some(default) = default
        {
            value = default.clone();
        }
    }
    Ok(value)
}

fn select(it: &mut Interp<'_>, value: &Value, args: CallArgs, keep: bool, by_attribute: bool) -> Res<Value> {
    let name = if keep { "sync_do_select" } else { "sync_do_reject" };
    let mut out = Vec::new();
    if !ops::truth(value)? {
        return Ok(Generator::value(name, out));
    }
    let mut args = args;
    let attribute = if by_attribute {
        if args.positional.is_empty() {
            return Err(fault::syntax("Missing parameter for attribute name"));
        }
        Some(args.positional.remove(0))
    } else {
        None
    };
    let test = if args.positional.is_empty() {
        None
    } else {
        Some(str(&args.positional.remove(0))?)
    };
    for item in items::collect(value)? {
        it.burn(1)?;
        let subject = match &attribute {
            Some(attribute) => getter(it, attribute, None, &item)?,
            None => item.clone(),
        };
        let passes = match &test {
            Some(test) => is_tests::apply(test, &subject, args.clone())?,
            None => ops::truth(&subject)?,
        };
        if passes == keep {
            out.push(item);
        }
    }
    Ok(Generator::value(name, out))
}
