//! Finding the next delimiter in plain text.

use crate::compile::jinja::JinjaEnv;

/// What a piece of plain text is followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Raw,
    Block,
    Print,
    Comment,
    LineStatement,
    LineComment,
}

struct Rule {
    delimiter: String,
    opening: Opening,
    /// Where it stands next, as found at some earlier place; the length of the text when it does not.
    next: Option<usize>,
}

/// The delimiters of an environment.
pub(super) struct Openings {
    rules: Vec<Rule>,
}

impl Openings {
    pub(super) fn new(env: &JinjaEnv) -> Self {
        let all = [
            (Some(&env.comment_start_string), Opening::Comment),
            (Some(&env.block_start_string), Opening::Block),
            (Some(&env.variable_start_string), Opening::Print),
            (env.line_statement_prefix.as_ref(), Opening::LineStatement),
            (env.line_comment_prefix.as_ref(), Opening::LineComment),
        ];
        let mut rules: Vec<Rule> = all
            .into_iter()
            .filter_map(|(delimiter, opening)| {
                Some(Rule {
                    delimiter: delimiter.filter(|text| !text.is_empty())?.clone(),
                    opening,
                    next: None,
                })
            })
            .collect();
        // At one place the longest wins.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.delimiter.len()));
        Self { rules }
    }

    /// The next delimiter at or after `at`. Places are remembered, so that a delimiter that never comes is looked
    /// for once.
    pub(super) fn next(&mut self, text: &str, at: usize) -> Option<(usize, Opening)> {
        let mut best: Option<(usize, Opening)> = None;
        for rule in &mut self.rules {
            let found = match rule.next {
                Some(next) if next >= at => next,
                _ => rule.find(text, at),
            };
            rule.next = Some(found);
            if found < best.map_or(text.len(), |(at, _)| at) {
                best = Some((found, rule.opening));
            }
        }
        best
    }
}

impl Rule {
    fn find(&self, text: &str, at: usize) -> usize {
        let mut from = at;
        while let Some(i) = text.get(from..).and_then(|rest| rest.find(&self.delimiter)) {
            let found = from + i;
            let start_of_line = || text[..found].rfind('\n').map_or(0, |n| n + 1);
            match self.opening {
                // A line statement begins with its line, which has nothing but blanks before it.
                Opening::LineStatement => {
                    let line = start_of_line();
                    let blank = text[line..found]
                        .chars()
                        .all(|c| matches!(c, ' ' | '\t' | '\u{b}'));
                    if blank && line >= at {
                        return line;
                    }
                }
                Opening::LineComment => {
                    let before = &text[start_of_line()..found];
                    return (found - (before.len() - before.trim_end().len())).max(at);
                }
                _ => return found,
            }
            from = found + self.delimiter.len();
        }
        text.len()
    }
}
