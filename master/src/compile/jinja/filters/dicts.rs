//! Salt's filters on mappings.

use std::rc::Rc;

use super::Table;
use super::numbers::to_num;
use crate::compile::jinja::args::{Bound, CallArgs, expect_text};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::methods::dicts::update;
use crate::compile::jinja::values::text::NESTING;
use crate::compile::jinja::values::{Dict, Key, Value, convert, items, ops, slices};
use crate::compile::yaml;

pub(super) static FILTERS: Table = &[
    ("traverse", traverse),
    ("to_entries", |_, value, _| {
        let entry = |key: Value, value: Value| {
            Value::dict(Dict::of([(Key::text("key"), key), (Key::text("value"), value)]))
        };
        match &value {
            Value::Dict(dict) => Ok(Value::list(
                dict.pairs()
                    .into_iter()
                    .map(|(key, value)| entry(key.value().clone(), value))
                    .collect(),
            )),
            Value::List(list) => Ok(Value::list(
                list.items
                    .borrow()
                    .iter()
                    .enumerate()
                    .map(|(i, value)| entry(i.into(), value.clone()))
                    .collect(),
            )),
            _ => Err(fault::other("Input data must be a dict or list")),
        }
    }),
    ("from_entries", |_, value, _| {
        let result = Dict::default();
        for entry in items::collect(&value)? {
            let Value::Dict(entry) = &entry else {
                return Err(super::text::wrong_type("entries must be mappings", &entry));
            };
            let find = |name: &str| {
                let pairs = entry.pairs().into_iter();
                let mut hits = pairs
                    .filter(|(key, _)| key.value().as_str().is_some_and(|key| key.to_lowercase() == name));
                hits.next().map(|(_, value)| value)
            };
            for name in ["key", "name"] {
                if let Some(key) = find(name)
                    && ops::truth(&key)?
                {
                    result.insert(Key::new(key)?, find("value").unwrap_or(Value::None));
                    break;
                }
            }
        }
        Ok(Value::dict(result))
    }),
    ("compare_dicts", |_, value, args| {
        let new = args.bind("compare_dicts", ["new"], 0)?.value(0);
        let (Value::Dict(old), Value::Dict(new)) = (&value, &new) else {
            return Err(super::text::wrong_type("compare_dicts wants mappings", &value));
        };
        let result = Dict::default();
        let pair = |old: Value, new: Value| {
            Value::dict(Dict::of([(Key::text("old"), old), (Key::text("new"), new)]))
        };
        for (key, fresh) in new.pairs() {
            match old.get(key.value())? {
                None => result.insert(key, pair(Value::str(""), fresh)),
                Some(stale) if !ops::equal(&stale, &fresh)? => result.insert(key, pair(stale, fresh)),
                Some(_) => {}
            }
        }
        for (key, stale) in old.pairs() {
            if new.get(key.value())?.is_none() {
                let gone = Dict::of([(Key::text("new"), Value::str("")), (Key::text("old"), stale)]);
                result.insert(key, Value::dict(gone));
            }
        }
        Ok(Value::dict(result))
    }),
    ("set_dict_key_value", |_, value, args| {
        let (bound, dict, key) = last_place(&value, args)?;
        dict.insert(key, bound.value(1));
        Ok(value)
    }),
    ("update_dict_key_value", |_, value, args| {
        let (bound, dict, key) = last_place(&value, args)?;
        let there = existing(&dict, &key, || Value::dict(Dict::default()))?;
        let Value::Dict(inner) = &there else {
            return Err(unfit(&there, "update"));
        };
        update(inner, &CallArgs::of(vec![bound.value(1)])).map_err(|_| {
            fault::function(format!(
                "Cannot update <class 'dict'> with a {}.",
                class(&bound.value(1))
            ))
        })?;
        Ok(value)
    }),
    ("append_dict_key_value", |_, value, args| {
        let (bound, dict, key) = last_place(&value, args)?;
        let there = existing(&dict, &key, || Value::list(Vec::new()))?;
        let Value::List(inner) = &there else {
            return Err(unfit(&there, "append"));
        };
        inner.items.borrow_mut().push(bound.value(1));
        Ok(value)
    }),
    ("extend_dict_key_value", |_, value, args| {
        let (bound, dict, key) = last_place(&value, args)?;
        let there = existing(&dict, &key, || Value::list(Vec::new()))?;
        let Value::List(inner) = &there else {
            return Err(unfit(&there, "extend"));
        };
        let more = items::collect(&bound.value(1)).map_err(|_| {
            fault::function(format!(
                "Cannot extend <class 'list'> with a {}.",
                class(&bound.value(1))
            ))
        })?;
        inner.items.borrow_mut().extend(more);
        Ok(value)
    }),
    ("mysql_to_dict", |_, value, args| {
        let wanted = args.bind("mysql_to_dict", ["key"], 1)?.value(0);
        let result = Dict::default();
        let mut headers: Option<Vec<String>> = None;
        for line in items::collect(&value)? {
            let line = expect_text(&line)?;
            if line.is_empty() || line.starts_with('+') {
                continue;
            }
            let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
            let Some(headers) = &headers else {
                headers = Some(cells).filter(|cells| cells.len() > 1);
                continue;
            };
            let row = Dict::default();
            for (index, header) in headers.iter().enumerate().take(headers.len() - 1).skip(1) {
                let cell = cells
                    .get(index)
                    .ok_or_else(|| fault::other("list index out of range"))?;
                row.set(header, to_num(&Value::str(cell))?);
            }
            let id = row.get(&wanted)?.ok_or_else(|| fault::other("key not found"))?;
            result.insert(Key::new(id)?, Value::dict(row));
        }
        Ok(Value::dict(result))
    }),
    ("json_encode_dict", |_, value, _| encode(&value, 0)),
    ("json_decode_dict", |_, value, _| encode(&value, 0)),
    ("json_encode_list", |_, value, _| encode(&value, 0)),
    ("json_decode_list", |_, value, _| encode(&value, 0)),
];

