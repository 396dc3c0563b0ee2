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
    match strategy {
        "overwrite" => match (a, b) {
            (Json::Object(a), Json::Object(b)) => {
                let mut out = a.clone();
                out.extend(b.clone());
                Ok(Json::Object(out))
            }
            _ => Ok(b.clone()),
        },
        "list" => data::listed(a, b),
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
        "json" => Ok(python::json(&value, python::truth(&option("sort_keys"))).into()),
        "yaml" => template::yaml(&value, &option("default_flow_style")).map(Json::String),
        _ => Err(format!("serializer {kind} is not known")),
    }
}

fn deserialize(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let kind = args.text("serializer")?;
    let text = args.text("stream_or_string")?;
    match kind.as_str() {
        "json" => serde_json::from_str(&text).map_err(|error| error.to_string()),
        "yaml" | "yamlex" => yaml::load_plain(&text),
        _ => Err(format!("serializer {kind} is not known")),
    }
}

fn boolstr(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let value = args.required("value")?;
    let yes = args.required("true")?;
    let no = args.required("false")?;
    Ok(if python::truth(&value) { yes } else { no })
}

fn exists(oracle: &Oracle, args: &mut Args, wanted: fn(&Kind) -> bool) -> Result<Json, String> {
    let path = args.text("path")?;
    let env = args.text_or("saltenv", "base");
    Ok(oracle
        .files
        .entry(&env, path.trim_matches('/'))
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
    let start = start.trim_matches('/');
    let mut at = Some(if start == "." { "" } else { start });
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
    Err(format!("File pattern(s) not found: {}", names.join(", ")))
}

/// The comment block that formulas put at the top of files.
fn banner(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let number = |value: Option<Json>, default: usize| {
        value
            .and_then(|value| value.as_u64())
            .and_then(|value| usize::try_from(value).ok())
            .unwrap_or(default)
    };
    let width = number(args.next("width"), 72);
    let start = args.text_or("commentchar", "#");
    let side = args.text_or("borderchar", "#");
    let block_start = args
        .next("blockstart")
        .map(|text| python::text(&text))
        .filter(|text| text != "None");
    let block_end = args
        .next("blockend")
        .map(|text| python::text(&text))
        .filter(|text| text != "None");
    let title = args
        .next("title")
        .map(|text| python::text(&text))
        .filter(|text| text != "None");
    let text = args
        .next("text")
        .map(|text| python::text(&text))
        .filter(|text| text != "None");
    let newline = args.flag("newline", false);
    let title = title.unwrap_or_else(|| "THIS FILE IS MANAGED BY SALT - DO NOT EDIT".to_owned());
    let text = text.unwrap_or_else(|| {
        "The contents of this file are managed by Salt. Any changes to this file may be overwritten automatically and without warning."
            .to_owned()
    });
    let ledge = side.chars().next().map_or(String::new(), |c| c.to_string());
    let inner = width.saturating_sub(2 * start.chars().count()).max(1);
    let rule = format!("{start}{}{start}", ledge.repeat(inner));
    let mut lines: Vec<String> = block_start.into_iter().collect();
    lines.push(rule.clone());
    let room = width.saturating_sub(2 * start.chars().count() + 2).max(1);
    for line in wrap(&title, room) {
        lines.push(format!("{start} {line:^room$} {start}"));
    }
    lines.push(format!("{start} {:room$} {start}", ""));
    for line in wrap(&text, room) {
        lines.push(format!("{start} {line:room$} {start}"));
    }
    lines.push(rule);
    lines.extend(block_end);
    let mut out = lines.join("\n");
    if newline {
        out.push('\n');
    }
    Ok(out.into())
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines
            .last()
            .is_some_and(|line| !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
