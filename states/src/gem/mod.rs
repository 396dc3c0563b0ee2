//! Salt's `gem` state module.

mod installed;
mod removed;

use proto::Command;

use crate::{ArgsExt, Call, Host, Stop};

pub use installed::Installed;
pub use removed::Removed;

/// The start of every command: the program, as the user whose gems they are.
///
/// # Errors
/// [`Stop::Failed`] when a version of Ruby is asked for.
fn gem(call: &Call<'_>, words: &[&str]) -> Result<Command, Stop> {
    let args = call.args();
    if args.text("ruby").is_some() {
        return Err(Stop::failed(
            "choosing a version of Ruby (`ruby`) is not supported: give its program as `gem_bin`",
        ));
    }
    let program = args.text("gem_bin").unwrap_or_else(|| "gem".to_owned());
    let mut argv = vec![program];
    argv.extend(words.iter().map(|&word| word.to_owned()));
    Ok(Command {
        argv,
        timeout: Some(1800),
        runas: args
            .text("user")
            .or_else(|| call.chunk.options.guard.runas.clone()),
        ..Command::default()
    })
}

/// Versions of a gem that are installed, newest first.
///
/// # Errors
/// [`Stop::Ask`] while they are not known; [`Stop::Failed`] when the program does not tell. In a plan an earlier state may
/// bring it.
fn versions(call: &Call<'_>, host: &Host<'_>, name: &str) -> Result<Vec<String>, Stop> {
    let output = match host.command(gem(call, &["list", "--local"])?) {
        Ok(output) if output.code == 0 => output,
        Ok(_) | Err(Stop::Failed(_)) if call.test => return Ok(Vec::new()),
        Ok(output) => return Err(Stop::Failed(output.stderr.clone())),
        Err(stop) => return Err(stop),
    };
    let found = output.stdout.lines().find_map(|line| {
        let (gem, versions) = line.split_once(" (")?;
        (gem == name).then(|| versions.trim_end_matches(')'))
    });
    let bare = |version: &str| version.trim_start_matches("default: ").to_owned();
    Ok(found.map_or_else(Vec::new, |versions| versions.split(", ").map(bare).collect()))
}
