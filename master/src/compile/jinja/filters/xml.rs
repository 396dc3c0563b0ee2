//! `xml`: nested data as elements and attributes.

use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::{NESTING, refuse, str};

struct Element {
    tag: String,
    text: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

/// The document of a mapping with one root.
pub(super) fn format(value: &Value) -> Res<String> {
    let mut roots = Vec::new();
    for (tag, content) in entries(value)? {
        element(&tag, &content, &mut roots, 0)?;
    }
    let Some(root) = roots.pop() else {
        return Err(fault::syntax("Value is not a dict or list. Cannot render as XML"));
    };
    let mut out = String::from("<?xml version=\"1.0\" ?>\n");
    write(&root, 0, &mut out);
    Ok(out)
}

fn entries(value: &Value) -> Res<Vec<(String, Value)>> {
    match value {
        Value::Dict(dict) => dict
            .pairs()
            .into_iter()
            .map(|(key, value)| Ok((str(key.value())?, value)))
            .collect(),
        Value::List(_) | Value::Tuple(_) => Ok(Vec::new()),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        _ => Err(fault::syntax("Value is not a dict or list. Cannot render as XML")),
    }
}

/// Adds the element (for a list: one for each member) to `into`.
fn element(tag: &str, content: &Value, into: &mut Vec<Element>, depth: usize) -> Res<()> {
    if depth > NESTING {
        return Err(fault::too_deep());
    }
    if let Value::List(list) = content {
        for member in list.items.borrow().iter() {
            element(tag, member, into, depth + 1)?;
        }
        return Ok(());
    }
    let mut made = Element {
        tag: tag.to_owned(),
        text: String::new(),
        attributes: Vec::new(),
        children: Vec::new(),
    };
    if matches!(
        content,
        Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Float(_)
    ) {
        made.text = str(content)?;
    } else {
        for (name, value) in entries(content)? {
            if matches!(value, Value::Dict(_) | Value::List(_)) {
                element(&name, &value, &mut made.children, depth + 1)?;
            } else {
                made.attributes.push((name, str(&value)?));
            }
        }
    }
    into.push(made);
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn write(element: &Element, level: usize, out: &mut String) {
    let indent = " ".repeat(level);
    out.push_str(&format!("{indent}<{}", element.tag));
    for (name, value) in &element.attributes {
        let value = escape(value)
            .replace('"', "&quot;")
            .replace('\r', "&#13;")
            .replace('\n', "&#10;")
            .replace('\t', "&#9;");
        out.push_str(&format!(" {name}=\"{value}\""));
    }
    if !element.text.is_empty() {
        out.push_str(&format!(">{}</{}>\n", escape(&element.text), element.tag));
    } else if element.children.is_empty() {
        out.push_str("/>\n");
    } else {
        out.push_str(">\n");
        for child in &element.children {
            write(child, level + 1, out);
        }
        out.push_str(&format!("{indent}</{}>\n", element.tag));
    }
}
