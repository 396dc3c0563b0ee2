//! `slsutil.*`: merging, serialising, and looking for files of the tree.

use serde_json::Value as Json;

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::oracle::Oracle;
use crate::compile::python;
use crate::compile::template;
use crate::compile::yaml;
use crate::tree::Kind;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("merge", merge),
    ("update", update),
    ("merge_all", merge_all),
    ("serialize", serialize),
    ("deserialize", deserialize),
    ("boolstr", boolstr),
    ("path_exists", |oracle, args| exists(oracle, args, |_| true)),
    ("file_exists", |oracle, args| {
        exists(oracle, args, |kind| matches!(kind, Kind::File { .. }))
    }),
    ("dir_exists", |oracle, args| {
        exists(oracle, args, |kind| matches!(kind, Kind::Dir))
    }),
    ("findup", findup),
    ("banner", banner),
    ("renderer", renderer),
];

fn lists(join: bool) -> Lists {
    if join { Lists::Join } else { Lists::Replace }
}

fn strategy(oracle: &Oracle, args: &mut Args, a: &Json, b: &Json) -> Result<Json, String> {
    let strategy = args.text_or("strategy", "smart");
    let _renderer = args.next("renderer");
    let join = args
        .next("merge_lists")
        .map_or(oracle.options.pillar_lists(), |value| {
            lists(python::truth(&value))
        });
    combine(a, b, &strategy, join)
}

fn combine(a: &Json, b: &Json, strategy: &str, join: Lists) -> Result<Json, String> {
    match (strategy, a, b) {
        ("overwrite", Json::Object(a), Json::Object(b)) => {
            let mut out = a.clone();
            out.extend(b.clone());
            Ok(Json::Object(out))
        }
        // Only keys of the first are kept, and of both values a list is made.
        ("list", Json::Object(a), Json::Object(b)) => Ok(Json::Object(
            a.iter()
                .map(|(key, value)| {
                    let both = b
                        .get(key)
                        .map(|other| Json::from(vec![value.clone(), other.clone()]));
                    (key.clone(), both.unwrap_or_else(|| value.clone()))
                })
                .collect(),
        )),
        // Nothing is marked with `!aggregate` here, so at the root the second wins.
        ("aggregate", Json::Object(a), Json::Object(b)) => {
            let mut out = a.clone();
            out.extend(b.clone());
            Ok(Json::Object(out))
        }
        ("overwrite" | "list" | "aggregate", _, _) => Ok(b.clone()),
        _ => data::updated(a, b, join),
    }
}

fn merge(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let a = args.required("obj_a")?;
    let b = args.required("obj_b")?;
    strategy(oracle, args, &a, &b)
}

fn update(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let lower = args.required("dest")?;
    let upper = args.required("upd")?;
    let deep = args.flag("recursive_update", true);
    let join = lists(args.flag("merge_lists", false));
    combine(&lower, &upper, if deep { "recurse" } else { "overwrite" }, join)
}

fn merge_all(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let all = args.required("lst")?;
    let kind = args.text_or("strategy", "smart");
    let _renderer = args.next("renderer");
    let join = args
        .next("merge_lists")
        .map_or(oracle.options.pillar_lists(), |value| {
            lists(python::truth(&value))
        });
    let mut out = Json::Object(serde_json::Map::new());
    for one in all.as_array().into_iter().flatten() {
        out = combine(&out, one, &kind, join)?;
    }
    Ok(out)
}

fn serialize(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let kind = args.text("serializer")?;
    let value = args.required("obj")?;
    let options = args.rest_named();
    let option = |key: &str| options.get(key).cloned().unwrap_or(Json::Null);
    match kind.as_str() {
        "json" if option("indent").is_null() => {
            Ok(python::json(&value, python::truth(&option("sort_keys"))).into())
        }
        "json" => template::expression(
            "value | json(sort_keys=sorted, indent=indent)",
            [
                ("value", value),
                ("sorted", python::truth(&option("sort_keys")).into()),
                ("indent", option("indent")),
            ],
        )
        .map(Json::String),
        "yaml" | "yamlex" => template::yaml(&value, &option("default_flow_style")).map(Json::String),
        "configparser" => Ok(configuration(&super::mapping(value, "obj")?).into()),
        _ => Err(format!("Serializer '{kind}' not found.")),
    }
}

