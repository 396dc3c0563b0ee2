//! Format specifications (`>10`, `08.2f`, `,`) as `format()` and `str.format` take them, and digits of floats.

use super::strings::width as limited;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::{self, quote};

struct Spec {
    fill: char,
    align: Option<char>,
    /// A `0` before the width stands for the alignment of numbers.
    zero: bool,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn parse(spec: &str) -> Res<Spec> {
    let chars: Vec<char> = spec.chars().collect();
    let mut at = 0;
    let mut out = Spec {
        fill: ' ',
        align: None,
        zero: false,
        sign: None,
        alternate: false,
        width: 0,
        grouping: None,
        precision: None,
        kind: None,
    };
    let is_align = |c: Option<&char>| matches!(c, Some('<' | '>' | '=' | '^'));
    let filled = is_align(chars.get(1));
    if filled {
        out.fill = chars[0];
        out.align = Some(chars[1]);
        at = 2;
    } else if is_align(chars.first()) {
        out.align = Some(chars[0]);
        at = 1;
    }
    if let Some(c @ ('+' | '-' | ' ')) = chars.get(at) {
        out.sign = Some(*c);
        at += 1;
    }
    if chars.get(at) == Some(&'#') {
        out.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') {
        if !filled {
            out.fill = '0';
        }
        out.zero = out.align.is_none();
        at += 1;
    }
    let digits = |at: &mut usize| -> Option<i128> {
        let start = *at;
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
        chars[start..*at].iter().collect::<String>().parse().ok()
    };
    out.width = limited(digits(&mut at).unwrap_or(0))?;
    if let Some(c @ (',' | '_')) = chars.get(at) {
        out.grouping = Some(*c);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        let Some(precision) = digits(&mut at) else {
            return Err(fault::other("Format specifier missing precision"));
        };
        out.precision = Some(limited(precision)?);
    }
    if let Some(kind) = chars.get(at) {
        out.kind = Some(*kind);
        at += 1;
    }
    if at < chars.len() {
        return Err(fault::other("Invalid format specifier"));
    }
    Ok(out)
}

/// `format(value, spec)`.
pub(crate) fn apply(value: &Value, spec: &str) -> Res<String> {
    if spec.is_empty() {
        return text::str(value);
    }
    let spec_parsed = parse(spec)?;
    check(&spec_parsed, value)?;
    let unknown = || {
        fault::other(format!(
            "Unknown format code {} for object of type {}",
            quote(&spec_parsed.kind.unwrap_or(' ').to_string()),
            quote(value.type_name())
        ))
    };
    match value {
        Value::Str(content) => {
            if !matches!(spec_parsed.kind, None | Some('s')) {
                return Err(unknown());
            }
            let content: String = match spec_parsed.precision {
                Some(precision) => content.chars().take(precision).collect(),
                None => content.to_string(),
            };
            Ok(align(&content, "", &spec_parsed, '<'))
        }
        Value::Bool(_) if spec_parsed.kind.is_none() => {
            let value = value.as_int().unwrap_or(0);
            integer(value, &spec_parsed).ok_or_else(unknown)
        }
        Value::Int(_) | Value::Bool(_) => {
            let number = value.as_int().unwrap_or(0);
            match spec_parsed.kind {
                Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
                    real(number as f64, &spec_parsed).ok_or_else(unknown)
                }
                _ => integer(number, &spec_parsed).ok_or_else(unknown),
            }
        }
        Value::Float(number) => real(*number, &spec_parsed).ok_or_else(unknown),
        Value::Undefined(undefined) => Err(text::refuse(undefined)),
        other => Err(fault::other(format!(
            "unsupported format string passed to {}.__format__",
            other.type_name()
        ))),
    }
}

