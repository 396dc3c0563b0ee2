//! The tags: Jinja's own, `do` and loop controls, and Salt's `load_*`, `import_*` and `profile`.

use std::sync::Arc;

use super::ast::{Block, Expr, ExprKind, For, Macro, Name, Stmt, StmtKind, Target};
use super::parser::{Mentions, Parser};
use super::tokens::Tok;
use crate::compile::jinja::error::Res;

type Params = Vec<(Name, Option<Expr>)>;

impl Parser {
    /// One tag, from its name up to (not including) the end of its last delimiter.
    pub(super) fn statement(&mut self, into: &mut Vec<Stmt>) -> Res<()> {
        let pos = self.pos();
        let Tok::Name(name) = self.tok() else {
            return Err(self.fail("tag name expected", pos));
        };
        let name = name.clone();
        self.tags.push((name.clone(), pos));
        let kind = match &*name {
            "for" => self.for_loop()?,
            "if" => self.condition()?,
            "set" => self.set()?,
            "macro" => self.macro_definition()?,
            "call" => self.call_block()?,
            "filter" => self.filter_block()?,
            "with" => self.with()?,
            "include" => self.include()?,
            "import" => self.import(None)?,
            "import_yaml" => self.import(Some("load_yaml"))?,
            "import_json" => self.import(Some("load_json"))?,
            "import_text" => self.import(Some("load_text"))?,
            "from" => self.import_names()?,
            "load_yaml" => self.load("load_yaml")?,
            "load_json" => self.load("load_json")?,
            "load_text" => self.load("load_text")?,
            "profile" => {
                self.next();
                self.expect_name("as")?;
                let label = self.expression()?;
                StmtKind::Profile(label, self.statements_to(&["endprofile"])?)
            }
            "do" => {
                self.next();
                StmtKind::Do(self.tuple(true, &[], false)?)
            }
            "break" => {
                self.inside_loop()?;
                StmtKind::Break
            }
            "continue" => {
                self.inside_loop()?;
                StmtKind::Continue
            }
            "print" => {
                self.next();
                let mut first = true;
                while *self.tok() != Tok::BlockEnd {
                    if !first {
                        self.expect_op(",")?;
                    }
                    first = false;
                    let expr = self.expression()?;
                    into.push(Stmt {
                        pos: expr.pos,
                        kind: StmtKind::Print(expr),
                    });
                }
                self.tags.pop();
                return Ok(());
            }
            "block" => self.block()?,
            "extends" => {
                self.next();
                StmtKind::Extends(self.expression()?)
            }
            "autoescape" => {
                self.next();
                self.expression()?;
                StmtKind::Scope(self.statements_to(&["endautoescape"])?)
            }
            _ => {
                self.tags.pop();
                return Err(self.lost(Some(&name), pos));
            }
        };
        self.tags.pop();
        into.push(Stmt { kind, pos });
        Ok(())
    }

    fn for_loop(&mut self) -> Res<StmtKind> {
        self.next();
        let target = self.target(&["in"], false)?;
        self.expect_name("in")?;
        let items = self.tuple(false, &["recursive"], false)?;
        let test = if self.skip_name("if") {
            Some(self.expression()?)
        } else {
            None
        };
        let recursive = self.skip_name("recursive");
        let body = self.statements(&["endfor", "else"])?;
        let otherwise = if self.next().tok.is_name("else") {
            self.statements_to(&["endfor"])?
        } else {
            Vec::new()
        };
        Ok(StmtKind::For(Arc::new(For {
            target,
            items,
            test,
            recursive,
            body,
            otherwise,
        })))
    }

    /// Takes `break` or `continue`, which have no meaning outside a loop. Macros and blocks are not part of one.
    fn inside_loop(&mut self) -> Res<()> {
        let token = self.next();
        let around = self.tags.iter().rev().map(|tag| &*tag.0);
        let nearest = around
            .into_iter()
            .find(|tag| matches!(*tag, "for" | "macro" | "call" | "block"));
        if nearest == Some("for") {
            return Ok(());
        }
        let wrong = match &token.tok {
            Tok::Name(name) if &**name == "continue" => "'continue' not properly in loop",
            _ => "'break' outside loop",
        };
        Err(self.fail(wrong, token.pos))
    }

