//! `salt-rs hosts`: the roster, reachability, host keys.

use clap::{Args, Subcommand};
use proto::{FromMaster, FromMinion};
use serde_json::{Map, json};

use super::context::Context;
use super::options::Targets;
use crate::failure::{Failure, Kind};
use crate::fleet::{Host, exchange};
use crate::report::screen::{Tone, tame};
use crate::transport::ssh::{Names, fingerprint, forget, learn};

/// List hosts, check them, take up or drop their keys
#[derive(Debug, Args)]
pub(super) struct Hosts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the roster's hosts
    List(Chosen),
    /// Connect to hosts and say what is there
    Check(Chosen),
    /// Show a host's keys; take up the one whose fingerprint you confirm
    Scan(Scan),
    /// Drop a host's keys and what is remembered of it
    Forget(Chosen),
}

#[derive(Debug, Args)]
struct Chosen {
    #[command(flatten)]
    targets: Targets,
}

#[derive(Debug, Args)]
struct Scan {
    #[command(flatten)]
    targets: Targets,
    /// Take up the key with this fingerprint (SHA256:…), learnt from the host's console or its provider
    #[arg(long, value_name = "FINGERPRINT")]
    accept: Option<String>,
    /// Take up whatever keys are shown now: trust on first use
    #[arg(long, conflicts_with = "accept")]
    accept_any: bool,
}

pub(super) fn run(command: &Hosts, context: &Context) -> Result<u8, Failure> {
    match &command.command {
        Command::List(chosen) => list(context, &hosts(context, &chosen.targets)?),
        Command::Check(chosen) => check(context, hosts(context, &chosen.targets)?),
        Command::Scan(scan) => keys(context, scan),
        Command::Forget(chosen) => drop_keys(context, &hosts(context, &chosen.targets)?),
    }
}

fn hosts(context: &Context, targets: &Targets) -> Result<Vec<Host>, Failure> {
    context.targeting(targets)
}

fn list(context: &Context, hosts: &[Host]) -> Result<u8, Failure> {
    let screen = context.screen;
    if screen.json {
        let all: Map<String, _> = hosts
            .iter()
            .map(|host| {
                let endpoint = &host.endpoint;
                let value = json!({
                    "host": endpoint.host, "port": endpoint.port, "user": endpoint.user, "sudo": endpoint.sudo,
                    "jump": endpoint.jump.as_ref().map(|jump| jump.id.clone()), "grains": host.asserted,
                    "generation": host.memory.generation,
                });
                (host.id.clone(), value)
            })
            .collect();
        screen.document(&all.into());
        return Ok(0);
    }
    for host in hosts {
        let jump = host
            .endpoint
            .jump
            .as_ref()
            .map(|jump| format!(" through {}", jump.id))
            .unwrap_or_default();
        let sudo = if host.endpoint.sudo { " (sudo)" } else { "" };
        let generation = host
            .memory
            .generation
            .map(|number| format!(" generation {number}"))
            .unwrap_or_default();
        let line = format!("{}@{}{jump}{sudo}", host.endpoint.user, host.endpoint.address());
        screen.out(format!(
            "{} {line}{}",
            screen.paint(Tone::Strong, format!("{:20}", host.id)),
            screen.paint(Tone::Faint, generation)
        ));
    }
    Ok(0)
}

