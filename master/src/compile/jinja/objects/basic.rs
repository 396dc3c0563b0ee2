//! Small objects: namespaces, cyclers, joiners, ranges, generators, bound methods, built-in functions, `super`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::Object;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::methods;
use crate::compile::jinja::scope::Scope;
use crate::compile::jinja::values::items::Items;
use crate::compile::jinja::values::text::{quote, repr};
use crate::compile::jinja::values::{Dict, Value};

/// `namespace(…)`.
pub(crate) struct Namespace {
    pub(crate) values: Rc<Dict>,
}

impl Object for Namespace {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.utils.Namespace"
    }

    fn repr(&self) -> Res<String> {
        Ok(format!(
            "<Namespace {}>",
            repr(&Value::Dict(self.values.clone()))?
        ))
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        Ok(self.values.get_text(name))
    }

    fn item(&self, _it: &mut Interp<'_>, key: &Value) -> Res<Option<Value>> {
        self.values.get(key)
    }
}

/// `cycler(…)`.
pub(crate) struct Cycler {
    pub(crate) items: Vec<Value>,
    pub(crate) at: Cell<usize>,
}

impl Object for Cycler {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.utils.Cycler"
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        match name {
            "current" => Ok(self.items.get(self.at.get()).cloned()),
            _ => Ok(None),
        }
    }

    fn call(&self, _it: &mut Interp<'_>, _args: CallArgs) -> Res<Value> {
        Ok(Value::None)
    }
}

impl Cycler {
    /// `next()` and `reset()`; `None` for other names.
    pub(crate) fn method(&self, name: &str) -> Option<Value> {
        match name {
            "next" => {
                let value = self.items.get(self.at.get()).cloned();
                self.at.set((self.at.get() + 1) % self.items.len().max(1));
                value
            }
            "reset" => {
                self.at.set(0);
                Some(Value::None)
            }
            _ => None,
        }
    }
}

/// `joiner(…)`.
pub(crate) struct Joiner {
    pub(crate) separator: Value,
    pub(crate) used: Cell<bool>,
}

impl Object for Joiner {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.utils.Joiner"
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, _it: &mut Interp<'_>, _args: CallArgs) -> Res<Value> {
        if self.used.replace(true) {
            Ok(self.separator.clone())
        } else {
            Ok(Value::str(""))
        }
    }
}

/// `range(…)`.
pub(crate) struct Range {
    pub(crate) start: i128,
    pub(crate) stop: i128,
    pub(crate) step: i128,
}

impl Range {
    /// How many numbers it has.
    pub(crate) fn length(&self) -> usize {
        self.items().remaining().unwrap_or(0)
    }

    fn items(&self) -> Items {
        Items::Range {
            at: self.start,
            stop: self.stop,
            step: self.step,
        }
    }
}

impl Object for Range {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "range"
    }

    fn repr(&self) -> Res<String> {
        Ok(if self.step == 1 {
            format!("range({}, {})", self.start, self.stop)
        } else {
            format!("range({}, {}, {})", self.start, self.stop, self.step)
        })
    }

    fn item(&self, _it: &mut Interp<'_>, key: &Value) -> Res<Option<Value>> {
        let len = self.items().remaining().unwrap_or(0) as i128;
        Ok(key.as_int().and_then(|index| {
            let index = if index < 0 { index + len } else { index };
            (0..len)
                .contains(&index)
                .then(|| Value::Int(self.start + index * self.step))
        }))
    }

    fn iterate(&self) -> Res<Option<Items>> {
        Ok(Some(self.items()))
    }

    fn len(&self) -> Res<Option<usize>> {
        Ok(self.items().remaining())
    }
}

/// What Python makes of generator functions and iterators: to be read once, without a length.
pub(crate) struct Generator {
    pub(crate) name: &'static str,
    pub(crate) items: Rc<RefCell<Items>>,
}

impl Generator {
    pub(crate) fn value(name: &'static str, items: Vec<Value>) -> Value {
        Value::object(Self {
            name,
            items: Rc::new(RefCell::new(Items::Values(items.into_iter()))),
        })
    }
}

impl Object for Generator {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        if self.name.starts_with("itertools") || self.name == "zip" || self.name.ends_with("iterator") {
            self.name
        } else {
            "generator"
        }
    }

    fn repr(&self) -> Res<String> {
        // Python shows an address, which cannot be the same twice.
        Ok(if self.type_name() == "generator" {
            format!("<generator object {}>", self.name)
        } else {
            format!("<{} object>", self.name)
        })
    }

    fn iterate(&self) -> Res<Option<Items>> {
        Ok(Some(Items::Shared(self.items.clone())))
    }
}

/// `value.method`, not called yet.
pub(crate) struct Method {
    pub(crate) receiver: Value,
    pub(crate) name: String,
}

impl Object for Method {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "builtin_function_or_method"
    }

    fn repr(&self) -> Res<String> {
        Ok(format!(
            "<built-in method {} of {} object>",
            self.name,
            self.receiver.type_name()
        ))
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        match &self.receiver {
            Value::Object(object) => {
                if let Some(cycler) = object.as_any().downcast_ref::<Cycler>()
                    && let Some(value) = cycler.method(&self.name)
                {
                    return Ok(value);
                }
                let data = it.plain(&self.receiver)?;
                methods::call(it, &data, &self.name, args)
            }
            receiver => methods::call(it, receiver, &self.name, args),
        }
    }
}

/// A function of the template environment.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) function: fn(&mut Interp<'_>, CallArgs) -> Res<Value>,
}

impl Object for Builtin {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "function"
    }

    fn repr(&self) -> Res<String> {
        Ok(match self.name {
            "range" | "dict" => format!("<class '{}'>", self.name),
            "namespace" => "<class 'jinja2.utils.Namespace'>".to_owned(),
            "odict" => "<class 'collections.OrderedDict'>".to_owned(),
            name => format!("<function {name}>"),
        })
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        (self.function)(it, args)
    }
}

/// `super()` inside a block: the same block one template up.
pub(crate) struct Super {
    pub(crate) block: Arc<str>,
    pub(crate) level: usize,
    pub(crate) scope: Rc<Scope>,
}

impl Object for Super {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.runtime.BlockReference"
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, it: &mut Interp<'_>, _args: CallArgs) -> Res<Value> {
        it.captured(|it| it.block(&self.block, self.level, &self.scope))
    }
}

/// `self`: the blocks of the template by name.
pub(crate) struct Blocks {
    pub(crate) scope: Rc<Scope>,
}

impl Object for Blocks {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.runtime.TemplateReference"
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        let known = self.scope.unit.blocks.borrow().contains_key(name);
        Ok(known.then(|| {
            Value::object(Super {
                block: Arc::from(name),
                level: 0,
                scope: self.scope.clone(),
            })
        }))
    }
}

/// The error of an attribute the sandbox keeps back.
pub(crate) fn unsafe_attribute(value: &Value, name: &str) -> String {
    format!(
        "access to attribute {} of {} object is unsafe.",
        quote(name),
        quote(value.type_name())
    )
}

/// `cycler()` without items.
pub(crate) fn no_items() -> Box<crate::compile::jinja::error::Fault> {
    fault::other("at least one item has to be provided")
}
