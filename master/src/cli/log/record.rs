//! `salt-rs log verify`, `log blame` and `log accept`: what hosts say of their own record, held against what the master
//! keeps of it (J4).

use std::collections::BTreeMap;

use clap::Args;
use proto::{FromMaster, FromMinion};
use serde_json::{Map, Value as Json, json};

use super::super::context::Context;
use super::super::options::Targets;
use super::super::rollback::decided;
use crate::failure::Failure;
use crate::fleet::{Host, Told, exchange};
use crate::report::screen::{Screen, Tone, tame};

/// Which hosts to check.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) targets: Targets,
}

/// Which path of which host.
#[derive(Debug, Args)]
pub(super) struct Blame {
    /// The host
    host: String,
    /// The path, from the root
    path: String,
}

/// Which hosts' journals to take as they are.
#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The hosts
    #[arg(required = true)]
    hosts: Vec<String>,
}

/// Asks hosts one thing each, after what was decided for them.
fn asked(
    context: &Context,
    mut hosts: Vec<Host>,
    request: &FromMaster,
) -> Result<BTreeMap<String, Told>, Failure> {
    let waiting = decided::catch_up(context, &mut hosts)?;
    hosts.retain(|host| !waiting.contains_key(&host.id));
    told(context, hosts, request)
}

fn told(
    context: &Context,
    hosts: Vec<Host>,
    request: &FromMaster,
) -> Result<BTreeMap<String, Told>, Failure> {
    let (runtime, fleet, display) = context.fleet(hosts.len())?;
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let told = runtime.block_on(async move {
        let display = tokio::spawn(display);
        let told = fleet
            .each(items, |fleet, host| exchange(fleet, host, request.clone()))
            .await;
        drop(fleet);
        display.await.ok();
        told
    });
    context.take_up(&told)?;
    Ok(told)
}

