//! `onlyif`, `unless`, `creates` and `check_cmd`: whether a state is called at all, and whether it counts as good.
//!
//! Guards only ask, so they run in a plan too. A guard that is a command sees the host as it is now, also in a plan.

use proto::question::Call;
use proto::{Answer, Command, Creates, Gather, Guard, Options, Question, Value};
use serde_json::Value as Json;
use states::args::truth;

use crate::system::System;

/// Why a state is skipped: Salt's comment, one line per guard it has; `None` lets it run.
///
/// # Errors
/// A function of a guard that is not there or fails: the state fails with it.
pub fn skipped<S: System>(system: &mut S, options: &Options) -> Result<Option<String>, String> {
    let mut skip = false;
    let mut lines = Vec::new();
    for (guards, look) in [
        (
            &options.onlyif,
            onlyif as fn(&mut S, &Options) -> Result<Said, String>,
        ),
        (&options.unless, unless),
    ] {
        if !guards.is_empty() {
            let said = look(system, options)?;
            skip |= said.skip;
            lines.push(said.comment);
        }
    }
    if let Some(creates) = &options.creates {
        let (there, comment) = match creates {
            Creates::One(path) => (exists(system, path), format!("{path} exists")),
            Creates::All(paths) => (
                paths.iter().all(|path| exists(system, path)),
                "All files in creates exist".to_owned(),
            ),
        };
        skip |= there;
        lines.push(if there {
            comment
        } else {
            "Creates files not found".to_owned()
        });
    }
    Ok(skip.then(|| lines.join("\n")))
}

/// What the entries of one guard come to.
struct Said {
    skip: bool,
    comment: String,
}

fn said(skip: bool, comment: impl Into<String>) -> Said {
    let comment = comment.into();
    Said { skip, comment }
}

/// Every entry must hold; the first that says no, or is no condition, decides.
fn onlyif<S: System>(system: &mut S, options: &Options) -> Result<Said, String> {
    for guard in &options.onlyif {
        match holds(system, options, guard)? {
            Held::Yes => {}
            Held::No | Held::Broken => return Ok(said(true, "onlyif condition is false")),
            Held::Odd => return Ok(said(false, "onlyif execution failed, bad type passed")),
            Held::Nameless(entry) => return Ok(said(false, format!("no `fun` argument in onlyif: {entry}"))),
        }
    }
    Ok(said(false, "onlyif condition is true"))
}

/// The state is skipped when every entry holds; the first that does not lets it run.
fn unless<S: System>(system: &mut S, options: &Options) -> Result<Said, String> {
    let mut last = said(false, "");
    for guard in &options.unless {
        last = match holds(system, options, guard)? {
            // A command that cannot even start counts as one that succeeds.
            Held::Yes | Held::Broken => said(true, "unless condition is true"),
            Held::No => return Ok(said(false, "unless condition is false")),
            Held::Odd => said(false, "unless condition is false, bad type passed"),
            Held::Nameless(entry) => {
                return Ok(said(last.skip, format!("no `fun` argument in unless: {entry}")));
            }
        };
    }
    Ok(last)
}

/// Whether every command of `check_cmd` succeeds; they run in no surroundings of the state's.
pub fn checked<S: System>(system: &mut S, commands: &[String]) -> bool {
    let plain = Options::default();
    let succeeds = |text: &String| succeeds(system, &plain, text) == Some(true);
    commands.iter().all(succeeds)
}

/// What one entry says.
enum Held {
    Yes,
    No,
    /// The command could not be started.
    Broken,
    Odd,
    Nameless(String),
}

fn holds<S: System>(system: &mut S, options: &Options, guard: &Guard) -> Result<Held, String> {
    let sure = |good| if good { Held::Yes } else { Held::No };
    Ok(match guard {
        Guard::Odd => Held::Odd,
        Guard::Nameless(entry) => Held::Nameless(entry.clone()),
        Guard::Known(good) => sure(*good),
        Guard::Command(text) => succeeds(system, options, text).map_or(Held::Broken, sure),
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
                    .gather(),
            };
            let broken = |why: &str| format!("An exception occurred in this state: {fun}: {why}");
            match one(system, Question::Call(call)) {
                Answer::Json(value) => sure(match get_return {
                    Some(path) => walk(&value, path, ':').is_some_and(truth),
                    None => truth(&value),
                }),
                Answer::Failed(why) => return Err(broken(&why)),
                _ => return Err(broken("no host has that function")),
            }
        }
    })
}

