//! The engine: statements.

use std::rc::Rc;

use super::args::CallArgs;
use super::error::{Res, fault};
use super::eval::Interp;
use super::filters;
use super::objects::Object;
use super::objects::basic::Super;
use super::objects::looping::{Loop, LoopVar};
use super::objects::macros::{Imported, Macro};
use super::parse::ast::{Expr, ExprKind, For, Name, Stmt, StmtKind, Target};
use super::scope::Scope;
use super::values::text::{print, quote};
use super::values::{Value, items, ops};

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

impl Interp<'_> {
    /// Runs statements one after the other.
    pub(crate) fn body(&mut self, body: &[Stmt], scope: &Rc<Scope>) -> Res<Flow> {
        for stmt in body {
            self.burn(1)?;
            let flow = match &stmt.kind {
                StmtKind::Text(text) => {
                    self.literal(text, stmt, scope)?;
                    Flow::Next
                }
                _ => self
                    .nested(|it| it.statement(stmt, scope))
                    .map_err(|fault| fault.at(&scope.unit.file, stmt.pos).seen_from(scope))?,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn silent(&self, scope: &Rc<Scope>) -> bool {
        // After `extends` only blocks print; inside captured text and blocks everything does.
        self.sinks.len() == 1 && scope.unit.extends.borrow().is_some()
    }

    fn literal(&mut self, text: &str, stmt: &Stmt, scope: &Rc<Scope>) -> Res<()> {
        if self.silent(scope) {
            return Ok(());
        }
        if let Some(sink) = self.sinks.last_mut() {
            sink.literal(text, scope.unit.file_index, stmt.pos.line);
        }
        self.check_output()
    }

    fn emit(&mut self, text: &str, line: u32, scope: &Rc<Scope>) -> Res<()> {
        if self.silent(scope) {
            return Ok(());
        }
        if let Some(sink) = self.sinks.last_mut() {
            sink.made(text, scope.unit.file_index, line);
        }
        self.check_output()
    }

    fn check_output(&self) -> Res<()> {
        if self
            .sinks
            .last()
            .is_some_and(|sink| sink.text.len() > super::OUTPUT)
        {
            return Err(fault::other("the text grows beyond the limit"));
        }
        Ok(())
    }

    fn statement(&mut self, stmt: &Stmt, scope: &Rc<Scope>) -> Res<Flow> {
        match &stmt.kind {
            StmtKind::Text(text) => self.literal(text, stmt, scope)?,
            StmtKind::Print(expr) => self.print(expr, scope)?,
            StmtKind::Set(target, value) => {
                let value = self.eval(value, scope)?;
                self.assign(target, value, scope)?;
            }
            StmtKind::If(arms, otherwise) => {
                for (test, body) in arms {
                    let test = self.eval(test, scope)?;
                    if ops::truth(&test).map_err(|fault| fault.at(&scope.unit.file, stmt.pos))? {
                        return self.body(body, scope);
                    }
                }
                return self.body(otherwise, scope);
            }
            StmtKind::For(of) => {
                let items = self.eval(&of.items, scope)?;
                self.for_loop(of, &items, scope, 0)
                    .map_err(|fault| fault.at(&scope.unit.file, of.items.pos))?;
            }
            StmtKind::With(values, body) => {
                let inner = Scope::inner(scope);
                let mut given = Vec::with_capacity(values.len());
                for (_, value) in values {
                    given.push(self.eval(value, scope)?);
                }
                for ((target, _), value) in values.iter().zip(given) {
                    self.assign(target, value, &inner)?;
                }
                return self.body(body, &inner);
            }
            StmtKind::SetBlock(target, filter, body) => {
                let inner = Scope::inner(scope);
                let mut text = self.captured(|it| it.body(body, &inner).map(|_| ()))?;
                if let Some(filter) = filter {
                    text = self.filtered(filter, text, scope)?;
                }
                self.assign(target, text, scope)?;
            }
            StmtKind::Macro(decl) => {
                self.note(scope);
                let value = Value::object(Macro {
                    decl: decl.clone(),
                    scope: scope.clone(),
                });
                scope.set(&decl.name, value);
            }
            StmtKind::CallBlock(call, decl) => {
                let caller = Value::object(Macro {
                    decl: decl.clone(),
                    scope: scope.clone(),
                });
                let ExprKind::Call(callee, args) = &call.kind else {
                    return Ok(Flow::Next);
                };
                let callee = self.eval(callee, scope)?;
                let mut args = self.args(args, scope)?;
                args.keywords.push((Name::from("caller"), caller));
                let text = self
                    .call(&callee, args)
                    .map_err(|fault| fault.through(&scope.unit.file, call.pos, "called here with a block"))?;
                let text = print(&text)?;
                self.emit(&text, call.pos.line, scope)?;
            }
            StmtKind::FilterBlock(filter, body) => {
                let inner = Scope::inner(scope);
                let text = self.captured(|it| it.body(body, &inner).map(|_| ()))?;
                let text = self.filtered(filter, text, scope)?;
                self.emit(&print(&text)?, stmt.pos.line, scope)?;
            }
            StmtKind::Load(filter, target, body) => {
                let inner = Scope::inner(scope);
                let sink = self.capture(|it| it.body(body, &inner).map(|_| ()))?;
                let text = Value::str(&sink.text);
                let value = filters::apply(self, filter, text, CallArgs::default())
                    .map_err(|fault| self.inside(fault, &sink))?;
                self.assign(target, value, scope)?;
            }
            StmtKind::Profile(label, body) => {
                self.eval(label, scope)?;
                return self.body(body, scope);
            }
            StmtKind::Scope(body) => return self.body(body, &Scope::inner(scope)),
            StmtKind::Do(expr) => {
                self.eval(expr, scope)?;
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Block(block) => {
                if !self.silent(scope) {
                    if block.required
                        && scope
                            .unit
                            .blocks
                            .borrow()
                            .get(&block.name)
                            .is_none_or(|b| b.len() < 2)
                    {
                        return Err(fault::syntax(format!(
                            "Required block {} not found",
                            quote(&block.name)
                        )));
                    }
                    self.block_in(&block.name, 0, scope, block.scoped)?;
                }
            }
            StmtKind::Extends(name) => {
                let name = self.eval(name, scope)?;
                let name = super::args::expect_text(&name)?;
                *scope.unit.extends.borrow_mut() = Some(name);
            }
            StmtKind::Include {
                template,
                ignore_missing,
                with_context,
            } => {
                let names = self.eval(template, scope)?;
                self.include(&names, *ignore_missing, *with_context, scope)
                    .map_err(|fault| fault.through(&scope.unit.file, template.pos, "included here"))?;
            }
            StmtKind::Import {
                template,
                target,
                with_context,
                load,
            } => {
                let name = self.eval(template, scope)?;
                let module = self
                    .import(&name, *with_context, scope)
                    .map_err(|fault| fault.through(&scope.unit.file, template.pos, "imported here"))?;
                match load {
                    None => scope.set_private(target, module),
                    Some(filter) => {
                        let value = filters::apply(self, filter, module.clone(), CallArgs::default())
                            .map_err(|fault| self.loaded(fault, &module))
                            .map_err(|fault| {
                                fault.through(&scope.unit.file, template.pos, "imported here")
                            })?;
                        scope.set(target, value);
                    }
                }
            }
            StmtKind::FromImport {
                template,
                names,
                with_context,
            } => {
                let name = self.eval(template, scope)?;
                let module = self
                    .import(&name, *with_context, scope)
                    .map_err(|fault| fault.through(&scope.unit.file, template.pos, "imported here"))?;
                for (wanted, alias) in names {
                    let value = self.imported_name(&module, wanted, stmt.pos, scope)?;
                    scope.set_private(alias, value);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn filtered(&mut self, filter: &Expr, text: Value, scope: &Rc<Scope>) -> Res<Value> {
        let ExprKind::Filter(inner, name, args) = &filter.kind else {
            return Ok(text);
        };
        let text = match inner {
            Some(inner) => self.filtered(inner, text, scope)?,
            None => text,
        };
        let args = self.args(args, scope)?;
        filters::apply(self, name, text, args).map_err(|fault| fault.at(&scope.unit.file, filter.pos))
    }

    fn print(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Res<()> {
        // A macro prints straight into the output, so that its lines stay known.
        if let ExprKind::Call(callee, args) = &expr.kind
            && !self.silent(scope)
            && let Some(object) = self.macro_named(callee, scope)?
            && let Some(of) = object.as_any().downcast_ref::<Macro>()
        {
            let args = self.args(args, scope)?;
            return of
                .run(self, args)
                .map_err(|fault| fault.through(&scope.unit.file, expr.pos, &of.called()));
        }
        let value = self.eval(expr, scope)?;
        let text = print(&value).map_err(|fault| fault.at(&scope.unit.file, expr.pos))?;
        self.emit(&text, expr.pos.line, scope)
    }

    /// The macro a callee names, directly or as a member of an import.
    fn macro_named(&mut self, callee: &Expr, scope: &Rc<Scope>) -> Res<Option<Rc<dyn Object>>> {
        let value = match &callee.kind {
            ExprKind::Name(name) => scope.get(name),
            ExprKind::Attr(of, name) => match &of.kind {
                ExprKind::Name(of) => match scope.get(of) {
                    Some(Value::Object(object)) if object.as_any().is::<Imported>() => {
                        object.attr(self, name)?
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        Ok(match value {
            Some(Value::Object(object)) if object.as_any().is::<Macro>() => Some(object),
            _ => None,
        })
    }

    /// Remembers a scope that holds a macro.
    pub(crate) fn note(&mut self, scope: &Rc<Scope>) {
        if !scope.noted.replace(true) {
            self.noted.push(scope.clone());
        }
    }

    /// Assigns to a target.
    pub(crate) fn assign(&mut self, target: &Target, value: Value, scope: &Rc<Scope>) -> Res<()> {
        match target {
            Target::Name(name) => {
                scope.set(name, value);
                Ok(())
            }
            Target::Namespace(name, attribute) => {
                let of = scope.get(name).unwrap_or(Value::None);
                self.set_namespace(&of, attribute, value)
            }
            Target::Tuple(targets) => {
                if value.is_pending() {
                    for target in targets {
                        self.assign(target, Value::pending(), scope)?;
                    }
                    return Ok(());
                }
                if !items::iterable(&value) {
                    return Err(fault::other(format!(
                        "cannot unpack non-iterable {} object",
                        value.type_name()
                    )));
                }
                let values = items::collect(&value)?;
                if values.len() > targets.len() {
                    return Err(fault::other(format!(
                        "too many values to unpack (expected {})",
                        targets.len()
                    )));
                }
                if values.len() < targets.len() {
                    return Err(fault::other(format!(
                        "not enough values to unpack (expected {}, got {})",
                        targets.len(),
                        values.len()
                    )));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
                Ok(())
            }
        }
    }

    /// Runs a loop over `items`.
    pub(crate) fn for_loop(
        &mut self,
        of: &std::sync::Arc<For>,
        items: &Value,
        outer: &Rc<Scope>,
        level: usize,
    ) -> Res<()> {
        let state = Rc::new(Loop::new(of, outer, items, level)?);
        let name = Name::from("loop");
        let var = Value::object(LoopVar(state.clone()));
        let mut any = false;
        while let Some(item) = state.advance(self)? {
            any = true;
            let scope = Scope::inner(outer);
            scope.set(&name, var.clone());
            self.assign(&of.target, item, &scope)?;
            if self.body(&of.body, &scope)? == Flow::Break {
                break;
            }
        }
        if !any {
            self.body(&of.otherwise, &Scope::inner(outer))?;
        }
        Ok(())
    }

    /// Prints a block as a parent's `super()` or a child's block sees it.
    pub(crate) fn block(&mut self, name: &Name, level: usize, scope: &Rc<Scope>) -> Res<()> {
        self.block_in(name, level, scope, true)
    }

    fn block_in(&mut self, name: &Name, level: usize, scope: &Rc<Scope>, scoped: bool) -> Res<()> {
        let found = scope
            .unit
            .blocks
            .borrow()
            .get(name)
            .and_then(|all| all.get(level).cloned());
        let Some((block, home)) = found else {
            let sentence = format!("there is no parent block called {}.", quote(name));
            return Err(fault::undefined(sentence));
        };
        let inner = Scope::inner(if scoped && Rc::ptr_eq(&home.unit, &scope.unit) {
            scope
        } else {
            &home
        });
        let above = Super {
            block: name.clone(),
            level: level + 1,
            scope: scope.clone(),
        };
        inner.set(&Name::from("super"), Value::object(above));
        self.nested(|it| it.body(&block.body, &inner))?;
        Ok(())
    }
}
