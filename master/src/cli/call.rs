//! `salt-rs call`: an execution function on hosts; and the gathering of one answer per host that `run` shares.

use clap::Args;
use proto::question::Call as Request;
use proto::{FromMaster, FromMinion};
use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::options::Targets;
use crate::compile::yaml;
use crate::failure::Failure;
use crate::fleet::exchange;
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
    /// Its arguments
    #[arg(value_name = "ARGS", allow_hyphen_values = true)]
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
        .clone()
        .ok_or_else(|| Failure::usage("name a function, such as test.ping"))?;
    let mut request = Request {
        fun: function.clone(),
        args: Vec::new(),
        kwargs: Default::default(),
    };
    for word in &command.args {
        let keyword = word
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let read = |text: &str| {
            yaml::load_plain(text)
                .map(|value| value.to_string())
                .map_err(Failure::usage)
        };
        match keyword {
            Some((key, value)) => {
                request.kwargs.insert(key.to_owned(), read(value)?);
            }
            None => request.args.push(read(word)?),
        }
    }
    let screen = context.screen;
    let (mut code, mut document) = (0, Map::new());
    for (host, answer) in gather(context, &FromMaster::Call(request))? {
        match answer {
            Ok(FromMinion::Value(Some(value))) if screen.json => {
                document.insert(host, value);
            }
            Ok(FromMinion::Value(Some(value))) => {
                screen.out(screen.paint(Tone::Strong, &host));
                screen.out(shown(&value));
            }
            Ok(FromMinion::Value(None)) => {
                return Err(Failure::usage(format!("there is no function {function}"))
                    .hint("`salt-rs call TARGET sys.list_functions` lists them"));
            }
            Ok(_) => {
                return Err(Failure::bug(format!(
                    "{host} answered a call with something else"
                )));
            }
            Err(trouble) => {
                code = 3;
                complain(&screen, host, trouble, &mut document);
            }
        }
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
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
