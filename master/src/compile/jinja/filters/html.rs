//! Filters for HTML and URLs.

use super::Table;
use crate::compile::jinja::error::fault;
use crate::compile::jinja::values::text::{quote, str};
use crate::compile::jinja::values::{Value, items};

pub(super) static FILTERS: Table = &[
    ("e", |_, value, _| Ok(Value::from(escape(&str(&value)?)))),
    ("escape", |_, value, _| Ok(Value::from(escape(&str(&value)?)))),
    ("forceescape", |_, value, _| {
        Ok(Value::from(escape(&str(&value)?)))
    }),
    ("safe", |_, value, _| Ok(Value::from(str(&value)?))),
    ("striptags", |_, value, _| {
        Ok(Value::from(strip_tags(&str(&value)?)))
    }),
    ("urlencode", |_, value, _| match &value {
        Value::Str(text) => Ok(Value::from(percent_encode(text, true))),
        Value::Dict(dict) => {
            let pairs = dict.pairs().into_iter();
            query(pairs.map(|(key, value)| Ok((key.value().clone(), value))))
        }
        other if items::iterable(other) => {
            query(
                items::collect(other)?
                    .into_iter()
                    .map(|pair| match &items::collect(&pair)?[..] {
                        [key, value] => Ok((key.clone(), value.clone())),
                        _ => Err(fault::other("not enough values to unpack")),
                    }),
            )
        }
        other => Ok(Value::from(percent_encode(&str(other)?, true))),
    }),
    ("xmlattr", |_, value, args| {
        let autospace = args.bind("do_xmlattr", ["autospace"], 0)?.truth(0, true)?;
        let Value::Dict(dict) = &value else {
            return Err(super::text::wrong_type("xmlattr wants a mapping", &value));
        };
        let mut parts = Vec::new();
        for (key, value) in dict.pairs() {
            if matches!(value, Value::None | Value::Undefined(_)) {
                continue;
            }
            let key = str(key.value())?;
            if key.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '=')) {
                return Err(fault::other(format!(
                    "Invalid character in attribute name: {}",
                    quote(&key)
                )));
            }
            parts.push(format!("{}=\"{}\"", escape(&key), escape(&str(&value)?)));
        }
        let joined = parts.join(" ");
        Ok(Value::from(if autospace && !joined.is_empty() {
            format!(" {joined}")
        } else {
            joined
        }))
    }),
    ("urlize", |_, value, _| {
        let text = str(&value)?;
        let mut out = String::new();
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let url = word.trim_end_matches(['.', ',', ':', ';', '!', ')']);
            let target = if url.starts_with("http://") || url.starts_with("https://") {
                Some(escape(url))
            } else if url.starts_with("www.") {
                Some(format!("https://{}", escape(url)))
            } else {
                None
            };
            match target {
                Some(target) => {
                    let shown = escape(url);
                    out.push_str(&format!("<a href=\"{target}\" rel=\"noopener\">{shown}</a>"));
                    out.push_str(&escape(&piece[url.len()..]));
                }
                None => out.push_str(&escape(piece)),
            }
        }
        Ok(Value::from(out))
    }),
];

fn query(
    pairs: impl Iterator<Item = crate::compile::jinja::error::Res<(Value, Value)>>,
) -> crate::compile::jinja::error::Res<Value> {
    let mut out = Vec::new();
    for pair in pairs {
        let (key, value) = pair?;
        out.push(format!(
            "{}={}",
            percent_encode(&str(&key)?, false),
            percent_encode(&str(&value)?, false)
        ));
    }
    Ok(Value::from(out.join("&")))
}

/// Percent-encoding; in a path `/` stays, in a query a blank becomes `+`.
fn percent_encode(text: &str, path: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b'/' if path => out.push('/'),
            b' ' if !path => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

/// Text without comments and tags, blanks collapsed, the common entities resolved.
fn strip_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        plain.push_str(&rest[..open]);
        let end = if rest[open..].starts_with("<!--") {
            rest[open..].find("-->").map(|i| open + i + 3)
        } else {
            rest[open..].find('>').map(|i| open + i + 1)
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => {
                plain.push_str(&rest[open..]);
                rest = "";
            }
        }
    }
    plain.push_str(rest);
    let words: Vec<&str> = plain.split_whitespace().collect();
    words
        .join(" ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&")
}
