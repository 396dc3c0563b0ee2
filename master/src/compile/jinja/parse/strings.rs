//! String literals: the escapes Python understands, as Jinja decodes them.

use crate::compile::jinja::error::{Res, fault};

/// The text between the quotes with its escapes resolved. An escape Python does not know stays as written.
pub(super) fn unescape(body: &str) -> Res<String> {
    if !body.contains('\\') {
        return Ok(body.to_owned());
    }
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => out.push('\\'),
            Some('\n') => {}
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some(same @ ('\\' | '\'' | '"')) => out.push(same),
            Some('x') => out.push(hex(&mut chars, 2)?),
            Some('u') => out.push(hex(&mut chars, 4)?),
            Some('U') => out.push(hex(&mut chars, 8)?),
            Some(digit @ '0'..='7') => {
                let mut code = u32::from(digit) - 48;
                for _ in 0..2 {
                    match chars.peek() {
                        Some(next @ '0'..='7') => {
                            code = code * 8 + u32::from(*next) - 48;
                            chars.next();
                        }
                        _ => break,
                    }
                }
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Ok(out)
}

fn hex(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, digits: usize) -> Res<char> {
    let mut code = 0u32;
    for _ in 0..digits {
        let digit = chars
            .next()
            .and_then(|c| c.to_digit(16))
            .ok_or_else(|| fault::syntax("truncated escape in string literal"))?;
        code = code.wrapping_mul(16).wrapping_add(digit);
    }
    // A lone surrogate has no place in a Rust string; Python could not print it either.
    Ok(char::from_u32(code).unwrap_or('\u{fffd}'))
}
