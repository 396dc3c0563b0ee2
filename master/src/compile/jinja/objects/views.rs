//! `keys()`, `values()` and `items()` of a mapping: views that follow its changes.

use std::any::Any;
use std::rc::Rc;

use super::Object;
use crate::compile::jinja::error::Res;
use crate::compile::jinja::values::items::Items;
use crate::compile::jinja::values::text::repr;
use crate::compile::jinja::values::{Dict, Value, ops};

/// Which view.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewKind {
    Keys,
    Values,
    Items,
}

/// A view of a mapping.
pub(crate) struct View {
    pub(crate) dict: Rc<Dict>,
    pub(crate) kind: ViewKind,
}

impl View {
    fn all(&self) -> Vec<Value> {
        match self.kind {
            ViewKind::Keys => self.dict.keys(),
            ViewKind::Values => self.dict.values(),
            ViewKind::Items => self
                .dict
                .pairs()
                .into_iter()
                .map(|(key, value)| Value::tuple(vec![key.value().clone(), value]))
                .collect(),
        }
    }
}

impl Object for View {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        match self.kind {
            ViewKind::Keys => "dict_keys",
            ViewKind::Values => "dict_values",
            ViewKind::Items => "dict_items",
        }
    }

    fn repr(&self) -> Res<String> {
        Ok(format!(
            "{}({})",
            self.type_name(),
            repr(&Value::list(self.all()))?
        ))
    }

    fn iterate(&self) -> Res<Option<Items>> {
        Ok(Some(match self.kind {
            ViewKind::Keys => Items::Keys(self.dict.clone(), 0, self.dict.len()),
            _ => Items::Values(self.all().into_iter()),
        }))
    }

    fn len(&self) -> Res<Option<usize>> {
        Ok(Some(self.dict.len()))
    }

    fn contains(&self, needle: &Value) -> Res<Option<bool>> {
        Ok(match self.kind {
            ViewKind::Keys => Some(ops::contains(&Value::Dict(self.dict.clone()), needle)?),
            _ => None,
        })
    }
}