/// Sections as Python's `configparser` writes them.
fn configuration(sections: &serde_json::Map<String, Json>) -> String {
    let mut out = String::new();
    for (name, options) in sections {
        out.push_str(&format!("[{name}]\n"));
        for (key, value) in options.as_object().into_iter().flatten() {
            let text = python::text(value).replace('\n', "\n\t");
            out.push_str(&format!("{} = {text}\n", key.to_lowercase()));
        }
        out.push('\n');
    }
    out
}

fn deserialize(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let kind = args.text("serializer")?;
    let text = args.text("stream_or_string")?;
    match kind.as_str() {
        "json" => serde_json::from_str(&text).map_err(|error| error.to_string()),
        "yaml" | "yamlex" => yaml::load_plain(&text),
        "configparser" => Ok(Json::Object(super::ini::sections(&text, "=")?)),
        _ => Err(format!("Serializer '{kind}' not found.")),
    }
}

/// Renders a file of the tree or a text through its pipeline.
fn renderer(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let (path, string) = (args.some("path"), args.some("string"));
    let default = args.text_or("default_renderer", "jinja|yaml");
    let vars = args.rest_named();
    let env = vars
        .get("saltenv")
        .map_or_else(|| "base".to_owned(), python::text);
    let (name, full, env, text) = match (path, string) {
        (Some(_), Some(_)) => return Err("Must not pass both path and string.".to_owned()),
        (None, None) => return Err("Must pass path or string.".to_owned()),
        (None, Some(string)) => (
            ":string:".to_owned(),
            ":string:".to_owned(),
            env,
            python::text(&string),
        ),
        (Some(path), None) => {
            let path = python::text(&path);
            let Some(at) = crate::compile::sources::parse(&path, &env) else {
                return Err(format!(
                    "slsutil.renderer reads files of the tree, salt://…, not {path}"
                ));
            };
            let Some(text) = oracle.files.text(&at.env, &at.path)? else {
                return Ok(Json::Object(serde_json::Map::new()));
            };
            let full = oracle
                .files
                .entry(&at.env, &at.path)
                .map(|entry| entry.full.clone());
            (at.path.clone(), full.unwrap_or(at.path), at.env, text.to_string())
        }
    };
    let (asked, body) = match text.strip_prefix("#!").filter(|rest| !rest.starts_with('/')) {
        Some(rest) => {
            let (first, body) = rest.split_once('\n').unwrap_or((rest, ""));
            (first.to_owned(), body.to_owned())
        }
        None => (default, text),
    };
    let mut made = Json::String(body);
    for stage in asked.split('|') {
        let stage = stage.split_whitespace().next().unwrap_or_default();
        let text = python::text(&made);
        made = match stage {
            "jinja" => {
                let template = template::Template {
                    name: &name,
                    full: &full,
                    text: &text,
                    env: &env,
                    vars: vars.clone(),
                    sls: false,
                };
                let rendered = template::render(&oracle.shared()?, &template);
                rendered
                    .map(|made| made.text.into())
                    .map_err(|failed| failed.shown)?
            }
            "yaml" | "yamlex" => match yaml::load_plain(&text)? {
                Json::Null => Json::Object(serde_json::Map::new()),
                other => other,
            },
            "json" => serde_json::from_str(&text).map_err(|error| error.to_string())?,
            "text" => made,
            other => return Err(format!("slsutil.renderer: there is no renderer {other}")),
        };
    }
    Ok(made)
}

