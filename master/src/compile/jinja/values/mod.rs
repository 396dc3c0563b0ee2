//! Values of a running template: Python's, as far as templates can tell.
//!
//! Lists and mappings are shared and mutable, so `do x.append(1)` is seen by every name for `x`. A value belongs to
//! one render on one thread. What can be done with values is in `ops`, how they print in `text`.

pub(crate) mod convert;
pub(crate) mod dict;
pub(crate) mod items;
pub(crate) mod numbers;
pub(crate) mod ops;
pub(crate) mod slices;
pub(crate) mod sorting;
pub(crate) mod text;

use std::cell::RefCell;
use std::rc::Rc;

pub(crate) use dict::{Dict, Key};

use super::objects::Object;

/// A value.
#[derive(Clone)]
pub(crate) enum Value {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    List(Rc<List>),
    Tuple(Rc<Tuple>),
    Dict(Rc<Dict>),
    Object(Rc<dyn Object>),
}

/// A list.
#[derive(Default)]
pub(crate) struct List {
    pub(crate) items: RefCell<Vec<Value>>,
}

/// A tuple; `names` makes it a named one.
pub(crate) struct Tuple {
    pub(crate) items: Vec<Value>,
    pub(crate) names: &'static [&'static str],
}

/// Why something has no value.
pub(crate) struct Undefined {
    pub(crate) what: Missing,
    /// With `allow_undefined` it prints as nothing and is false; otherwise every use is an error.
    pub(crate) lenient: bool,
}

/// What is missing.
pub(crate) enum Missing {
    /// A variable.
    Name(Rc<str>),
    /// An attribute or element; the text is the whole sentence.
    Said(String),
    /// An attribute or element that `of` does not have; the first text is the whole sentence.
    Lacks { said: String, of: Value, name: String },
    /// An attribute the sandbox does not hand out; the text is the whole sentence.
    Unsafe(String),
    /// The answer to a question not asked yet. Everything may be done with it and nothing comes of it.
    Pending,
}

impl Undefined {
    pub(crate) fn sentence(&self) -> String {
        match &self.what {
            Missing::Name(name) => format!("{} is undefined", text::quote(name)),
            Missing::Said(said) | Missing::Unsafe(said) | Missing::Lacks { said, .. } => said.clone(),
            Missing::Pending => "the answer is not known yet".to_owned(),
        }
    }
}

impl Value {
    pub(crate) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Rc::from(text.as_ref()))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(List {
            items: RefCell::new(items),
        }))
    }

    pub(crate) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Rc::new(Tuple { items, names: &[] }))
    }

    pub(crate) fn dict(dict: Dict) -> Self {
        Self::Dict(Rc::new(dict))
    }

    pub(crate) fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    pub(crate) fn pending() -> Self {
        Self::Undefined(Rc::new(Undefined {
            what: Missing::Pending,
            lenient: true,
        }))
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Undefined(undefined) if matches!(undefined.what, Missing::Pending))
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// The text, if it is text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number Python would take it for where an index is wanted.
    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// The name of its Python type.
    pub(crate) fn type_name(&self) -> &str {
        match self {
            Self::Undefined(_) => "StrictUndefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Object(object) => {
                let full = object.type_name();
                // Types written in Python are called by their own name, those written in C with their module.
                match full.rsplit_once('.') {
                    Some((module, name)) if module.starts_with("jinja2") || module.starts_with("salt") => {
                        name
                    }
                    _ => full,
                }
            }
        }
    }

    /// How messages about missing attributes call it.
    pub(crate) fn kind_name(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Undefined(_) => "jinja2.runtime.StrictUndefined object".to_owned(),
            Self::Object(object) => format!("{} object", object.type_name()),
            _ => format!("{} object", self.type_name()),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(value as i128)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(Rc::from(value))
    }
}

thread_local! {
    /// Children of values being dropped, so that deep nesting is taken apart in a loop and not by recursion.
    static FALLEN: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Drops `children`, however deep they go, without deep recursion.
pub(crate) fn take_apart(children: impl Iterator<Item = Value>) {
    // During thread teardown the queue may be gone; then ordinary dropping has to do.
    let mut children = Some(children);
    let mine = FALLEN.try_with(|fallen| {
        let Ok(mut fallen) = fallen.try_borrow_mut() else {
            return false;
        };
        let first = fallen.is_none();
        if let Some(children) = children.take() {
            fallen.get_or_insert_with(Vec::new).extend(children);
        }
        first
    });
    drop(children);
    if mine != Ok(true) {
        return;
    }
    loop {
        let next = FALLEN.try_with(|fallen| {
            fallen.try_borrow_mut().ok().and_then(|mut fallen| {
                let next = fallen.as_mut().and_then(Vec::pop);
                if next.is_none() {
                    *fallen = None;
                }
                next
            })
        });
        match next {
            Ok(Some(value)) => drop(value),
            _ => return,
        }
    }
}

fn nests(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_))
}

impl Drop for List {
    fn drop(&mut self) {
        let items = self.items.get_mut();
        if items.iter().any(nests) {
            take_apart(std::mem::take(items).into_iter());
        }
    }
}

impl Drop for Tuple {
    fn drop(&mut self) {
        if self.items.iter().any(nests) {
            take_apart(std::mem::take(&mut self.items).into_iter());
        }
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if entries.values().any(nests) {
            take_apart(std::mem::take(entries).into_iter().map(|(_, value)| value));
        }
    }
}
