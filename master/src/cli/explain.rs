//! `salt-rs explain`: where a value or a state comes from, and what a catalog depends on.

use clap::Args;
use proto::Answer;
use serde_json::{Map, Value as Json, json};

use super::context::{Context, merged};
use super::options::{Selection, Targets};
use crate::compile::explain::{Explained, Followed, Origin};
use crate::compile::lookup::Secrets;
use crate::failure::{Failure, Kind};
use crate::pillar::Step;
use crate::report::screen::{Screen, Tone, tame};

/// Explain where a pillar value or a state comes from
///
/// KEY is a pillar key (`web:port`): told is what each document says about it, with file and line, in the order in which
/// they are merged. Or KEY is the id or the name of a state (a glob is allowed): told are file and line of the state and
/// of each argument, through which SLS it was included, and what it waits for. Without KEY, told is which answers of the host (grains,
/// commands, versions) its catalog depends on: when one of them changes, it is compiled anew.
///
/// With --id NAME --grains FILE no host is needed, as for `salt-rs show`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    pub(super) targets: Targets,
    /// Pillar key, or a state's id or name
    key: Option<String>,
    #[command(flatten)]
    selection: Selection,
}

/// Longest value in a line of text, in characters.
const WIDTH: usize = 60;

pub(super) fn run(command: &Explain, context: &Context) -> Result<u8, Failure> {
    let pillar = command.selection.pillar()?;
    let compiler = context.compiler(command.selection.sls(), pillar)?;
    let key = command.key.as_deref();
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for mut host in context.hosts()? {
        match context.looked(&mut host, |host| compiler.explain(host, key)) {
            Ok(mut explained) => {
                cover(compiler.secrets(), &mut explained);
                found.push((host.id, explained));
            }
            Err(broken) => problems.extend(broken),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::of(Kind::Tree, merged(problems)));
    }
    if let Some(key) = key
        && found
            .iter()
            .all(|(_, explained)| explained.states.is_empty() && explained.pillar.is_none())
    {
        let text = format!("`{key}` is neither a pillar key nor a state's id or name there");
        return Err(Failure::usage(text).hint("see `salt-rs show low` and `salt-rs show pillar`"));
    }
    let screen = context.screen;
    if screen.json {
        let document: Map<String, Json> = found
            .into_iter()
            .map(|(host, explained)| (host, to_json(&explained)))
            .collect();
        screen.document(&document.into());
        return Ok(0);
    }
    for (host, explained) in &found {
        screen.out(screen.paint(Tone::Strong, host));
        if key.is_none() {
            answers(explained, screen);
        }
        if let (Some(key), Some(followed)) = (key, &explained.pillar) {
            value(key, followed, screen);
        }
        for origin in &explained.states {
            state(origin, screen);
        }
    }
    Ok(0)
}

/// Covers decrypted values (P3).
fn cover(secrets: &Secrets, explained: &mut Explained) {
    if let Some(followed) = &mut explained.pillar {
        let values = followed.steps.iter_mut().map(|step| &mut step.value);
        values
            .chain(&mut followed.value)
            .for_each(|value| secrets.mask_all(value));
    }
    for state in &mut explained.states {
        state
            .arguments
            .values_mut()
            .for_each(|(value, _)| secrets.mask_all(value));
    }
}

fn to_json(explained: &Explained) -> Json {
    let states: Vec<Json> = explained.states.iter().map(Origin::to_json).collect();
    let answers: Vec<Json> = explained
        .answers
        .iter()
        .map(|(question, answer)| json!({ "question": question.to_string(), "answer": plain(answer) }))
        .collect();
    let pillar = explained.pillar.as_ref().map(|followed| {
        let steps: Vec<Json> = followed.steps.iter().map(Step::to_json).collect();
        json!({ "value": followed.value, "steps": steps })
    });
    json!({ "pillar": pillar, "states": states, "answers": answers })
}

fn value(key: &str, followed: &Followed, screen: Screen) {
    let last = followed.value.as_ref();
    let last = last.map_or_else(|| "(nothing)".to_owned(), short);
    screen.out(format!("  pillar {key} = {last}"));
    for step in &followed.steps {
        let from = match &step.sls {
            Some(sls) => format!("{}  {sls} [{}]", step.at.text(), step.env),
            None => "the command line".to_owned(),
        };
        screen.out(format!(
            "    {}  {}",
            short(&step.value),
            screen.paint(Tone::Faint, from)
        ));
    }
}

fn state(origin: &Origin, screen: Screen) {
    let head = format!("{}: {}", origin.function, origin.id);
    screen.out(format!("  {}  {}", tame(&head), origin.at.text()));
    let from = match origin.included_from.as_slice() {
        [] => format!("    in {} [{}], step {}", origin.sls, origin.env, origin.step),
        through => format!(
            "    in {} [{}], included by {}, step {}",
            origin.sls,
            origin.env,
            through.join(", "),
            origin.step
        ),
    };
    screen.out(screen.paint(Tone::Faint, from));
    let width = origin.arguments.keys().map(String::len).max().unwrap_or(0);
    for (key, (value, at)) in &origin.arguments {
        screen.out(format!(
            "    {key:width$}  {}  {}",
            short(value),
            screen.paint(Tone::Faint, at.text())
        ));
    }
    for (kind, on) in &origin.waits_for {
        screen.out(format!("    {kind}: {}", tame(on)));
    }
}

fn answers(explained: &Explained, screen: Screen) {
    match explained.answers.len() {
        0 => screen.out("  depends on no answer of the host"),
        count => screen.out(format!("  depends on {count} answers of the host")),
    }
    for (question, answer) in &explained.answers {
        let question = tame(&question.to_string());
        screen.out(format!("    {question} = {}", short(&plain(answer))));
    }
}

/// An answer as plain data. Contents of files stay away: only their size is told.
fn plain(answer: &Answer) -> Json {
    match answer {
        Answer::Missing => Json::Null,
        Answer::Bytes(bytes) => json!({ "bytes": bytes.as_ref().map(Vec::len) }),
        Answer::Tree(entries) => json!({ "entries": entries.as_ref().map(Vec::len) }),
        Answer::Json(value) => value.clone(),
        Answer::Text(text) => text.clone().into(),
        other => json!(other),
    }
}

/// A value on one line, cut to what a line can hold.
fn short(value: &Json) -> String {
    let text = match value {
        Json::String(text) if !text.is_empty() && !text.contains('\n') => text.clone(),
        other => other.to_string(),
    };
    let mut cut: String = text.chars().take(WIDTH).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    tame(&cut)
}
