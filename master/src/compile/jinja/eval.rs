//! The engine: expressions.
//!
//! Names, attributes and elements are looked up as Jinja's sandboxed environment does; calls, filters and tests go
//! to their own files. Statements are in `exec`, imports in `imports`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::args::{CallArgs, starred};
use super::error::{Res, fault};
use super::objects::basic::{Method, Namespace, unsafe_attribute};
use super::objects::{basic, globals, lazy, looping};
use super::output::Sink;
use super::parse::ast::{Args, Const, Expr, ExprKind, MathOp, Name};
use super::scope::Scope;
use super::values::text::{quote, refuse, repr, str};
use super::values::{Dict, Key, Missing, Undefined, Value, items, ops, slices};
use super::{FUEL, JinjaEnv, World, filters, imports, is_tests, methods};

/// One render under way.
pub(crate) struct Interp<'a> {
    pub(crate) world: Arc<dyn World>,
    pub(crate) env: &'a JinjaEnv,
    /// Variables every template sees.
    pub(crate) globals: HashMap<Name, Value>,
    pub(crate) sinks: Vec<Sink>,
    pub(crate) loader: imports::Loader,
    /// Scopes that hold macros.
    pub(crate) noted: Vec<Rc<Scope>>,
    /// The scope of the call under way, for functions that want to see it.
    pub(crate) calling: Option<Rc<Scope>>,
    fuel: u64,
    depth: usize,
    pub(crate) limit: usize,
    captured: usize,
}

impl<'a> Interp<'a> {
    pub(crate) fn new(world: &Arc<dyn World>, env: &'a JinjaEnv, limit: usize) -> Self {
        Self {
            world: world.clone(),
            env,
            globals: HashMap::new(),
            sinks: vec![Sink::default()],
            loader: imports::Loader::default(),
            noted: Vec::new(),
            calling: None,
            fuel: FUEL,
            depth: 0,
            limit,
            captured: 0,
        }
    }