/// Checks the journals of hosts: each record and each kept content there, and its end against what is known here.
pub(super) fn verify(context: &Context) -> Result<u8, Failure> {
    let screen = context.screen;
    let hosts = context.hosts()?;
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let known: BTreeMap<String, bool> = hosts
        .iter()
        .map(|host| (host.id.clone(), host.memory.head.is_some()))
        .collect();
    let told = asked(context, hosts, &FromMaster::Verify)?;
    let (mut code, mut document) = (0, Map::new());
    for id in &order {
        let mut found = match told.get(id).map(|told| &told.answer) {
            Some(Ok(FromMinion::Value(Some(found)))) => found.clone(),
            Some(Ok(_)) => return Err(Failure::bug("an answer out of place")),
            Some(Err(trouble)) => {
                code = code.max(3);
                screen.err(format!("{id}: {trouble}"));
                continue;
            }
            None => {
                code = code.max(3);
                continue;
            }
        };
        let doubt = told.get(id).and_then(|told| told.doubt.clone());
        let head = match (&doubt, known.get(id)) {
            (Some(_), _) => "not the one that was known",
            (None, Some(true)) => "goes on from what was known",
            _ => "seen for the first time",
        };
        found["head"] = head.into();
        let damage = list(&found, "damage");
        if !damage.is_empty() || doubt.is_some() {
            code = 1;
        }
        if !screen.json {
            show(&screen, id, &found, &damage, doubt.as_deref());
        }
        document.insert(id.clone(), found);
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
}

fn show(screen: &Screen, id: &str, found: &Json, damage: &[String], doubt: Option<&str>) {
    let number = |name: &str| found[name].as_u64().unwrap_or_default();
    let (tone, word) = match (damage, doubt) {
        ([], None) => (Tone::Good, "sound"),
        _ => (Tone::Bad, "not sound"),
    };
    screen.out(format!(
        "{} {}, generation {}: {} runs, {} records, {} objects, {} bytes; its end {}",
        screen.paint(Tone::Strong, id),
        screen.paint(tone, word),
        number("generation"),
        number("runs"),
        number("entries"),
        number("objects"),
        number("bytes"),
        found["head"].as_str().unwrap_or_default(),
    ));
    for line in damage {
        screen.out(format!(
            "  {}",
            screen.paint(Tone::Bad, format!("damaged: {}", tame(line)))
        ));
    }
    for line in list(found, "notes") {
        screen.out(format!("  note: {}", tame(&line)));
    }
    if let Some(doubt) = doubt {
        screen.out(format!("  {}", screen.paint(Tone::Bad, tame(doubt))));
    }
}

fn list(of: &Json, name: &str) -> Vec<String> {
    let all = of[name].as_array().into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Says which runs and commits made a path what it is.
pub(super) fn blame(context: &Context, blame: &Blame) -> Result<u8, Failure> {
    let screen = context.screen;
    let hosts = context.named([blame.host.as_str()].into_iter())?;
    if hosts.is_empty() {
        return Err(
            Failure::usage(format!("there is no host {}", blame.host)).hint("see `salt-rs hosts list`")
        );
    }
    let request = FromMaster::Blame {
        path: blame.path.clone(),
    };
    let Some(told) = asked(context, hosts, &request)?.remove(&blame.host) else {
        return Ok(3);
    };
    let found = match told.answer {
        Ok(FromMinion::Value(Some(found))) => found,
        Ok(FromMinion::Value(None)) => {
            let text = format!("no run that {} still keeps touched {}", blame.host, blame.path);
            return Err(
                Failure::usage(text).hint("give the path as it stands in the tree, links not followed")
            );
        }
        Ok(_) => return Err(Failure::bug("an answer out of place")),
        Err(trouble) => {
            screen.err(format!("{}: {trouble}", blame.host));
            return Ok(3);
        }
    };
    if screen.json {
        screen.document(&found);
        return Ok(0);
    }
    screen.out(format!(
        "{} {}",
        screen.paint(Tone::Strong, &blame.host),
        tame(&blame.path)
    ));
    screen.out(blamed(&screen, &found));
    Ok(0)
}

fn blamed(screen: &Screen, found: &Json) -> String {
    let mut lines = Vec::new();
    let word = |of: &Json, name: &str| tame(of[name].as_str().unwrap_or_default());
    let whose = |of: &Json| match &of["by"] {
        Json::Null => "before".to_owned(),
        Json::Number(generation) => generation.to_string(),
        _ => "hand".to_owned(),
    };
    for run in found["runs"].as_array().into_iter().flatten() {
        let commit = word(run, "commit");
        let why = match (run["restores"].as_u64(), run["state"].as_str()) {
            (Some(to), _) => format!("went back to generation {to}"),
            (None, Some(_)) => format!(
                "{} {} [{}]",
                word(run, "state"),
                word(run, "id"),
                word(run, "sls")
            ),
            (None, None) => String::new(),
        };
        let line = format!(
            "  {:>6}  {} {} {} {} {why}",
            run["generation"],
            word(run, "started"),
            word(run, "run"),
            word(run, "by"),
            commit.get(..12).unwrap_or(&commit)
        );
        lines.push(line.trim_end().to_owned());
    }
    for (name, part) in found["attributes"].as_object().into_iter().flatten() {
        lines.push(format!("  {:>6}  {name} {}", whose(part), word(part, "value")));
    }
    match found["lines"].as_array() {
        Some(all) => {
            for line in all {
                let text = word(line, "text");
                let text = text.trim_end_matches('\n');
                lines.push(format!(
                    "  {} | {text}",
                    screen.paint(Tone::Faint, format!("{:>6}", whose(line)))
                ));
            }
        }
        None if found["hidden"] == json!(true) => {
            lines.push("  (lines not shown: the file is not for everybody to read)".to_owned());
        }
        None => {}
    }
    lines.join("\n")
}

/// Takes the journals of hosts as they are: what was known of their ends is given up.
pub(super) fn accept(context: &Context, accept: &Accept) -> Result<u8, Failure> {
    let screen = context.screen;
    let mut hosts = context.named(accept.hosts.iter().map(String::as_str))?;
    if let Some(unknown) = accept
        .hosts
        .iter()
        .find(|id| hosts.iter().all(|host| host.id != **id))
    {
        return Err(Failure::usage(format!("there is no host {unknown}")).hint("see `salt-rs hosts list`"));
    }
    let mut was = BTreeMap::new();
    for host in &mut hosts {
        was.insert(host.id.clone(), host.memory.head.take());
    }
    let request = FromMaster::Log {
        limit: 1,
        generation: None,
        diff: false,
    };
    let mut code = 0;
    for (id, told) in told(context, hosts, &request)? {
        match (&told.answer, &told.host.memory.head, was.remove(&id).flatten()) {
            (Err(trouble), _, _) => {
                code = 3;
                screen.err(format!("{id}: {trouble}"));
            }
            (Ok(_), Some(head), Some(was)) => screen.out(format!(
                "{id}: its journal is taken as it is, at generation {} (known was {})",
                head.generation, was.generation
            )),
            (Ok(_), head, _) => {
                let generation = head.as_ref().map_or(0, |head| head.generation);
                screen.out(format!(
                    "{id}: its journal is taken as it is, at generation {generation}"
                ));
            }
        }
    }
    Ok(code)
}
