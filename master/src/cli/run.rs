//! `salt-rs run`: a shell command on hosts.

use clap::Args;
use proto::{Command, FromMaster, FromMinion};
use serde_json::{Map, json};

use super::call::{complain, gather};
use super::context::Context;
use super::options::Targets;
use crate::failure::Failure;
use crate::report::screen::{Tone, tame};

/// Run a shell command on hosts
///
/// The words after -- are joined with blanks and given to /bin/sh on each host; the command is not recorded and cannot
/// be rolled back. The exit code is 0 when it succeeded everywhere, 1 when it failed somewhere, 3 when a host could not
/// be reached.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) targets: Targets,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(command: &Run, context: &Context) -> Result<u8, Failure> {
    let mut request = Command::sh(&command.command.join(" "));
    request.timeout = Some(context.common.timeout);
    let told = gather(context, &FromMaster::Run(request))?;
    let (screen, mut code, mut document) = (context.screen, 0, Map::new());
    for (host, answer) in told {
        match answer {
            Ok(FromMinion::Output(output)) => {
                if output.code != 0 {
                    code = 1;
                }
                if screen.json {
                    document.insert(
                        host,
                        json!({ "retcode": output.code, "stdout": output.stdout, "stderr": output.stderr, "timed_out": output.timed_out }),
                    );
                    continue;
                }
                let status = if output.code == 0 {
                    String::new()
                } else {
                    format!(" (exit {})", output.code)
                };
                screen.out(screen.paint(Tone::Strong, format!("{host}{status}")));
                for text in [&output.stdout, &output.stderr]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                {
                    screen.out(tame(text));
                }
            }
            Ok(_) => {
                return Err(Failure::bug(format!(
                    "{host} answered a command with something else"
                )));
            }
            Err(trouble) => {
                code = if code == 1 { 1 } else { 3 };
                complain(&screen, host, trouble, &mut document);
            }
        }
    }
    if screen.json {
        screen.document(&document.into());
    }
    Ok(code)
}