    /// Spends work; a template that needs more than the limit is stopped (requirement C2).
    pub(crate) fn burn(&mut self, amount: u64) -> Res<()> {
        match self.fuel.checked_sub(amount) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(fault::other("the template takes too many steps")),
        }
    }

    /// Runs something one level deeper.
    pub(crate) fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        if self.depth >= self.limit {
            return Err(fault::too_deep());
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// Runs something that prints, and takes its text as a value.
    pub(crate) fn captured(&mut self, run: impl FnOnce(&mut Self) -> Res<()>) -> Res<Value> {
        Ok(Value::from(self.capture(run)?.text))
    }

    /// The same with the places of the text.
    pub(crate) fn capture(&mut self, run: impl FnOnce(&mut Self) -> Res<()>) -> Res<Sink> {
        self.sinks.push(Sink::default());
        let result = run(self);
        let sink = self.sinks.pop().unwrap_or_default();
        result?;
        self.captured += sink.text.len();
        if self.captured > 8 * super::OUTPUT {
            return Err(fault::other("the text grows beyond the limit"));
        }
        Ok(sink)
    }

    /// The value of an expression. An error is placed where the innermost expression stands.
    pub(crate) fn eval(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        self.burn(1)?;
        let result = match &expr.kind {
            ExprKind::Const(value) => return Ok(constant(value)),
            ExprKind::Name(name) => return Ok(self.name(name, scope)),
            _ => self.nested(|it| it.compound(expr, scope)),
        };
        result.map_err(|fault| fault.at(&scope.unit.file, expr.pos).seen_from(scope))
    }

    fn name(&self, name: &Name, scope: &Rc<Scope>) -> Value {
        if let Some(value) = scope.get(name) {
            return value;
        }
        if let Some(value) = self.globals.get(name) {
            return value.clone();
        }
        if &**name == "self" {
            return Value::object(basic::Blocks { scope: scope.clone() });
        }
        globals::get(name).unwrap_or_else(|| {
            Value::Undefined(Rc::new(Undefined {
                what: Missing::Name(Rc::from(&**name)),
                lenient: self.env.allow_undefined,
            }))
        })
    }

    fn compound(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        match &expr.kind {
            ExprKind::Const(value) => Ok(constant(value)),
            ExprKind::Name(name) => Ok(self.name(name, scope)),
            ExprKind::List(items) => Ok(Value::list(self.all(items, scope)?)),
            ExprKind::Tuple(items) => Ok(Value::tuple(self.all(items, scope)?)),
            ExprKind::Dict(pairs) => {
                let dict = Dict::default();
                for (key, value) in pairs {
                    let key = self.eval(key, scope)?;
                    let value = self.eval(value, scope)?;
                    if !key.is_pending() {
                        dict.insert(Key::new(key)?, value);
                    }
                }
                Ok(Value::dict(dict))
            }
            ExprKind::Cond(test, value, otherwise) => {
                let test = self.eval(test, scope)?;
                if ops::truth(&test)? {
                    self.eval(value, scope)
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise, scope)
                } else {
                    // A condition without `else` gives nothing, whatever the policy for undefined names.
                    Ok(Value::Undefined(Rc::new(Undefined {
                        what: Missing::Said(
                            "the inline if-expression evaluated to false and no else section was defined."
                                .to_owned(),
                        ),
                        lenient: true,
                    })))
                }
            }
            ExprKind::And(a, b) => {
                let a = self.eval(a, scope)?;
                if ops::truth(&a)? {
                    self.eval(b, scope)
                } else {
                    Ok(a)
                }
            }
            ExprKind::Or(a, b) => {
                let a = self.eval(a, scope)?;
                if ops::truth(&a)? {
                    Ok(a)
                } else {
                    self.eval(b, scope)
                }
            }
            ExprKind::Not(inner) => {
                let inner = self.eval(inner, scope)?;
                Ok((!ops::truth(&inner)?).into())
            }
            ExprKind::Neg(inner) => ops::negate(&self.eval(inner, scope)?),
            ExprKind::Plus(inner) => ops::plus(&self.eval(inner, scope)?),
            ExprKind::Math(op, a, b) => self.math(*op, a, b, scope),
            ExprKind::Concat(parts) => self.concat(parts, scope),
            ExprKind::Compare(first, tests) => {
                let mut left = self.eval(first, scope)?;
                for (op, right) in tests {
                    let right = self.eval(right, scope)?;
                    if left.is_pending() || right.is_pending() || !ops::compare(*op, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            ExprKind::Attr(of, name) => {
                let of = self.base(of, scope)?;
                self.attr(&of, name)
            }
            ExprKind::Item(of, index) => {
                let of = self.base(of, scope)?;
                if let ExprKind::Slice(parts) = &index.kind {
                    let mut bounds = [Value::None, Value::None, Value::None];
                    for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                        if let Some(part) = part {
                            *bound = self.eval(part, scope)?;
                        }
                    }
                    if of.is_pending() || bounds.iter().any(Value::is_pending) {
                        return Ok(Value::pending());
                    }
                    return slices::slice(&of, &bounds);
                }
                let index = self.eval(index, scope)?;
                self.item(&of, &index)
            }
            ExprKind::Slice(_) => Err(fault::other("unhashable type: 'slice'")),
            ExprKind::Call(callee, args) => self.call_expression(callee, args, scope),
            ExprKind::Filter(value, name, args) => {
                let value = match value {
                    Some(value) => self.eval(value, scope)?,
                    None => Value::str(""),
                };
                let args = self.args(args, scope)?;
                filters::apply(self, name, value, args)
            }
            ExprKind::Test(value, name, args) => {
                let value = self.eval(value, scope)?;
                let args = self.args(args, scope)?;
                is_tests::apply(name, &value, args).map(Value::Bool)
            }
        }
    }

    fn math(&mut self, op: MathOp, a: &Expr, b: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        let a = self.eval(a, scope)?;
        let b = self.eval(b, scope)?;
        let value = ops::math(op, &a, &b)?;
        match &value {
            Value::Str(text) => self.burn(text.len() as u64 / 64)?,
            Value::List(list) => self.burn(list.items.borrow().len() as u64 / 8)?,
            _ => {}
        }
        Ok(value)
    }

    fn concat(&mut self, parts: &[Expr], scope: &Rc<Scope>) -> Res<Value> {
        let mut out = String::new();
        for part in parts {
            let part = self.eval(part, scope)?;
            out.push_str(&str(&part)?);
            if out.len() > super::OUTPUT {
                return Err(fault::other("the text grows beyond the limit"));
            }
        }
        self.burn(out.len() as u64 / 64)?;
        Ok(Value::from(out))
    }

    fn all(&mut self, exprs: &[Expr], scope: &Rc<Scope>) -> Res<Vec<Value>> {
        exprs.iter().map(|expr| self.eval(expr, scope)).collect()
    }

    /// The arguments of a call, evaluated.
    pub(crate) fn args(&mut self, args: &Args, scope: &Rc<Scope>) -> Res<CallArgs> {
        let mut out = CallArgs::of(self.all(&args.positional, scope)?);
        for (name, value) in &args.keywords {
            let value = self.eval(value, scope)?;
            out.keywords.push((name.clone(), value));
        }
        if let Some(star) = &args.star {
            let star = self.eval(star, scope)?;
            starred(&star)?;
            out.positional.extend(items::collect(&star)?);
        }
        if let Some(star) = &args.double_star {
            let star = self.eval(star, scope)?;
            match self.plain(&star)? {
                Value::Dict(dict) => {
                    for (key, value) in dict.pairs() {
                        let Value::Str(key) = key.value() else {
                            return Err(fault::other("keywords must be strings"));
                        };
                        out.keywords.push((Arc::from(&**key), value));
                    }
                }
                Value::Undefined(undefined) if !undefined.lenient => return Err(refuse(&undefined)),
                Value::Undefined(_) => {}
                other => {
                    return Err(fault::other(format!(
                        "jinja2.sandbox.SandboxedEnvironment.call() argument after ** must be a mapping, not {}",
                        other.type_name()
                    )));
                }
            }
        }
        Ok(out)
    }

    fn call_expression(&mut self, callee: &Expr, args: &Args, scope: &Rc<Scope>) -> Res<Value> {
        // Methods of data are called without making an object of them first.
        if let ExprKind::Attr(of, name) = &callee.kind {
            let of = self.eval(of, scope)?;
            if methods::has(&of, name) {
                let args = self.args(args, scope)?;
                if args.positional.iter().any(Value::is_pending) && matches!(of, Value::Str(_)) {
                    return Ok(Value::pending());
                }
                return methods::call(self, &of, name, args);
            }
            let of_pos = callee.pos;
            let callee = self
                .attr(&of, name)
                .map_err(|f| f.at(&scope.unit.file, callee.pos))?;
            let args = self.args(args, scope)?;
            return self.enter(&callee, args, scope, of_pos);
        }
        let at = callee.pos;
        let callee = self.eval(callee, scope)?;
        let args = self.args(args, scope)?;
        if let Value::Object(object) = &callee
            && object.as_any().is::<basic::Builtin>()
        {
            self.calling = Some(scope.clone());
        }
        let result = self.enter(&callee, args, scope, at);
        self.calling = None;
        result
    }

    /// Calls a value.
    pub(crate) fn call(&mut self, callee: &Value, args: CallArgs) -> Res<Value> {
        match callee {
            Value::Object(object) => object.call(self, args),
            Value::Undefined(undefined) if matches!(undefined.what, Missing::Pending) => Ok(Value::pending()),
            Value::Undefined(undefined) => Err(refuse(undefined)),
            other => Err(fault::other(format!(
                "{} object is not callable",
                quote(other.type_name())
            ))),
        }
    }

    /// An undefined value with a sentence of its own.
    pub(crate) fn undefined_saying(&self, sentence: String) -> Value {
        Value::Undefined(Rc::new(Undefined {
            what: Missing::Said(sentence),
            lenient: self.env.allow_undefined,
        }))
    }

    /// An attribute that is no element: a method, or what an object has.
    pub(crate) fn own_attr(&mut self, of: &Value, name: &str) -> Res<Option<Value>> {
        if name.starts_with("__") && name.ends_with("__") {
            return Ok(Some(Value::Undefined(Rc::new(Undefined {
                what: Missing::Unsafe(unsafe_attribute(of, name)),
                lenient: false,
            }))));
        }
        if methods::has(of, name) {
            return Ok(Some(Value::object(Method {
                receiver: of.clone(),
                name: name.to_owned(),
            })));
        }
        match of {
            Value::Object(object) => {
                let any = object.as_any();
                if any.is::<lazy::Lazy>() {
                    let is_method = methods::has(&Value::dict(Dict::default()), name);
                    return Ok(is_method.then(|| lazy::method(of, name)));
                }
                if any.is::<basic::Cycler>() && matches!(name, "next" | "reset") {
                    return Ok(Some(looping::cycler_method(of, name)));
                }
                object.clone().attr(self, name)
            }
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(methods::number_attr(of, name)),
            Value::Tuple(tuple) => Ok(tuple
                .names
                .iter()
                .position(|known| *known == name)
                .and_then(|index| tuple.items.get(index).cloned())),
            _ => Ok(None),
        }
    }

    pub(crate) fn own_item(&mut self, of: &Value, key: &Value) -> Res<Option<Value>> {
        match of {
            // A key that cannot be hashed is a missing one here.
            Value::Dict(dict) => Ok(dict.get(key).ok().flatten()),
            Value::Object(object) => object.clone().item(self, key),
            _ => Ok(key.as_int().and_then(|index| slices::element(of, index))),
        }
    }

    /// `of.name`: an attribute, else an element of that name.
    pub(crate) fn attr(&mut self, of: &Value, name: &str) -> Res<Value> {
        if let Value::Undefined(undefined) = of {
            return if matches!(undefined.what, Missing::Pending) {
                Ok(of.clone())
            } else {
                Err(refuse(undefined))
            };
        }
        if let Some(value) = self.own_attr(of, name)? {
            return Ok(value);
        }
        let element = match of {
            Value::Dict(dict) => dict.get_text(name),
            Value::Object(object) => object.clone().item(self, &Value::str(name))?,
            _ => None,
        };
        Ok(element.unwrap_or_else(|| self.missing_attr(of, name)))
    }

    /// `of[key]`: an element, else an attribute of that name.
    pub(crate) fn item(&mut self, of: &Value, key: &Value) -> Res<Value> {
        if of.is_pending() || key.is_pending() {
            return Ok(Value::pending());
        }
        if let Value::Undefined(undefined) = of {
            return Err(refuse(undefined));
        }
        if let Some(value) = self.own_item(of, key)? {
            return Ok(value);
        }
        if let Value::Str(name) = key {
            if !matches!(of, Value::Object(object) if object.as_any().is::<super::objects::salt::Salt>())
                && let Some(value) = self.own_attr(of, name)?
            {
                return Ok(value);
            }
            return Ok(self.missing_attr(of, name));
        }
        if let Value::Undefined(undefined) = key {
            return Err(refuse(undefined));
        }
        let sentence = format!("{} has no element {}", of.kind_name(), repr(key)?);
        Ok(self.undefined_saying(sentence))
    }

    /// The data an object stands for, or the value itself.
    pub(crate) fn plain(&mut self, value: &Value) -> Res<Value> {
        match value {
            Value::Object(object) => Ok(object.data()?.unwrap_or_else(|| value.clone())),
            _ => Ok(value.clone()),
        }
    }

    /// What `show_full_context()` gives: every variable in sight.
    pub(crate) fn full_context(&mut self) -> Res<Value> {
        let mut all: Vec<(Name, Value)> = self
            .globals
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(scope) = self.calling.clone() {
            all.extend(scope.visible());
        }
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let dict = Dict::default();
        for (name, value) in all {
            let value = match self.plain(&value)? {
                Value::Object(object) => Value::from(object.repr()?),
                plain => plain,
            };
            dict.set(&name, value);
        }
        Ok(Value::dict(dict))
    }

    /// Sets an attribute of a namespace.
    pub(crate) fn set_namespace(&mut self, of: &Value, attribute: &Name, value: Value) -> Res<()> {
        if of.is_pending() {
            return Ok(());
        }
        match of {
            Value::Object(object) => match object.as_any().downcast_ref::<Namespace>() {
                Some(namespace) => {
                    namespace.values.set(attribute, value);
                    Ok(())
                }
                None => Err(fault::syntax("cannot assign attribute on non-namespace object")),
            },
            _ => Err(fault::syntax("cannot assign attribute on non-namespace object")),
        }
    }
}

fn constant(value: &Const) -> Value {
    match value {
        Const::None => Value::None,
        Const::Bool(value) => Value::Bool(*value),
        Const::Int(value) => Value::Int(*value),
        Const::Float(value) => Value::Float(*value),
        Const::Text(text) => Value::Str(Rc::from(&**text)),
    }
}
