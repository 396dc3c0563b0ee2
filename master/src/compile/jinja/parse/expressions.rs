//! Expressions, by the precedence Jinja gives its operators.

use std::sync::Arc;

use super::ast::{Args, CompareOp, Const, Expr, ExprKind, MathOp, Pos};
use super::parser::Parser;
use super::tokens::Tok;
use crate::compile::jinja::error::Res;

/// Arithmetic, loosest first. `~` binds between the first two levels.
const SUMS: &[(&str, MathOp)] = &[("+", MathOp::Add), ("-", MathOp::Sub)];
const PRODUCTS: &[(&str, MathOp)] = &[
    ("*", MathOp::Mul),
    ("/", MathOp::Div),
    ("//", MathOp::FloorDiv),
    ("%", MathOp::Mod),
];
const COMPARISONS: &[(&str, CompareOp)] = &[
    ("==", CompareOp::Eq),
    ("!=", CompareOp::Ne),
    ("<", CompareOp::Lt),
    ("<=", CompareOp::Le),
    (">", CompareOp::Gt),
    (">=", CompareOp::Ge),
];

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn node(kind: ExprKind, pos: Pos) -> Expr {
    Expr { kind, pos }
}

impl Parser {
    /// A full expression.
    pub(super) fn expression(&mut self) -> Res<Expr> {
        self.enter()?;
        let mut value = self.disjunction()?;
        while self.skip_name("if") {
            let test = self.disjunction()?;
            let otherwise = if self.skip_name("else") {
                Some(boxed(self.expression()?))
            } else {
                None
            };
            let pos = value.pos;
            value = node(ExprKind::Cond(boxed(test), boxed(value), otherwise), pos);
        }
        self.leave();
        Ok(value)
    }

    /// An expression, or several separated by commas, which make a tuple. `conditional` allows `a if b`; `ends` are
    /// names that end it; an empty one is only allowed in parentheses.
    pub(super) fn tuple(&mut self, conditional: bool, ends: &[&str], parentheses: bool) -> Res<Expr> {
        let pos = self.pos();
        let mut items = Vec::new();
        let mut tuple = false;
        loop {
            let at_end = matches!(self.tok(), Tok::PrintEnd | Tok::BlockEnd)
                || self.tok().is_op(")")
                || ends.iter().any(|end| self.tok().is_name(end));
            if at_end {
                break;
            }
            items.push(if conditional {
                self.expression()?
            } else {
                self.enter()?;
                let item = self.disjunction()?;
                self.leave();
                item
            });
            if !self.skip_op(",") {
                break;
            }
            tuple = true;
        }
        if !tuple {
            if let Some(item) = items.pop() {
                return Ok(item);
            }
            if !parentheses {
                let message = format!("Expected an expression, got {}", self.described());
                return Err(self.fail(message, self.pos()));
            }
        }
        Ok(node(ExprKind::Tuple(items), pos))
    }