/// Whether a command ends well; `None` when it cannot be started.
fn succeeds<S: System>(system: &mut S, options: &Options, text: &str) -> Option<bool> {
    let command = command(options, text);
    match one(system, Question::Command(command.clone())) {
        Answer::Output(output) => Some(output.success(&command)),
        _ => None,
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

/// One question's answer.
pub(crate) fn one<S: System>(system: &mut S, question: Question) -> Answer {
    system.answer(&[question]).pop().unwrap_or(Answer::Missing)
}

/// A value by Salt's path, such as `a:b:0`.
pub(crate) fn walk<'a>(value: &'a Json, path: &str, delimiter: char) -> Option<&'a Json> {
    path.split(delimiter).try_fold(value, |value, key| match value {
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
        let one = |path: &str| Some(Creates::One(path.to_owned()));
        let all = |path: &str| Some(Creates::All(vec!["/etc".to_owned(), path.to_owned()]));
        for (onlyif, unless, creates, want) in [
            (vec![], vec![], None, None),
            (vec!["true"], vec![], None, None),
            (
                vec!["true", "false"],
                vec![],
                None,
                Some("onlyif condition is false"),
            ),
            (
                vec![],
                vec!["true", "true"],
                None,
                Some("unless condition is true"),
            ),
            (vec![], vec!["true", "false"], None, None),
            (
                vec!["false"],
                vec!["false"],
                None,
                Some("onlyif condition is false\nunless condition is false"),
            ),
            (
                vec!["true"],
                vec!["true"],
                None,
                Some("onlyif condition is true\nunless condition is true"),
            ),
            (vec![], vec![], one("/etc"), Some("/etc exists")),
            (vec![], vec![], all("/etc"), Some("All files in creates exist")),
            (vec![], vec![], all("/none"), None),
        ] {
            let options = Options {
                onlyif: texts(&onlyif),
                unless: texts(&unless),
                creates,
                ..Options::default()
            };
            let found = skipped(&mut Fake::new(), &options);
            assert_eq!(found, Ok(want.map(str::to_owned)), "{options:?}");
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
            (Guard::Known(true), true),
            (Guard::Known(false), false),
        ] {
            for (onlyif, unless, skips) in [
                (vec![guard.clone()], vec![], !want),
                (vec![], vec![guard.clone()], want),
            ] {
                let options = Options {
                    onlyif,
                    unless,
                    ..Options::default()
                };
                let found = skipped(&mut Fake::new(), &options).map(|comment| comment.is_some());
                assert_eq!(found, Ok(skips), "{options:?}");
            }
        }
    }
    #[test]
    fn what_is_no_condition_skips_nothing() {
        let nameless = || Guard::Nameless("{'x': 1}".to_owned());
        let yes = || Guard::Command("true".to_owned());
        for (unless, skips) in [
            (vec![Guard::Odd], false),
            (vec![Guard::Odd, yes()], true),
            (vec![yes(), Guard::Odd], false),
            (vec![nameless()], false),
            (vec![yes(), nameless()], true),
        ] {
            let options = Options {
                onlyif: vec![yes(), Guard::Odd, Guard::Command("false".to_owned())],
                unless,
                ..Options::default()
            };
            let found = skipped(&mut Fake::new(), &options).map(|comment| comment.is_some());
            assert_eq!(found, Ok(skips), "{options:?}");
        }
    }

    #[test]
    fn a_function_nobody_has_fails_the_state() {
        let options = Options {
            onlyif: vec![Guard::Function {
                fun: "no.such".into(),
                args: Vec::new(),
                kwargs: serde_json::Map::new(),
                get_return: None,
            }],
            ..Options::default()
        };
        assert!(skipped(&mut Fake::new(), &options).is_err());
    }
}