fn check(context: &Context, hosts: Vec<Host>) -> Result<u8, Failure> {
    let screen = context.screen;
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let (runtime, fleet, display) = context.fleet(hosts.len())?;
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let ask = || FromMaster::Ask(vec![proto::Question::Grain("osfinger".into())]);
    let told = runtime.block_on(async move {
        let display = tokio::spawn(display);
        let told = fleet
            .each(items, |fleet, host| exchange(fleet, host, ask()))
            .await;
        drop(fleet);
        display.await.ok();
        told
    });
    context.take_up(&told)?;
    let (mut code, mut document) = (0, Map::new());
    for id in order {
        let Some(told) = told.get(&id) else { continue };
        let value = match &told.answer {
            Ok(FromMinion::Answers(answers)) => {
                let os = match answers.first() {
                    Some(proto::Answer::Json(value)) => value.as_str().unwrap_or_default().to_owned(),
                    _ => String::new(),
                };
                if !screen.json {
                    let line = format!(
                        "{} ms {} round trips {}",
                        told.duration_ms,
                        told.traffic.round_trips,
                        tame(&os)
                    );
                    screen.out(format!(
                        "{} {line}",
                        screen.paint(Tone::Good, format!("{id:20} ok"))
                    ));
                }
                json!({ "ok": true, "os": os, "duration_ms": told.duration_ms })
            }
            Ok(_) => json!({ "ok": false, "error": "an answer out of place" }),
            Err(trouble) => {
                code = 3;
                if !screen.json {
                    let help = trouble
                        .hint()
                        .map(|help| format!("\n  help: {help}"))
                        .unwrap_or_default();
                    screen.out(format!(
                        "{} {}{help}",
                        screen.paint(Tone::Bad, format!("{id:20}")),
                        tame(&trouble.to_string())
                    ));
                }
                json!({ "ok": false, "error": trouble.to_string(), "help": trouble.hint() })
            }
        };
        document.insert(id, value);
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
}

fn known_hosts(context: &Context) -> Result<std::path::PathBuf, Failure> {
    context
        .settings
        .ssh
        .known_hosts
        .clone()
        .ok_or_else(|| Failure::usage("no known_hosts file: set ssh.known_hosts in the settings"))
}

fn keys(context: &Context, scan: &Scan) -> Result<u8, Failure> {
    let (screen, file) = (context.screen, known_hosts(context)?);
    let hosts = hosts(context, &scan.targets)?;
    let (runtime, fleet, _display) = context.fleet(hosts.len())?;
    let (mut code, mut document) = (0, Map::new());
    for host in &hosts {
        let shown = match runtime.block_on(fleet.transports.scan(&host.endpoint)) {
            Ok(shown) => shown,
            Err(error) => {
                code = 3;
                screen.err(format!("{}: cannot {error}", host.id));
                continue;
            }
        };
        let prints: Vec<String> = shown.iter().map(fingerprint).collect();
        let accepted: Vec<_> = shown
            .iter()
            .filter(|key| scan.accept_any || scan.accept.as_deref() == Some(fingerprint(key).as_str()))
            .cloned()
            .collect();
        if scan.accept.is_some() && accepted.is_empty() {
            let text = format!(
                "{} shows none of that fingerprint, but {}",
                host.id,
                prints.join(", ")
            );
            return Err(
                Failure::new(Kind::Refused, text).hint("nothing was taken up; somebody may be in between")
            );
        }
        let added = if accepted.is_empty() {
            0
        } else {
            let endpoint = &host.endpoint;
            learn(&file, &endpoint.host, endpoint.port, &accepted, Names::Plain).map_err(Failure::usage)?
        };
        if !screen.json {
            screen.out(screen.paint(Tone::Strong, &host.id));
            for (key, print) in shown.iter().zip(&prints) {
                screen.out(format!("  {} {print}", key.algorithm()));
            }
            match (accepted.is_empty(), added) {
                (true, _) => screen.out(format!(
                    "  compare with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then\n  salt-rs hosts scan {} --accept {}",
                    host.id,
                    prints.first().map(String::as_str).unwrap_or("SHA256:…")
                )),
                (false, 0) => screen.out("  already known"),
                (false, count) => screen.out(format!("  {count} taken up into {}", file.display())),
            }
        }
        document.insert(host.id.clone(), json!({ "keys": prints, "added": added }));
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
}

fn drop_keys(context: &Context, hosts: &[Host]) -> Result<u8, Failure> {
    let (screen, file) = (context.screen, known_hosts(context)?);
    for host in hosts {
        let count = if file.exists() {
            forget(&file, &host.endpoint.host, host.endpoint.port).map_err(Failure::usage)?
        } else {
            0
        };
        context.ledger.forget(&host.id, &context.screen);
        if !screen.json {
            screen.out(format!(
                "{}: {count} keys dropped from {}, and all that was remembered of it",
                host.id,
                file.display()
            ));
        }
    }
    Ok(0)
}
