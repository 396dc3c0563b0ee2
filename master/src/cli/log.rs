//! `salt-rs log`: the change record, from the master's run files; one run in full, with what the hosts kept of it.

mod record;

use clap::{Args, Subcommand};
use proto::{Change, FromMaster, FromMinion, Value};
use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::options::Targets;
use super::rollback::decided;
use crate::failure::Failure;
use crate::fleet::exchange;
use crate::ledger::Record;
use crate::report::screen::{Screen, Tone, tame};
use crate::report::text;
use crate::store::Mode;

/// Show the change record, newest first
///
/// Who, when, from which commit, what came of it on which hosts. `log show RUN` shows one run in full; with --diff it asks
/// the hosts for what they kept: each change's address, before and after, and unified diffs of text files.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Log {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    targets: Targets,
    /// At most so many runs
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Ask the hosts for each change of each run, with diffs of text files
    #[arg(long)]
    diff: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one run in full
    Show(Show),
    /// Check every record and every kept content on hosts, and their journals' ends against what is known here
    ///
    /// Exit status 1 where something is damaged, or a journal does not go on from the end that was known: it was cut,
    /// swapped, or put back from a copy. Such a host is not taken back until `log accept`.
    Verify(record::Verify),
    /// Show which runs and commits made a file on a host what it is, line by line
    ///
    /// `before` was there before the first run that touched it, a number is the generation that made it, `hand` is
    /// nobody's that is recorded.
    Blame(record::Blame),
    /// Take the journals of hosts as they are, where they do not go on from the end that was known
    Accept(record::Accept),
}

#[derive(Debug, Args)]
struct Show {
    /// The run's id, or enough of its beginning
    run: String,
    /// Ask the hosts for each change, with diffs of text files
    #[arg(long)]
    diff: bool,
}

impl Log {
    pub(super) fn targets(&self) -> Targets {
        match &self.command {
            Some(Command::Verify(verify)) => verify.targets.clone(),
            Some(_) => Targets::default(),
            None => self.list.targets.clone(),
        }
    }
}

pub(super) fn run(command: &Log, context: &Context) -> Result<u8, Failure> {
    match &command.command {
        None => list(context, &command.list),
        Some(Command::Show(show)) => one(context, show),
        Some(Command::Verify(_)) => record::verify(context),
        Some(Command::Blame(blame)) => record::blame(context, blame),
        Some(Command::Accept(accept)) => record::accept(context, accept),
    }
}

fn list(context: &Context, list: &List) -> Result<u8, Failure> {
    let screen = context.screen;
    let chosen: Option<Vec<String>> = match &list.targets.target {
        Some(_) => Some(context.hosts()?.into_iter().map(|host| host.id).collect()),
        None => None,
    };
    let concerns = |record: &Record| match &chosen {
        Some(ids) => record.hosts.keys().any(|host| ids.contains(host)),
        None => true,
    };
    let records: Vec<Record> = context
        .ledger
        .records(&screen)?
        .into_iter()
        .filter(concerns)
        .take(list.limit)
        .collect();
    if screen.json {
        let mut documents = Vec::new();
        for record in &records {
            let mut document = record.summary();
            if let (Json::Object(map), true) = (&mut document, list.diff) {
                map.insert("changes".into(), changes(context, record)?.into());
            }
            documents.push(document);
        }
        screen.document(&documents.into());
        return Ok(0);
    }
    if records.is_empty() {
        screen.err("nothing has been recorded yet");
    }
    for record in &records {
        screen.out(line(&screen, record));
        if list.diff {
            for (host, kept) in &changes(context, record)? {
                screen.out(screen.paint(Tone::Strong, host));
                kept_changes(&screen, kept);
            }
        }
    }
    Ok(0)
}

/// What hosts kept of a run's changes.
fn kept_changes(screen: &Screen, kept: &Json) {
    for change in kept.as_array().into_iter().flatten() {
        let field = |name: &str| change.get(name).and_then(Json::as_str).unwrap_or_default();
        screen.out(format!(
            "  {}: {} → {}",
            tame(field("address")),
            tame(field("before_text")),
            tame(field("after_text"))
        ));
        let mut diff = String::new();
        text::diff(screen, &mut diff, field("diff"));
        if !diff.is_empty() {
            screen.out(diff);
        }
    }
}

fn line(screen: &Screen, record: &Record) -> String {
    let hosts: Vec<String> = record
        .hosts
        .iter()
        .map(|(host, result)| {
            let outcome = result.get("outcome").and_then(Json::as_str).unwrap_or("unknown");
            let tone = match outcome {
                "ok" => Tone::Good,
                "changed" | "rolled_back" => Tone::Change,
                _ => Tone::Bad,
            };
            let generation = match (result.get("previous_generation"), result.get("generation")) {
                (Some(before), Some(after)) if before != after && after.is_u64() => {
                    format!(" {before}→{after}")
                }
                _ => String::new(),
            };
            screen.paint(tone, format!("{host} {outcome}{generation}"))
        })
        .collect();
    let commit = record.commit.get(..12).unwrap_or(&record.commit);
    format!(
        "{} {} {} {} {commit} {}",
        screen.paint(Tone::Strong, &record.run),
        record.started,
        word(record.mode),
        tame(&record.by),
        hosts.join(", ")
    )
}

