//! `file.blockreplace`: what stands between two marker lines.

use super::{accumulated, append, edit};
use crate::plan::one;
use crate::regex::{self, Flags};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `file.blockreplace`.
#[derive(Debug)]
pub struct Blockreplace;

static SPEC: Spec = Spec {
    state: "file",
    fun: "blockreplace",
    doc: "Make sure that a text stands between two marker lines of a file.\n\nThe markers stay; everything between them is \
          replaced.",
    params: &[
        Param::new(
            "marker_start",
            Kind::Text,
            "Part of the line before the block (default `#-- start managed zone --`).",
        ),
        Param::new(
            "marker_end",
            Kind::Text,
            "Part of the line after it (default `#-- end managed zone --`).",
        ),
        Param::new("content", Kind::Text, "The text."),
        Param::new("source", Kind::Text, "Take the text from this source."),
        Param::new("source_hash", Kind::Text, "Hash a downloaded source must have."),
        Param::new("sources", Kind::List, "Take the texts from these sources."),
        Param::new("source_hashes", Kind::List, "Hashes of `sources`."),
        Param::new("template", Kind::Text, "Render the sources with this engine."),
        Param::new("context", Kind::Map, "Variables of the template."),
        Param::new(
            "defaults",
            Kind::Map,
            "Variables of the template that `context` overrides.",
        ),
        Param::new(
            "append_if_not_found",
            Kind::Flag,
            "Without markers: add them and the text at the end.",
        ),
        Param::new(
            "prepend_if_not_found",
            Kind::Flag,
            "Without markers: add them and the text at the beginning.",
        ),
        Param::new(
            "insert_before_match",
            Kind::Text,
            "Without markers: add them before the first line that matches.",
        ),
        Param::new(
            "insert_after_match",
            Kind::Text,
            "Without markers: add them after the first line that matches.",
        ),
        Param::new(
            "append_newline",
            Kind::Flag,
            "End the text with a newline (default: where it has none).",
        ),
        Param::new(
            "backup",
            Kind::Any,
            "Extension of the copy left beside the file (default `.bak`); false for none.",
        ),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Blockreplace {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let there = edit::existing(call, host)?;
        let ways = [
            "append_if_not_found",
            "prepend_if_not_found",
            "insert_before_match",
            "insert_after_match",
        ];
        if ways.iter().filter(|way| args.flag(way, false)).count() > 1 {
            return Err(untold(&format!(
                "Only one of {}, and {} is permitted",
                ways[..3].join(", "),
                ways[3]
            )));
        }
        let mut content = args.text("content").unwrap_or_default();
        for line in accumulated::gathered(call) {
            if !content.is_empty() {
                content.push('\n');
            }
            content.push_str(&line);
        }
        if args.any("source").is_some() || args.any("sources").is_some() {
            content.push_str(&append::texts(call, host)?.concat());
        }
        let new = replaced(call, &there.text, &content).map_err(|stop| match stop {
            Stop::Failed(why) => untold(&why),
            ask => ask,
        })?;
        if new == there.text {
            return Ok(Plan::met("No changes needed to be made"));
        }
        let shown = if args.flag("show_changes", true) {
            one("diff", text::diff(&there.text, &new))
        } else {
            one("diff", true)
        };
        let mut acts = there.copies(call, host)?;
        acts.push(there.write(host, &new));
        Ok(Plan::change(acts, shown, "Changes were made").or_would("Changes would be made", None))
    }
}

fn untold(why: &str) -> Stop {
    Stop::Failed(format!(
        "Encountered error managing block: {why}. See the log for details."
    ))
}

/// The lines of the block, with or without the first marker.
fn block(call: &Call<'_>, content: &str, start: Option<&str>, end: &str) -> Vec<String> {
    let newline = call
        .args()
        .any("append_newline")
        .map_or(!content.ends_with('\n'), crate::args::truth);
    let end = format!("{}\n", end.trim_end_matches(['\r', '\n']));
    let mut lines: Vec<String> = start.map(|start| format!("{start}\n")).into_iter().collect();
    let mut parts: Vec<&str> = content
        .split('\n')
        .map(|part| part.trim_end_matches('\r'))
        .collect();
    let last = parts.pop().unwrap_or_default();
    lines.extend(parts.into_iter().map(|part| format!("{part}\n")));
    if newline {
        lines.extend([format!("{last}\n"), end]);
    } else {
        lines.push(format!("{last}{end}"));
    }
    lines
}

fn replaced(call: &Call<'_>, old: &str, content: &str) -> Result<String, Stop> {
    let args = call.args();
    let start = args
        .text("marker_start")
        .unwrap_or_else(|| "#-- start managed zone --".to_owned());
    let end = args
        .text("marker_end")
        .unwrap_or_else(|| "#-- end managed zone --".to_owned());
    let (mut inside, mut found) = (false, false);
    let mut new: Vec<String> = Vec::new();
    for line in old.split_inclusive('\n') {
        if line.contains(&start) {
            inside = true;
            new.push(line.to_owned());
        } else if inside {
            if let Some(at) = line.find(&end) {
                (inside, found) = (false, true);
                new.extend(block(call, content, None, &line[at..]));
            }
        } else {
            new.push(line.to_owned());
        }
    }
    if inside {
        return Err(Stop::failed(
            "Unterminated marked block. End of file reached before marker_end.",
        ));
    }
    if found {
        return Ok(new.concat());
    }
    let missing = || Stop::failed("Cannot edit marked block. Markers were not found in file.");
    let block = block(call, content, Some(&start), &end);
    let (before, after) = (args.text("insert_before_match"), args.text("insert_after_match"));
    if args.flag("prepend_if_not_found", false) {
        new.splice(0..0, block);
    } else if args.flag("append_if_not_found", false) {
        if let Some(last) = new.last_mut().filter(|last| !last.ends_with('\n')) {
            last.push('\n');
        }
        new.extend(block);
    } else if let Some(pattern) = before.as_ref().or(after.as_ref()) {
        let regex = regex::compile(pattern, Flags::default())?;
        let mut at = None;
        for (place, line) in new.iter().enumerate() {
            if regex::found(&regex, line)? {
                at = Some(place);
                break;
            }
        }
        let at = at.ok_or_else(missing)? + usize::from(before.is_none());
        new.splice(at..at, block);
    } else {
        return Err(missing());
    }
    Ok(new.concat())
}
