//! `salt-rs call`: an execution function on hosts; and the gathering of one answer per host that `run` shares.

use std::sync::Arc;

use clap::Args;
use proto::question::Call as Request;
use proto::{FromMaster, FromMinion};
use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::options::Targets;
use crate::compile::functions::Args as Arguments;
use crate::compile::functions::reference::{self, Place};
use crate::compile::yaml;
use crate::failure::{Failure, Kind};
use crate::fleet::{Thought, Unready, exchange, inquire};
use crate::report::screen::{Screen, Tone, tame};

/// Call an execution function on hosts
///
/// Such as test.ping, grains.items, grains.get os, pkg.version nginx, service.status nginx. Arguments are read as YAML;
/// key=value gives a keyword argument. See `salt-rs doc` for what there is.
#[derive(Debug, Args)]
pub(super) struct Call {
    #[command(flatten)]
    pub(super) targets: Targets,
    /// The function, module.function
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    /// Its arguments; those that begin with a dash go after `--`
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    args: Vec<String>,
}

/// A host's answer, or cause and way out.
pub(super) type Answer = Result<FromMinion, (String, Option<String>)>;

/// Asks every target one thing; answers in roster order.
pub(super) fn gather(context: &Context, request: &FromMaster) -> Result<Vec<(String, Answer)>, Failure> {
    let hosts = context.hosts()?;
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let (runtime, fleet, screen) = context.fleet(hosts.len())?;
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let mut told = runtime.block_on(async move {
        let display = tokio::spawn(screen);
        let told = fleet
            .each(items, |fleet, host| exchange(fleet, host, request.clone()))
            .await;
        drop(fleet);
        // The display ends with the last sender; it holds nothing that could fail.
        display.await.ok();
        told
    });
    context.take_up(&told)?;
    Ok(order
        .into_iter()
        .map(|id| {
            let answer = match told.remove(&id) {
                Some(told) => told
                    .answer
                    .map_err(|trouble| (trouble.to_string(), trouble.hint())),
                None => Err((
                    "the task for this host ended early: a bug in salt-rs".to_owned(),
                    None,
                )),
            };
            (id, answer)
        })
        .collect())
}

