//! Between template values and what comes from outside: JSON of answers and YAML of files.

use serde_json::{Map, Number, Value as Json};

use super::text::{self, NESTING};
use super::{Dict, Key, Value};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::yaml;

/// A value from JSON.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(entries) => from_map(entries),
    }
}

/// A mapping from JSON.
pub(crate) fn from_map(entries: &Map<String, Json>) -> Value {
    let pair = |(key, value): (&String, &Json)| (Key::text(key), from_json(value));
    let mut dict = Dict::of(entries.iter().map(pair));
    dict.outside = true;
    Value::dict(dict)
}

fn from_number(number: &Number) -> Value {
    if let Some(value) = number.as_i64() {
        Value::Int(value.into())
    } else if let Some(value) = number.as_u64() {
        Value::Int(value.into())
    } else {
        Value::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// A value from parsed YAML; keys keep their types.
pub(crate) fn from_yaml(value: &yaml::Value) -> Res<Value> {
    Ok(match value {
        yaml::Value::Null => Value::None,
        yaml::Value::Bool(value) => Value::Bool(*value),
        yaml::Value::Int(value) => Value::Int(*value),
        yaml::Value::Float(value) => Value::Float(*value),
        yaml::Value::Text(text) => Value::str(text),
        yaml::Value::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
        yaml::Value::List(items) => Value::list(
            items
                .iter()
                .map(|item| from_yaml(&item.value))
                .collect::<Res<_>>()?,
        ),
        yaml::Value::Map(entries) => {
            let dict = Dict::default();
            for (key, value) in entries {
                dict.insert(Key::new(from_yaml(&key.value)?)?, from_yaml(&value.value)?);
            }
            Value::dict(dict)
        }
    })
}

/// What a function outside is given for a value. Keys become the text Python's `json` writes for them.
///
/// # Errors
/// Undefined values, objects that are no data, nesting beyond the limit.
pub(crate) fn to_json(value: &Value) -> Res<Json> {
    json_at(value, 0)
}

fn json_at(value: &Value, depth: usize) -> Res<Json> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    Ok(match value {
        Value::Undefined(undefined) => return Err(text::refuse(undefined)),
        Value::None => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => Json::from(value),
            (_, Ok(value)) => Json::from(value),
            _ => Json::from(*value as f64),
        },
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Str(text) => Json::String(text.to_string()),
        Value::Bytes(bytes) => Json::String(String::from_utf8_lossy(bytes).into_owned()),
        Value::List(list) => json_items(&list.items.borrow().clone(), depth)?,
        Value::Tuple(tuple) => json_items(&tuple.items, depth)?,
        Value::Dict(dict) => {
            let mut map = Map::new();
            for (key, value) in dict.pairs() {
                map.insert(key_text(key.value())?, json_at(&value, depth + 1)?);
            }
            Json::Object(map)
        }
        Value::Object(object) => match object.data()? {
            Some(data) => json_at(&data, depth + 1)?,
            None if super::items::iterable(value) => json_items(&super::items::collect(value)?, depth)?,
            None => Json::String(object.repr()?),
        },
    })
}

fn json_items(items: &[Value], depth: usize) -> Res<Json> {
    items
        .iter()
        .map(|item| json_at(item, depth + 1))
        .collect::<Res<Vec<_>>>()
        .map(Json::Array)
}

/// The text a key becomes in JSON.
pub(crate) fn key_text(key: &Value) -> Res<String> {
    match key {
        Value::Str(text) => Ok(text.to_string()),
        Value::None => Ok("null".to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        other => text::str(other),
    }
}
