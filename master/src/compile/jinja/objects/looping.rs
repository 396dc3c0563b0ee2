//! The `loop` variable, and the items of a `for`, which are filtered only as they are reached.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::Object;
use super::basic::Method;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::parse::ast::For;
use crate::compile::jinja::scope::Scope;
use crate::compile::jinja::values::items::{Items, iterate};
use crate::compile::jinja::values::{Value, ops};

/// A `for` under way.
pub(crate) struct Loop {
    pub(crate) of: Arc<For>,
    /// The scope around the loop.
    pub(crate) outer: Rc<Scope>,
    pub(crate) level: usize,
    source: RefCell<Items>,
    ahead: RefCell<VecDeque<Value>>,
    /// Items handed out so far.
    done: Cell<usize>,
    previous: RefCell<Option<Value>>,
    current: RefCell<Option<Value>>,
    changed: RefCell<Option<Vec<Value>>>,
}

impl Loop {
    pub(crate) fn new(of: &Arc<For>, outer: &Rc<Scope>, items: &Value, level: usize) -> Res<Self> {
        Ok(Self {
            of: of.clone(),
            outer: outer.clone(),
            level,
            source: RefCell::new(iterate(items)?),
            ahead: RefCell::default(),
            done: Cell::new(0),
            previous: RefCell::default(),
            current: RefCell::default(),
            changed: RefCell::default(),
        })
    }

    /// The next item that passes the loop's condition.
    fn pull(&self, it: &mut Interp<'_>) -> Res<Option<Value>> {
        loop {
            it.burn(1)?;
            let Some(item) = self.source.borrow_mut().next()? else {
                return Ok(None);
            };
            let Some(test) = &self.of.test else {
                return Ok(Some(item));
            };
            let scope = Scope::inner(&self.outer);
            it.assign(&self.of.target, item.clone(), &scope)?;
            let passes = it.eval(test, &scope)?;
            if ops::truth(&passes)? {
                return Ok(Some(item));
            }
        }
    }

    /// Moves to the next item.
    pub(crate) fn advance(&self, it: &mut Interp<'_>) -> Res<Option<Value>> {
        let waiting = self.ahead.borrow_mut().pop_front();
        let item = match waiting {
            Some(item) => Some(item),
            None => self.pull(it)?,
        };
        if let Some(item) = &item {
            self.done.set(self.done.get() + 1);
            let last = self.current.borrow_mut().replace(item.clone());
            *self.previous.borrow_mut() = last;
        }
        Ok(item)
    }

    fn peek(&self, it: &mut Interp<'_>) -> Res<Option<Value>> {
        if let Some(item) = self.ahead.borrow().front() {
            return Ok(Some(item.clone()));
        }
        let item = self.pull(it)?;
        if let Some(item) = &item {
            self.ahead.borrow_mut().push_back(item.clone());
        }
        Ok(item)
    }

    fn length(&self, it: &mut Interp<'_>) -> Res<usize> {
        let remaining = if self.of.test.is_none() {
            self.source.borrow().remaining()
        } else {
            None
        };
        if let Some(remaining) = remaining {
            return Ok(self.done.get() + self.ahead.borrow().len() + remaining);
        }
        while let Some(item) = self.pull(it)? {
            self.ahead.borrow_mut().push_back(item);
        }
        Ok(self.done.get() + self.ahead.borrow().len())
    }

    fn undefined(&self, it: &Interp<'_>, sentence: &str) -> Value {
        it.undefined_saying(sentence.to_owned())
    }

    /// `loop.cycle(…)` and `loop.changed(…)`.
    pub(crate) fn method(&self, name: &str, args: CallArgs) -> Res<Value> {
        if name == "cycle" {
            if args.positional.is_empty() {
                return Err(fault::other("no items for cycling given"));
            }
            let at = self.done.get().saturating_sub(1) % args.positional.len();
            return Ok(args.positional.get(at).cloned().unwrap_or(Value::None));
        }
        let last = self.changed.borrow().clone();
        let same = match last {
            Some(last) => ops::equal(&Value::tuple(last), &Value::tuple(args.positional.clone()))?,
            None => false,
        };
        *self.changed.borrow_mut() = Some(args.positional);
        Ok((!same).into())
    }
}

/// The object in the variable `loop`.
pub(crate) struct LoopVar(pub(crate) Rc<Loop>);

impl Object for LoopVar {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.runtime.LoopContext"
    }

    fn repr(&self) -> Res<String> {
        let (done, ahead) = (self.0.done.get(), self.0.ahead.borrow().len());
        let remaining = self.0.source.borrow().remaining();
        Ok(match remaining.filter(|_| self.0.of.test.is_none()) {
            Some(remaining) => format!("<LoopContext {done}/{}>", done + ahead + remaining),
            None => format!("<LoopContext {done}>"),
        })
    }

    fn attr(&self, it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        let this = &self.0;
        let index = this.done.get();
        Ok(Some(match name {
            "index" => index.into(),
            "index0" => index.saturating_sub(1).into(),
            "first" => (index == 1).into(),
            "last" => this.peek(it)?.is_none().into(),
            "length" => this.length(it)?.into(),
            "revindex" => (this.length(it)? + 1).saturating_sub(index).into(),
            "revindex0" => this.length(it)?.saturating_sub(index).into(),
            "depth" => (this.level + 1).into(),
            "depth0" => this.level.into(),
            "previtem" => match &*this.previous.borrow() {
                Some(item) => item.clone(),
                None => this.undefined(it, "there is no previous item"),
            },
            "nextitem" => match this.peek(it)? {
                Some(item) => item,
                None => this.undefined(it, "there is no next item"),
            },
            "cycle" | "changed" => Value::object(LoopMethod {
                of: self.0.clone(),
                name: if name == "cycle" { "cycle" } else { "changed" },
            }),
            _ => return Ok(None),
        }))
    }

    fn callable(&self) -> bool {
        self.0.of.recursive
    }

    fn len(&self) -> Res<Option<usize>> {
        Ok(None)
    }

    /// `loop(items)` of a recursive loop.
    fn call(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        if !self.0.of.recursive {
            return Err(fault::other(
                "The loop must have the 'recursive' marker to be called recursively.",
            ));
        }
        let items = args.bind("loop", ["iterable"], 1)?.value(0);
        let (of, outer, level) = (self.0.of.clone(), self.0.outer.clone(), self.0.level + 1);
        it.captured(|it| it.nested(|it| it.for_loop(&of, &items, &outer, level)))
    }
}

/// `loop.cycle`, `loop.changed`.
struct LoopMethod {
    of: Rc<Loop>,
    name: &'static str,
}

impl Object for LoopMethod {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "method"
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, _it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        self.of.method(self.name, args)
    }
}

/// A method object for cyclers, which share the machinery of bound methods.
pub(crate) fn cycler_method(of: &Value, name: &str) -> Value {
    Value::object(Method {
        receiver: of.clone(),
        name: name.to_owned(),
    })
}
