//! Number literals.

use super::tokens::Tok;

/// The number `text` begins with, and its length. After a dot (`a.1.2`) only whole numbers are read.
/// `None` when it does not fit.
pub(super) fn number(text: &str, after_dot: bool) -> Option<(Tok, usize)> {
    let whole = digits(text, 10);
    if !after_dot && let Some(end) = float(text, whole) {
        let value = text[..end].replace('_', "").parse().unwrap_or(f64::INFINITY);
        return Some((Tok::Float(value), end));
    }
    let radix = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    if radix == 10 {
        // Zeros only: `007` is the number 00 with a 7 behind it, which is an error later.
        let end = if text.starts_with('0') {
            text.find(|c| c != '0' && c != '_').unwrap_or(text.len())
        } else {
            whole
        };
        let value = text[..end].replace('_', "").parse().ok()?;
        return Some((Tok::Int(value), end));
    }
    let body = text[2..].strip_prefix('_').unwrap_or(&text[2..]);
    let len = digits(body, radix);
    if len == 0 {
        return Some((Tok::Int(0), 1));
    }
    let value = i128::from_str_radix(&body[..len].replace('_', ""), radix).ok()?;
    Some((Tok::Int(value), text.len() - body.len() + len))
}

/// The end of a float that begins with `whole` digits.
fn float(text: &str, whole: usize) -> Option<usize> {
    let mut end = whole;
    let fraction = text[end..].strip_prefix('.').map_or(0, |rest| digits(rest, 10));
    if fraction > 0 {
        end += 1 + fraction;
    }
    if let Some(exponent) = text[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let power = digits(&exponent[sign..], 10);
        if power > 0 {
            return Some(end + 1 + sign + power);
        }
    }
    (fraction > 0).then_some(end)
}

/// How many bytes of digits there are; single underscores may stand between digits.
fn digits(text: &str, radix: u32) -> usize {
    let mut end = 0;
    let mut gap = false;
    for (i, c) in text.char_indices() {
        if c.is_digit(radix) {
            end = i + 1;
            gap = false;
        } else if c == '_' && !gap && i > 0 {
            gap = true;
        } else {
            break;
        }
    }
    end
}
