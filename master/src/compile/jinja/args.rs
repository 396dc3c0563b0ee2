//! Arguments of a call, and binding them to parameters with Python's errors.

use std::sync::Arc;

use super::error::{Fault, Res, fault};
use super::values::text::quote;
use super::values::{Value, items, ops, text};

/// Positional and keyword arguments.
#[derive(Default, Clone)]
pub(crate) struct CallArgs {
    pub(crate) positional: Vec<Value>,
    pub(crate) keywords: Vec<(Arc<str>, Value)>,
}

impl CallArgs {
    pub(crate) fn of(positional: Vec<Value>) -> Self {
        Self {
            positional,
            keywords: Vec::new(),
        }
    }

    /// The arguments in the order of `names`, of which the first `required` must be given.
    pub(crate) fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Res<Bound<N>> {
        let given = self.positional.len();
        if given > N {
            return Err(fault::other(format!(
                "{function}() takes {} positional argument{} but {given} {} given",
                if required == N {
                    N.to_string()
                } else {
                    format!("from {required} to {N}")
                },
                if N == 1 { "" } else { "s" },
                if given == 1 { "was" } else { "were" },
            )));
        }
        let mut slots = [const { None }; N];
        for (slot, value) in slots.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.keywords {
            let Some(index) = names.iter().position(|known| **known == *name) else {
                return Err(fault::other(format!(
                    "{function}() got an unexpected keyword argument {}",
                    quote(&name)
                )));
            };
            if slots[index].is_some() {
                return Err(fault::other(format!(
                    "{function}() got multiple values for argument {}",
                    quote(&name)
                )));
            }
            slots[index] = Some(value);
        }
        let missing: Vec<String> = names
            .iter()
            .zip(&slots)
            .take(required)
            .filter(|(_, slot)| slot.is_none())
            .map(|(name, _)| quote(name))
            .collect();
        if !missing.is_empty() {
            return Err(fault::other(format!(
                "{function}() missing {} required positional argument{}: {}",
                missing.len(),
                if missing.len() == 1 { "" } else { "s" },
                missing.join(" and ")
            )));
        }
        Ok(Bound { slots })
    }
}

/// Arguments by their place among the parameters.
pub(crate) struct Bound<const N: usize> {
    slots: [Option<Value>; N],
}

impl<const N: usize> Bound<N> {
    /// The argument, or `None` when it was not given.
    pub(crate) fn get(&self, index: usize) -> Option<&Value> {
        self.slots.get(index).and_then(Option::as_ref)
    }

    /// The argument, also `None` when Python's `None` was given.
    pub(crate) fn some(&self, index: usize) -> Option<&Value> {
        self.get(index).filter(|value| !matches!(value, Value::None))
    }

    /// A required argument; `bind` has made sure that it is there.
    pub(crate) fn value(&self, index: usize) -> Value {
        self.get(index).cloned().unwrap_or(Value::None)
    }

    pub(crate) fn truth(&self, index: usize, default: bool) -> Res<bool> {
        self.get(index).map_or(Ok(default), ops::truth)
    }

    pub(crate) fn int(&self, index: usize, default: i128) -> Res<i128> {
        match self.get(index) {
            None => Ok(default),
            Some(value) => value.as_int().ok_or_else(|| not_an_int(value)),
        }
    }

    /// The text of an argument that must be a string.
    pub(crate) fn text(&self, index: usize) -> Res<String> {
        expect_text(&self.value(index))
    }

    pub(crate) fn text_or(&self, index: usize, default: &str) -> Res<String> {
        self.get(index)
            .map_or_else(|| Ok(default.to_owned()), expect_text)
    }

    /// `str()` of an argument.
    pub(crate) fn printed(&self, index: usize) -> Res<String> {
        text::str(&self.value(index))
    }
}

/// Refuses what cannot stand after `*` in a call.
pub(crate) fn starred(value: &Value) -> Res<()> {
    if value.is_undefined() || items::iterable(value) {
        return Ok(());
    }
    Err(fault::other(format!(
        "Value after * must be an iterable, not {}",
        value.type_name()
    )))
}

/// The text of a value that must be a string.
pub(crate) fn expect_text(value: &Value) -> Res<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Undefined(undefined) => text::undefined_text(undefined),
        other => Err(fault::other(format!(
            "expected string or bytes-like object, got {}",
            quote(other.type_name())
        ))),
    }
}

fn not_an_int(value: &Value) -> Box<Fault> {
    if let Value::Undefined(undefined) = value {
        return text::refuse(undefined);
    }
    fault::other(format!(
        "{} object cannot be interpreted as an integer",
        quote(value.type_name())
    ))
}
