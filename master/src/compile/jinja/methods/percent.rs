//! `text % values`.

use super::spec::digits;
use super::strings::{pad, width as limited};
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::text::{ascii, quote, refuse, repr, str};
use crate::compile::jinja::values::{Value, numbers};

struct Directive {
    key: Option<String>,
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// `template % values`.
pub(crate) fn format(template: &str, values: &Value) -> Res<String> {
    let single = [values.clone()];
    let (positional, tuple): (&[Value], bool) = match values {
        Value::Tuple(tuple) => (&tuple.items, true),
        _ => (&single, false),
    };
    let mut used = 0;
    let mut keyed = false;
    let mut out = String::with_capacity(template.len());
    let chars: Vec<char> = template.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        at += 1;
        if *c != '%' {
            out.push(*c);
            continue;
        }
        if chars.get(at) == Some(&'%') {
            at += 1;
            out.push('%');
            continue;
        }
        let mut take = || -> Res<Value> {
            let value = positional.get(used).cloned();
            used += 1;
            value.ok_or_else(|| fault::other("not enough arguments for format string"))
        };
        let directive = directive(&chars, &mut at, &mut take)?;
        let Some(kind) = chars.get(at).copied() else {
            return Err(fault::other("incomplete format"));
        };
        at += 1;
        let value = match &directive.key {
            Some(key) => {
                keyed = true;
                lookup(values, key)?
            }
            None if kind == '%' => Value::None,
            None => take()?,
        };
        out.push_str(&convert(&value, kind, &directive, at - 1)?);
        if out.len() > OUTPUT {
            return Err(fault::other("the text grows beyond the limit"));
        }
    }
    let mapping = matches!(values, Value::Dict(_) | Value::List(_) | Value::Object(_));
    if !keyed && used < positional.len() && (tuple || !mapping) {
        return Err(fault::other(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out)
}

fn lookup(values: &Value, key: &str) -> Res<Value> {
    let data;
    let dict = match values {
        Value::Dict(dict) => Some(dict),
        Value::Object(object) => {
            data = object.data()?;
            match &data {
                Some(Value::Dict(dict)) => Some(dict),
                _ => None,
            }
        }
        _ => None,
    };
    let Some(dict) = dict else {
        return Err(fault::other("format requires a mapping"));
    };
    dict.get_text(key).ok_or_else(|| fault::other(quote(key)))
}

fn directive(chars: &[char], at: &mut usize, take: &mut dyn FnMut() -> Res<Value>) -> Res<Directive> {
    let mut out = Directive {
        key: None,
        left: false,
        plus: false,
        blank: false,
        zero: false,
        alternate: false,
        width: 0,
        precision: None,
    };
    if chars.get(*at) == Some(&'(') {
        let start = *at + 1;
        let mut depth = 1;
        *at = start;
        while depth > 0 {
            match chars.get(*at) {
                Some('(') => depth += 1,
                Some(')') => depth -= 1,
                Some(_) => {}
                None => return Err(fault::other("incomplete format key")),
            }
            *at += 1;
        }
        out.key = Some(chars[start..*at - 1].iter().collect());
    }
    loop {
        match chars.get(*at) {
            Some('-') => out.left = true,
            Some('+') => out.plus = true,
            Some(' ') => out.blank = true,
            Some('0') => out.zero = true,
            Some('#') => out.alternate = true,
            _ => break,
        }
        *at += 1;
    }
    let mut number = |at: &mut usize| -> Res<Option<i128>> {
        if chars.get(*at) == Some(&'*') {
            *at += 1;
            return take()?
                .as_int()
                .map(Some)
                .ok_or_else(|| fault::other("* wants int"));
        }
        let start = *at;
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
        Ok(chars[start..*at].iter().collect::<String>().parse().ok())
    };
    if let Some(width) = number(at)? {
        out.left |= width < 0;
        out.width = limited(width.abs())?;
    }
    if chars.get(*at) == Some(&'.') {
        *at += 1;
        out.precision = Some(limited(number(at)?.unwrap_or(0))?);
    }
    while matches!(chars.get(*at), Some('l' | 'L' | 'h')) {
        *at += 1;
    }
    Ok(out)
}

fn convert(value: &Value, kind: char, directive: &Directive, index: usize) -> Res<String> {
    let text = |text: String| -> String {
        let text = match directive.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text,
        };
        pad(
            &text,
            directive.width,
            ' ',
            if directive.left { "ljust" } else { "rjust" },
        )
    };
    match kind {
        '%' => Ok("%".to_owned()),
        's' => Ok(text(str(value)?)),
        'r' => Ok(text(repr(value)?)),
        'a' => Ok(text(ascii(&repr(value)?))),
        'c' => match value {
            Value::Str(one) if one.chars().count() == 1 => Ok(text(one.to_string())),
            other => match other
                .as_int()
                .and_then(|code| u32::try_from(code).ok())
                .and_then(char::from_u32)
            {
                Some(c) => Ok(text(c.to_string())),
                None => Err(fault::other("%c requires int or char")),
            },
        },
        'd' | 'i' | 'u' => {
            let number = match value {
                Value::Float(_) => numbers::int(value)?,
                Value::Undefined(undefined) => return Err(refuse(undefined)),
                other => other
                    .as_int()
                    .ok_or_else(|| wants(kind, "a real number", other))?,
            };
            Ok(number_text(
                number < 0,
                number.unsigned_abs().to_string(),
                "",
                directive,
            ))
        }
        'x' | 'X' | 'o' => {
            let number = value.as_int().ok_or_else(|| wants(kind, "an integer", value))?;
            let magnitude = number.unsigned_abs();
            let (digits, prefix) = match kind {
                'x' => (format!("{magnitude:x}"), "0x"),
                'X' => (format!("{magnitude:X}"), "0X"),
                _ => (format!("{magnitude:o}"), "0o"),
            };
            Ok(number_text(
                number < 0,
                digits,
                if directive.alternate { prefix } else { "" },
                directive,
            ))
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number = match value {
                Value::Float(number) => *number,
                other => other
                    .as_int()
                    .ok_or_else(|| fault::other(format!("must be real number, not {}", other.type_name())))?
                    as f64,
            };
            let body = digits(
                number.abs(),
                kind,
                directive.precision.unwrap_or(6),
                directive.alternate,
            );
            let plain = Directive {
                precision: None,
                key: None,
                ..*directive
            };
            Ok(number_text(
                number.is_sign_negative() && !number.is_nan(),
                body,
                "",
                &plain,
            ))
        }
        other => Err(fault::other(format!(
            "unsupported format character '{other}' (0x{:x}) at index {index}",
            other as u32
        ))),
    }
}

fn wants(kind: char, what: &str, value: &Value) -> Box<crate::compile::jinja::error::Fault> {
    if let Value::Undefined(undefined) = value {
        return refuse(undefined);
    }
    fault::other(format!(
        "%{kind} format: {what} is required, not {}",
        value.type_name()
    ))
}

fn number_text(negative: bool, digits: String, prefix: &str, directive: &Directive) -> String {
    let digits = match directive.precision {
        Some(precision) => pad(&digits, precision, '0', "rjust"),
        None => digits,
    };
    let sign = match (negative, directive.plus, directive.blank) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let lead = format!("{sign}{prefix}");
    if directive.left {
        pad(&(lead + &digits), directive.width, ' ', "ljust")
    } else if directive.zero {
        let room = directive.width.saturating_sub(lead.len());
        lead + &pad(&digits, room, '0', "rjust")
    } else {
        pad(&(lead + &digits), directive.width, ' ', "rjust")
    }
}
