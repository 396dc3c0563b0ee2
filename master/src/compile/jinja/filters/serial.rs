//! Filters that write and read JSON, YAML, XML and Python.

use super::Table;
use super::json::{Style, dumps, indentation};
use super::{pretty, xml};
use crate::compile::jinja::args::expect_text;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::parse::ast::Pos;
use crate::compile::jinja::values::text::{refuse, str};
use crate::compile::jinja::values::{Dict, Value, convert, ops};
use crate::compile::jinja::yaml_dump::{self, Flow};
use crate::compile::yaml;

pub(super) static FILTERS: Table = &[
    ("json", |_, value, args| {
        let bound = args.bind("format_json", ["sort_keys", "indent"], 0)?;
        let style = Style {
            sort_keys: bound.truth(0, true)?,
            indent: indentation(bound.get(1))?,
            ..Style::default()
        };
        dumps(&value, &style).map(Value::from)
    }),
    ("tojson", |_, value, args| {
        let bound = args.bind("tojson", ["indent", "sort_keys", "ensure_ascii", "separators"], 0)?;
        let separators = match bound.some(3) {
            None => None,
            Some(pair) => match &crate::compile::jinja::values::items::collect(pair)?[..] {
                [comma, colon] => Some((expect_text(comma)?, expect_text(colon)?)),
                _ => return Err(fault::other("not enough values to unpack (expected 2)")),
            },
        };
        let style = Style {
            sort_keys: bound.truth(1, false)?,
            ascii: bound.truth(2, true)?,
            indent: indentation(bound.get(0))?,
            separators,
        };
        let text = dumps(&value, &style)?;
        Ok(Value::from(
            text.replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026")
                .replace('\'', "\\u0027"),
        ))
    }),
    ("yaml", |_, value, args| {
        let bound = args.bind("format_yaml", ["flow_style"], 0)?;
        format_yaml(&value, flow(bound.get(0), true)?)
    }),
    ("dict_to_sls_yaml_params", |_, value, args| {
        let bound = args.bind("dict_to_sls_yaml_params", ["flow_style"], 0)?;
        let Value::Dict(dict) = &value else {
            return Err(fault::other(format!(
                "'{}' object has no attribute 'items'",
                value.type_name()
            )));
        };
        let entries = dict.pairs().into_iter().map(|pair| Value::dict(Dict::of([pair])));
        format_yaml(&Value::list(entries.collect()), flow(bound.get(0), false)?)
    }),
    ("yaml_dquote", |_, value, _| {
        Ok(Value::from(yaml_dump::double_quoted_ascii(&str(&value)?)))
    }),
    ("yaml_squote", |_, value, _| {
        Ok(Value::from(yaml_dump::single_quoted(&str(&value)?)))
    }),
    ("yaml_encode", |_, value, _| {
        if let Value::Undefined(undefined) = &value {
            return Err(refuse(undefined));
        }
        if matches!(
            value,
            Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Object(_)
        ) {
            return Err(fault::other(format!(
                "yaml_encode() only works with YAML scalar data; failed for <class '{}'>",
                value.type_name()
            )));
        }
        let (text, tag) = yaml_dump::scalar(&value);
        Ok(Value::from(if tag == "str" {
            yaml_dump::double_quoted_ascii(&text)
        } else {
            text
        }))
    }),
    ("python", |_, value, _| {
        defined(&value)?;
        Ok(Value::str(pretty::format(&value)?.trim()))
    }),
    ("pprint", |_, value, _| pretty::format(&value).map(Value::from)),
    ("xml", |_, value, _| xml::format(&value).map(Value::from)),
    ("load_yaml", |_, value, _| {
        let text = source(&value)?;
        match yaml::load(&text) {
            Ok(node) => convert::from_yaml(&node.value),
            Err(error) => {
                let mut fault = fault::syntax(format!("Encountered error loading yaml: {error}"));
                fault.within = Some(Pos {
                    line: error.at.line,
                    column: error.at.column,
                });
                Err(fault)
            }
        }
    }),
    ("load_json", |_, value, _| {
        let unable = || {
            fault::syntax(format!(
                "Unable to load json from {}",
                str(&value).unwrap_or_default()
            ))
        };
        let text = match &value {
            Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| unable())?,
            Value::Str(_) | Value::Object(_) | Value::Undefined(_) => source(&value)?,
            _ => return Err(unable()),
        };
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| unable())?;
        Ok(convert::from_json(&json))
    }),
    ("load_text", |_, value, _| match &value {
        Value::Object(_) => source(&value).map(Value::from),
        _ => Ok(value),
    }),
];

/// The text of a value to be parsed: a text, or an imported template.
fn source(value: &Value) -> Res<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Object(object)
            if object
                .as_any()
                .is::<crate::compile::jinja::objects::macros::Imported>() =>
        {
            object.repr()
        }
        Value::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        other => Err(fault::syntax(format!("Unable to load yaml from {}", str(other)?))),
    }
}

fn defined(value: &Value) -> Res<()> {
    match value {
        Value::Undefined(undefined) if !undefined.lenient => Err(refuse(undefined)),
        _ => Ok(()),
    }
}

fn flow(value: Option<&Value>, default: bool) -> Res<Flow> {
    Ok(match value {
        Some(Value::None) => Flow::Leaves,
        Some(value) if ops::truth(value)? => Flow::Always,
        None if default => Flow::Always,
        _ => Flow::Never,
    })
}

fn format_yaml(value: &Value, flow: Flow) -> Res<Value> {
    strict(value, 0)?;
    let text = yaml_dump::dump(value, flow)?;
    let text = text.trim();
    Ok(Value::str(text.strip_suffix("\n...").unwrap_or(text)))
}

/// Undefined values anywhere inside are an error, except where they are allowed.
fn strict(value: &Value, depth: usize) -> Res<()> {
    if depth > crate::compile::jinja::values::text::NESTING {
        return Err(fault::too_deep());
    }
    match value {
        Value::List(list) => list
            .items
            .borrow()
            .iter()
            .try_for_each(|item| strict(item, depth + 1)),
        Value::Tuple(tuple) => tuple.items.iter().try_for_each(|item| strict(item, depth + 1)),
        Value::Dict(dict) => dict.values().iter().try_for_each(|item| strict(item, depth + 1)),
        other => defined(other),
    }
}