pub(super) fn run(command: &Call, context: &Context) -> Result<u8, Failure> {
    let function = command
        .function
        .as_deref()
        .ok_or_else(|| Failure::usage("name a function, such as test.ping"))?;
    let entry = reference::find(function).ok_or_else(|| unknown(function))?;
    let mut call = Words::read(&command.args)?;
    if SHELLS.contains(&function) {
        // As from Salt's own command line: what is typed there is meant for a shell.
        call.kwargs.entry("python_shell").or_insert_with(|| true.into());
    }
    Arguments::bind(entry, &call.args, &call.kwargs).map_err(|why| {
        Failure::usage(why).hint(format!(
            "{function}({}); see `salt-rs doc {function}`",
            entry.params
        ))
    })?;
    let answers = if entry.place == Place::Host || function == "test.ping" {
        by_agent(context, function, &call)?
    } else {
        by_master(context, function, call)?
    };
    let screen = context.screen;
    let (mut code, mut document) = (0, Map::new());
    for (host, answer) in answers {
        match answer {
            Ok(value) if screen.json => {
                document.insert(host, value);
            }
            Ok(value) => {
                screen.out(screen.paint(Tone::Strong, &host));
                screen.out(shown(&value));
            }
            Err((worse, trouble)) => {
                // A function that fails is told as such; a host that cannot be asked weighs more.
                code = code.max(worse);
                complain(&screen, host, trouble, &mut document);
            }
        }
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
}

/// Functions whose text goes to a shell when it comes from the command line.
const SHELLS: [&str; 5] = [
    "cmd.run",
    "cmd.run_all",
    "cmd.run_stdout",
    "cmd.run_stderr",
    "cmd.retcode",
];

/// Modules whose functions look at the tree or the pillar.
const OF_THE_TREE: [&str; 10] = [
    "config", "cp", "defaults", "jinja", "match", "mine", "pillar", "sdb", "slsutil", "state",
];

/// A value per host, or the exit code it means and why there is none.
type Values = Vec<(String, Result<Json, (u8, (String, Option<String>))>)>;

fn unknown(function: &str) -> Failure {
    match reference::way_out(function) {
        Some("") => Failure::usage(format!("salt-rs has no execution function {function}")),
        Some(way) => Failure::usage(format!("salt-rs has no execution function {function}")).hint(way),
        None => {
            let near = reference::near(function).map(|near| format!("did you mean `{near}`?"));
            Failure::usage(format!("there is no function {function}"))
                .hint(near.unwrap_or_else(|| "`salt-rs doc` lists them".to_owned()))
        }
    }
}

/// Arguments as they are typed: YAML, `key=value` by name.
struct Words {
    args: Vec<Json>,
    kwargs: Map<String, Json>,
}

impl Words {
    fn read(words: &[String]) -> Result<Self, Failure> {
        let mut read = Self {
            args: Vec::new(),
            kwargs: Map::new(),
        };
        for word in words {
            let name = |key: &str| {
                key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            match word.split_once('=').filter(|(key, _)| name(key)) {
                Some((key, value)) => {
                    read.kwargs.insert(key.to_owned(), typed(value)?);
                }
                None => read.args.push(typed(word)?),
            }
        }
        Ok(read)
    }
}

/// One argument as Salt reads it: YAML, but for texts that YAML would mutilate.
fn typed(text: &str) -> Result<Json, Failure> {
    let plain = text.trim().is_empty()
        || text.contains('\n')
        || text.starts_with(['#', '!', '*', '&', '%', '@', '`', '|', '>'])
        || text.contains(" #");
    if plain {
        return Ok(text.into());
    }
    match yaml::load_plain(text) {
        // `a: b` on a command line is a text; mappings are written in braces.
        Ok(Json::Object(_)) if !text.trim_start().starts_with('{') => Ok(text.into()),
        Ok(Json::Null) if text.trim_start().starts_with('#') => Ok(text.into()),
        Ok(value) => Ok(value),
        Err(_) if !text.trim_start().starts_with(['{', '[']) => Ok(text.into()),
        Err(why) => Err(Failure::usage(format!("the argument {text}: {why}"))),
    }
}

/// One request to each host's agent.
fn by_agent(context: &Context, function: &str, call: &Words) -> Result<Values, Failure> {
    let request = Request {
        fun: function.to_owned(),
        args: call.args.iter().map(Json::to_string).collect(),
        kwargs: call
            .kwargs
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect(),
    };
    let mut values = Vec::new();
    for (host, answer) in gather(context, &FromMaster::Call(request))? {
        values.push((
            host.clone(),
            match answer {
                Ok(FromMinion::Value(Some(value))) => Ok(value),
                Ok(FromMinion::Value(None)) => Err((1, (format!("this host has no {function}"), None))),
                Ok(_) => {
                    return Err(Failure::bug(format!(
                        "{host} answered a call with something else"
                    )));
                }
                Err(trouble) => Err((3, trouble)),
            },
        ));
    }
    Ok(values)
}

/// The master's own functions, which ask the hosts what they need to know.
fn by_master(context: &Context, function: &str, call: Words) -> Result<Values, Failure> {
    let hosts = context.hosts()?;
    let module = function.split('.').next().unwrap_or_default();
    let compiler = if OF_THE_TREE.contains(&module) || function == "file.source_list" {
        context.compiler(Vec::new(), Map::new())?
    } else {
        context.treeless()?
    };
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let (runtime, fleet, screen) = context.fleet(hosts.len())?;
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let name = function.to_owned();
    let thought: Thought<Result<Json, String>> =
        Arc::new(move |host| compiler.call(host, &name, &call.args, &call.kwargs));
    let mut told = runtime.block_on(async move {
        let display = tokio::spawn(screen);
        let told = fleet
            .each(items, |fleet, host| inquire(fleet, host, thought.clone()))
            .await;
        drop(fleet);
        // The display ends with the last sender; it holds nothing that could fail.
        display.await.ok();
        told
    });
    let mut values = Vec::new();
    for id in order {
        let value = match told.remove(&id) {
            Some(Ok(Ok(value))) => Ok(value),
            Some(Ok(Err(why))) => Err((1, (why, None))),
            Some(Err(Unready::Broken(problems))) => return Err(Failure::of(Kind::Tree, problems)),
            Some(Err(Unready::Nothing(sentence))) => Err((1, (sentence.to_owned(), None))),
            Some(Err(Unready::Trouble(trouble))) => Err((3, (trouble.to_string(), trouble.hint()))),
            None => return Err(Failure::bug(format!("the task for {id} ended early"))),
        };
        values.push((id, value));
    }
    Ok(values)
}

/// Says why a host gave no answer.
pub(super) fn complain(
    screen: &Screen,
    host: String,
    trouble: (String, Option<String>),
    document: &mut Map<String, Json>,
) {
    let (cause, help) = trouble;
    if screen.json {
        document.insert(host, json!({ "error": { "message": cause, "help": help } }));
    } else {
        let help = help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
        screen.err(format!("{host}: {}{help}", tame(&cause)));
    }
}

/// A value for people: texts as they are, all else as JSON.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => tame(text),
        other => tame(&format!("{other:#}")),
    }
}
