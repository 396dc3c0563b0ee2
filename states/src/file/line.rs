//! `file.line`: one line of a file, placed by what stands around it.

use super::edit;
use crate::plan::one;
use crate::regex::{self, Flags};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `file.line`.
#[derive(Debug)]
pub struct Line;

static SPEC: Spec = Spec {
    state: "file",
    fun: "line",
    doc: "Insert, replace, delete or ensure one line of a file.\n\n`ensure` is the mode to use: the line is put next to another \
          one unless it is there. `match`, `before` and `after` are regular expressions or parts of a line.",
    params: &[
        Param::new("mode", Kind::Text, "`ensure`, `insert`, `replace` or `delete`."),
        Param::new("content", Kind::Text, "The line."),
        Param::new(
            "match",
            Kind::Text,
            "The line to replace or delete (default: `content`).",
        ),
        Param::new("before", Kind::Text, "The line that comes after it."),
        Param::new("after", Kind::Text, "The line that comes before it."),
        Param::new("location", Kind::Text, "`start` or `end`, for `insert`."),
        Param::new(
            "indent",
            Kind::Flag,
            "Indent it like its neighbour (default true).",
        ),
        Param::new("create", Kind::Flag, "Make the file when it is not there."),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
        Param::new(
            "backup",
            Kind::Any,
            "Accepted; the old contents are always kept by the journal.",
        ),
        Param::new("quiet", Kind::Flag, "Accepted."),
        Param::new("user", Kind::Text, "Accepted; use `file.managed` for the owner."),
        Param::new("group", Kind::Text, "Accepted."),
        Param::new("file_mode", Kind::Mode, "Accepted."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Line {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let mode = args.text("mode").unwrap_or_default().to_lowercase();
        if mode.is_empty() {
            return Err(Stop::failed("Mode was not defined. How to process the file?"));
        }
        if mode != "delete" && args.any("content").is_none() {
            return Err(Stop::failed("Content can only be empty if mode is ['delete']"));
        }
        let there = match edit::existing(call, host) {
            Ok(there) => there,
            Err(Stop::Failed(why)) if args.flag("create", false) && why.contains("file not found") => {
                return new_file(call, host);
            }
            Err(stop) => return Err(stop),
        };
        let new = placed(call, &mode, &there.text)?;
        if new == there.text {
            return Ok(Plan::met("No changes needed to be made"));
        }
        let changes = shown(call, &there.text, &new);
        Ok(
            Plan::change(vec![there.write(host, &new)], changes, "Changes were made")
                .or_would("Changes would be made", None),
        )
    }
}

/// The file is not there, and `create` is set.
fn new_file(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    use super::place::{self, Above};
    let name = place::name(call, host)?;
    let Above::Dir(parent) = place::above(host, &name)? else {
        return Err(Stop::Failed(format!("{}: file not found", call.name())));
    };
    let new = call.args().text("content").unwrap_or_default();
    let act = edit::create(call, host, &name, &parent, &new);
    Ok(
        Plan::change(vec![act], shown(call, "", &new), "Changes were made")
            .or_would("Changes would be made", None),
    )
}

fn shown(call: &Call<'_>, old: &str, new: &str) -> proto::Args {
    if call.args().flag("show_changes", true) {
        one("diff", text::diff(old, new))
    } else {
        one("diff", true)
    }
}

/// The text with the line where it belongs.
fn placed(call: &Call<'_>, mode: &str, old: &str) -> Result<String, Stop> {
    let args = call.args();
    let content = args.text("content").unwrap_or_default();
    let indent = args.flag("indent", true);
    let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
    if lines.last().is_some_and(|line| line.ends_with('\n')) {
        lines.push(String::new());
    }
    let around = (args.text("before"), args.text("after"));
    let wanted = args
        .text("match")
        .or_else(|| (around == (None, None)).then(|| content.clone()));
    let matching = matching(&lines, wanted.as_deref())?;
    let before = matching_one(&lines, around.0.as_deref(), "before");
    let after = matching_one(&lines, around.1.as_deref(), "after");
    let like = |neighbour: &str| {
        let blanks: String = neighbour
            .chars()
            .take_while(|c| matches!(c, ' ' | '\t'))
            .collect();
        if indent {
            format!("{blanks}{}", content.trim_start())
        } else {
            content.clone()
        }
    };
    let same = |line: &str| line.trim_end_matches(['\r', '\n']) == content.trim_end_matches(['\r', '\n']);
    match mode {
        "delete" => {
            if let Some(first) = matching.first().map(|at| lines[*at].clone()) {
                lines.retain(|line| *line != first);
            }
        }
        "replace" => {
            if let Some(at) = matching.first() {
                lines[*at] = like(&lines[*at]);
            }
        }
        "insert" => match (args.text("location").as_deref(), around) {
            (Some("end"), _) => {
                let neighbour = lines.last().cloned().unwrap_or_default();
                lines.push(like(&neighbour));
            }
            (Some("start"), _) => lines.insert(0, format!("{}\n", content.trim_end())),
            (_, (Some(_), Some(_))) => {
                let (_, at) = (after?, before?);
                lines.insert(at, like(&lines[at]));
            }
            (_, (None, Some(_))) => {
                let at = after?;
                if lines.get(at + 1).is_none_or(|line| !same(line)) {
                    lines.insert(at + 1, like(&lines[at]));
                }
            }
            (_, (Some(_), None)) => {
                let at = before?;
                if at == 0 || !same(&lines[at - 1]) {
                    lines.insert(at, like(&lines[at]));
                }
            }
            (_, (None, None)) => {
                return Err(Stop::failed(
                    "On insert either \"location\" or \"before/after\" conditions are required.",
                ));
            }
        },
        "ensure" => match around {
            (Some(_), Some(_)) => {
                let (start, end) = (after?, before?);
                if !lines.iter().any(|line| same(line.trim_start())) {
                    match end.checked_sub(start) {
                        Some(1) => lines.insert(start + 1, like(&lines[start])),
                        Some(2) => lines[start + 1] = like(&lines[start]),
                        _ => {
                            return Err(Stop::failed(
                                "Found more than one line between boundaries \"before\" and \"after\".",
                            ));
                        }
                    }
                }
            }
            (Some(_), None) => {
                let at = before?;
                if at == 0 || !same(&lines[at - 1]) {
                    let neighbour = lines[at.saturating_sub(1)].clone();
                    lines.insert(at, like(&neighbour));
                }
            }
            (None, Some(_)) => {
                let at = after?;
                if lines.get(at + 1).is_none_or(|line| !same(line)) {
                    lines.insert(at + 1, like(&lines[at]));
                }
            }
            (None, None) => {
                return Err(Stop::failed(
                    "Wrong conditions? Unable to ensure line without knowing where to put it before and/or after.",
                ));
            }
        },
        other => return Err(Stop::Failed(format!("Unknown mode: \"{other}\""))),
    }
    Ok(joined(lines))
}

/// Lines with ends where they have lost them.
fn joined(mut lines: Vec<String>) -> String {
    let last = lines.len().saturating_sub(1);
    let end = if lines.iter().any(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    for line in &mut lines[..last] {
        if !line.ends_with('\n') {
            *line = format!("{}{end}", line.trim_end());
        }
    }
    lines.concat()
}

/// Lines that match a regular expression, or hold it as it is.
fn matching(lines: &[String], pattern: Option<&str>) -> Result<Vec<usize>, Stop> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else {
        return Ok(Vec::new());
    };
    let flags = Flags {
        dotall: true,
        ..Flags::default()
    };
    let regex = regex::compile(pattern, flags)?;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.contains(pattern) || regex::found(&regex, line)? {
            found.push(at);
        }
    }
    Ok(found)
}

/// The one line that matches.
fn matching_one(lines: &[String], pattern: Option<&str>, which: &str) -> Result<usize, Stop> {
    match matching(lines, pattern)?.as_slice() {
        [one] => Ok(*one),
        found => Err(Stop::Failed(format!(
            "Found {} expected occurrences in \"{which}\" expression",
            if found.is_empty() {
                "less than"
            } else {
                "more than"
            }
        ))),
    }
}
