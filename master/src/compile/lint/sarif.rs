//! SARIF 2.1.0: what lint found, as code hosting sites show it beside the lines.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::compile::codes::{CODES, Code};
use crate::compile::diagnostic::{Diagnostic, Severity};

/// What a problem without a code of its own goes by.
const OTHER: &str = "other";

/// One run of the tool. `under` stands before every path, where the tree is not at the top of what is looked at.
pub fn document(problems: &[Diagnostic], under: &str) -> Json {
    let mut rules: Vec<Json> = CODES.iter().map(rule).collect();
    let index: BTreeMap<&str, usize> = CODES
        .iter()
        .enumerate()
        .map(|(index, code)| (code.name, index))
        .collect();
    let other = rules.len();
    rules.push(json!({
        "id": OTHER,
        "shortDescription": { "text": "a problem without a code of its own" },
        "help": { "text": "The message says what is wrong and the help below it what to do." },
        "defaultConfiguration": { "level": "error" },
    }));
    let results: Vec<Json> = problems
        .iter()
        .map(|problem| {
            let code = problem.code().unwrap_or(OTHER);
            let rule = index.get(code).copied().unwrap_or(other);
            result(problem, code, rule, under)
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "salt-rs",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &Code) -> Json {
    let why = if code.why.is_empty() {
        code.title
    } else {
        &code.why
    };
    json!({
        "id": code.name,
        "shortDescription": { "text": code.title },
        "fullDescription": { "text": why },
        "help": { "text": code.page() },
        "defaultConfiguration": { "level": level(code.severity) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(problem: &Diagnostic, code: &str, rule: usize, under: &str) -> Json {
    let text = match &problem.help {
        Some(help) => format!("{}\nhelp: {help}", problem.message),
        None => problem.message.clone(),
    };
    let mut result = json!({
        "ruleId": code,
        "ruleIndex": rule,
        "level": level(problem.severity),
        "message": { "text": text },
    });
    if let Some(file) = &problem.file {
        let place = location(file, problem.line, problem.column, under);
        result["locations"] = json!([place]);
    }
    let related: Vec<Json> = problem
        .notes
        .iter()
        .enumerate()
        .filter_map(|(id, note)| {
            let mut place = location(note.file.as_ref()?, note.line, note.column, under);
            place["id"] = id.into();
            place["message"] = json!({ "text": note.message });
            Some(place)
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

fn location(file: &str, line: Option<u32>, column: Option<u32>, under: &str) -> Json {
    let mut place = json!({ "artifactLocation": { "uri": uri(file, under) } });
    if let Some(line) = line.filter(|line| *line > 0) {
        place["region"] = json!({ "startLine": line });
        if let Some(column) = column.filter(|column| *column > 0) {
            place["region"]["startColumn"] = column.into();
        }
    }
    json!({ "physicalLocation": place })
}

/// A relative path as a URI reference.
fn uri(file: &str, under: &str) -> String {
    let path = if under.is_empty() || file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{}/{file}", under.trim_end_matches('/'))
    };
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_a_result_at_its_place() {
        let problem = Diagnostic::warning("odd")
            .coded("octal-mode")
            .in_file("salt/a b.sls")
            .at(3, 7)
            .with_note(Diagnostic::error("here too").in_file("salt/c.sls").at(1, 1))
            .with_help("write it");
        let document = document(&[problem, Diagnostic::error("what?")], "");
        let run = &document["runs"][0];
        let (first, second) = (&run["results"][0], &run["results"][1]);
        assert_eq!(first["ruleId"], "octal-mode");
        assert_eq!(first["level"], "warning");
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "salt/a%20b.sls");
        assert_eq!(place["region"], json!({ "startLine": 3, "startColumn": 7 }));
        assert_eq!(first["relatedLocations"][0]["message"]["text"], "here too");
        for result in [first, second] {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
    }
}