fn one(context: &Context, show: &Show) -> Result<u8, Failure> {
    let screen = context.screen;
    let record = context.ledger.record(&show.run)?;
    let kept = if show.diff {
        changes(context, &record)?
    } else {
        Map::new()
    };
    if screen.json {
        let mut document = record.full();
        if let (Json::Object(map), true) = (&mut document, show.diff) {
            map.insert("changes".into(), kept.into());
        }
        screen.document(&document);
        return Ok(0);
    }
    screen.out(line(&screen, &record));
    for (host, result) in &record.hosts {
        screen.out(screen.paint(Tone::Strong, host));
        for state in result
            .get("states")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let field = |name: &str| state.get(name).and_then(Json::as_str).unwrap_or_default();
            let touched = state
                .get("changes")
                .and_then(Json::as_object)
                .filter(|map| !map.is_empty());
            let failed = state.get("result") == Some(&Json::Bool(false));
            if touched.is_some() || failed {
                let word = if failed { "failed" } else { "changed" };
                screen.out(format!(
                    "  {}.{} {} {word}",
                    field("state"),
                    field("fun"),
                    tame(field("id"))
                ));
                screen.out(format!(
                    "      {}",
                    tame(field("comment")).replace('\n', "\n      ")
                ));
            }
            if let Some(map) = touched.filter(|_| !show.diff) {
                screen.out(text::changes(&screen, map));
            }
        }
        if let Some(kept) = kept.get(host) {
            kept_changes(&screen, kept);
        }
    }
    Ok(0)
}

/// Each host's changes of the run, from the hosts themselves: pre-images never leave them but as a diff asked for.
fn changes(context: &Context, record: &Record) -> Result<Map<String, Json>, Failure> {
    let wanted: Vec<(String, u64)> = record
        .hosts
        .iter()
        .filter(|(_, result)| result.get("generation") != result.get("previous_generation"))
        .filter_map(|(host, result)| Some((host.clone(), result.get("generation")?.as_u64()?)))
        .collect();
    let mut hosts = context.named(wanted.iter().map(|(host, _)| host.as_str()))?;
    let waiting = decided::catch_up(context, &mut hosts)?;
    hosts.retain(|host| !waiting.contains_key(&host.id));
    let (runtime, fleet, _display) = context.fleet(hosts.len())?;
    let mut document = Map::new();
    for host in hosts {
        let Some((_, generation)) = wanted.iter().find(|(id, _)| *id == host.id) else {
            continue;
        };
        let request = FromMaster::Log {
            limit: 1,
            generation: Some(*generation),
            diff: true,
        };
        let told = runtime.block_on(exchange(fleet.clone(), host, request));
        match told.answer {
            Ok(FromMinion::Generations(list)) => {
                let entries = list.iter().flat_map(|(generation, diffs)| {
                    generation
                        .changes
                        .iter()
                        .map(move |change| described(change, diffs))
                });
                document.insert(told.host.id, entries.collect());
            }
            Ok(_) => return Err(Failure::bug("an answer out of place")),
            Err(trouble) => context.screen.err(format!("{}: {trouble}", told.host.id)),
        }
    }
    Ok(document)
}

fn described(change: &Change, diffs: &[(String, String)]) -> Json {
    let address = change.at.to_string();
    let diff = diffs
        .iter()
        .find(|(at, _)| *at == address)
        .map(|(_, diff)| diff.clone());
    json!({
        "address": address,
        "before": change.before,
        "after": change.after,
        "before_text": short(&change.before),
        "after_text": short(&change.after),
        "diff": diff,
    })
}

const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Apply => "apply",
        Mode::Plan => "plan",
        Mode::Rollback => "rollback",
    }
}

/// A value in a few words.
pub(super) fn short(value: &Value) -> String {
    let owner = |meta: &proto::Meta| format!("{:04o} {}:{}", meta.mode, meta.uid, meta.gid);
    match value {
        Value::Absent => "absent".to_owned(),
        Value::File { content, size, meta } => {
            format!("file {} {size} bytes {}", content.short(), owner(meta))
        }
        Value::Dir { meta } => format!("directory {}", owner(meta)),
        Value::Link { to, .. } => format!("link to {to}"),
        Value::Special { what, .. } => what.clone(),
        Value::Package(package) if package.config_only => "configuration only".to_owned(),
        Value::Package(package) => package.version.clone(),
        Value::Unit(unit) => {
            let active = if unit.active { "running" } else { "stopped" };
            format!("{active} {}", unit.enablement).trim_end().to_owned()
        }
        Value::User(account) => format!(
            "user {}",
            account.uid.map(|uid| uid.to_string()).unwrap_or_default()
        ),
        Value::Group(group) => format!(
            "group {}",
            group.gid.map(|gid| gid.to_string()).unwrap_or_default()
        ),
        Value::Text(text) => text.clone(),
        Value::Checkout(checkout) => checkout.commit.get(..12).unwrap_or(&checkout.commit).to_owned(),
        Value::MysqlUser(_) | Value::MysqlGrants(_) | Value::MysqlDatabase(_) | Value::MysqlSource(_) => {
            proto::mysql::told(value)
        }
        Value::Mount(mount) => format!("{} ({})", mount.device, mount.options),
    }
}
