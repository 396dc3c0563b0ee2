//! `file.append`: lines at the end of a file.

use super::place::Above;
use super::{edit, place};
use crate::perms::{Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, regex, text};

/// `file.append`.
#[derive(Debug)]
pub struct Append;

static PARAMS: &[Param] = &[
    Param::new(
        "text",
        Kind::List,
        "The text, or a list of texts; each is added unless it is already there.",
    ),
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
    Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
    Param::new(
        "ignore_whitespace",
        Kind::Flag,
        "A text is there already if it differs in blanks only (default true).",
    ),
    Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
];

/// Parameters of `file.prepend`.
pub(super) static PREPEND: &[Param] = &[
    Param::new(
        "text",
        Kind::List,
        "The text, or a list of texts; each is added unless it is already there.",
    ),
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
    Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
    Param::new(
        "ignore_whitespace",
        Kind::Flag,
        "A text is there already if it differs in blanks only (default true).",
    ),
    Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
    Param::new(
        "header",
        Kind::Flag,
        "The texts must be the first lines of the file, wherever else they stand.",
    ),
];

static SPEC: Spec = Spec {
    state: "file",
    fun: "append",
    doc: "Make sure that some lines are in a file, adding those that are missing at its end.\n\nThe file is made when it \
          is not there.",
    params: PARAMS,
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Append {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        extend(call, host, End::After)
    }
}

/// Which end of the file grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `file.append`.
    After,
    /// `file.prepend`.
    Before,
}

/// The plan of both `file.append` and `file.prepend`.
pub(super) fn extend(call: &Call<'_>, host: &Host<'_>, end: End) -> Result<Plan, Stop> {
    let name = place::name(call, host)?;
    let given = call.name();
    let there = edit::read(host, &name)?;
    let texts = texts(call, host)?;
    let old = there.as_ref().map_or("", |there| there.text.as_str());
    let missing = match end {
        End::Before if call.args().flag("header", false) => header(old, &texts),
        _ => missing(call, old, &texts)?,
    };

    let mut new = String::new();
    let before = text::splitlines(old);
    match end {
        End::After => {
            new.push_str(old);
            if !missing.is_empty() && !new.is_empty() && !new.ends_with('\n') {
                new.push('\n');
            }
            missing.iter().for_each(|line| new.extend([line.as_str(), "\n"]));
        }
        End::Before => {
            missing.iter().for_each(|line| new.extend([line.as_str(), "\n"]));
            new.push_str(old);
        }
    }
    let diff = match (call.args().flag("show_changes", true), end) {
        (false, _) => "<show_changes=False>".to_owned(),
        (true, End::After) => text::diff_of_lines(&before, &text::splitlines(&new)),
        (true, End::Before) => text::diff(old, &new),
    };
    let changes = if missing.is_empty() {
        proto::Args::new()
    } else {
        one("diff", diff)
    };
    let comment = match (missing.len(), end) {
        (0, _) => format!("File {given} is in correct state"),
        (n, End::After) => format!("Appended {n} lines"),
        (n, End::Before) => format!("Prepended {n} lines"),
    };
    let Some(there) = there else {
        return create(call, host, &name, &new, changes, comment);
    };
    if missing.is_empty() {
        return Ok(Plan::met(comment));
    }
    let act = there.write(host, &new);
    Ok(
        Plan::change(vec![act], changes, comment)
            .or_would(format!("File {given} is set to be updated"), None),
    )
}

/// The file is new: its directories too, where `makedirs` allows.
fn create(
    call: &Call<'_>,
    host: &Host<'_>,
    name: &str,
    new: &str,
    changes: proto::Args,
    comment: String,
) -> Result<Plan, Stop> {
    let given = call.name();
    let would = format!("File {given} is set to be created");
    let (mut acts, parent) = match place::above(host, name)? {
        Above::Dir(meta) => (Vec::new(), meta),
        Above::Missing(dirs, meta) if call.args().flag("makedirs", false) => {
            let perms = Perms::default();
            (place::make_dirs(&dirs, &perms, &meta, masked(call, 0o777)), meta)
        }
        _ if call.test => {
            return Ok(Plan {
                verdict: Verdict::WouldChange,
                changes: one("new", given),
                comment: would,
                ..Plan::default()
            });
        }
        _ => return Err(Stop::Failed(format!("{given}: file not found"))),
    };
    acts.push(edit::create(call, host, name, &parent, new));
    Ok(Plan::change(acts, changes, comment).or_would(would, Some(one("new", given))))
}

/// The lines of those texts that are not in `old` yet.
fn missing(call: &Call<'_>, old: &str, texts: &[String]) -> Result<Vec<String>, Stop> {
    let ignore = call.args().flag("ignore_whitespace", true);
    let mut lines = Vec::new();
    for wanted in texts {
        let pattern = if ignore { loosely(wanted) } else { wanted.clone() };
        let flags = regex::Flags {
            multiline: true,
            ..regex::Flags::default()
        };
        if !regex::found(&regex::compile(&pattern, flags)?, old)? {
            lines.extend(text::splitlines(wanted).into_iter().map(str::to_owned));
        }
    }
    Ok(lines)
}

/// All lines of those texts, unless the file begins with them.
fn header(old: &str, texts: &[String]) -> Vec<String> {
    let wanted: Vec<&str> = texts.iter().flat_map(|text| text::splitlines(text)).collect();
    if text::splitlines(old).starts_with(&wanted) {
        return Vec::new();
    }
    wanted.into_iter().map(str::to_owned).collect()
}

/// A pattern for whole lines that equal `text` but for blanks.
fn loosely(text: &str) -> String {
    let lines = text::splitlines(text).into_iter().map(|line| {
        let words: Vec<String> = line.split_whitespace().map(regex::escape).collect();
        format!(r"\s*{}\s*", words.join(r"\s*"))
    });
    format!("^{}$", lines.collect::<String>())
}

/// `text`, or what the sources hold.
pub(super) fn texts(call: &Call<'_>, host: &Host<'_>) -> Result<Vec<String>, Stop> {
    let args = call.args();
    let mut sources = args.texts("source");
    sources.extend(args.texts("sources"));
    if sources.is_empty() {
        if args.any("text").is_none() {
            return Err(Stop::failed("No text found to append. Nothing appended"));
        }
        return Ok(args.texts("text"));
    }
    sources
        .iter()
        .map(|source| {
            let bytes = match call.chunk.sources.get(source) {
                Some(proto::Sourced::File { content, .. }) => host.object(content)?,
                Some(proto::Sourced::Broken(why)) => return Err(Stop::Failed(why.clone())),
                Some(_) => None,
                None => match crate::source::local(source) {
                    Some(path) => host.bytes(path)?,
                    None => None,
                },
            };
            let bytes =
                bytes.ok_or_else(|| Stop::Failed(format!("Failed to load template file {source}")))?;
            Ok(String::from_utf8_lossy(bytes).into_owned())
        })
        .collect()
}
