//! `file.keyvalue`: settings of a file of `key=value` lines.

use proto::Args;
use serde_json::Value as Json;

use super::edit;
use super::place::{self, Above};
use crate::args::plain;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `file.keyvalue`.
#[derive(Debug)]
pub struct Keyvalue;

static SPEC: Spec = Spec {
    state: "file",
    fun: "keyvalue",
    doc: "Make sure that keys of a file have given values.\n\nLines look like `key=value`, with any separator.",
    params: &[
        Param::new("key", Kind::Text, "The key."),
        Param::new("value", Kind::Text, "Its value."),
        Param::new("key_values", Kind::Map, "Several keys with their values."),
        Param::new("separator", Kind::Text, "What stands between them (default `=`)."),
        Param::new("append_if_not_found", Kind::Flag, "Add missing keys at the end."),
        Param::new(
            "prepend_if_not_found",
            Kind::Flag,
            "Add missing keys at the beginning.",
        ),
        Param::new(
            "create_if_missing",
            Kind::Flag,
            "Make the file when it is not there.",
        ),
        Param::new(
            "ignore_if_missing",
            Kind::Flag,
            "A file that is not there is as it should be.",
        ),
        Param::new(
            "count",
            Kind::Number,
            "How many lines of a key may stand (default 1; -1 for all).",
        ),
        Param::new(
            "uncomment",
            Kind::Text,
            "Characters that make a line a comment; such a line of the key becomes a setting.",
        ),
        Param::new(
            "key_ignore_case",
            Kind::Flag,
            "Upper and lower case of keys are the same.",
        ),
        Param::new(
            "value_ignore_case",
            Kind::Flag,
            "Upper and lower case of values are the same.",
        ),
        Param::new("prune", Kind::Flag, "Remove all other lines."),
        Param::new("search_only", Kind::Flag, "Accepted."),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Keyvalue {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let wanted = wanted(args)?;
        let given = call.name();
        let name = place::name(call, host)?;
        let there = edit::read(host, &name)?;
        let create = args.flag("create_if_missing", false);
        if there.is_none() && !create {
            let comment = format!("unable to open {given}");
            return if args.flag("ignore_if_missing", false) {
                Ok(Plan::met(comment))
            } else {
                Err(Stop::Failed(comment))
            };
        }
        let old = there.as_ref().map_or("", |there| there.text.as_str());
        let edited = Edit::of(args, &wanted, old, there.is_none() && create)?;
        if edited.changed == 0 && edited.deleted == 0 {
            return Ok(Plan::met(""));
        }
        let show = args.flag("show_changes", true);
        let changes = if show {
            one("diff", edited.diff.concat())
        } else {
            Args::new()
        };
        let acts = match there {
            Some(there) => vec![there.write(host, &edited.text)],
            None => {
                let Above::Dir(parent) = place::above(host, &name)? else {
                    return Err(Stop::Failed(format!("{given} not writable")));
                };
                vec![edit::create(call, host, &name, &parent, &edited.text)]
            }
        };
        let mut would = format!(
            "File {given} is set to be changed ({} lines modified, {} deleted)",
            edited.changed, edited.deleted
        );
        if show {
            would.push_str(&format!(
                "\nPredicted diff:\n\r\t\t{}",
                edited.diff.join("\r\t\t")
            ));
        }
        let comment = format!("Changed {}, deleted {} lines", edited.changed, edited.deleted);
        Ok(Plan {
            verdict: Verdict::WouldChange,
            ..Plan::change(acts, changes, comment).or_would(would, None)
        })
    }
}

/// Keys and values, in the order written.
fn wanted(args: &Args) -> Result<Vec<(String, Json)>, Stop> {
    if let (Some(key), Some(value)) = (args.text("key"), args.any("value")) {
        if args.any("key_values").is_some_and(Json::is_object) {
            return Err(Stop::failed(
                "file.keyvalue can not combine key_values with key and value",
            ));
        }
        return Ok(vec![(key, value.clone())]);
    }
    match args.any("key_values") {
        Some(Json::Object(map)) if !map.is_empty() => Ok(map
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()),
        given => Err(Stop::Failed(format!(
            "file.keyvalue key and value not supplied and key_values {}",
            if given.is_some_and(crate::args::truth) {
                "is not a dictionary"
            } else {
                "is empty"
            }
        ))),
    }
}

/// What becomes of the text.
#[derive(Default)]
struct Edit {
    text: String,
    diff: Vec<String>,
    changed: usize,
    deleted: usize,
}

/// How lines are compared.
struct Rules {
    separator: String,
    uncomment: Option<String>,
    key_any_case: bool,
    value_any_case: bool,
}

impl Edit {
    fn of(args: &Args, wanted: &[(String, Json)], old: &str, fresh: bool) -> Result<Self, Stop> {
        let rules = Rules {
            separator: args.text("separator").unwrap_or_else(|| "=".to_owned()),
            uncomment: args.text("uncomment"),
            key_any_case: args.flag("key_ignore_case", false),
            value_any_case: args.flag("value_ignore_case", false),
        };
        let count = args.number("count")?.unwrap_or(1);
        let mut left: Vec<i64> = vec![count; wanted.len()];
        let mut edit = Self::default();
        let mut pruned = Vec::new();
        for line in old.split_inclusive('\n') {
            let bare = rules.bare(line);
            if args.flag("prune", false) && !wanted.iter().any(|(key, _)| rules.begins(bare, key)) {
                pruned.push(format!("- {line}"));
                continue;
            }
            let new = edit.line(&rules, wanted, &mut left, line, bare);
            edit.text.push_str(&new);
        }
        edit.deleted = pruned.len();
        edit.add(args, &rules, wanted, &left, fresh);
        for line in pruned {
            edit.diff.insert(edit.diff.len().min(1), line);
        }
        Ok(edit)
    }

    /// A line as it shall be.
    fn line(
        &mut self,
        rules: &Rules,
        wanted: &[(String, Json)],
        left: &mut [i64],
        line: &str,
        bare: &str,
    ) -> String {
        let uncommented = bare.len() < line.len();
        let mut now = line.to_owned();
        for ((key, value), left) in wanted.iter().zip(left.iter_mut()) {
            let Some((found, rest)) = bare.split_once(rules.separator.as_str()) else {
                continue;
            };
            let same_key = if rules.key_any_case {
                found.to_lowercase() == key.to_lowercase()
            } else {
                found == key
            };
            if !same_key {
                continue;
            }
            let shown = plain(value);
            let fold = |text: &str| {
                let text = text.trim();
                if rules.value_any_case {
                    text.to_lowercase()
                } else {
                    text.to_owned()
                }
            };
            let mut right = fold(rest) == fold(&shown);
            let wrong = if uncommented {
                if *left <= 0 && !right {
                    right = true;
                }
                *left > 0
            } else {
                *left == 0
            };
            if !right || wrong {
                self.diff.push(format!("- {line}"));
                now.clear();
                if *left != 0 {
                    now = format!("{found}{}{shown}\n", rules.separator);
                    self.diff.push(match value {
                        Json::String(_) => format!("+ {now}"),
                        other => format!("+ {} (from {} type)\n", now.trim_end(), python_type(other)),
                    });
                }
                self.changed += 1;
            }
            if *left > 0 {
                *left -= 1;
            }
        }
        now
    }

    /// Keys that are missing.
    fn add(&mut self, args: &Args, rules: &Rules, wanted: &[(String, Json)], left: &[i64], fresh: bool) {
        let missing: Vec<String> = wanted
            .iter()
            .zip(left)
            .filter(|(_, left)| **left > 0)
            .map(|((key, value), _)| format!("{key}{}{}\n", rules.separator, plain(value)))
            .collect();
        if missing.is_empty() {
            return;
        }
        if fresh || args.flag("append_if_not_found", false) {
            self.diff.push("- <EOF>\n".to_owned());
            for line in missing {
                self.diff.push(format!("+ {line}"));
                self.text.push_str(&line);
                self.changed += 1;
            }
            self.diff.push("+ <EOF>\n".to_owned());
        } else if args.flag("prepend_if_not_found", false) {
            self.diff.insert(0, "  <SOF>\n".to_owned());
            for line in missing {
                self.diff.insert(1, format!("+ {line}"));
                self.text.insert_str(0, &line);
                self.changed += 1;
            }
        }
    }
}

impl Rules {
    /// A line without what makes it a comment; without `uncomment`, without leading blanks.
    fn bare<'l>(&self, line: &'l str) -> &'l str {
        match &self.uncomment {
            Some(chars) => line.trim_start_matches(|c| chars.contains(c)),
            None => line.trim_start(),
        }
    }

    fn begins(&self, line: &str, key: &str) -> bool {
        if self.key_any_case {
            line.to_lowercase().starts_with(&key.to_lowercase())
        } else {
            line.starts_with(key)
        }
    }
}

/// What Python calls it.
fn python_type(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}
