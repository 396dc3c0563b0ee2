//! Text to tokens: delimiters, whitespace control, raw blocks, comments, line statements.
//!
//! Line ends are normalised before; places are those of the file.

use std::sync::Arc;

use super::ast::Pos;
use super::numbers::number;
use super::openings::{Opening, Openings};
use super::strings::unescape;
use super::tokens::{Tok, Token};
use crate::compile::jinja::JinjaEnv;
use crate::compile::jinja::error::{Fault, Res, fault};

/// Longest first, so that the first that fits is right.
const OPERATORS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

struct Lexer<'a> {
    text: &'a str,
    env: &'a JinjaEnv,
    at: usize,
    skipped: Option<u32>,
    /// Place of `marked`, advanced as tokens are made.
    line: u32,
    column: u32,
    marked: usize,
    openings: Openings,
    tokens: Vec<Token>,
}

/// All tokens of `text`, the last one being `End`; or, where it cannot be read on, those before, `Broken` and why.
pub(super) fn tokens(text: &str, env: &JinjaEnv, skipped: Option<u32>) -> (Vec<Token>, Option<Box<Fault>>) {
    let normal;
    let mut text = text;
    if text.contains('\r') {
        normal = text.replace("\r\n", "\n").replace('\r', "\n");
        text = &normal;
    }
    if !env.keep_trailing_newline {
        text = text.strip_suffix('\n').unwrap_or(text);
    }
    let mut lexer = Lexer {
        text,
        env,
        at: 0,
        skipped,
        line: 1,
        column: 1,
        marked: 0,
        openings: Openings::new(env),
        tokens: Vec::new(),
    };
    let failure = lexer.run().err();
    let pos = lexer
        .tokens
        .last()
        .map_or(Pos { line: 1, column: 1 }, |token| token.pos);
    let tok = if failure.is_some() { Tok::Broken } else { Tok::End };
    lexer.tokens.push(Token { tok, pos });
    (lexer.tokens, failure)
}

