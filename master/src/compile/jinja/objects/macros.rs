//! Macros, callers, and imported templates as objects.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use super::Object;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::output::Sink;
use crate::compile::jinja::parse::ast;
use crate::compile::jinja::scope::Scope;
use crate::compile::jinja::values::text::quote;
use crate::compile::jinja::values::{Dict, Missing, Undefined, Value};
use crate::compile::jinja::wanted::Among;

/// A macro with the scope it was defined in.
pub(crate) struct Macro {
    pub(crate) decl: Arc<ast::Macro>,
    pub(crate) scope: Rc<Scope>,
}

impl Object for Macro {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.runtime.Macro"
    }

    fn repr(&self) -> Res<String> {
        Ok(format!("<Macro '{}'>", self.decl.name))
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        Ok(match name {
            "name" => Some(Value::str(&self.decl.name)),
            "arguments" => Some(Value::tuple(
                self.decl
                    .params
                    .iter()
                    .map(|(name, _)| Value::str(name))
                    .collect(),
            )),
            "catch_kwargs" => Some(self.decl.kwargs.into()),
            "catch_varargs" => Some(self.decl.varargs.into()),
            "caller" => Some(self.decl.caller.into()),
            _ => None,
        })
    }

    fn callable(&self) -> bool {
        true
    }

    fn call(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
        it.captured(|it| self.run(it, args))
    }
}

impl Macro {
    /// What a call of it is in a chain of calls.
    pub(crate) fn called(&self) -> String {
        format!("`{}` is called here", self.decl.name)
    }

    /// Runs the body; its text goes to the current output.
    pub(crate) fn run(&self, it: &mut Interp<'_>, args: CallArgs) -> Res<()> {
        let decl = &self.decl;
        let scope = Scope::inner(&self.scope);
        let count = decl.params.len();
        let mut keywords = args.keywords;
        let mut positional = args.positional.into_iter();
        let mut given = Vec::with_capacity(count);
        for (name, _) in &decl.params {
            let value = positional.next().or_else(|| {
                let at = keywords.iter().position(|(key, _)| key == name)?;
                Some(keywords.remove(at).1)
            });
            given.push(value);
        }
        if decl.caller {
            let at = keywords.iter().position(|(key, _)| &**key == "caller");
            let caller = at
                .map(|at| keywords.remove(at).1)
                .filter(|caller| !matches!(caller, Value::None));
            let caller = caller.unwrap_or_else(|| said(it, "No caller defined"));
            scope.set(&Arc::from("caller"), caller);
        }
        if decl.kwargs {
            let dict = Dict::default();
            for (key, value) in keywords {
                dict.set(&key, value);
            }
            scope.set(&Arc::from("kwargs"), Value::dict(dict));
        } else if let Some((key, _)) = keywords.first() {
            return Err(fault::other(if &**key == "caller" {
                format!(
                    "macro '{}' was invoked with two values for the special caller argument. \
                     This is most likely a bug.",
                    decl.name
                )
            } else {
                format!("macro '{}' takes no keyword argument '{key}'", decl.name)
            })
            .wanting(key, Among::names(decl.params.iter().map(|(name, _)| &**name))));
        }
        if decl.varargs {
            scope.set(&Arc::from("varargs"), Value::tuple(positional.collect()));
        } else if positional.next().is_some() {
            return Err(fault::other(format!(
                "macro {} takes not more than {count} argument(s)",
                // A call block has no name.
                match &*decl.name {
                    "caller" => "None".to_owned(),
                    name => quote(name),
                }
            )));
        }
        for ((name, default), value) in decl.params.iter().zip(given) {
            let value = match (value, default) {
                (Some(value), _) => value,
                (None, Some(default)) => it.eval(default, &scope)?,
                (None, None) => said(it, &format!("parameter '{name}' was not provided")),
            };
            scope.set(name, value);
        }
        it.nested(|it| it.body(&decl.body, &scope))?;
        Ok(())
    }
}

fn said(it: &Interp<'_>, sentence: &str) -> Value {
    Value::Undefined(Rc::new(Undefined {
        what: Missing::Said(sentence.to_owned()),
        lenient: it.env.allow_undefined,
    }))
}

/// An imported template: what it exports, and its text.
pub(crate) struct Imported {
    pub(crate) name: String,
    pub(crate) scope: Rc<Scope>,
    pub(crate) sink: Sink,
}

impl Object for Imported {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &str {
        "jinja2.environment.TemplateModule"
    }

    fn repr(&self) -> Res<String> {
        Ok(self.sink.text.clone())
    }

    fn names(&self) -> Among {
        Among::Names(self.scope.exports())
    }

    fn attr(&self, _it: &mut Interp<'_>, name: &str) -> Res<Option<Value>> {
        Ok(self.scope.exported(name))
    }
}