fn class(value: &Value) -> String {
    format!("<class '{}'>", value.type_name())
}

fn unfit(value: &Value, what: &str) -> Box<crate::compile::jinja::error::Fault> {
    fault::function(format!(
        "The last key contains a {}, which cannot {what}.",
        class(value)
    ))
}

/// All text as bytes, as Salt's old `json_encode_*` leave it.
fn encode(value: &Value, depth: usize) -> Res<Value> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    Ok(match value {
        Value::Str(text) => Value::Bytes(text.as_bytes().into()),
        Value::List(_) | Value::Tuple(_) => Value::list(
            items::collect(value)?
                .iter()
                .map(|item| encode(item, depth + 1))
                .collect::<Res<_>>()?,
        ),
        Value::Dict(dict) => {
            let result = Dict::default();
            for (key, value) in dict.pairs() {
                result.insert(
                    Key::new(encode(key.value(), depth + 1)?)?,
                    encode(&value, depth + 1)?,
                );
            }
            Value::dict(result)
        }
        other => other.clone(),
    })
}

/// The arguments of the `*_dict_key_value` filters, the mapping the last key belongs in, and that key.
fn last_place(value: &Value, args: CallArgs) -> Res<(Bound<4>, Rc<Dict>, Key)> {
    let bound = args.bind(
        "set_dict_key_value",
        ["keys", "value", "delimiter", "ordered_dict"],
        2,
    )?;
    let keys = bound.text(0)?;
    let delimiter = bound.text_or(2, ":")?;
    let Value::Dict(start) = value else {
        return Err(super::text::wrong_type("the filter wants a mapping", value));
    };
    let mut dict = start.clone();
    let mut parts: Vec<&str> = if delimiter.is_empty() {
        vec![&keys]
    } else {
        keys.split(delimiter.as_str()).collect()
    };
    let last = parts.pop().unwrap_or_default().to_owned();
    for part in parts {
        dict = match dict.get_text(part) {
            Some(Value::Dict(inner)) => inner,
            _ => {
                let inner = Rc::new(Dict::default());
                dict.set(part, Value::Dict(inner.clone()));
                inner
            }
        };
    }
    Ok((bound, dict, Key::text(last)))
}

/// What is at a key; an empty thing is put there when there is nothing.
fn existing(dict: &Rc<Dict>, key: &Key, empty: impl Fn() -> Value) -> Res<Value> {
    match dict.get(key.value())? {
        Some(Value::None) | None => {
            let made = empty();
            dict.insert(key.clone(), made.clone());
            Ok(made)
        }
        Some(there) => Ok(there),
    }
}

/// `data | traverse('a:b:0', default)`: mappings by key, lists by number or by the first mapping that has the key.
fn traverse(it: &mut Interp<'_>, value: Value, args: CallArgs) -> Res<Value> {
    let bound = args.bind("traverse_dict_and_list", ["key", "default", "delimiter"], 1)?;
    let delimiter = bound.text_or(2, ":")?;
    let default = bound.value(1);
    let path: Vec<Value> = match bound.value(0) {
        Value::Str(path) if delimiter.is_empty() => vec![Value::Str(path)],
        Value::Str(path) => path.split(delimiter.as_str()).map(Value::str).collect(),
        number @ (Value::Int(_) | Value::Bool(_)) => vec![number],
        other => items::collect(&other)?,
    };
    let mut here = value;
    for key in path {
        let next = match &here {
            Value::List(list) => {
                let index = match &key {
                    Value::Str(text) => crate::compile::jinja::values::numbers::parse_int(text, 10),
                    other => other.as_int(),
                };
                let lookup = index.map_or_else(|| key.clone(), Value::Int);
                let mut found = None;
                for item in list.items.borrow().iter() {
                    if let Value::Dict(dict) = item {
                        found = dict.get(&lookup)?;
                        if found.is_some() {
                            break;
                        }
                    }
                }
                found.or_else(|| index.and_then(|index| slices::element(&here, index)))
            }
            Value::Str(_) => return Ok(default),
            Value::Undefined(undefined) if !here.is_pending() => {
                return Err(crate::compile::jinja::values::text::refuse(undefined));
            }
            Value::Undefined(_) => return Ok(Value::pending()),
            _ => match it.own_item(&here, &key)? {
                // A key such as `1` may be a number in the data.
                None => match &key {
                    Value::Str(text) => match convert::from_yaml(&yaml::plain_scalar(text))? {
                        Value::Str(_) => None,
                        other => it.own_item(&here, &other)?,
                    },
                    _ => None,
                },
                found => found,
            },
        };
        match next {
            Some(next) => here = next,
            None => return Ok(default),
        }
    }
    Ok(here)
}
