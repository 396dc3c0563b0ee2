//! What a YAML document says: values with their places, keys of any scalar kind.

use super::scalar;

/// A place in the text that was parsed, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark {
    /// Line.
    pub line: u32,
    /// Column in characters.
    pub column: u32,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where its first character stands.
    pub at: Mark,
}

/// What YAML can say. Mappings keep their order and their keys may be any scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `yes`, `off`, `True`, …
    Bool(bool),
    /// A whole number; larger ones than this are refused.
    Int(i128),
    /// A number with a dot.
    Float(f64),
    /// Text.
    Text(String),
    /// `!!binary`, decoded.
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping; keys are unique scalars.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value as JSON; keys that are not text become what Python's `json` makes of them.
    pub fn into_json(self) -> serde_json::Value {
        self.value.into_json()
    }

    /// The value as JSON, leaving the node.
    pub fn to_json(&self) -> serde_json::Value {
        self.value.clone().into_json()
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Value {
    /// The value as JSON; keys that are not text become what Python's `json` makes of them.
    pub fn into_json(self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Int(value) => whole(value),
            Self::Float(value) => serde_json::Number::from_f64(value)
                .map_or_else(|| Json::String(scalar::float_text(value)), Json::Number),
            Self::Text(text) => Json::String(text),
            Self::Bytes(bytes) => Json::String(String::from_utf8_lossy(&bytes).into_owned()),
            Self::List(items) => Json::Array(items.into_iter().map(Node::into_json).collect()),
            Self::Map(entries) => Json::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.value.key_text(), value.into_json()))
                    .collect(),
            ),
        }
    }

    /// The text this value has as a key of JSON.
    pub fn key_text(&self) -> String {
        match self {
            Self::Null | Self::List(_) | Self::Map(_) => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => scalar::float_text(*value),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// Python's name of the type, as Salt's messages print it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
        }
    }

    /// The value under a text key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.as_text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(|item| item.value.count()).sum::<usize>(),
            Self::Map(entries) => {
                1 + entries
                    .iter()
                    .map(|(_, value)| 1 + value.value.count())
                    .sum::<usize>()
            }
            _ => 1,
        }
    }
}

fn whole(value: i128) -> serde_json::Value {
    if let Ok(small) = i64::try_from(value) {
        return small.into();
    }
    if let Ok(large) = u64::try_from(value) {
        return large.into();
    }
    serde_json::Value::String(value.to_string())
}

/// What makes two keys the same in Python: `1`, `1.0` and `true` are one key.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Same<'a> {
    Null,
    Int(i128),
    Float(u64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

pub(super) fn same(value: &Value) -> Option<Same<'_>> {
    Some(match value {
        Value::Null => Same::Null,
        Value::Bool(value) => Same::Int(i128::from(*value)),
        Value::Int(value) => Same::Int(*value),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whole numbers within the range get here"
        )]
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e30 => Same::Int(*value as i128),
        Value::Float(value) => Same::Float(value.to_bits()),
        Value::Text(text) => Same::Text(text),
        Value::Bytes(bytes) => Same::Bytes(bytes),
        Value::List(_) | Value::Map(_) => return None,
    })
}
