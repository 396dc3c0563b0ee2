//! `file.serialize`: data as a JSON or YAML file.

use proto::{Args, Question, arrange};
use serde_json::Value as Json;

use super::place;
use super::put::{self, Bytes, Wish};
use crate::args::plain;
use crate::perms::Perms;
use crate::yaml::{self, Style};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `file.serialize`.
#[derive(Debug)]
pub struct Serialize;

static SPEC: Spec = Spec {
    state: "file",
    fun: "serialize",
    doc: "Manage a file that holds data, as JSON, YAML or INI.\n\nKeys are sorted, so that the file changes only when the data does.",
    params: &[
        Param::new("dataset", Kind::Any, "The data."),
        Param::new("dataset_pillar", Kind::Text, "Pillar key that holds the data."),
        Param::new(
            "serializer",
            Kind::Text,
            "`yaml` (default), `json` or `configparser`.",
        ),
        Param::new("formatter", Kind::Text, "The same as `serializer`."),
        Param::new(
            "serializer_opts",
            Kind::List,
            "For json: `indent`, `sort_keys`, `ensure_ascii`; for yaml: `sort_keys`, `allow_unicode`.",
        ),
        Param::new("deserializer_opts", Kind::List, "Accepted."),
        Param::new(
            "merge_if_exists",
            Kind::Flag,
            "Lay the data over that of the file (json only).",
        ),
        Param::new("user", Kind::Text, "Owner, by name or number."),
        Param::new("group", Kind::Text, "Group, by name or number."),
        Param::new("mode", Kind::Mode, "Permission bits as octal digits."),
        Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
        Param::new(
            "create",
            Kind::Flag,
            "Make the file when it is not there (default true).",
        ),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
        Param::new(
            "check_cmd",
            Kind::Text,
            "Command run with the path of the new file appended before it goes live; it must succeed.",
        ),
        Param::new(
            "backup",
            Kind::Text,
            "Accepted; the old contents are always kept by the journal.",
        ),
        Param::new(
            "encoding",
            Kind::Text,
            "Accepted; the file is UTF-8, and letters beyond ASCII stand as they are.",
        ),
        Param::new("encoding_errors", Kind::Text, "Accepted."),
        Param::new("tmp_dir", Kind::Text, "Accepted."),
        Param::new("tmp_ext", Kind::Text, "Accepted."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Serialize {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let given = call.name();
        let name = place::name(call, host)?;
        host.expect([Question::Bytes(name.clone())]);
        let perms = Perms::owner(call, host)?.with_mode(args.mode("mode")?);
        let there = place::followed(host, &name)?;
        if !args.flag("create", true) && there.value.is_absent() {
            return Ok(Plan::met(format!(
                "File {given} is not present and is not set for creation"
            )));
        }
        let serializer = serializer(args)?;
        let mut data = dataset(call)?.clone();
        let mut merging = None;
        if args.flag("merge_if_exists", false)
            && let Some(old) = host.bytes(&name)?
        {
            let old = parsed(&serializer, old)?;
            let merged = merged(&old, &data);
            if merged == old {
                return Ok(Plan::met(format!("The file {given} is in the correct state")));
            }
            merging = Some(differences(&old, &merged));
            data = merged;
        }
        let text = text(&serializer, args, &data);
        let wish = Wish {
            given: given.to_owned(),
            name,
            perms,
            bytes: Some(Bytes {
                content: host.keep(text.as_str()),
                size: text.len() as u64,
                source: None,
            }),
            dir_mode: None,
            makedirs: args.flag("makedirs", false),
            follow: true,
            above: None,
        };
        let mut plan = put::plan_file(call, host, &wish)?;
        if let (Some(diff), true) = (merging, plan.changes.contains_key("diff")) {
            let shown = if args.flag("show_changes", true) {
                diff
            } else {
                "<show_changes=False>".into()
            };
            plan.changes.insert("diff".to_owned(), shown);
        }
        if plan.would_comment.is_some() {
            plan.would_comment = Some(format!("Dataset will be serialized and stored into {given}"));
        }
        Ok(plan)
    }
}

fn serializer(args: &Args) -> Result<String, Stop> {
    let name = match (args.text("serializer"), args.text("formatter")) {
        (Some(_), Some(_)) => return Err(Stop::failed("Only one of serializer and formatter are allowed")),
        (one, other) => one.or(other).unwrap_or_else(|| "yaml".to_owned()).to_lowercase(),
    };
    if matches!(name.as_str(), "json" | "yaml" | "configparser") {
        return Ok(name);
    }
    Err(Stop::Failed(format!(
        "The {name} serializer could not be found. It either does not exist or its prerequisites are not installed."
    )))
}

/// The data; the compiler has put a pillar's into `dataset`.
fn dataset<'a>(call: &Call<'a>) -> Result<&'a Json, Stop> {
    let args = call.args();
    if args.any("dataset").is_some_and(crate::args::truth) && args.any("dataset_pillar").is_some() {
        return Err(Stop::failed(
            "Only one of 'dataset' and 'dataset_pillar' is permitted",
        ));
    }
    args.get("dataset")
        .filter(|data| !data.is_null())
        .ok_or_else(|| Stop::failed("Neither 'dataset' nor 'dataset_pillar' was defined"))
}