    fn condition(&mut self) -> Res<StmtKind> {
        self.next();
        let mut arms = Vec::new();
        loop {
            let test = self.tuple(false, &[], false)?;
            let body = self.statements(&["elif", "else", "endif"])?;
            arms.push((test, body));
            let token = self.next();
            if token.tok.is_name("elif") {
                continue;
            }
            let otherwise = if token.tok.is_name("else") {
                self.statements_to(&["endif"])?
            } else {
                Vec::new()
            };
            return Ok(StmtKind::If(arms, otherwise));
        }
    }

    fn set(&mut self) -> Res<StmtKind> {
        self.next();
        let target = self.target(&[], true)?;
        if self.skip_op("=") {
            return Ok(StmtKind::Set(target, self.tuple(true, &[], false)?));
        }
        let filter = self.filters(None, false)?;
        let body = self.statements_to(&["endset"])?;
        Ok(StmtKind::SetBlock(target, filter, body))
    }

    fn with(&mut self) -> Res<StmtKind> {
        self.next();
        let mut values = Vec::new();
        while *self.tok() != Tok::BlockEnd {
            if !values.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect_op("=")?;
            values.push((target, self.expression()?));
        }
        Ok(StmtKind::With(values, self.statements_to(&["endwith"])?))
    }

    fn block(&mut self) -> Res<StmtKind> {
        self.next();
        let (name, pos) = self.identifier()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.tok().is_op("-") {
            return Err(self.fail(
                "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, \
                 use an underscore instead.",
                pos,
            ));
        }
        let body = self.statements_to(&["endblock"])?;
        self.skip_name(&name);
        if self.blocks.iter().any(|block| block.name == name) {
            return Err(self.fail(format!("block '{name}' defined twice"), pos));
        }
        let block = Arc::new(Block {
            name,
            scoped,
            required,
            body,
        });
        self.blocks.push(block.clone());
        Ok(StmtKind::Block(block))
    }

    /// `with context` or `without context`, if it is there.
    fn context(&mut self) -> Option<bool> {
        let with = self.tok().is_name("with");
        if (with || self.tok().is_name("without")) && self.look().is_name("context") {
            self.next();
            self.next();
            Some(with)
        } else {
            None
        }
    }

    fn include(&mut self) -> Res<StmtKind> {
        self.next();
        let template = self.expression()?;
        let ignore_missing = self.tok().is_name("ignore") && self.look().is_name("missing");
        if ignore_missing {
            self.next();
            self.next();
        }
        Ok(StmtKind::Include {
            template,
            ignore_missing,
            with_context: self.context().unwrap_or(true),
        })
    }

    fn import(&mut self, load: Option<&'static str>) -> Res<StmtKind> {
        self.next();
        let template = self.expression()?;
        self.expect_name("as")?;
        let (target, _) = self.identifier()?;
        Ok(StmtKind::Import {
            template,
            target,
            with_context: self.context().unwrap_or(false),
            load,
        })
    }

    fn import_names(&mut self) -> Res<StmtKind> {
        self.next();
        let template = self.expression()?;
        self.expect_name("import")?;
        let mut names: Vec<(Name, Name)> = Vec::new();
        let with_context = loop {
            if !names.is_empty() {
                self.expect_op(",")?;
            }
            if let Some(with) = self.context() {
                break with;
            }
            let (name, pos) = self.identifier()?;
            if name.starts_with('_') {
                return Err(self.fail("names starting with an underline can not be imported", pos));
            }
            let alias = if self.skip_name("as") {
                self.identifier()?.0
            } else {
                name.clone()
            };
            names.push((name, alias));
            if let Some(with) = self.context() {
                break with;
            }
            if !self.tok().is_op(",") {
                break false;
            }
        };
        Ok(StmtKind::FromImport {
            template,
            names,
            with_context,
        })
    }

    fn load(&mut self, filter: &'static str) -> Res<StmtKind> {
        self.next();
        self.expect_name("as")?;
        let target = self.target(&[], false)?;
        let body = self.statements_to(&["endload"])?;
        Ok(StmtKind::Load(filter, target, body))
    }

