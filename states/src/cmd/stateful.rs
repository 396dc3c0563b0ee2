//! `stateful: True`: the command itself tells whether it changed something.

use proto::{Args, Command};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{Call, Host, Plan, Report, Stop, Verdict};

/// Whether the command tells its own result.
pub(super) fn wanted(call: &Call<'_>) -> bool {
    match call.args().get("stateful") {
        Some(Json::Bool(wanted)) => *wanted,
        Some(Json::Array(items)) => !items.is_empty(),
        _ => false,
    }
}

/// The command for test mode, of `stateful: [{test_name: …}]`.
pub(super) fn test_name(call: &Call<'_>) -> Option<String> {
    let first = call.args().get("stateful")?.as_array()?.first()?;
    first.get("test_name").map(plain)
}

/// The result in test mode, told by a command that changes nothing.
///
/// # Errors
/// [`Stop::Ask`] until it has run.
pub(super) fn tested(call: &Call<'_>, host: &Host<'_>, command: &Command) -> Result<Plan, Stop> {
    super::check_cwd(host, command)?;
    let output = host.command(command.clone())?;
    let changes = super::told(call, command, output);
    let right = changes.get("retcode").and_then(Json::as_i64) == Some(0);
    let report = reinterpreted(Report {
        result: Some(right),
        changes,
        ..Report::default()
    });
    Ok(Plan {
        verdict: match (report.result, report.changes.is_empty()) {
            (Some(false), _) => Verdict::Failed,
            (_, true) => Verdict::ByActs,
            (_, false) => Verdict::WouldChange,
        },
        changes: report.changes,
        comment: report.comment,
        ..Plan::default()
    })
}

/// The result with comment and changes taken from what the command printed.
pub(super) fn reinterpreted(report: Report) -> Report {
    let text = |key: &str| report.changes.get(key).map(plain).unwrap_or_default();
    let (stdout, stderr) = (text("stdout"), text("stderr"));
    let mut told = Report {
        changes: Args::new(),
        comment: String::new(),
        ..report.clone()
    };
    if stdout.is_empty() {
        told.comment = stderr;
        return told;
    }
    let failed = |mut told: Report, why: &str, changes: Args| {
        told.comment = why.to_owned();
        told.result = Some(false);
        told.changes = changes;
        told
    };
    let (mut data, before) = match serde_json::from_slice(stdout.as_bytes()) {
        Ok(Json::Object(data)) => (data, String::new()),
        Ok(_) => {
            let why = "script JSON output must be a JSON object (e.g., {})!";
            return failed(told, why, Args::new());
        }
        Err(_) => {
            let trimmed = stdout.trim_end();
            let at = trimmed.rfind('\n');
            let last = at.map_or(stdout.as_str(), |at| &stdout[at + 1..]);
            let Some(data) = pairs(last) else {
                let why = "Failed parsing script output! Stdout must be JSON or a line of name=value pairs.";
                return failed(told, why, report.changes);
            };
            // Salt cuts the line it read off; where that is the only one, it cuts off just its last letter.
            let before = at.unwrap_or(stdout.len() - stdout.chars().next_back().map_or(0, char::len_utf8));
            (data, stdout[..before].to_owned())
        }
    };
    let changed = data
        .get("changed")
        .map_or_else(|| "no".to_owned(), plain)
        .to_lowercase();
    let changed = match changed.as_str() {
        "true" | "yes" | "1" => true,
        "false" | "no" | "0" => false,
        other => {
            return failed(
                told,
                &format!("Failed parsing boolean value: {other}"),
                Args::new(),
            );
        }
    };
    if let Some(comment) = data.shift_remove("comment") {
        told.comment = plain(&comment);
    }
    if changed {
        for (key, value) in report.changes {
            data.entry(key).or_insert(value);
        }
        data.insert("stdout".to_owned(), before.into());
        told.changes = data;
    }
    told
}

/// `name=value` words, values quoted as in a shell; `None` when a word is none.
fn pairs(line: &str) -> Option<Args> {
    words(line)?
        .into_iter()
        .map(|word| {
            let (name, value) = word.split_once('=')?;
            (!value.contains('=')).then(|| (name.to_owned(), Json::from(value)))
        })
        .collect()
}

/// The words of a line as a shell splits them; `None` when a quote is not closed.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().push(rest.next()?),
            (Some('"'), '\\') => match rest.next()? {
                c @ ('"' | '\\') => word.get_or_insert_default().push(c),
                c => word.get_or_insert_default().extend(['\\', c]),
            },
            (Some(open), c) if c == open => quote = None,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::one;

    fn told(stdout: &str) -> Report {
        let mut changes = one("retcode", 0);
        changes.insert("stdout".to_owned(), stdout.into());
        changes.insert("stderr".to_owned(), "".into());
        reinterpreted(Report {
            result: Some(true),
            changes,
            ..Report::default()
        })
    }

    #[test]
    fn the_last_line_speaks() {
        let report = told("working\nchanged=yes comment='it is done' what=all");
        assert_eq!(report.comment, "it is done");
        assert_eq!(report.changes.get("what"), Some(&"all".into()));
        assert_eq!(report.changes.get("stdout"), Some(&"working".into()));
        assert!(told("changed=no").changes.is_empty());
        assert_eq!(told("{\"changed\": true, \"comment\": \"x\"}").comment, "x");
        assert_eq!(told("no pairs here").result, Some(false));
        assert_eq!(told("[1]").result, Some(false));
    }

    #[test]
    fn words_as_a_shell() {
        let split = words("one 'two three' \"a\\\"b\" c\\ d").expect("closed");
        assert_eq!(split, ["one", "two three", "a\"b", "c d"]);
        assert_eq!(words("'open"), None);
    }
}