/// What a type of value does not allow.
fn check(spec: &Spec, value: &Value) -> Res<()> {
    let kind = spec
        .kind
        .unwrap_or(if matches!(value, Value::Str(_)) { 's' } else { 'd' });
    if let Some(separator) = spec.grouping {
        let fits = match separator {
            ',' => matches!(kind, 'd' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'),
            _ => !matches!(kind, 'n' | 's' | 'c'),
        };
        if !fits {
            return Err(fault::other(format!(
                "Cannot specify '{separator}' with '{kind}'."
            )));
        }
    }
    match value {
        Value::Str(_) => {
            let refused = match (spec.sign, spec.alternate, spec.align) {
                (Some(' '), ..) => "Space",
                (Some(_), ..) => "Sign",
                (_, true, _) => "Alternate form (#)",
                (_, _, Some('=')) => "'=' alignment",
                _ => return Ok(()),
            };
            Err(fault::other(format!(
                "{refused} not allowed in string format specifier"
            )))
        }
        Value::Int(_) | Value::Bool(_)
            if spec.precision.is_some() && matches!(kind, 'd' | 'n' | 'x' | 'X' | 'o' | 'b' | 'c') =>
        {
            Err(fault::other("Precision not allowed in integer format specifier"))
        }
        _ => Ok(()),
    }
}

/// Digits in groups; where zeros fill the width, they are grouped too.
fn grouped(digits: &str, sign: &str, size: usize, spec: &Spec) -> String {
    let Some(separator) = spec.grouping else {
        return digits.to_owned();
    };
    let mut digits = digits.to_owned();
    let zeros = spec.fill == '0' && (spec.zero || spec.align == Some('='));
    while zeros && group(&digits, separator, size).len() + sign.len() < spec.width {
        digits.insert(0, '0');
    }
    group(&digits, separator, size)
}

fn align(body: &str, sign: &str, spec: &Spec, default: char) -> String {
    let missing = spec.width.saturating_sub(body.chars().count() + sign.len());
    let fill = |n: usize| std::iter::repeat_n(spec.fill, n).collect::<String>();
    match spec.align.unwrap_or(default) {
        '<' => format!("{sign}{body}{}", fill(missing)),
        '^' => format!("{}{sign}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
        '=' => format!("{sign}{}{body}", fill(missing)),
        _ => format!("{}{sign}{body}", fill(missing)),
    }
}

fn sign_of(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

/// Puts `separator` between groups of digits of the whole part.
fn group(digits: &str, separator: char, size: usize) -> String {
    let (whole, rest) = digits
        .find(|c: char| !c.is_digit(if size == 4 { 16 } else { 10 }))
        .map_or((digits, ""), |i| digits.split_at(i));
    let mut out = String::new();
    for (index, c) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % size == 0 {
            out.push(separator);
        }
        out.push(c);
    }
    out + rest
}

fn integer(value: i128, spec: &Spec) -> Option<String> {
    let magnitude = value.unsigned_abs();
    let (digits, prefix) = match spec.kind {
        None | Some('d' | 'n') => (magnitude.to_string(), ""),
        Some('x') => (format!("{magnitude:x}"), "0x"),
        Some('X') => (format!("{magnitude:X}"), "0X"),
        Some('o') => (format!("{magnitude:o}"), "0o"),
        Some('b') => (format!("{magnitude:b}"), "0b"),
        Some('c') => {
            let c = u32::try_from(value).ok().and_then(char::from_u32)?;
            return Some(align(&c.to_string(), "", spec, '<'));
        }
        _ => return None,
    };
    let size = if matches!(spec.kind, None | Some('d' | 'n')) {
        3
    } else {
        4
    };
    let sign = format!(
        "{}{}",
        sign_of(value < 0, spec),
        if spec.alternate { prefix } else { "" }
    );
    let digits = grouped(&digits, &sign, size, spec);
    Some(align(&digits, &sign, spec, if spec.zero { '=' } else { '>' }))
}

fn real(value: f64, spec: &Spec) -> Option<String> {
    let magnitude = value.abs();
    let body = match spec.kind {
        None => match spec.precision {
            None => pointed(text::float(magnitude), spec.alternate),
            Some(precision) => general(magnitude, precision.max(1), true, spec.alternate),
        },
        Some(kind @ ('f' | 'F' | 'e' | 'E' | 'g' | 'G')) => {
            digits(magnitude, kind, spec.precision.unwrap_or(6), spec.alternate)
        }
        Some('n') => digits(magnitude, 'g', spec.precision.unwrap_or(6), spec.alternate),
        Some('%') => {
            digits(
                magnitude * 100.0,
                'f',
                spec.precision.unwrap_or(6),
                spec.alternate,
            ) + "%"
        }
        _ => return None,
    };
    let negative = value.is_sign_negative() && !value.is_nan();
    let sign = sign_of(negative, spec);
    let body = grouped(&body, sign, 3, spec);
    Some(align(&body, sign, spec, if spec.zero { '=' } else { '>' }))
}

/// A magnitude in one of C's float formats.
pub(crate) fn digits(value: f64, kind: char, precision: usize, alternate: bool) -> String {
    let text = if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        "inf".to_owned()
    } else {
        match kind.to_ascii_lowercase() {
            'f' => pointed(format!("{value:.precision$}"), alternate),
            'e' => exponent(&pointed(format!("{value:.precision$e}"), alternate)),
            _ => general(value, precision.max(1), false, alternate),
        }
    };
    if kind.is_ascii_uppercase() {
        text.to_uppercase()
    } else {
        text
    }
}

/// The number with a decimal point, when it must have one.
fn pointed(text: String, must: bool) -> String {
    if !must || text.contains('.') {
        return text;
    }
    match text.split_once('e') {
        Some((mantissa, power)) => format!("{mantissa}.e{power}"),
        None => text + ".",
    }
}

/// Rust's `1e5` as C's `1e+05`.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!(
        "{mantissa}e{}{:02}",
        if power < 0 { '-' } else { '+' },
        power.abs()
    )
}

fn general(value: f64, precision: usize, python: bool, alternate: bool) -> String {
    let rounded = format!("{value:.*e}", precision - 1);
    let power: i32 = rounded
        .split_once('e')
        .and_then(|(_, p)| p.parse().ok())
        .unwrap_or(0);
    let limit = precision as i32;
    let scientific = value != 0.0 && (power < -4 || power >= limit - i32::from(python));
    let mut text = if scientific {
        rounded
    } else {
        format!(
            "{value:.*}",
            usize::try_from(limit - 1 - power.min(limit)).unwrap_or(0)
        )
    };
    if alternate {
        text = pointed(text, true);
    } else {
        let (mantissa, tail) = match text.split_once('e') {
            Some((mantissa, tail)) => (mantissa.to_owned(), Some(tail.to_owned())),
            None => (text, None),
        };
        let mut mantissa = mantissa;
        if mantissa.contains('.') {
            mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        text = tail.map_or(mantissa.clone(), |tail| format!("{mantissa}e{tail}"));
    }
    if scientific {
        exponent(&text)
    } else if python && !text.contains('.') {
        text + ".0"
    } else {
        text
    }
}
