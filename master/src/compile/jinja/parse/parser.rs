//! The parser's state: its place among the tokens, the open tags, and the errors about them.

use std::sync::Arc;

use super::ast::{Block, Name, Pos, Stmt, StmtKind, Tree};
use super::tokens::{Tok, Token};
use crate::compile::jinja::error::{Fault, Res, fault};
use crate::compile::jinja::wanted::Among;

/// What may begin a tag.
const TAGS: [&str; 22] = [
    "for",
    "if",
    "set",
    "macro",
    "call",
    "filter",
    "with",
    "include",
    "import",
    "import_yaml",
    "import_json",
    "import_text",
    "from",
    "load_yaml",
    "load_json",
    "load_text",
    "profile",
    "do",
    "break",
    "continue",
    "block",
    "extends",
];

/// Which special names the body of an open macro mentions.
#[derive(Default, Clone, Copy)]
pub(super) struct Mentions {
    pub(super) caller: bool,
    pub(super) varargs: bool,
    pub(super) kwargs: bool,
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) macros: Vec<Mentions>,
    /// Open tags with their places.
    pub(super) tags: Vec<(Arc<str>, Pos)>,
    ends: Vec<&'static [&'static str]>,
    depth: usize,
    limit: usize,
}

impl Parser {
    pub(super) fn new(tokens: Vec<Token>, limit: usize) -> Self {
        Self {
            tokens,
            at: 0,
            blocks: Vec::new(),
            macros: Vec::new(),
            tags: Vec::new(),
            ends: Vec::new(),
            depth: 0,
            limit,
        }
    }

    /// The whole template. `failure` says why the tokens end early; whoever gets there first, this or an error of
    /// the grammar, is told.
    pub(super) fn template(mut self, failure: Option<Box<Fault>>) -> Res<Tree> {
        let body = match (self.body(&[]), failure) {
            (Err(_), Some(failure)) if *self.tok() == Tok::Broken => return Err(failure),
            (body, _) => body?,
        };
        Ok(Tree {
            body,
            blocks: self.blocks,
        })
    }

    pub(super) fn token(&self) -> &Token {
        // The last token is `End` and never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn tok(&self) -> &Tok {
        &self.token().tok
    }

    pub(super) fn pos(&self) -> Pos {
        self.token().pos
    }

    pub(super) fn look(&self) -> &Tok {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].tok
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.token().clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let there = self.tok().is_op(op);
        if there {
            self.next();
        }
        there
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let there = self.tok().is_name(name);
        if there {
            self.next();
        }
        there
    }

    pub(super) fn fail(&self, message: impl Into<String>, pos: Pos) -> Box<Fault> {
        fault::syntax(message).at(&Arc::from(""), pos)
    }

    fn wrong(&self, expected: &str) -> Box<Fault> {
        let expected = crate::compile::jinja::values::text::quote(expected);
        let message = if *self.tok() == Tok::End {
            format!("unexpected end of template, expected {expected}.")
        } else {
            format!("expected token {expected}, got {}", self.described())
        };
        self.fail(message, self.pos())
    }

    /// The current token as messages quote it.
    pub(super) fn described(&self) -> String {
        crate::compile::jinja::values::text::quote(&self.tok().describe())
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Res<Token> {
        if self.tok().is_op(op) {
            Ok(self.next())
        } else {
            Err(self.wrong(op))
        }
    }

    pub(super) fn expect_name(&mut self, name: &str) -> Res<Token> {
        if self.tok().is_name(name) {
            Ok(self.next())
        } else {
            Err(self.wrong(name))
        }
    }

    pub(super) fn expect(&mut self, tok: &Tok) -> Res<Token> {
        if self.tok() == tok {
            Ok(self.next())
        } else {
            Err(self.wrong(&tok.describe()))
        }
    }

    pub(super) fn identifier(&mut self) -> Res<(Name, Pos)> {
        let pos = self.pos();
        if let Tok::Name(name) = self.tok() {
            let name = name.clone();
            self.next();
            Ok((name, pos))
        } else {
            Err(self.wrong("name"))
        }
    }

    /// Counts one level of nesting; every success is paired with `leave`.
    pub(super) fn enter(&mut self) -> Res<()> {
        self.depth += 1;
        if self.depth > self.limit {
            return Err(fault::too_deep().at(&Arc::from(""), self.pos()));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Statements up to one of `ends`, which stays current; with no `ends` up to the end of the template.
    fn body(&mut self, ends: &'static [&'static str]) -> Res<Vec<Stmt>> {
        if !ends.is_empty() {
            self.ends.push(ends);
        }
        let mut body = Vec::new();
        loop {
            let token = self.token().clone();
            match token.tok {
                Tok::End => break,
                Tok::Data(text) => {
                    self.next();
                    body.push(Stmt {
                        kind: StmtKind::Text(text),
                        pos: token.pos,
                    });
                }
                Tok::PrintBegin => {
                    self.next();
                    let expr = self.tuple(true, &[], false)?;
                    body.push(Stmt {
                        pos: expr.pos,
                        kind: StmtKind::Print(expr),
                    });
                    self.expect(&Tok::PrintEnd)?;
                }
                Tok::BlockBegin => {
                    self.next();
                    if ends.iter().any(|end| self.tok().is_name(end)) {
                        self.ends.pop();
                        return Ok(body);
                    }
                    self.enter()?;
                    self.statement(&mut body)?;
                    self.leave();
                    self.expect(&Tok::BlockEnd)?;
                }
                other => {
                    return Err(self.fail(format!("unexpected '{}'", other.describe()), token.pos));
                }
            }
        }
        if !ends.is_empty() {
            return Err(self.lost(None, self.pos()));
        }
        Ok(body)
    }

    /// The body of a tag, from the end of its opening up to one of `ends`, which stays current.
    pub(super) fn statements(&mut self, ends: &'static [&'static str]) -> Res<Vec<Stmt>> {
        self.skip_op(":");
        self.expect(&Tok::BlockEnd)?;
        self.body(ends)
    }

    /// The same, and the end is passed.
    pub(super) fn statements_to(&mut self, ends: &'static [&'static str]) -> Res<Vec<Stmt>> {
        let body = self.statements(ends)?;
        self.next();
        Ok(body)
    }

    /// The error about an unknown tag, or about the end of the template with tags still open.
    pub(super) fn lost(&self, name: Option<&str>, pos: Pos) -> Box<Fault> {
        let mut message = name.map_or_else(
            || "Unexpected end of template.".to_owned(),
            |name| format!("Encountered unknown tag '{name}'."),
        );
        if let Some(ends) = self.ends.last() {
            let looking: Vec<String> = ends.iter().map(|end| format!("'{end}'")).collect();
            let looking = looking.join(" or ");
            if name.is_some_and(|name| self.ends.iter().any(|ends| ends.contains(&name))) {
                message.push_str(&format!(
                    " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                ));
            } else {
                message.push_str(&format!(" Jinja was looking for the following tags: {looking}."));
            }
        }
        let Some((tag, opened)) = self.tags.last() else {
            return self
                .fail(message, pos)
                .wanting(name.unwrap_or_default(), Among::names(TAGS));
        };
        message.push_str(&format!(
            " The innermost block that needs to be closed is '{tag}'."
        ));
        let ends = self.ends.iter().flat_map(|ends| ends.iter().copied());
        let known = Among::names(ends.chain(TAGS));
        self.fail(message, pos)
            .through(&Arc::from(""), *opened, &format!("`{tag}` begins here"))
            .wanting(name.unwrap_or_default(), known)
    }
}
