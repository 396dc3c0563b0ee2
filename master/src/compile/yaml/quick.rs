//! The plain part of YAML, read at once: what rendered sls files mostly are.
//!
//! Block mappings and lists, scalars on one line, flow collections on one line, literal texts, comments; in ASCII. A text
//! that holds anything else, or anything wrong, is left to the whole parser: here is no error, only "not me". What this
//! reader does read means the same, to the place of every node; a test compares them.

mod flow;

use super::scalar::construct;
use super::{Mark, Node, Value, distinct};

/// Deepest nesting that is read here.
const DEPTH: usize = 40;
/// Longest key: beyond that YAML has rules of its own.
const KEY: usize = 900;

/// The document, if it is plain.
pub(super) fn load(text: &str) -> Option<Node> {
    let plain = |byte: u8| byte == b'\n' || (b' '..=b'~').contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    let mut quick = Quick {
        text,
        bytes: text.as_bytes(),
        at: 0,
        start: 0,
        line: 1,
        over: false,
    };
    quick.settle()?;
    if quick.over || quick.column() != 0 {
        return None;
    }
    let node = quick.block(0)?;
    quick.over.then_some(node)
}

struct Quick<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The byte to be read next.
    at: usize,
    /// Where its line begins.
    start: usize,
    line: u32,
    /// There is nothing more.
    over: bool,
}

