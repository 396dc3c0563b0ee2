//! Salt's `npm` state module.

mod bootstrap;
mod installed;

use proto::Command;

use crate::{ArgsExt, Call, Done, Stop};

pub use bootstrap::Bootstrap;
pub use installed::Installed;

/// User, directory and environment of all commands.
fn base(call: &Call<'_>, dir: Option<&str>) -> Result<Command, Stop> {
    let args = call.args();
    let guard = &call.chunk.options.guard;
    let env = match args.any("env") {
        Some(given) => crate::cmd::environment(given)?,
        None => guard.env.clone(),
    };
    Ok(Command {
        cwd: dir.map(str::to_owned),
        env,
        runas: args
            .text("user")
            .or_else(|| args.text("runas"))
            .or_else(|| guard.runas.clone()),
        ..Command::default()
    })
}

/// Why npm, or what comes with it, did not do what it was told; `None` when it did.
fn why(done: &Done<'_>) -> Option<String> {
    let output = done
        .performed
        .iter()
        .rev()
        .find_map(|performed| performed.output.as_ref());
    match (output, done.failed) {
        (Some(output), _) if output.code != 0 || output.timed_out => Some(if output.stderr.is_empty() {
            output.stdout.clone()
        } else {
            output.stderr.clone()
        }),
        (_, Some(problem)) => Some(problem.text.clone()),
        _ => None,
    }
}
