//! `file.replace`: what a pattern matches in a file is replaced.

use super::edit;
use crate::args::plain;
use crate::plan::one;
use crate::regex::{self, Flags};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `file.replace`.
#[derive(Debug)]
pub struct Replace;

static SPEC: Spec = Spec {
    state: "file",
    fun: "replace",
    doc: "Replace what a regular expression matches in a file.\n\nThe expression is Python's; `^` and `$` stand for every line. \
          Mind that the result should not match again, or the state changes the file every time.",
    params: &[
        Param::required("pattern", Kind::Text, "The regular expression."),
        Param::required(
            "repl",
            Kind::Text,
            r"What replaces a match; `\1` and `\g<name>` stand for its groups.",
        ),
        Param::new(
            "count",
            Kind::Number,
            "Replace at most so many matches (0, the default, is all).",
        ),
        Param::new(
            "flags",
            Kind::Any,
            "Names (`IGNORECASE`, `MULTILINE`, `DOTALL`) or number of Python's flags (default `MULTILINE`).",
        ),
        Param::new(
            "append_if_not_found",
            Kind::Flag,
            "Add the replacement at the end when nothing matches.",
        ),
        Param::new(
            "prepend_if_not_found",
            Kind::Flag,
            "Add the replacement at the beginning when nothing matches.",
        ),
        Param::new(
            "not_found_content",
            Kind::Text,
            "What to add then instead of the replacement.",
        ),
        Param::new(
            "backup",
            Kind::Any,
            "Extension of the copy left beside the file (default `.bak`); false for none.",
        ),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
        Param::new(
            "ignore_if_missing",
            Kind::Flag,
            "A file that is not there is as it should be.",
        ),
        Param::new(
            "backslash_literal",
            Kind::Flag,
            "Backslashes in `repl` mean nothing.",
        ),
        Param::new("bufsize", Kind::Any, "Accepted."),
        Param::new("encoding", Kind::Text, "Accepted; files are UTF-8."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Replace {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let found = edit::existing(call, host);
        let there = match found {
            Ok(there) => there,
            Err(Stop::Failed(why))
                if args.flag("ignore_if_missing", false) && why.contains("file not found") =>
            {
                return Ok(Plan::met("No changes needed to be made"));
            }
            Err(stop) => return Err(stop),
        };
        if there.text.contains('\0') {
            return Err(Stop::Failed(format!(
                "Cannot perform string replacements on a binary file: {}",
                call.name()
            )));
        }
        let new = replaced(call, &there.text)?;
        if new == there.text {
            return Ok(Plan::met("No changes needed to be made"));
        }
        let shown = if args.flag("show_changes", true) {
            text::diff(&there.text, &new).into()
        } else {
            serde_json::Value::Bool(true)
        };
        let mut acts = there.copies(call, host)?;
        acts.push(there.write(host, &new));
        Ok(Plan::change(acts, one("diff", shown), "Changes were made")
            .or_would("Changes would have been made", None))
    }
}

fn replaced(call: &Call<'_>, old: &str) -> Result<String, Stop> {
    let args = call.args();
    let pattern = args.text("pattern").unwrap_or_default();
    let repl = args.text("repl").unwrap_or_default();
    let (append, prepend) = (
        args.flag("append_if_not_found", false),
        args.flag("prepend_if_not_found", false),
    );
    if append && prepend {
        return Err(Stop::failed(
            "Only one of append and prepend_if_not_found is permitted",
        ));
    }
    let lines = Flags {
        multiline: true,
        ..Flags::default()
    };
    let flags = Flags::of(args, lines);
    let template = if args.flag("backslash_literal", false) {
        repl.replace('\\', "\\\\")
    } else {
        repl.clone()
    };
    let count = usize::try_from(args.number("count")?.unwrap_or(0)).unwrap_or(0);
    let (mut new, matches) = regex::substitute(&regex::compile(&pattern, flags)?, old, &template, count)?;
    if matches > 0 || !(append || prepend) {
        return Ok(new);
    }
    let content = args.any("not_found_content").map_or(repl, plain);
    let there = regex::compile(&format!(r"^{}($|(?=\r\n))", regex::escape(&content)), flags)?;
    if regex::found(&there, old)? {
        return Ok(new);
    }
    if prepend {
        return Ok(format!("{content}\n{new}"));
    }
    if !new.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    Ok(format!("{new}{content}\n"))
}
