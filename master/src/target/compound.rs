//! Compound targets: `G@os:Debian and ( web* or L@db1,db2 ) and not N@old`.
//!
//! Salt hands the words to Python, so `not` binds tighter than `and`, and `and` tighter than `or`; `not` after a value
//! means `and not`. A word is an operator only when it stands alone between blanks.

use super::{Kind, Simple, TargetError};

/// Deepest nesting of parentheses and `not`.
const DEPTH: usize = 64;

/// A compound target, parsed.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Simple(Simple),
}

/// Parses a compound target.
pub(super) fn parse(text: &str) -> Result<Expr, TargetError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    parse_words(&words)
}

/// Parses a node group's words. Words that are neither operators nor globs nor engines are a list of ids.
pub(super) fn group(words: &[String]) -> Result<Expr, TargetError> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let plain = |word: &&str| {
        !matches!(*word, "and" | "or" | "not" | "(" | ")")
            && !word.contains(['*', '?', '['])
            && !word.contains('@')
    };
    if !words.is_empty() && words.iter().all(plain) {
        let ids = words
            .iter()
            .flat_map(|word| word.split(','))
            .map(str::to_owned)
            .collect();
        return Ok(Expr::Simple(Simple::List(ids)));
    }
    parse_words(&words)
}

fn parse_words(words: &[&str]) -> Result<Expr, TargetError> {
    let mut parser = Parser { words, at: 0 };
    let expr = parser.or(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(")") => Err(parser.wrong("a `)` without its `(`")),
        Some(word) => Err(parser.wrong(&format!("`and` or `or` is missing before `{word}`"))),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        self.at += usize::from(there);
        there
    }

    fn wrong(&self, reason: &str) -> TargetError {
        TargetError::Syntax {
            target: self.words.join(" "),
            reason: reason.to_owned(),
        }
    }

    fn or(&mut self, depth: usize) -> Result<Expr, TargetError> {
        let mut left = self.and(depth)?;
        while self.take("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, TargetError> {
        let mut left = self.not(depth)?;
        // A `not` right after a value stands for `and not`.
        while self.take("and") || self.peek() == Some("not") {
            left = Expr::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Ok(left)
    }

    fn not(&mut self, depth: usize) -> Result<Expr, TargetError> {
        if depth > DEPTH {
            return Err(self.wrong("it is nested too deeply"));
        }
        if self.take("not") {
            return Ok(Expr::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            return if self.take(")") {
                Ok(inner)
            } else {
                Err(self.wrong("a `)` is missing"))
            };
        }
        match self.peek() {
            None if self.at == 0 => Err(self.wrong("it is empty")),
            None => Err(self.wrong("something is missing at its end")),
            Some(word @ ("and" | "or" | ")")) => {
                Err(self.wrong(&format!("`{word}` stands where a match is expected")))
            }
            Some(word) => {
                self.at += 1;
                simple(word).map(Expr::Simple)
            }
        }
    }
}

/// One word: `E@…`, for G, P, I and J also with another delimiter (`G!@a!b`), or a glob.
fn simple(word: &str) -> Result<Simple, TargetError> {
    let Some((head, pattern)) = word.split_once('@') else {
        return Simple::parse(Kind::Glob, word, ':');
    };
    let mut letters = head.chars();
    let kind = match letters.next() {
        Some('G') => Kind::Grain,
        Some('P') => Kind::GrainPcre,
        Some('I') => Kind::Pillar,
        Some('J') => Kind::PillarPcre,
        Some('L') => Kind::List,
        Some('E') => Kind::Pcre,
        Some('S') => Kind::Ipcidr,
        Some('N') => Kind::Nodegroup,
        _ => return Err(TargetError::Engine(word.to_owned())),
    };
    let paths = matches!(
        kind,
        Kind::Grain | Kind::GrainPcre | Kind::Pillar | Kind::PillarPcre
    );
    let delimiter = match (letters.next(), letters.next()) {
        (None, _) => ':',
        (Some(delimiter), None) if paths => delimiter,
        _ => return Err(TargetError::Engine(word.to_owned())),
    };
    Simple::parse(kind, pattern, delimiter)
}
