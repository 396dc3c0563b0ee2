//! What YAML makes of plain words and figures where a text was meant (salt-semantics section 4).

use serde_json::Value as Json;
use states::spec::{GLOBAL, Kind, Spec};

use crate::compile::diagnostic::{Diagnostic, Severity, did_you_mean, nearest};
use crate::compile::graph;
use crate::compile::high::REQUISITES;
use crate::compile::low::Low;
use crate::compile::place::Sources;
use crate::compile::python;

/// Warnings for one chunk.
pub(super) fn traps(low: &Low, spec: &Spec, sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (key, value) in &low.args {
        let at = low.place(key);
        let mut warn = |code: &'static str, message: String, help: String| {
            let mut problem = sources.error(at, message).coded(code).with_help(help);
            problem.severity = Severity::Warning;
            found.push(problem);
        };
        match (spec.param(key).map(|param| param.kind), value) {
            (None, _) if is_nothing(key) && spec.free => {
                let near = misspelt(key).filter(|_| value.is_array());
                if let Some(near) = near {
                    let message = format!("`{key}` is no requisite");
                    warn("misspelt-requisite", message, format!("did you mean `{near}`?"));
                } else if KNOWN.contains(&spec.state) && !low.args.contains_key("template") {
                    let message = format!("`{key}` does nothing: {} has no such parameter", spec.name());
                    let near = did_you_mean(key, spec.params.iter().map(|param| param.name));
                    warn(
                        "ignored-argument",
                        message,
                        near.unwrap_or_else(|| format!("see `salt-rs doc {}`", spec.name())),
                    );
                }
            }
            (Some(Kind::Map), Json::Null) if matches!(key.as_str(), "context" | "defaults") => warn(
                "wrong-indent",
                format!("nothing is below `{key}:`; keys in the same column are arguments beside it"),
                format!("indent them further than `{key}`"),
            ),
            (Some(Kind::Mode), Json::Number(_) | Json::String(_)) if !is_mode(&python::text(value)) => warn(
                "octal-mode",
                format!("{} is no octal mode", python::text(value)),
                "a mode has the digits 0 to 7, such as '0644'".to_owned(),
            ),
            (Some(Kind::Text), Json::Bool(_) | Json::Number(_)) => {
                let excerpt = sources.error(at, "").excerpt.unwrap_or_default();
                if let Some(written) =
                    written(&excerpt, key).filter(|written| *written != python::text(value))
                {
                    let kind = python::type_name(value);
                    let code = if value.is_boolean() {
                        "plain-truth"
                    } else {
                        "plain-number"
                    };
                    warn(
                        code,
                        format!("`{written}` is read as {} ({kind})", python::text(value)),
                        format!("write '{written}' in quotes to keep it as it is"),
                    );
                }
            }
            _ => {}
        }
    }
    found
}

/// Modules whose functions take further arguments and leave them alone, but for variables of a template.
const KNOWN: [&str; 3] = ["file", "service", "pkg"];

/// Whether an argument means nothing to states in general.
fn is_nothing(key: &str) -> bool {
    !key.starts_with("__") && !GLOBAL.contains(&key) && !REQUISITES.contains(&key)
}

/// The requisite that was meant by an argument that is none.
fn misspelt(key: &str) -> Option<&'static str> {
    let requisite = |name: &&&str| graph::is_requisite(name);
    nearest(key, GLOBAL.iter().filter(requisite).copied())
}

fn is_mode(text: &str) -> bool {
    text == "keep" || (!text.is_empty() && text.chars().all(|digit| matches!(digit, '0'..='7')))
}

/// The plain scalar behind a key on its line; `None` where it was made by a template or stands elsewhere.
fn written<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(key)?;
    let rest = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix(':')?;
    let rest = rest.split(" #").next().unwrap_or(rest).trim();
    let plain = !rest.is_empty() && !rest.contains(['{', '}', '"', '\'', '[', ',', '&', '*', '!', '|', '>']);
    plain.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_was_written() {
        assert_eq!(written("    - version: 1.10  # why", "version"), Some("1.10"));
        assert_eq!(written("    - version: '1.10'", "version"), None);
        assert_eq!(written("    - version: {{ v }}", "version"), None);
        assert_eq!(written("    - names: [yes]", "version"), None);
    }

    #[test]
    fn modes_are_octal() {
        for good in ["644", "0644", "1777", "keep"] {
            assert!(is_mode(good), "{good}");
        }
        for bad in ["0899", "rw", "", "64a"] {
            assert!(!is_mode(bad), "{bad}");
        }
    }
}
