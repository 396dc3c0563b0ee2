//! `wordwrap`: Python's `textwrap`, paragraph by paragraph.

use std::sync::LazyLock;

use fancy_regex::Regex;

use super::Table;
use crate::compile::jinja::args::expect_text;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::methods::strings::{lines, width};
use crate::compile::jinja::values::Value;

/// Where a line may break: at blanks, after hyphens inside words, around dashes.
static PIECES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"([\t\n\x0b\x0c\r ]+|(?<=[\w!"'&.,?])-{2,}(?=\w)|[^\t\n\x0b\x0c\r ]+?"#,
        r"(?:-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[^\d\W]-))(?=[^\d\W]-?[^\d\W])",
        r#"|(?=[\t\n\x0b\x0c\r ]|\z)|(?<=[\w!"'&.,?])(?=-{2,}\w)))"#,
    ))
    .ok()
});

pub(super) static FILTERS: Table = &[("wordwrap", |_, value, args| {
    let bound = args.bind(
        "do_wordwrap",
        ["width", "break_long_words", "wrapstring", "break_on_hyphens"],
        0,
    )?;
    let room = width(bound.int(0, 79)?)?;
    if room == 0 {
        return Err(fault::other("invalid width 0 (must be > 0)"));
    }
    let (long, hyphens) = (bound.truth(1, true)?, bound.truth(3, true)?);
    let joint = match bound.some(2) {
        Some(text) => expect_text(text)?,
        None => "\n".to_owned(),
    };
    let text = expect_text(&value)?;
    let mut out = Vec::new();
    for line in lines(&text, false) {
        out.push(wrap(line, room, long, hyphens)?.join(&joint));
    }
    Ok(Value::from(out.join(&joint)))
})];

fn pieces(line: &str, hyphens: bool) -> Res<Vec<String>> {
    let mut out = Vec::new();
    match (&*PIECES, hyphens) {
        (Some(regex), true) => {
            let mut end = 0;
            for found in regex.find_iter(line) {
                let found = found.map_err(|error| fault::other(error.to_string()))?;
                if found.start() > end {
                    out.push(line[end..found.start()].to_owned());
                }
                out.push(found.as_str().to_owned());
                end = found.end();
            }
            if end < line.len() {
                out.push(line[end..].to_owned());
            }
        }
        _ => {
            let mut blank = None;
            for c in line.chars() {
                let is_blank = c.is_ascii_whitespace() || c == '\u{b}';
                if blank == Some(is_blank) {
                    if let Some(last) = out.last_mut() {
                        last.push(c);
                    }
                } else {
                    out.push(c.to_string());
                    blank = Some(is_blank);
                }
            }
        }
    }
    Ok(out)
}

fn wrap(line: &str, room: usize, long: bool, hyphens: bool) -> Res<Vec<String>> {
    let blank = |piece: &String| piece.trim().is_empty();
    let len = |piece: &String| piece.chars().count();
    let mut rest = pieces(line, hyphens)?;
    rest.reverse();
    let mut out: Vec<String> = Vec::new();
    while !rest.is_empty() {
        let mut current: Vec<String> = Vec::new();
        let mut used = 0;
        if rest.last().is_some_and(blank) && !out.is_empty() {
            rest.pop();
        }
        while let Some(next) = rest.last() {
            if used + len(next) > room {
                break;
            }
            used += len(next);
            current.extend(rest.pop());
        }
        if rest.last().is_some_and(|next| len(next) > room) {
            if long {
                if let Some(next) = rest.pop() {
                    let chars: Vec<char> = next.chars().collect();
                    let left = room - used;
                    // Without room left nothing is taken, but the blank before stays: so does Python.
                    let mut cut = left.min(chars.len());
                    if hyphens {
                        // Prefer to break after a hyphen that is not the first character.
                        let head = &chars[..cut];
                        if let Some(at) = head.iter().rposition(|c| *c == '-')
                            && head[..at].iter().any(|c| *c != '-')
                        {
                            cut = at + 1;
                        }
                    }
                    current.push(chars[..cut].iter().collect());
                    rest.push(chars[cut..].iter().collect());
                }
            } else if current.is_empty() {
                current.extend(rest.pop());
            }
        }
        if current.last().is_some_and(blank) {
            current.pop();
        }
        if !current.is_empty() {
            out.push(current.concat());
        }
    }
    Ok(out)
}