impl Lexer<'_> {
    fn run(&mut self) -> Res<()> {
        loop {
            let start = self.at;
            let line_starting = start == 0 || self.text[..start].ends_with('\n');
            let Some((found, opening)) = self.next_opening() else {
                self.data(start, self.text.len());
                return Ok(());
            };
            let (after, sign) = self.open(found, opening);
            let mut end = found;
            let text = &self.text[start..found];
            if sign == Some('-') {
                end = start + text.trim_end().len();
            } else if sign != Some('+')
                && self.env.lstrip_blocks
                && !matches!(opening, Opening::Print)
                && !matches!(opening, Opening::LineStatement | Opening::LineComment)
            {
                end = self.lstrip(start, found, line_starting);
            }
            self.data(start, end);
            self.at = after;
            match opening {
                Opening::Comment => self.comment(found)?,
                Opening::Raw => self.raw(found)?,
                Opening::LineComment => {
                    self.at = self.text[self.at..]
                        .find('\n')
                        .map_or(self.text.len(), |i| self.at + i);
                }
                Opening::Block => {
                    self.push(found, Tok::BlockBegin);
                    self.inside(Opening::Block)?;
                }
                Opening::Print => {
                    self.push(found, Tok::PrintBegin);
                    self.inside(Opening::Print)?;
                }
                Opening::LineStatement => {
                    self.push(found, Tok::BlockBegin);
                    self.inside(Opening::LineStatement)?;
                }
            }
        }
    }

    /// Where a piece of text ends when blanks before a block at the start of a line go too.
    fn lstrip(&self, start: usize, found: usize, line_starting: bool) -> usize {
        let text = &self.text[start..found];
        let last_line = text.rfind('\n').map_or(0, |i| i + 1);
        if (last_line > 0 || line_starting)
            && !text[last_line..].is_empty()
            && text[last_line..].chars().all(char::is_whitespace)
        {
            start + last_line
        } else {
            found
        }
    }

    fn place(&mut self, offset: usize) -> Pos {
        if offset < self.marked {
            self.line = 1;
            self.column = 1;
            self.marked = 0;
        }
        // Only what is new is counted, so that a long line does not cost its length again for each token.
        for c in self.text[self.marked..offset].chars() {
            if c == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.marked = offset;
        let line = match self.skipped {
            Some(skipped) if self.line >= skipped => self.line + 1,
            _ => self.line,
        };
        Pos {
            line,
            column: self.column,
        }
    }

    fn push(&mut self, offset: usize, tok: Tok) {
        let pos = self.place(offset);
        self.tokens.push(Token { tok, pos });
    }

    fn data(&mut self, from: usize, to: usize) {
        if from < to {
            self.push(from, Tok::Data(self.text[from..to].to_owned()));
        }
    }

    fn fail(&mut self, offset: usize, message: impl Into<String>) -> Box<Fault> {
        let pos = self.place(offset);
        // The file is not known here; the caller names it.
        fault::syntax(message).at(&Arc::from(""), pos)
    }

    /// The next delimiter at or after the current place. At one place raw comes first, then the longest delimiter.
    fn next_opening(&mut self) -> Option<(usize, Opening)> {
        let (at, opening) = self.openings.next(self.text, self.at)?;
        if opening == Opening::Block && self.raw_begin(at).is_some() {
            return Some((at, Opening::Raw));
        }
        Some((at, opening))
    }

    /// The end of a `{% raw %}` tag that begins at `at`.
    fn raw_begin(&self, at: usize) -> Option<usize> {
        let rest = &self.text[at + self.env.block_start_string.len()..];
        let inner = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start();
        let inner = inner.strip_prefix("raw")?.trim_start();
        let end = &self.env.block_end_string;
        let after = if let Some(dashed) = inner.strip_prefix('-') {
            dashed.strip_prefix(end.as_str())?.trim_start()
        } else {
            inner.strip_prefix(end.as_str())?
        };
        Some(self.text.len() - after.len())
    }

    /// Where the inside of an opening begins, and its sign.
    fn open(&self, found: usize, opening: Opening) -> (usize, Option<char>) {
        let env = self.env;
        let delimiter = match opening {
            Opening::Comment => &env.comment_start_string,
            Opening::Block | Opening::Raw => &env.block_start_string,
            Opening::Print => &env.variable_start_string,
            Opening::LineStatement => env
                .line_statement_prefix
                .as_ref()
                .unwrap_or(&env.block_start_string),
            Opening::LineComment => env
                .line_comment_prefix
                .as_ref()
                .unwrap_or(&env.block_start_string),
        };
        let skipped = match opening {
            Opening::LineStatement | Opening::LineComment => {
                self.text[found..].len() - self.text[found..].trim_start().len()
            }
            _ => 0,
        };
        let after = found + skipped + delimiter.len();
        let sign = self.text[after..]
            .chars()
            .next()
            .filter(|c| matches!(c, '-' | '+'));
        match opening {
            Opening::Raw => (self.raw_begin(found).unwrap_or(after), sign),
            _ => (after + sign.map_or(0, char::len_utf8), sign),
        }
    }

    /// The end of a closing delimiter at `at`, blanks and line end it swallows included.
    fn close(&self, at: usize, delimiter: &str, print: bool) -> Option<usize> {
        let rest = &self.text[at..];
        if let Some(after) = rest.strip_prefix('-').and_then(|r| r.strip_prefix(delimiter)) {
            return Some(self.text.len() - after.trim_start().len());
        }
        if !print && let Some(after) = rest.strip_prefix('+').and_then(|r| r.strip_prefix(delimiter)) {
            return Some(self.text.len() - after.len());
        }
        let after = rest.strip_prefix(delimiter)?;
        let after = if self.env.trim_blocks && !print {
            after.strip_prefix('\n').unwrap_or(after)
        } else {
            after
        };
        Some(self.text.len() - after.len())
    }

    fn comment(&mut self, found: usize) -> Res<()> {
        if self.at == self.text.len() {
            // Jinja does not miss the end of a comment, or of raw text, that begins with the last character.
            return Ok(());
        }
        let end = self.env.comment_end_string.clone();
        let Some(i) = self.text[self.at..].find(&end) else {
            return Err(self.fail(found, "Missing end of comment tag"));
        };
        let mut close = self.at + i;
        if close > self.at && matches!(self.text.as_bytes()[close - 1], b'-' | b'+') {
            close -= 1;
        }
        self.at = self.close(close, &end, false).unwrap_or(close + end.len());
        Ok(())
    }

    fn raw(&mut self, found: usize) -> Res<()> {
        if self.at == self.text.len() {
            return Ok(());
        }
        let start = self.at;
        let mut from = start;
        let begin = self.env.block_start_string.clone();
        let end = self.env.block_end_string.clone();
        while let Some(i) = self.text[from..].find(&begin) {
            let open = from + i;
            let rest = &self.text[open + begin.len()..];
            let sign = rest.chars().next().filter(|c| matches!(c, '-' | '+'));
            let inner = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start();
            if let Some(inner) = inner.strip_prefix("endraw") {
                let at = self.text.len() - inner.trim_start().len();
                if let Some(after) = self.close(at, &end, false) {
                    let mut to = open;
                    if sign == Some('-') {
                        to = start + self.text[start..open].trim_end().len();
                    } else if sign != Some('+') && self.env.lstrip_blocks {
                        to = self.lstrip(start, open, false);
                    }
                    self.data(start, to);
                    self.at = after;
                    return Ok(());
                }
            }
            from = open + begin.len();
        }
        Err(self.fail(found, "Missing end of raw directive"))
    }

    /// The tokens of a block, a print or a line statement, up to its end.
    fn inside(&mut self, opening: Opening) -> Res<()> {
        let delimiter = match opening {
            Opening::Print => self.env.variable_end_string.clone(),
            _ => self.env.block_end_string.clone(),
        };
        let mut open: Vec<(char, usize)> = Vec::new();
        loop {
            if open.is_empty() {
                if opening == Opening::LineStatement {
                    let rest = &self.text[self.at..];
                    let line = rest.find('\n').unwrap_or(rest.len());
                    if rest[..line].trim().is_empty() {
                        self.push(self.at, Tok::BlockEnd);
                        self.at = (self.at + line + 1).min(self.text.len());
                        return Ok(());
                    }
                } else if let Some(after) = self.close(self.at, &delimiter, opening == Opening::Print) {
                    let tok = if opening == Opening::Print {
                        Tok::PrintEnd
                    } else {
                        Tok::BlockEnd
                    };
                    self.push(self.at, tok);
                    self.at = after;
                    return Ok(());
                }
            }
            let Some(c) = self.text[self.at..].chars().next() else {
                return Ok(());
            };
            let at = self.at;
            if c.is_whitespace() {
                self.at += c.len_utf8();
            } else if c.is_ascii_digit() {
                self.number()?;
            } else if c == '_' || c.is_alphanumeric() {
                let rest = &self.text[at..];
                let end = rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                if c.is_numeric() {
                    return Err(self.fail(at, "Invalid character in identifier"));
                }
                self.push(at, Tok::Name(Arc::from(&rest[..end])));
                self.at += end;
            } else if c == '\'' || c == '"' {
                self.string(c)?;
            } else {
                self.operator(&mut open)?;
            }
        }
    }

    fn string(&mut self, quote: char) -> Res<()> {
        let start = self.at;
        let mut escaped = false;
        for (i, c) in self.text[start + 1..].char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                let end = start + 1 + i;
                let pos = self.place(start);
                let value = unescape(&self.text[start + 1..end]).map_err(|f| f.at(&Arc::from(""), pos))?;
                self.push(start, Tok::Text(value));
                self.at = end + 1;
                return Ok(());
            }
        }
        Err(self.fail(start, format!("unexpected char {} at {start}", char_repr(quote))))
    }

    fn operator(&mut self, open: &mut Vec<(char, usize)>) -> Res<()> {
        let at = self.at;
        let rest = &self.text[at..];
        let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) else {
            let c = rest.chars().next().unwrap_or(' ');
            let offset = self.text[..at].chars().count();
            return Err(self.fail(at, format!("unexpected char {} at {offset}", char_repr(c))));
        };
        match *op {
            "(" => open.push((')', at)),
            "[" => open.push((']', at)),
            "{" => open.push(('}', at)),
            ")" | "]" | "}" => match open.pop() {
                None => return Err(self.fail(at, format!("unexpected '{op}'"))),
                Some((expected, _)) if *op != expected.to_string() => {
                    return Err(self.fail(at, format!("unexpected '{op}', expected '{expected}'")));
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(at, Tok::Op(op));
        self.at += op.len();
        Ok(())
    }

    fn number(&mut self) -> Res<()> {
        let at = self.at;
        let after_dot = self.text[..at].ends_with('.');
        let Some((tok, len)) = number(&self.text[at..], after_dot) else {
            return Err(self.fail(at, "integer literal too large"));
        };
        self.push(at, tok);
        self.at += len;
        Ok(())
    }
}

/// A character as Python writes it.
fn char_repr(c: char) -> String {
    if c == '\'' {
        "\"'\"".to_owned()
    } else {
        format!("'{c}'")
    }
}
