//! Mappings with Python's keys: `1`, `1.0` and `True` are one key, lists cannot be keys.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};

use super::Value;
use super::text::quote;
use crate::compile::jinja::error::{Res, fault};

/// A mapping in order of insertion.
#[derive(Default)]
pub(crate) struct Dict {
    pub(crate) entries: RefCell<IndexMap<Key, Value>>,
    /// Made by `odict`: prints its type, and is not sorted as YAML.
    pub(crate) ordered: bool,
    /// Came from outside, where every key is text: what is no text is looked up as the text it became.
    pub(crate) outside: bool,
}

/// A value that may be a key.
#[derive(Clone)]
pub(crate) struct Key(Value);

impl Key {
    /// # Errors
    /// `unhashable type`.
    pub(crate) fn new(value: Value) -> Res<Self> {
        check(&value, 0)?;
        Ok(Self(value))
    }

    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self(Value::str(text))
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

/// Whether a value can be hashed.
fn check(value: &Value, depth: usize) -> Res<()> {
    match value {
        Value::List(_) | Value::Dict(_) => Err(fault::other(format!(
            "unhashable type: {}",
            quote(value.type_name())
        ))),
        Value::Tuple(tuple) if depth < 50 => tuple.items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Tuple(_) => Err(fault::too_deep()),
        Value::Undefined(undefined) if !undefined.lenient => Err(fault::undefined(undefined.sentence())),
        _ => Ok(()),
    }
}

/// Whether a value may be hashed in Python.
pub(crate) fn hashable(value: &Value) -> bool {
    check(value, 0).is_ok()
}

/// A float that equals a whole number counts as that number.
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 1e38).then_some(value as i128)
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

fn hash<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::None => state.write_u8(0),
        Value::Bool(value) => {
            state.write_u8(1);
            state.write_i128(i128::from(*value));
        }
        Value::Int(value) => {
            state.write_u8(1);
            state.write_i128(*value);
        }
        Value::Float(value) => match whole(*value) {
            Some(value) => {
                state.write_u8(1);
                state.write_i128(value);
            }
            None => {
                state.write_u8(2);
                state.write_u64(value.to_bits());
            }
        },
        Value::Str(text) => {
            state.write_u8(3);
            text.hash(state);
        }
        Value::Bytes(bytes) => {
            state.write_u8(4);
            bytes.hash(state);
        }
        Value::Tuple(tuple) => {
            state.write_u8(5);
            for item in &tuple.items {
                hash(item, state);
            }
        }
        Value::Undefined(_) | Value::List(_) | Value::Dict(_) | Value::Object(_) => state.write_u8(6),
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Key {}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Undefined(_), Value::Undefined(_)) => true,
        // NaN is found again where it is the same object, which is all a template can have.
        (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => super::ops::equal(a, b).unwrap_or(false),
    }
}

/// Looks a text key up without making a value of it.
struct TextKey<'a>(&'a str);

impl Hash for TextKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(3);
        self.0.hash(state);
    }
}

impl Equivalent<Key> for TextKey<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(&key.0, Value::Str(text) if **text == *self.0)
    }
}

impl Dict {
    pub(crate) fn of(entries: impl IntoIterator<Item = (Key, Value)>) -> Self {
        Self {
            entries: RefCell::new(entries.into_iter().collect()),
            ordered: false,
            outside: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// # Errors
    /// A key that cannot be hashed.
    pub(crate) fn get(&self, key: &Value) -> Res<Option<Value>> {
        if let Value::Str(text) = key {
            return Ok(self.get_text(text));
        }
        let found = self.entries.borrow().get(&Key::new(key.clone())?).cloned();
        match key {
            _ if found.is_some() || !self.outside => Ok(found),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::None => {
                Ok(self.get_text(&super::convert::key_text(key)?))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn get_text(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(&TextKey(key)).cloned()
    }

    pub(crate) fn insert(&self, key: Key, value: Value) {
        let old = self.entries.borrow_mut().insert(key, value);
        drop(old);
    }

    pub(crate) fn set(&self, key: &str, value: Value) {
        self.insert(Key::text(key), value);
    }

    pub(crate) fn remove(&self, key: &Value) -> Res<Option<Value>> {
        let key = Key::new(key.clone())?;
        Ok(self.entries.borrow_mut().shift_remove(&key))
    }

    pub(crate) fn keys(&self) -> Vec<Value> {
        self.entries.borrow().keys().map(|key| key.0.clone()).collect()
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        self.entries.borrow().values().cloned().collect()
    }

    pub(crate) fn pairs(&self) -> Vec<(Key, Value)> {
        self.entries
            .borrow()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