    fn disjunction(&mut self) -> Res<Expr> {
        let mut left = self.conjunction()?;
        while self.skip_name("or") {
            let right = self.conjunction()?;
            let pos = left.pos;
            left = node(ExprKind::Or(boxed(left), boxed(right)), pos);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Res<Expr> {
        let mut left = self.negation()?;
        while self.skip_name("and") {
            let right = self.negation()?;
            let pos = left.pos;
            left = node(ExprKind::And(boxed(left), boxed(right)), pos);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Res<Expr> {
        let pos = self.pos();
        if self.skip_name("not") {
            self.enter()?;
            let inner = self.negation()?;
            self.leave();
            return Ok(node(ExprKind::Not(boxed(inner)), pos));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Res<Expr> {
        let left = self.sum()?;
        let mut tests = Vec::new();
        loop {
            let symbol = match self.tok() {
                Tok::Op(op) => COMPARISONS.iter().find(|(text, _)| text == op).map(|(_, op)| *op),
                _ => None,
            };
            let op = if let Some(op) = symbol {
                self.next();
                op
            } else if self.skip_name("in") {
                CompareOp::In
            } else if self.tok().is_name("not") && self.look().is_name("in") {
                self.next();
                self.next();
                CompareOp::NotIn
            } else {
                break;
            };
            tests.push((op, self.sum()?));
        }
        if tests.is_empty() {
            return Ok(left);
        }
        let pos = left.pos;
        Ok(node(ExprKind::Compare(boxed(left), tests), pos))
    }

    fn sum(&mut self) -> Res<Expr> {
        let mut left = self.concatenation()?;
        while let Some(op) = self.math(SUMS) {
            let right = self.concatenation()?;
            let pos = left.pos;
            left = node(ExprKind::Math(op, boxed(left), boxed(right)), pos);
        }
        Ok(left)
    }

    fn concatenation(&mut self) -> Res<Expr> {
        let first = self.product()?;
        if !self.tok().is_op("~") {
            return Ok(first);
        }
        let pos = first.pos;
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(node(ExprKind::Concat(parts), pos))
    }

    fn product(&mut self) -> Res<Expr> {
        let mut left = self.power()?;
        while let Some(op) = self.math(PRODUCTS) {
            let right = self.power()?;
            let pos = left.pos;
            left = node(ExprKind::Math(op, boxed(left), boxed(right)), pos);
        }
        Ok(left)
    }

    /// Unlike Python, Jinja's `**` groups from the left.
    fn power(&mut self) -> Res<Expr> {
        let mut left = self.unary(true)?;
        while self.skip_op("**") {
            let right = self.unary(true)?;
            let pos = left.pos;
            left = node(ExprKind::Math(MathOp::Pow, boxed(left), boxed(right)), pos);
        }
        Ok(left)
    }

    fn math(&mut self, level: &[(&str, MathOp)]) -> Option<MathOp> {
        let Tok::Op(op) = self.tok() else { return None };
        let found = level.iter().find(|(text, _)| text == op)?.1;
        self.next();
        Some(found)
    }

    fn unary(&mut self, filters: bool) -> Res<Expr> {
        let pos = self.pos();
        let value = if self.skip_op("-") {
            self.enter()?;
            let inner = self.unary(false)?;
            self.leave();
            node(ExprKind::Neg(boxed(inner)), pos)
        } else if self.skip_op("+") {
            self.enter()?;
            let inner = self.unary(false)?;
            self.leave();
            node(ExprKind::Plus(boxed(inner)), pos)
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        if filters {
            self.filters_and_tests(value)
        } else {
            Ok(value)
        }
    }

    fn primary(&mut self) -> Res<Expr> {
        let token = self.token().clone();
        let pos = token.pos;
        let kind = match token.tok {
            Tok::Name(name) => {
                self.next();
                match &*name {
                    "true" | "True" => ExprKind::Const(Const::Bool(true)),
                    "false" | "False" => ExprKind::Const(Const::Bool(false)),
                    "none" | "None" => ExprKind::Const(Const::None),
                    special => {
                        for mentions in &mut self.macros {
                            mentions.caller |= special == "caller";
                            mentions.varargs |= special == "varargs";
                            mentions.kwargs |= special == "kwargs";
                        }
                        ExprKind::Name(name)
                    }
                }
            }
            Tok::Text(text) => {
                self.next();
                let mut text = text;
                while let Tok::Text(more) = self.tok() {
                    text.push_str(more);
                    self.next();
                }
                ExprKind::Const(Const::Text(Arc::from(text)))
            }
            Tok::Int(value) => {
                self.next();
                ExprKind::Const(Const::Int(value))
            }
            Tok::Float(value) => {
                self.next();
                ExprKind::Const(Const::Float(value))
            }
            Tok::Op("(") => {
                self.next();
                let inner = self.tuple(true, &[], true)?;
                self.expect_op(")")?;
                return Ok(inner);
            }
            Tok::Op("[") => self.list()?,
            Tok::Op("{") => self.dict()?,
            _ => return Err(self.fail(format!("unexpected {}", self.described()), pos)),
        };
        Ok(node(kind, pos))
    }

    fn list(&mut self) -> Res<ExprKind> {
        self.next();
        let mut items = Vec::new();
        while !self.tok().is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.tok().is_op("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(ExprKind::List(items))
    }

    fn dict(&mut self) -> Res<ExprKind> {
        self.next();
        let mut items = Vec::new();
        while !self.tok().is_op("}") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.tok().is_op("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            items.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(ExprKind::Dict(items))
    }

    fn postfix(&mut self, mut value: Expr) -> Res<Expr> {
        loop {
            let pos = self.pos();
            if self.skip_op(".") {
                let token = self.next();
                let kind = match token.tok {
                    Tok::Name(name) => ExprKind::Attr(boxed(value), name),
                    Tok::Int(index) => {
                        let index = node(ExprKind::Const(Const::Int(index)), token.pos);
                        ExprKind::Item(boxed(value), boxed(index))
                    }
                    _ => return Err(self.fail("expected name or number", token.pos)),
                };
                value = node(kind, pos);
            } else if self.tok().is_op("[") {
                value = self.subscript(value)?;
            } else if self.tok().is_op("(") {
                let args = self.args()?;
                value = node(ExprKind::Call(boxed(value), args), pos);
            } else {
                return Ok(value);
            }
        }
    }

    fn subscript(&mut self, value: Expr) -> Res<Expr> {
        let pos = self.next().pos;
        let mut parts = Vec::new();
        while !self.tok().is_op("]") {
            if !parts.is_empty() {
                self.expect_op(",")?;
            }
            parts.push(self.subscribed()?);
        }
        self.expect_op("]")?;
        let single = parts.len() == 1;
        let index = match parts.pop() {
            Some(part) if single => part,
            last => {
                parts.extend(last);
                node(ExprKind::Tuple(parts), pos)
            }
        };
        Ok(node(ExprKind::Item(boxed(value), boxed(index)), pos))
    }

    /// One index, or a slice.
    fn subscribed(&mut self) -> Res<Expr> {
        let pos = self.pos();
        let mut parts: [Option<Expr>; 3] = [None, None, None];
        if !self.tok().is_op(":") {
            let first = self.expression()?;
            if !self.tok().is_op(":") {
                return Ok(first);
            }
            parts[0] = Some(first);
        }
        for part in parts.iter_mut().skip(1) {
            if !self.skip_op(":") {
                break;
            }
            if !(self.tok().is_op(":") || self.tok().is_op("]") || self.tok().is_op(",")) {
                *part = Some(self.expression()?);
            }
        }
        Ok(node(ExprKind::Slice(Box::new(parts)), pos))
    }

    fn args(&mut self) -> Res<Args> {
        let start = self.expect_op("(")?.pos;
        let mut args = Args::default();
        let mut first = true;
        while !self.tok().is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.tok().is_op(")") {
                    break;
                }
            }
            first = false;
            let fits = if self.skip_op("*") {
                let fits = args.star.is_none() && args.double_star.is_none();
                args.star = Some(boxed(self.expression()?));
                fits
            } else if self.skip_op("**") {
                let fits = args.double_star.is_none();
                args.double_star = Some(boxed(self.expression()?));
                fits
            } else if matches!(self.tok(), Tok::Name(_)) && self.look().is_op("=") {
                let (name, _) = self.identifier()?;
                self.next();
                let fits = args.double_star.is_none();
                if args.keywords.iter().any(|(known, _)| *known == name) {
                    return Err(self.fail(format!("keyword argument repeated: {name}"), start));
                }
                let value = self.expression()?;
                args.keywords.push((name, value));
                fits
            } else {
                let fits = args.star.is_none() && args.double_star.is_none() && args.keywords.is_empty();
                let value = self.expression()?;
                args.positional.push(value);
                fits
            };
            if !fits {
                return Err(self.fail("invalid syntax for function call expression", start));
            }
        }
        self.expect_op(")")?;
        Ok(args)
    }

    fn filters_and_tests(&mut self, mut value: Expr) -> Res<Expr> {
        loop {
            let pos = self.pos();
            if self.tok().is_op("|") {
                value = match self.filters(Some(value), false)? {
                    Some(filtered) => filtered,
                    None => return Err(self.fail("expected a filter", pos)),
                };
            } else if self.tok().is_name("is") {
                value = self.test(value)?;
            } else if self.tok().is_op("(") {
                let args = self.args()?;
                value = node(ExprKind::Call(boxed(value), args), pos);
            } else {
                return Ok(value);
            }
        }
    }

    fn dotted(&mut self) -> Res<(Arc<str>, Pos)> {
        let (mut name, pos) = self.identifier()?;
        while self.skip_op(".") {
            let (more, _) = self.identifier()?;
            name = Arc::from(format!("{name}.{more}"));
        }
        Ok((name, pos))
    }

    /// A chain of filters; `inline` when the first one comes without a `|`.
    pub(super) fn filters(&mut self, value: Option<Expr>, inline: bool) -> Res<Option<Expr>> {
        let mut value = value;
        let mut inline = inline;
        while inline || self.skip_op("|") {
            inline = false;
            let (name, pos) = self.dotted()?;
            let args = if self.tok().is_op("(") {
                self.args()?
            } else {
                Args::default()
            };
            value = Some(node(ExprKind::Filter(value.map(boxed), name, args), pos));
        }
        Ok(value)
    }

    fn test(&mut self, value: Expr) -> Res<Expr> {
        let pos = self.next().pos;
        let negated = self.skip_name("not");
        let (name, _) = self.dotted()?;
        let mut args = Args::default();
        if self.tok().is_op("(") {
            args = self.args()?;
        } else {
            let takes = match self.tok() {
                Tok::Name(next) => !matches!(&**next, "else" | "or" | "and"),
                Tok::Text(_) | Tok::Int(_) | Tok::Float(_) => true,
                tok => tok.is_op("[") || tok.is_op("{"),
            };
            if takes {
                if self.tok().is_name("is") {
                    return Err(self.fail("You cannot chain multiple tests with is", self.pos()));
                }
                let arg = self.primary()?;
                args.positional.push(self.postfix(arg)?);
            }
        }
        let test = node(ExprKind::Test(boxed(value), name, args), pos);
        Ok(if negated {
            node(ExprKind::Not(boxed(test)), pos)
        } else {
            test
        })
    }
}