fn boolstr(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let value = args.required("value")?;
    let yes = args.next("true").unwrap_or_else(|| "true".into());
    let no = args.next("false").unwrap_or_else(|| "false".into());
    Ok(if python::truth(&value) { yes } else { no })
}

fn exists(oracle: &Oracle, args: &mut Args, wanted: fn(&Kind) -> bool) -> Result<Json, String> {
    let path = args.text("path")?;
    let env = args.text_or("saltenv", "base");
    Ok(oracle
        .files
        .entry(&env, &path)
        .is_some_and(|entry| wanted(&entry.kind))
        .into())
}

fn findup(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let start = args.text("startpath")?;
    let names = match args.required("filenames")? {
        Json::Array(names) => names.iter().map(python::text).collect(),
        one => vec![python::text(&one)],
    };
    let env = args.text_or("saltenv", "base");
    let start = super::file::normal(&start);
    if !start.is_empty() && oracle.files.entry(&env, &start).is_none() {
        return Err(format!("Starting path not found in the state tree: {start}"));
    }
    let mut at = Some(start.as_str());
    while let Some(dir) = at {
        for name in &names {
            let path = if dir.is_empty() {
                name.clone()
            } else {
                format!("{dir}/{name}")
            };
            if oracle.files.entry(&env, &path).is_some() {
                return Ok(path.into());
            }
        }
        at = if dir.is_empty() {
            None
        } else {
            Some(dir.rsplit_once('/').map_or("", |(up, _)| up))
        };
    }
    Err("File pattern(s) not found in path ancestry".to_owned())
}

/// The comment block that formulas put at the top of files.
fn banner(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let width = usize::try_from(args.number("width", 72)?.clamp(0, 10_000)).unwrap_or(72);
    let mark = args.text_or("commentchar", "#");
    let border = args.text_or("borderchar", "#");
    let (before, after) = (args.some("blockstart"), args.some("blockend"));
    let title = args.text_or("title", "THIS FILE IS MANAGED BY SALT - DO NOT EDIT");
    let text = args.text_or(
        "text",
        "The contents of this file are managed by Salt. Any changes to this file may be overwritten automatically and \
         without warning.",
    );
    let newline = args.flag("newline", false);
    let count = |text: &str| text.chars().count();
    let (left, right) = (mark.trim_end(), mark.trim());
    let room = width.saturating_sub(count(left) + count(right) + 2);
    if room == 0 {
        return Err("Width is too small to render banner".to_owned());
    }
    let first: String = border.chars().take(1).collect();
    let rule = format!(
        "{mark}{}{right}",
        first.repeat(width.saturating_sub(count(left) + count(right)))
    );
    let spacer = format!(
        "{mark}{}{mark}",
        " ".repeat(width.saturating_sub(2 * count(&mark)))
    );
    let mut lines: Vec<String> = before.iter().map(python::text).collect();
    lines.extend([rule.clone(), spacer.clone()]);
    for line in wrapped(&title, room)? {
        let free = room.saturating_sub(count(&line));
        // As `str.center`: the odd blank goes left where the width is odd.
        let indent = free / 2 + (free & room & 1);
        lines.push(format!(
            "{left} {}{line}{} {right}",
            " ".repeat(indent),
            " ".repeat(free - indent)
        ));
    }
    lines.push(spacer);
    for line in wrapped(&text, room)? {
        let free = room.saturating_sub(count(&line));
        lines.push(format!("{left} {line}{} {right}", " ".repeat(free)));
    }
    lines.push(rule);
    lines.extend(after.iter().map(python::text));
    let mut out = lines.join("\n");
    if newline {
        out.push('\n');
    }
    Ok(out.into())
}

/// Lines as Python's `textwrap` makes them, every blank taken for a space.
fn wrapped(text: &str, width: usize) -> Result<Vec<String>, String> {
    let flat: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect();
    let made = template::expression(
        "value | wordwrap(width)",
        [("value", flat.into()), ("width", width.into())],
    )?;
    Ok(made.lines().map(str::to_owned).collect())
}
