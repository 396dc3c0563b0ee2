//! Variables: scopes inside scopes, and the template each belongs to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::parse::ast::{Block, Name};
use super::values::Value;

/// The blocks of a template and its parents by name, the youngest first.
pub(crate) type Blocks = Rc<RefCell<HashMap<Name, Vec<(Arc<Block>, Rc<Scope>)>>>>;

/// A template at work.
pub(crate) struct Unit {
    /// As messages show it.
    pub(crate) file: Arc<str>,
    /// Index of the file in the line map.
    pub(crate) file_index: u32,
    /// The directory `./x` starts from.
    pub(crate) dir: String,
    /// Variables below all scopes: what an import without context is given.
    pub(crate) base: HashMap<Name, Value>,
    /// Names set at the top level, which importers may have.
    exports: RefCell<Vec<Name>>,
    pub(crate) blocks: Blocks,
    /// Set once an `extends` was seen: the rest of the text is not printed.
    pub(crate) extends: RefCell<Option<String>>,
}

impl Unit {
    pub(crate) fn new(file: Arc<str>, file_index: u32, dir: String, base: HashMap<Name, Value>) -> Rc<Self> {
        Rc::new(Self {
            file,
            file_index,
            dir,
            base,
            exports: RefCell::default(),
            blocks: Blocks::default(),
            extends: RefCell::default(),
        })
    }
}

/// One level of variables.
pub(crate) struct Scope {
    vars: RefCell<HashMap<Name, Value>>,
    parent: Option<Rc<Scope>>,
    pub(crate) unit: Rc<Unit>,
    /// Whether names set here are exported.
    top: bool,
    /// Whether a macro lives here, which makes a cycle that must be taken apart in the end.
    pub(crate) noted: Cell<bool>,
}

impl Scope {
    /// The top level of a template, over the variables its importer passes on.
    pub(crate) fn top(unit: Rc<Unit>, parent: Option<Rc<Self>>) -> Rc<Self> {
        Rc::new(Self {
            vars: RefCell::default(),
            parent,
            unit,
            top: true,
            noted: Cell::new(false),
        })
    }

    /// A scope inside another.
    pub(crate) fn inner(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self {
            vars: RefCell::default(),
            parent: Some(parent.clone()),
            unit: parent.unit.clone(),
            top: false,
            noted: Cell::new(false),
        })
    }

    /// A frozen copy of all variables visible here, for a template that is imported or included with context.
    pub(crate) fn snapshot(self: &Rc<Self>) -> Rc<Self> {
        let copy = Self {
            vars: RefCell::new(self.visible()),
            parent: None,
            unit: self.unit.clone(),
            top: false,
            noted: Cell::new(false),
        };
        Rc::new(copy)
    }

    /// All variables visible here, without those below all scopes.
    pub(crate) fn visible(&self) -> HashMap<Name, Value> {
        let mut all = self
            .parent
            .as_ref()
            .map(|parent| parent.visible())
            .unwrap_or_default();
        for (name, value) in self.vars.borrow().iter() {
            all.insert(name.clone(), value.clone());
        }
        all
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let mut scope = Some(self);
        while let Some(this) = scope {
            if let Some(value) = this.vars.borrow().get(name) {
                return Some(value.clone());
            }
            scope = this.parent.as_deref();
        }
        self.unit.base.get(name).cloned()
    }

    pub(crate) fn set(&self, name: &Name, value: Value) {
        let old = self.vars.borrow_mut().insert(name.clone(), value);
        drop(old);
        if self.top && !name.starts_with('_') {
            let mut exports = self.unit.exports.borrow_mut();
            if !exports.contains(name) {
                exports.push(name.clone());
            }
        }
    }

    /// Sets a name that importers do not get: what was itself imported.
    pub(crate) fn set_private(&self, name: &Name, value: Value) {
        self.set(name, value);
        if self.top {
            self.unit.exports.borrow_mut().retain(|known| known != name);
        }
    }

    /// All names an importer may ask for.
    pub(crate) fn exports(&self) -> Vec<String> {
        let exports = self.unit.exports.borrow();
        exports.iter().map(|name| name.to_string()).collect()
    }

    /// A name an importer asks for.
    pub(crate) fn exported(&self, name: &str) -> Option<Value> {
        let known = self.unit.exports.borrow().iter().any(|known| **known == *name);
        if known {
            self.vars.borrow().get(name).cloned()
        } else {
            None
        }
    }

    /// Forgets everything, so that scopes and the macros in them let go of each other.
    pub(crate) fn clear(&self) {
        let old = std::mem::take(&mut *self.vars.borrow_mut());
        drop(old);
        self.unit.blocks.borrow_mut().clear();
    }
}
