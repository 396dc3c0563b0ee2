//! Arguments that every state has: from the user's spellings to [`Options`].

use std::collections::BTreeMap;

use proto::{Args, Command, Guard, Options, Retry};
use serde_json::{Map, Value as Json};

use crate::compile::python;

/// The options of a chunk, and what is wrong with them by argument.
pub(super) fn options(args: &Args) -> (Options, Vec<(&'static str, String)>) {
    let mut wrong = Vec::new();
    let flag = |key: &str| args.get(key).is_some_and(python::truth);
    let options = Options {
        guard: guard(args),
        onlyif: guards(args, "onlyif"),
        unless: guards(args, "unless"),
        creates: creates(args.get("creates")),
        check_cmd: texts(args.get("check_cmd")),
        retry: args.get("retry").and_then(|value| retry(value, &mut wrong)),
        failhard: flag("failhard"),
        parallel: flag("parallel"),
        no_log: flag("no_log"),
        reload_modules: flag("reload_modules"),
        undo: args
            .get("undo")
            .filter(|undo| python::truth(undo))
            .map(python::text),
    };
    (options, wrong)
}

/// A list of one is told as a list: its path stands twice.
fn creates(value: Option<&Json>) -> Vec<String> {
    let mut paths = texts(value);
    if let (Some(Json::Array(_)), [only]) = (value, paths.as_slice()) {
        paths.push(only.clone());
    }
    paths
}

fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(items)) => items.iter().map(python::text).collect(),
        Some(one) => vec![python::text(one)],
    }
}

/// How guards run: in the directory, as the user and with the environment of the state.
fn guard(args: &Args) -> Command {
    let text = |key: &str| {
        args.get(key)
            .filter(|value| python::truth(value))
            .map(python::text)
    };
    Command {
        cwd: text("cwd"),
        runas: text("runas"),
        shell: text("shell"),
        env: environment(args.get("env")),
        umask: text("umask").and_then(|digits| u32::from_str_radix(&digits, 8).ok()),
        timeout: args.get("timeout").and_then(Json::as_u64),
        ..Command::default()
    }
}

/// `env` as a mapping, a list of mappings, or a list of `KEY=value`.
fn environment(value: Option<&Json>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    match value {
        Some(Json::Object(map)) => {
            env.extend(map.iter().map(|(key, value)| (key.clone(), python::text(value))))
        }
        Some(Json::Array(items)) => items.iter().for_each(|item| env.extend(environment(Some(item)))),
        Some(Json::String(pair)) => {
            env.extend(
                pair.split_once('=')
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            );
        }
        _ => {}
    }
    env
}

fn guards(args: &Args, key: &'static str) -> Vec<Guard> {
    let entries = match args.get(key) {
        None | Some(Json::Null) => return Vec::new(),
        Some(Json::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    let mut guards = Vec::new();
    for entry in entries {
        match entry {
            Json::String(command) => guards.push(Guard::Command(command.clone())),
            Json::Object(map) => match function(map) {
                Some(guard) => guards.push(guard),
                None => {
                    // Salt logs this and looks no further: the state is not skipped.
                    guards.push(Guard::Literal(key == "onlyif"));
                    break;
                }
            },
            other => guards.push(Guard::Literal(python::truth(other))),
        }
    }
    guards
}

fn function(map: &Map<String, Json>) -> Option<Guard> {
    let mut kwargs = map.clone();
    let fun = kwargs.shift_remove("fun")?.as_str()?.to_owned();
    let args = match kwargs.shift_remove("args") {
        Some(Json::Array(args)) => args,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let get_return = kwargs.shift_remove("get_return").map(|path| python::text(&path));
    Some(Guard::Function {
        fun,
        args,
        kwargs,
        get_return,
    })
}

fn retry(value: &Json, wrong: &mut Vec<(&'static str, String)>) -> Option<Retry> {
    let default = Retry {
        attempts: 2,
        interval: 30,
        until: true,
        splay: 0,
    };
    match value {
        Json::Bool(true) => Some(default),
        Json::Object(map) => {
            let number = |key: &str, default: u64| map.get(key).and_then(Json::as_u64).unwrap_or(default);
            Some(Retry {
                attempts: u32::try_from(number("attempts", 2)).unwrap_or(u32::MAX),
                interval: number("interval", 30),
                until: map.get("until").is_none_or(python::truth),
                splay: number("splay", 0),
            })
        }
        other if !python::truth(other) => None,
        other => {
            wrong.push((
                "retry",
                format!("retry must be true or a mapping, not {}", python::repr(other)),
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_users_spellings() {
        let args = json!({
            "unless": ["test -f /x", {"fun": "file.file_exists", "args": ["/y"]}, true],
            "onlyif": "true",
            "creates": "/z",
            "retry": {"attempts": 3},
        });
        let (options, wrong) = options(args.as_object().expect("a mapping"));
        assert!(wrong.is_empty());
        assert_eq!(options.unless.len(), 3);
        assert_eq!(options.onlyif, [Guard::Command("true".to_owned())]);
        assert_eq!(options.creates, ["/z"]);
        assert_eq!(
            options.retry.map(|retry| (retry.attempts, retry.interval)),
            Some((3, 30))
        );
    }

    #[test]
    fn tells_what_is_wrong() {
        let args = json!({"retry": 3});
        let (_, wrong) = options(args.as_object().expect("a mapping"));
        assert_eq!(wrong.len(), 1);
    }

    #[test]
    fn a_function_without_its_name_skips_nothing() {
        let args = json!({"onlyif": [{"args": []}, "false"], "unless": [{"args": []}]});
        let (options, wrong) = options(args.as_object().expect("a mapping"));
        assert!(wrong.is_empty());
        assert_eq!(options.onlyif, [Guard::Literal(true)]);
        assert_eq!(options.unless, [Guard::Literal(false)]);
    }
}
