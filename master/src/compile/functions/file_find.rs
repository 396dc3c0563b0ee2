//! `file.find`: Salt's conditions, handed to find(1) on the host.

use serde_json::Value as Json;

use super::{Args, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) fn find(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let conditions = args.rest_named();
    if !args.rest().is_empty() {
        return Err("file.find: conditions are given by name, such as name='*.conf'".to_owned());
    }
    let mut first: Vec<String> = Vec::new();
    let mut tests: Vec<String> = Vec::new();
    let mut wanted = vec!["path".to_owned()];
    let mut grep = None;
    for (key, value) in &conditions {
        let text = python::text(value);
        let mut add = |words: &[&str]| tests.extend(words.iter().map(|word| (*word).to_owned()));
        match key.as_str() {
            "name" => add(&["-name", &text]),
            "iname" => add(&["-iname", &text]),
            "regex" => add(&["-regextype", "posix-extended", "-regex", &anywhere(&text)]),
            "iregex" => add(&["-regextype", "posix-extended", "-iregex", &anywhere(&text)]),
            "owner" => add(&["-user", &text]),
            "group" => add(&["-group", &text]),
            "maxdepth" | "mindepth" => {
                first.extend([format!("-{key}"), text]);
            }
            "type" => {
                let mut kinds = Vec::new();
                for letter in text.chars().filter(|c| !c.is_whitespace() && *c != ',') {
                    // Salt looks at what a link points to.
                    let how = if letter == 'l' { "-type" } else { "-xtype" };
                    kinds.push(format!("{how} {letter}"));
                }
                add(&["("]);
                add(&kinds.join(" -o ").split(' ').collect::<Vec<_>>());
                add(&[")"]);
            }
            "size" => tests.extend(sizes(&text)?),
            "mtime" => tests.extend(times(&text)?),
            "grep" => grep = Some(text),
            "print" => {
                wanted = text
                    .split([',', ' '])
                    .map(str::to_owned)
                    .filter(|word| !word.is_empty())
                    .collect()
            }
            "delete" | "exec" => {
                return Err(format!(
                    "file.find: a template only looks: `{key}` belongs into a state"
                ));
            }
            other => return Err(format!("Unknown option specified: {other}")),
        }
    }
    let mut argv = vec!["find".to_owned(), path];
    argv.extend(first);
    argv.extend(tests);
    if let Some(pattern) = grep {
        argv.extend(["-type", "f", "-exec", "grep", "-qE", "-e", &pattern, "{}", ";"].map(str::to_owned));
    }
    let mut format = String::new();
    for field in &wanted {
        format.push_str(match field.as_str() {
            "path" => "%p",
            "name" => "%f",
            "size" => "%s",
            "type" => "%y",
            "mode" => "%m",
            "mtime" => "%T@",
            "user" => "%u",
            "group" => "%g",
            other => return Err(format!("Invalid print option: {other}")),
        });
        format.push_str("\\t");
    }
    format.push_str("\\0");
    argv.extend(["-printf".to_owned(), format]);
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let output = asked::output(oracle, &words)?;
    let mut found: Vec<Vec<Json>> = Vec::new();
    for record in output.stdout.split('\0').filter(|record| !record.is_empty()) {
        let fields = record.split('\t').zip(&wanted);
        found.push(fields.map(|(text, field)| field_value(field, text)).collect());
    }
    found.sort_by_key(|fields| fields.first().map(python::text));
    Ok(found
        .into_iter()
        .map(|mut fields| {
            if wanted.len() == 1 {
                fields.pop().unwrap_or(Json::Null)
            } else {
                Json::from(fields)
            }
        })
        .collect())
}

fn field_value(field: &str, text: &str) -> Json {
    match field {
        "size" => text.parse::<i64>().map_or(Json::Null, Json::from),
        "mode" => i64::from_str_radix(text, 8).map_or(Json::Null, Json::from),
        "mtime" => text
            .split('.')
            .next()
            .and_then(|whole| whole.parse::<i64>().ok())
            .map_or(Json::Null, Json::from),
        _ => text.into(),
    }
}

/// Salt looks for an expression in the path from its beginning; find(1) wants it to be the whole path.
fn anywhere(pattern: &str) -> String {
    match pattern.strip_suffix('$') {
        Some(body) => body.to_owned(),
        None => format!("{pattern}.*"),
    }
}

/// `+10k`, `-1m`, `4g`.
fn sizes(text: &str) -> Result<Vec<String>, String> {
    let bad = || format!("invalid size: {text}");
    let (sign, rest) = match text.chars().next() {
        Some(sign @ ('+' | '-')) => (sign.to_string(), &text[1..]),
        _ => (String::new(), text),
    };
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: i64 = match rest[digits.len()..].to_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(bad()),
    };
    let size = digits
        .parse::<i64>()
        .ok()
        .and_then(|size| size.checked_mul(unit))
        .ok_or_else(bad)?;
    // Salt's `+n` is n bytes or more, find's is more than n.
    let size = match sign.as_str() {
        "+" => size - 1,
        "-" => size + 1,
        _ => size,
    };
    Ok(vec!["-size".to_owned(), format!("{sign}{size}c")])
}

/// `+3d`: modified at least three days ago; `1w`, `12h`: within.
fn times(text: &str) -> Result<Vec<String>, String> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("-", text.trim_start_matches('-')),
    };
    let mut minutes = 0f64;
    let mut number = String::new();
    for c in rest.chars() {
        let unit = match c {
            'w' => 10_080.0,
            'd' => 1440.0,
            'h' => 60.0,
            'm' => 1.0,
            's' => 1.0 / 60.0,
            c => {
                number.push(c);
                continue;
            }
        };
        let count: f64 = number.parse().map_err(|_| format!("invalid time: {text}"))?;
        minutes += count * unit;
        number.clear();
    }
    if !number.is_empty() {
        minutes += number
            .parse::<f64>()
            .map_err(|_| format!("invalid time: {text}"))?
            * 1440.0;
    }
    Ok(vec!["-mmin".to_owned(), format!("{sign}{minutes}")])
}
