//! `file.comment` and `file.uncomment`: lines made comments, and comments made lines.

use super::edit::{self, Text};
use crate::plan::one;
use crate::regex::{self, Flags};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, text};

/// `file.comment`.
#[derive(Debug)]
pub struct Comment;

/// `file.uncomment`.
#[derive(Debug)]
pub struct Uncomment;

const REGEX: Param = Param::required(
    "regex",
    Kind::Text,
    "Regular expression for the line; `^` is its beginning.",
);
const CHAR: Param = Param::new("char", Kind::Text, "What makes a line a comment (default `#`).");
const BACKUP: Param = Param::new(
    "backup",
    Kind::Any,
    "Extension of the copy left beside the file (default `.bak`); false for none.",
);

static COMMENT: Spec = Spec {
    state: "file",
    fun: "comment",
    doc: "Make sure that lines which match a regular expression are comments.",
    params: &[
        REGEX,
        CHAR,
        BACKUP,
        Param::new("ignore_missing", Kind::Flag, "No such line is as it should be."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static UNCOMMENT: Spec = Spec {
    state: "file",
    fun: "uncomment",
    doc: "Make sure that lines which match a regular expression are no comments.",
    params: &[REGEX, CHAR, BACKUP],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Comment {
    fn spec(&self) -> &'static Spec {
        &COMMENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let there = edit::existing(call, host)?;
        let (given, char) = (args.text("regex").unwrap_or_default(), char(call));
        let bare = given.strip_suffix('$').unwrap_or(&given);
        let bare = bare.strip_prefix('^').unwrap_or(bare);
        if !found(&format!(r"^(?!\s*{char})\s*{bare}"), &there)? {
            return if found(&format!("{char}{bare}"), &there)? {
                Ok(Plan::met("Pattern already commented"))
            } else if args.flag("ignore_missing", false) {
                Ok(Plan::met("Pattern not found and ignore_missing set to True"))
            } else {
                Err(Stop::Failed(format!("{bare}: Pattern not found")))
            };
        }
        let start = if given.starts_with('^') { "^" } else { "" };
        let end = if given.ends_with('$') { "$" } else { "" };
        let new = edited(&format!("{start}({bare}){end}"), &there, |line| {
            format!("{char}{line}")
        })?;
        done(call, host, &there, &new, "Commented lines successfully")
    }
}

impl State for Uncomment {
    fn spec(&self) -> &'static Spec {
        &UNCOMMENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let there = edit::existing(call, host)?;
        let (given, char) = (call.args().text("regex").unwrap_or_default(), char(call));
        let bare = given.trim_start_matches('^');
        if !found(&format!("{char}[ \t]*{bare}"), &there)? {
            return if found(&format!("^[ \t]*{bare}"), &there)? {
                Ok(Plan::met("Pattern already uncommented"))
            } else {
                Err(Stop::Failed(format!("{given}: Pattern not found")))
            };
        }
        let end = if given.ends_with('$') { "$" } else { "" };
        let pattern = format!(r"^{char}\s*({}){end}", bare.trim_end_matches('$'));
        let strip = |line: &str| line.trim_start_matches(|c| char.contains(c)).to_owned();
        let new = edited(&pattern, &there, strip)?;
        done(call, host, &there, &new, "Uncommented lines successfully")
    }
}

fn char(call: &Call<'_>) -> String {
    call.args().text("char").unwrap_or_else(|| "#".to_owned())
}

fn found(pattern: &str, there: &Text<'_>) -> Result<bool, Stop> {
    let lines = Flags {
        multiline: true,
        ..Flags::default()
    };
    regex::found(&regex::compile(pattern, lines)?, &there.text)
}

/// The text with every line changed that matches from its beginning.
fn edited(pattern: &str, there: &Text<'_>, change: impl Fn(&str) -> String) -> Result<String, Stop> {
    let regex = regex::compile(
        &format!("^(?:{})", pattern.trim_start_matches('^')),
        Flags::default(),
    )?;
    let mut new = String::new();
    for line in there.text.split_inclusive('\n') {
        if regex::found(&regex, line)? {
            new.push_str(&change(line));
        } else {
            new.push_str(line);
        }
    }
    Ok(new)
}

fn done(call: &Call<'_>, host: &Host<'_>, there: &Text<'_>, new: &str, comment: &str) -> Result<Plan, Stop> {
    let given = call.name();
    if new == there.text {
        let what = if comment.starts_with('U') {
            "uncommented"
        } else {
            "commented"
        };
        return Err(Stop::Failed(format!("Expected {what} lines not found")));
    }
    let mut acts = there.copies(call, host)?;
    acts.push(there.write(host, new));
    Ok(
        Plan::change(acts, one("diff", text::diff(&there.text, new)), comment).or_would(
            format!("File {given} is set to be updated"),
            Some(one(given, "updated")),
        ),
    )
}