fn parsed(serializer: &str, bytes: &[u8]) -> Result<Json, Stop> {
    if serializer != "json" {
        return Err(Stop::Failed(format!(
            "merge_if_exists is not supported for the {serializer} serializer"
        )));
    }
    serde_json::from_slice(bytes)
        .map_err(|why| Stop::Failed(format!("Failed to deserialize existing data: {why}")))
}

/// What differs of two mappings, key by key, as Salt tells it.
fn differences(old: &Json, new: &Json) -> Json {
    let (Json::Object(before), Json::Object(after)) = (old, new) else {
        return serde_json::json!({ "old": old, "new": new });
    };
    let changed = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value));
    let told = changed.map(|(key, value)| {
        let diff = match before.get(key) {
            Some(old) => differences(old, value),
            None => serde_json::json!({ "old": "<_null_>", "new": value }),
        };
        (key.clone(), diff)
    });
    told.collect::<Args>().into()
}

/// `over` laid over `base`: mappings key by key, everything else replaced.
fn merged(base: &Json, over: &Json) -> Json {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            let mut out = base.clone();
            for (key, value) in over {
                let value = base
                    .get(key)
                    .map_or_else(|| value.clone(), |base| merged(base, value));
                out.insert(key.clone(), value);
            }
            out.into()
        }
        _ => over.clone(),
    }
}

fn text(serializer: &str, args: &Args, data: &Json) -> String {
    let options = options(args);
    let flag = |key: &str, default| options.any(key).map_or(default, crate::args::truth);
    let beyond_ascii = args.any("encoding").is_some();
    if serializer == "configparser" {
        return sections(data);
    }
    if serializer == "yaml" {
        let style = Style {
            sort_keys: flag("sort_keys", true),
            unicode: flag("allow_unicode", beyond_ascii),
        };
        return yaml::dump(data, style);
    }
    let indent = match options.get("indent") {
        None => Some(2),
        Some(value) => value.as_u64().and_then(|indent| usize::try_from(indent).ok()),
    };
    let mut writer = JsonText {
        text: String::new(),
        indent,
        sort_keys: flag("sort_keys", true),
        ascii: flag("ensure_ascii", !beyond_ascii),
    };
    writer.value(data, 0);
    writer.text + "\n"
}

/// Sections of `key = value` lines, as Python's configparser writes them.
fn sections(data: &Json) -> String {
    let mut text = String::new();
    for (section, entries) in data.as_object().into_iter().flatten() {
        text.push_str(&format!("[{section}]\n"));
        for (key, value) in entries.as_object().into_iter().flatten() {
            let value = plain(value).replace('\n', "\n\t");
            text.push_str(&format!("{} = {value}\n", key.to_lowercase()));
        }
        text.push('\n');
    }
    text + "\n"
}

/// `serializer_opts`: a list of mappings, or one.
fn options(args: &Args) -> Args {
    match args.any("serializer_opts") {
        Some(Json::Object(map)) => map.clone(),
        Some(Json::Array(items)) => {
            let maps = items.iter().filter_map(Json::as_object);
            maps.flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        }
        _ => Args::new(),
    }
}

/// JSON as Python's `json.dumps` writes it.
struct JsonText {
    text: String,
    indent: Option<usize>,
    sort_keys: bool,
    ascii: bool,
}

impl JsonText {
    fn value(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Array(items) if !items.is_empty() => {
                self.text.push('[');
                for (place, item) in items.iter().enumerate() {
                    self.next(place, depth + 1);
                    self.value(item, depth + 1);
                }
                self.line(depth);
                self.text.push(']');
            }
            Json::Object(map) if !map.is_empty() => {
                let mut entries: Vec<(&String, &Json)> = map.iter().collect();
                if self.sort_keys {
                    arrange(&mut entries, &|a, b| a.0 < b.0);
                }
                self.text.push('{');
                for (place, (key, value)) in entries.into_iter().enumerate() {
                    self.next(place, depth + 1);
                    self.string(key);
                    self.text.push_str(": ");
                    self.value(value, depth + 1);
                }
                self.line(depth);
                self.text.push('}');
            }
            Json::String(text) => self.string(text),
            other => self.text.push_str(&other.to_string()),
        }
    }

    fn next(&mut self, place: usize, depth: usize) {
        if place > 0 {
            self.text.push(',');
        }
        self.line(depth);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            self.text.push_str(&" ".repeat(indent * depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                c if c < ' ' || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}
