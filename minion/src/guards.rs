//! `onlyif`, `unless`, `creates` and `check_cmd`: whether a state is called at all, and whether it counts as good.
//!
//! Guards only ask, so they run in a plan too. A guard that is a command sees the host as it is now, also in a plan.

use proto::question::Call;
use proto::{Answer, Command, Guard, Options, Question, Value};
use serde_json::Value as Json;
use states::args::truth;

use crate::system::System;

/// Why a state is skipped: Salt's comment, one line per guard it has; `None` lets it run.
pub fn skipped<S: System>(system: &mut S, options: &Options) -> Option<String> {
    let mut skip = false;
    let mut lines = Vec::new();
    if !options.onlyif.is_empty() {
        let met = options.onlyif.iter().all(|guard| holds(system, options, guard));
        lines.push(
            if met {
                "onlyif condition is true"
            } else {
                "onlyif condition is false"
            }
            .to_owned(),
        );
        skip |= !met;
    }
    if !options.unless.is_empty() {
        let met = options.unless.iter().all(|guard| holds(system, options, guard));
        lines.push(
            if met {
                "unless condition is true"
            } else {
                "unless condition is false"
            }
            .to_owned(),
        );
        skip |= met;
    }
    if !options.creates.is_empty() {
        let there = options.creates.iter().all(|path| exists(system, path));
        lines.push(match options.creates.as_slice() {
            [path] if there => format!("{path} exists"),
            _ if there => "All files in creates exist".to_owned(),
            _ => "Creates files not found".to_owned(),
        });
        skip |= there;
    }
    skip.then(|| lines.join("\n"))
}

/// Whether every command of `check_cmd` succeeds.
pub fn checked<S: System>(system: &mut S, options: &Options) -> bool {
    options
        .check_cmd
        .iter()
        .all(|text| succeeds(system, options, text))
}

fn holds<S: System>(system: &mut S, options: &Options, guard: &Guard) -> bool {
    match guard {
        Guard::Literal(truth) => *truth,
        Guard::Command(text) => succeeds(system, options, text),
        Guard::Function {
            fun,
            args,
            kwargs,
            get_return,
        } => {
            let call = Call {
                fun: fun.clone(),
                args: args.iter().map(Json::to_string).collect(),
                kwargs: kwargs
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_string()))
                    .collect(),
            };
            match one(system, Question::Call(call)) {
                Answer::Json(value) => match get_return {
                    Some(path) => walk(&value, path).is_some_and(truth),
                    None => truth(&value),
                },
                _ => false,
            }
        }
    }
}

fn succeeds<S: System>(system: &mut S, options: &Options, text: &str) -> bool {
    let command = command(options, text);
    match one(system, Question::Command(command.clone())) {
        Answer::Output(output) => output.success(&command),
        _ => false,
    }
}

/// The command of a guard: the state's surroundings, through its shell.
fn command(options: &Options, text: &str) -> Command {
    let mut command = options.guard.clone();
    command.argv = vec![text.to_owned()];
    command.shell.get_or_insert_with(|| "/bin/sh".to_owned());
    command
}

fn exists<S: System>(system: &mut S, path: &str) -> bool {
    match one(system, Question::Follow(path.to_owned())) {
        Answer::Value(value) => value != Value::Absent,
        _ => false,
    }
}

fn one<S: System>(system: &mut S, question: Question) -> Answer {
    system.answer(&[question]).pop().unwrap_or(Answer::Missing)
}

/// A value by Salt's `a:b:0` path.
fn walk<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    path.split(':').try_fold(value, |value, key| match value {
        Json::Object(map) => map.get(key),
        Json::Array(items) => key.parse::<usize>().ok().and_then(|place| items.get(place)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use serde_json::json;

    fn texts(words: &[&str]) -> Vec<Guard> {
        words
            .iter()
            .map(|word| Guard::Command((*word).to_owned()))
            .collect()
    }

    #[test]
    fn all_forms_with_salts_comments() {
        for (onlyif, unless, creates, want) in [
            (vec![], vec![], vec![], None),
            (vec!["true"], vec![], vec![], None),
            (
                vec!["true", "false"],
                vec![],
                vec![],
                Some("onlyif condition is false"),
            ),
            (
                vec![],
                vec!["true", "true"],
                vec![],
                Some("unless condition is true"),
            ),
            (vec![], vec!["true", "false"], vec![], None),
            (
                vec!["false"],
                vec!["false"],
                vec![],
                Some("onlyif condition is false\nunless condition is false"),
            ),
            (
                vec!["true"],
                vec!["true"],
                vec![],
                Some("onlyif condition is true\nunless condition is true"),
            ),
            (vec![], vec![], vec!["/etc"], Some("/etc exists")),
            (
                vec![],
                vec![],
                vec!["/etc", "/etc"],
                Some("All files in creates exist"),
            ),
            (vec![], vec![], vec!["/etc", "/none"], None),
        ] {
            let options = Options {
                onlyif: texts(&onlyif),
                unless: texts(&unless),
                creates: creates.iter().map(|path| (*path).to_owned()).collect(),
                ..Options::default()
            };
            let found = skipped(&mut Fake::new(), &options);
            assert_eq!(found.as_deref(), want, "{onlyif:?} {unless:?} {creates:?}");
        }
    }

    #[test]
    fn functions_and_literals() {
        let function = |value: Json, get_return: Option<&str>| Guard::Function {
            fun: "test.echo".into(),
            args: vec![value],
            kwargs: serde_json::Map::new(),
            get_return: get_return.map(str::to_owned),
        };
        for (guard, want) in [
            (function(json!("x"), None), true),
            (function(json!(""), None), false),
            (function(json!({"a": [0, 1]}), Some("a:1")), true),
            (function(json!({"a": [0, 1]}), Some("a:0")), false),
            (function(json!({"a": 1}), Some("b")), false),
            (Guard::Literal(true), true),
            (Guard::Literal(false), false),
        ] {
            assert_eq!(
                holds(&mut Fake::new(), &Options::default(), &guard),
                want,
                "{guard:?}"
            );
        }
    }
}
