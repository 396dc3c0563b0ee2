//! Things templates hold that are neither data nor text: macros, loops, `salt`, `grains`, namespaces, iterators.

pub(crate) mod basic;
pub(crate) mod globals;
pub(crate) mod lazy;
pub(crate) mod looping;
pub(crate) mod macros;
pub(crate) mod salt;
pub(crate) mod views;

use std::any::Any;

use super::args::CallArgs;
use super::error::{Res, fault};
use super::eval::Interp;
use super::values::Value;
use super::values::items::Items;
use super::values::text::quote;
use super::wanted::Among;

/// What an object can do. What it leaves out, it cannot do.
pub(crate) trait Object {
    /// For telling concrete objects apart.
    fn as_any(&self) -> &dyn Any;

    /// Its Python type, with the module as messages show it.
    fn type_name(&self) -> &str;

    /// How it prints.
    fn repr(&self) -> Res<String> {
        Ok(format!("<{} object>", self.type_name()))
    }

    /// `object.name`.
    fn attr(&self, _it: &mut Interp<'_>, _name: &str) -> Res<Option<Value>> {
        Ok(None)
    }

    /// The names that may stand behind the dot or in the brackets, for who misspells one.
    fn names(&self) -> Among {
        Among::Names(Vec::new())
    }

    /// `object[key]`.
    fn item(&self, _it: &mut Interp<'_>, _key: &Value) -> Res<Option<Value>> {
        Ok(None)
    }

    /// Whether `call` is meant.
    fn callable(&self) -> bool {
        false
    }

    /// `object(…)`.
    fn call(&self, _it: &mut Interp<'_>, _args: CallArgs) -> Res<Value> {
        Err(fault::other(format!(
            "{} object is not callable",
            quote(self.type_name())
        )))
    }

    /// Begins an iteration; `None` when it cannot be iterated.
    fn iterate(&self) -> Res<Option<Items>> {
        Ok(None)
    }

    /// `len()`; `None` when it has none.
    fn len(&self) -> Res<Option<usize>> {
        Ok(None)
    }

    /// `needle in object`; `None` to search by iterating.
    fn contains(&self, _needle: &Value) -> Res<Option<bool>> {
        Ok(None)
    }

    /// The plain data it stands for, if it stands for data.
    fn data(&self) -> Res<Option<Value>> {
        Ok(None)
    }
}
