//! Arguments that every state has: from the user's spellings to [`Options`].

use std::collections::BTreeMap;

use proto::{Args, Command, Creates, Guard, Options, Retry};
use serde_json::{Map, Value as Json};

use crate::compile::python;

/// The options of a chunk, and what is wrong with them by argument.
pub(super) fn options(args: &Args) -> (Options, Vec<(&'static str, String)>) {
    let mut wrong = invalid_umask(args);
    let flag = |key: &str| args.get(key).is_some_and(python::truth);
    let options = Options {
        guard: guard(args),
        onlyif: guards(args, "onlyif"),
        unless: guards(args, "unless"),
        creates: creates(args.get("creates")),
        check_cmd: texts(args.get("check_cmd")),
        // A state that runs beside others is not tried again.
        retry: args
            .get("retry")
            .filter(|_| !args.contains_key("parallel"))
            .map(retry),
        failhard: args.get("failhard").map(python::truth),
        parallel: flag("parallel"),
        no_log: flag("no_log"),
        reload_modules: flag("reload_modules"),
        undo: args
            .get("undo")
            .filter(|undo| python::truth(undo))
            .map(python::text),
        verify_undone: args
            .get("verify_undone")
            .filter(|verify| python::truth(verify))
            .map(python::text),
        validate: args.get("validate").map(python::truth),
        disabled: None,
    };
    if options.verify_undone.is_some() && options.undo.is_none() {
        let text = "`verify_undone` says whether `undo` worked, and there is no `undo`".to_owned();
        wrong.push(("verify_undone", text));
    }
    (options, wrong)
}

/// A text is a path, a list is many; anything else exists nowhere.
fn creates(value: Option<&Json>) -> Option<Creates> {
    Some(match value? {
        Json::String(path) => Creates::One(path.clone()),
        list @ Json::Array(_) => Creates::All(texts(Some(list))),
        _ => Creates::One(String::new()),
    })
}

fn invalid_umask(args: &Args) -> Vec<(&'static str, String)> {
    let umask = args.get("umask").map(python::text);
    let bad = umask.filter(|umask| u32::from_str_radix(umask.trim(), 8).is_err());
    bad.map(|umask| ("umask", format!("Invalid umask: {umask}")))
        .into_iter()
        .collect()
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
    let excluded = texts(args.get("cmd_opts_exclude"));
    let own = |key: &str| args.get(key).filter(|_| !excluded.iter().any(|one| one == key));
    let text = |key: &str| own(key).filter(|value| python::truth(value)).map(python::text);
    let codes = own("success_retcodes")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let codes = codes.filter_map(|code| i32::try_from(code.as_i64()?).ok());
    Command {
        success_retcodes: codes.collect(),
        cwd: text("cwd"),
        runas: text("runas"),
        shell: text("shell"),
        env: environment(own("env")),
        umask: text("umask").and_then(|digits| u32::from_str_radix(&digits, 8).ok()),
        timeout: own("timeout").and_then(Json::as_u64),
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
        None => return Vec::new(),
        Some(Json::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    let mut guards = Vec::new();
    for entry in entries {
        match entry {
            Json::String(command) => guards.push(Guard::Command(command.clone())),
            Json::Object(map) => match function(map) {
                Some(guard) => guards.push(guard),
                None => guards.push(Guard::Nameless(ordered(map))),
            },
            _ => guards.push(Guard::Odd),
        }
    }
    guards
}

/// A mapping as Salt prints what it read.
fn ordered(map: &Map<String, Json>) -> String {
    let entries = map.iter().map(|(key, value)| {
        let value = match value {
            Json::Object(map) => ordered(map),
            other => python::repr(other),
        };
        format!("({}, {value})", python::repr(&key.as_str().into()))
    });
    format!("OrderedDict([{}])", entries.collect::<Vec<_>>().join(", "))
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

/// A mapping, or a flag; what is of the wrong type is as if it were not there.
fn retry(value: &Json) -> Retry {
    let none = Map::new();
    let map = value.as_object().unwrap_or(&none);
    let number = |key: &str, default: u64| match map.get(key) {
        Some(Json::Bool(yes)) => u64::from(*yes),
        Some(Json::Number(number)) if number.is_i64() => number.as_u64().unwrap_or(0),
        other => other.and_then(Json::as_u64).unwrap_or(default),
    };
    let attempts = if value == &Json::Bool(false) { 0 } else { 2 };
    Retry {
        attempts: u32::try_from(number("attempts", attempts)).unwrap_or(u32::MAX),
        interval: number("interval", 30),
        until: map.get("until").and_then(Json::as_bool).unwrap_or(true),
        splay: number("splay", 0),
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
            "failhard": false,
        });
        let (options, wrong) = options(args.as_object().expect("a mapping"));
        assert!(wrong.is_empty());
        assert_eq!((options.unless.len(), options.failhard), (3, Some(false)));
        assert_eq!(options.onlyif, [Guard::Command("true".to_owned())]);
        assert_eq!(options.creates, Some(Creates::One("/z".to_owned())));
        assert_eq!(
            options.retry.map(|retry| (retry.attempts, retry.interval)),
            Some((3, 30))
        );
    }

    #[test]
    fn what_makes_no_sense_for_a_retry_is_not_there() {
        for (value, want) in [
            (json!(3), (2, 30, true)),
            (json!(false), (0, 30, true)),
            (
                json!({"attempts": "5", "interval": 1, "until": false}),
                (2, 1, false),
            ),
            (json!({"attempts": -1, "until": "no"}), (0, 30, true)),
        ] {
            let retry = retry(&value);
            assert_eq!((retry.attempts, retry.interval, retry.until), want, "{value}");
        }
    }

    #[test]
    fn a_function_without_its_name_is_told() {
        let args = json!({"onlyif": [{"args": []}, "false"], "unless": [{"args": []}, 7], "creates": []});
        let (options, wrong) = options(args.as_object().expect("a mapping"));
        assert!(wrong.is_empty());
        let nameless = Guard::Nameless("OrderedDict([('args', [])])".to_owned());
        assert_eq!(
            options.onlyif,
            [nameless.clone(), Guard::Command("false".to_owned())]
        );
        assert_eq!(options.unless, [nameless, Guard::Odd]);
        assert_eq!(options.creates, Some(Creates::All(Vec::new())));
    }
}
