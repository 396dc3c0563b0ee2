//! The tree of a parsed template.
//!
//! Only shapes: no behaviour. Parts that objects of the running template keep (macros, loops) are shared by `Arc`,
//! so a tree can be cached and used from several threads at once.

use std::sync::Arc;

/// A name in a template.
pub(crate) type Name = Arc<str>;

/// Where something stands in its file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pos {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A whole template.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) body: Vec<Stmt>,
    /// `{% block %}`s by name, in order of appearance.
    pub(crate) blocks: Vec<Arc<Block>>,
}

/// A statement.
#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) kind: StmtKind,
    pub(crate) pos: Pos,
}

/// What a statement is.
#[derive(Debug)]
pub(crate) enum StmtKind {
    /// Text as it stands.
    Text(String),
    /// `{{ … }}`, or one value of `{% print %}`.
    Print(Expr),
    For(Arc<For>),
    /// Conditions with their bodies, tried in order, and what follows `else`.
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Option<Expr>, Vec<Stmt>),
    Macro(Arc<Macro>),
    CallBlock(Expr, Arc<Macro>),
    FilterBlock(Expr, Vec<Stmt>),
    Block(Arc<Block>),
    Extends(Expr),
    Include {
        template: Expr,
        ignore_missing: bool,
        with_context: bool,
    },
    Import {
        template: Expr,
        target: Name,
        with_context: bool,
        /// The filter a Salt `import_yaml`, `import_json` or `import_text` puts the text through.
        load: Option<&'static str>,
    },
    FromImport {
        template: Expr,
        names: Vec<(Name, Name)>,
        with_context: bool,
    },
    /// `{% load_yaml as x %}…{% endload %}`: the filter, the target, the body.
    Load(&'static str, Target, Vec<Stmt>),
    /// `{% profile as label %}…{% endprofile %}`.
    Profile(Expr, Vec<Stmt>),
    /// A body in a scope of its own (`autoescape`).
    Scope(Vec<Stmt>),
    Do(Expr),
    Break,
    Continue,
}

/// `{% for target in items if test recursive %}`.
#[derive(Debug)]
pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) items: Expr,
    pub(crate) test: Option<Expr>,
    pub(crate) recursive: bool,
    pub(crate) body: Vec<Stmt>,
    pub(crate) otherwise: Vec<Stmt>,
}

/// `{% block name %}`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) name: Name,
    pub(crate) scoped: bool,
    pub(crate) required: bool,
    pub(crate) body: Vec<Stmt>,
}

/// `{% macro name(args) %}`, and the body of a call block.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) name: Name,
    pub(crate) params: Vec<(Name, Option<Expr>)>,
    pub(crate) body: Vec<Stmt>,
    /// Whether the body speaks of `caller`, `varargs`, `kwargs`: only then the macro takes them.
    pub(crate) caller: bool,
    pub(crate) varargs: bool,
    pub(crate) kwargs: bool,
}

/// What an assignment writes to.
#[derive(Debug)]
pub(crate) enum Target {
    Name(Name),
    /// `ns.attribute`.
    Namespace(Name, Name),
    Tuple(Vec<Target>),
}

/// An expression.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) pos: Pos,
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Const {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Arc<str>),
}

/// What an expression is.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Const(Const),
    Name(Name),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// Test, value, otherwise.
    Cond(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Plus(Box<Expr>),
    Math(MathOp, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(CompareOp, Expr)>),
    Attr(Box<Expr>, Name),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Args),
    /// The value is absent in filter blocks and `{% set x | filter %}`.
    Filter(Option<Box<Expr>>, Name, Args),
    Test(Box<Expr>, Name, Args),
}

/// Arguments of a call, a filter or a test.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) positional: Vec<Expr>,
    pub(crate) keywords: Vec<(Name, Expr)>,
    pub(crate) star: Option<Box<Expr>>,
    pub(crate) double_star: Option<Box<Expr>>,
}

/// An operator of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MathOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