impl Quick<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        // What is behind the end is as good as a line end.
        self.bytes.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn column(&self) -> usize {
        self.at - self.start
    }

    fn mark(&self) -> Mark {
        Mark {
            line: self.line,
            column: u32::try_from(self.column()).map_or(u32::MAX, |column| column + 1),
        }
    }

    /// Goes from the beginning of a line to the next content.
    fn settle(&mut self) -> Option<()> {
        loop {
            if self.at >= self.bytes.len() {
                self.over = true;
                return Some(());
            }
            self.start = self.at;
            self.blanks();
            match self.byte(0) {
                b'#' => self.skip_line(),
                b'\n' => self.skip_line(),
                // Ends and beginnings of documents, directives.
                b'-' | b'.'
                    if self.column() == 0 && self.byte(1) == self.byte(0) && self.byte(2) == self.byte(0) =>
                {
                    return None;
                }
                b'%' => return None,
                _ => return Some(()),
            }
        }
    }

    fn blanks(&mut self) {
        while self.byte(0) == b' ' {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |end| end + 1);
        self.line += 1;
    }

    /// The line must have nothing more but a comment; goes to the next content.
    fn end_line(&mut self) -> Option<()> {
        let before = self.at;
        self.blanks();
        match self.byte(0) {
            b'\n' => {}
            b'#' if self.at > before => {}
            _ => return None,
        }
        self.skip_line();
        self.settle()
    }

    /// Whether the rest of the line is blank or a comment.
    fn at_end(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        match self.byte(blanks) {
            b'\n' => true,
            b'#' => blanks > 0,
            _ => false,
        }
    }

    fn is_item(&self) -> bool {
        self.byte(0) == b'-' && matches!(self.byte(1), b' ' | b'\n')
    }

    /// A list or mapping whose first line this is.
    fn block(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH {
            return None;
        }
        if self.is_item() {
            self.list(depth, false)
        } else {
            self.mapping(depth)
        }
    }

    /// `beside` says that it may end with a key in its own column.
    fn list(&mut self, depth: usize, beside: bool) -> Option<Node> {
        let (at, column) = (self.mark(), self.column());
        let mut items = Vec::new();
        loop {
            self.at += 1;
            let after = self.mark();
            let item = if self.at_end() {
                self.end_line()?;
                if !self.over && self.column() > column {
                    self.block(depth + 1)?
                } else {
                    null(after)
                }
            } else {
                self.blanks();
                if self.is_item() || self.is_key()? {
                    self.block(depth + 1)?
                } else {
                    let value = self.value(depth + 1)?;
                    self.end_line()?;
                    value
                }
            };
            items.push(item);
            if self.over || self.column() < column {
                break;
            }
            if self.column() > column {
                return None;
            }
            if !self.is_item() {
                if beside {
                    break;
                }
                return None;
            }
        }
        Some(Node {
            value: Value::List(items),
            at,
        })
    }

    fn mapping(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH {
            return None;
        }
        let (at, column) = (self.mark(), self.column());
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let key = self.key()?;
            let after = self.mark();
            let value = if self.at_end() {
                self.end_line()?;
                let deeper = !self.over && self.column() > column;
                if deeper {
                    self.block(depth + 1)?
                } else if !self.over && self.column() == column && self.is_item() {
                    self.list(depth + 1, true)?
                } else {
                    null(after)
                }
            } else {
                self.blanks();
                if self.byte(0) == b'|' {
                    self.literal(column)?
                } else {
                    let value = self.value(depth + 1)?;
                    self.end_line()?;
                    value
                }
            };
            entries.push((key, value));
            if self.over || self.column() < column {
                break;
            }
            if self.column() > column || self.is_item() {
                return None;
            }
        }
        distinct(&entries).ok()?;
        Some(Node {
            value: Value::Map(entries),
            at,
        })
    }

    /// Whether what stands here is the key of a block mapping.
    fn is_key(&self) -> Option<bool> {
        match self.byte(0) {
            b'[' | b'{' | b'|' => Some(false),
            quote @ (b'"' | b'\'') => {
                let end = self.quoted_end(quote)?;
                Some(self.bytes.get(end) == Some(&b':'))
            }
            _ => {
                let (_, colon) = self.plain()?;
                Some(colon)
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Option<Node> {
        let at = self.mark();
        let value = match self.byte(0) {
            b'"' | b'\'' => Value::Text(self.quoted()?),
            _ => {
                let (text, colon) = self.plain()?;
                if !colon || matches!(text, "<<" | "=") {
                    return None;
                }
                let value = construct(text.to_owned(), None, true).ok()?;
                self.at += text.len();
                // Blanks between a key and its colon.
                if self.byte(0) != b':' {
                    return None;
                }
                value
            }
        };
        if self.column() > KEY || self.byte(0) != b':' || !matches!(self.byte(1), b' ' | b'\n') {
            return None;
        }
        self.at += 1;
        Some(Node { value, at })
    }

    /// The plain scalar here, and whether it ends at a colon.
    fn plain(&self) -> Option<(&str, bool)> {
        let begins = match self.byte(0) {
            b'-' => self.byte(1) != b' ' && self.byte(1) != b'\n',
            byte => !b"?:,[]{}#&*!|>'\"%@`".contains(&byte),
        };
        if !begins {
            return None;
        }
        let rest = self.bytes.get(self.at..)?;
        let mut end = 0;
        let mut colon = false;
        while let Some(byte) = rest.get(end) {
            match byte {
                b'\n' => break,
                b':' if matches!(rest.get(end + 1), None | Some(b' ' | b'\n')) => {
                    colon = true;
                    break;
                }
                b'#' if rest.get(end - 1) == Some(&b' ') => break,
                _ => end += 1,
            }
        }
        let text = self.text.get(self.at..self.at + end)?.trim_end_matches(' ');
        Some((text, colon))
    }

    /// A scalar or flow collection on this line.
    fn value(&mut self, depth: usize) -> Option<Node> {
        let at = self.mark();
        let value = match self.byte(0) {
            b'[' | b'{' => return self.flow(depth),
            b'"' | b'\'' => Value::Text(self.quoted()?),
            _ => {
                let (text, colon) = self.plain()?;
                if colon {
                    return None;
                }
                let value = construct(text.to_owned(), None, true).ok()?;
                self.at += text.len();
                value
            }
        };
        Some(Node { value, at })
    }

    /// The place behind the closing quote of this line.
    fn quoted_end(&self, quote: u8) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match *self.bytes.get(at)? {
                b'\n' => return None,
                b'\\' if quote == b'"' => at += 2,
                byte if byte == quote => {
                    if quote == b'\'' && self.bytes.get(at + 1) == Some(&quote) {
                        at += 2;
                    } else {
                        return Some(at + 1);
                    }
                }
                _ => at += 1,
            }
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let quote = self.byte(0);
        let end = self.quoted_end(quote)?;
        let inner = self.text.get(self.at + 1..end - 1)?;
        self.at = end;
        if quote == b'\'' {
            return Some(inner.replace("''", "'"));
        }
        if !inner.contains('\\') {
            return Some(inner.to_owned());
        }
        let mut text = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(one) = chars.next() {
            text.push(match one {
                '\\' => match chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    known @ ('"' | '\\' | '/') => known,
                    _ => return None,
                },
                other => other,
            });
        }
        Some(text)
    }

    /// `|` and `|-` with the lines below a key of this column.
    fn literal(&mut self, column: usize) -> Option<Node> {
        let at = self.mark();
        self.at += 1;
        let keeps = self.byte(0) != b'-';
        if !keeps {
            self.at += 1;
        }
        // The last line end of a text that has none is a matter of its own.
        if self.byte(0) != b'\n' || !self.text.ends_with('\n') {
            return None;
        }
        self.skip_line();
        let mut text = String::new();
        let mut indent = None;
        while self.at < self.bytes.len() {
            let rest = self.text.get(self.at..)?;
            let line = rest.split('\n').next().unwrap_or_default();
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let empty = blanks == line.len();
            let indent = match indent {
                Some(indent) => indent,
                None if empty && blanks == 0 => 0,
                // Blank lines before the first that are not empty have rules of their own.
                None if empty || blanks <= column => return None,
                None => *indent.insert(blanks),
            };
            if !empty && blanks < indent {
                break;
            }
            text.push_str(line.get(indent..).unwrap_or_default());
            text.push('\n');
            self.skip_line();
        }
        indent?;
        self.settle()?;
        // A comment that stands deeper than the key has rules of its own, as has what follows it.
        if !self.over && self.column() > column {
            return None;
        }
        let whole = text.trim_end_matches('\n').len();
        text.truncate(whole);
        if keeps && whole > 0 {
            text.push('\n');
        }
        Some(Node {
            value: Value::Text(text),
            at,
        })
    }
}

const fn null(at: Mark) -> Node {
    Node {
        value: Value::Null,
        at,
    }
}