    fn signature(&mut self) -> Res<Params> {
        let mut params: Params = Vec::new();
        self.expect_op("(")?;
        while !self.tok().is_op(")") {
            if !params.is_empty() {
                self.expect_op(",")?;
            }
            let (name, pos) = self.identifier()?;
            let default = if self.skip_op("=") {
                Some(self.expression()?)
            } else if params.iter().any(|(_, default)| default.is_some()) {
                return Err(self.fail("non-default argument follows default argument", pos));
            } else {
                None
            };
            params.push((name, default));
        }
        self.expect_op(")")?;
        Ok(params)
    }

    /// A macro's parts after its parameters.
    fn macro_body(&mut self, name: Name, params: Params, end: &'static [&'static str]) -> Res<Arc<Macro>> {
        self.macros.push(Mentions::default());
        let body = self.statements_to(end)?;
        let mentions = self.macros.pop().unwrap_or_default();
        if let Some(outer) = self.macros.last_mut() {
            outer.caller |= mentions.caller;
            outer.varargs |= mentions.varargs;
            outer.kwargs |= mentions.kwargs;
        }
        let declared = |special: &str| params.iter().any(|(name, _)| &**name == special);
        Ok(Arc::new(Macro {
            caller: mentions.caller && !declared("caller"),
            varargs: mentions.varargs && !declared("varargs"),
            kwargs: mentions.kwargs && !declared("kwargs"),
            name,
            params,
            body,
        }))
    }

    fn macro_definition(&mut self) -> Res<StmtKind> {
        self.next();
        let (name, _) = self.identifier()?;
        let params = self.signature()?;
        Ok(StmtKind::Macro(self.macro_body(name, params, &["endmacro"])?))
    }

    fn call_block(&mut self) -> Res<StmtKind> {
        let pos = self.next().pos;
        let params = if self.tok().is_op("(") {
            self.signature()?
        } else {
            Params::new()
        };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(self.fail("expected call", pos));
        }
        let body = self.macro_body(Arc::from("caller"), params, &["endcall"])?;
        Ok(StmtKind::CallBlock(call, body))
    }

    fn filter_block(&mut self) -> Res<StmtKind> {
        let pos = self.next().pos;
        let Some(filter) = self.filters(None, true)? else {
            return Err(self.fail("expected a filter", pos));
        };
        Ok(StmtKind::FilterBlock(filter, self.statements_to(&["endfilter"])?))
    }

    /// What an assignment writes to, up to a name in `ends`.
    pub(super) fn target(&mut self, ends: &[&str], namespace: bool) -> Res<Target> {
        let expr = self.target_tuple(ends, namespace)?;
        Ok(expr)
    }

    fn target_tuple(&mut self, ends: &[&str], namespace: bool) -> Res<Target> {
        let mut parts = Vec::new();
        let mut tuple = false;
        loop {
            let at_end = matches!(self.tok(), Tok::PrintEnd | Tok::BlockEnd)
                || self.tok().is_op(")")
                || self.tok().is_op("=")
                || ends.iter().any(|end| self.tok().is_name(end));
            if at_end {
                break;
            }
            parts.push(self.target_part(ends, namespace)?);
            if !self.skip_op(",") {
                break;
            }
            tuple = true;
        }
        if tuple {
            return Ok(Target::Tuple(parts));
        }
        parts.pop().ok_or_else(|| {
            self.fail(
                format!("Expected an expression, got {}", self.described()),
                self.pos(),
            )
        })
    }

    fn target_part(&mut self, ends: &[&str], namespace: bool) -> Res<Target> {
        let pos = self.pos();
        if self.skip_op("(") {
            self.enter()?;
            let inner = self.target_tuple(ends, namespace)?;
            self.leave();
            self.expect_op(")")?;
            return Ok(inner);
        }
        let Tok::Name(name) = self.tok().clone() else {
            let kind = match self.tok() {
                Tok::Text(_) | Tok::Int(_) | Tok::Float(_) => "const",
                Tok::Op("[") => "list",
                Tok::Op("{") => "dict",
                _ => return Err(self.fail(format!("unexpected {}", self.described()), pos)),
            };
            return Err(self.fail(format!("can't assign to '{kind}'"), pos));
        };
        if matches!(&*name, "true" | "false" | "True" | "False" | "none" | "None") {
            return Err(self.fail("can't assign to 'const'", pos));
        }
        self.next();
        if namespace && self.skip_op(".") {
            let (attribute, _) = self.identifier()?;
            return Ok(Target::Namespace(name, attribute));
        }
        Ok(Target::Name(name))
    }
}
