//! Tokens, and how error messages call them.

use std::sync::Arc;

use super::ast::Pos;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok {
    Data(String),
    BlockBegin,
    BlockEnd,
    PrintBegin,
    PrintEnd,
    Name(Arc<str>),
    Text(String),
    Int(i128),
    Float(f64),
    Op(&'static str),
    End,
    /// The text cannot be read on.
    Broken,
}

/// A token and its place.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) tok: Tok,
    pub(super) pos: Pos,
}

impl Tok {
    /// What Jinja calls it in `expected token …, got …`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Data(_) => "template data / text".to_owned(),
            Self::BlockBegin => "begin of statement block".to_owned(),
            Self::BlockEnd => "end of statement block".to_owned(),
            Self::PrintBegin => "begin of print statement".to_owned(),
            Self::PrintEnd => "end of print statement".to_owned(),
            Self::Name(name) => name.to_string(),
            Self::Text(_) => "string".to_owned(),
            Self::Int(_) => "integer".to_owned(),
            Self::Float(_) => "float".to_owned(),
            Self::Op(op) => (*op).to_owned(),
            Self::End | Self::Broken => "end of template".to_owned(),
        }
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self, Self::Op(this) if *this == op)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(this) if &**this == name)
    }
}
