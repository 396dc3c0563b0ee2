//! Salt's `cmd` state module. Guards (`unless`, `onlyif`, `creates`) are the run loop's affair.

mod run;
pub(crate) mod script;
pub(crate) mod stateful;

pub use stateful::words;
mod wait;

use std::collections::BTreeMap;

use proto::{Act, Args, Command, Gather, Output};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Stop};

pub use run::Run;
pub use script::Script;
pub use wait::{Wait, WaitScript};

/// Parameters of `cmd.run` and `cmd.wait`.
static PARAMS: &[Param] = &[
    Param::new(
        "cwd",
        Kind::Text,
        "Working directory; the user's home without it.",
    ),
    Param::new(
        "env",
        Kind::Any,
        "Environment variables, as a mapping or a list of mappings.",
    ),
    Param::new("prepend_path", Kind::Text, "Put this in front of `PATH`."),
    Param::new("runas", Kind::Text, "Run as this user."),
    Param::new("group", Kind::Text, "Run as this group."),
    Param::new(
        "shell",
        Kind::Text,
        "Shell that runs it (default: the grain `shell`).",
    ),
    Param::new("umask", Kind::Mode, "File mode mask, as octal digits."),
    Param::new(
        "timeout",
        Kind::Number,
        "Seconds after which it is ended, with all its children.",
    ),
    Param::new(
        "ignore_timeout",
        Kind::Flag,
        "Ending it at `timeout` is a success.",
    ),
    Param::new("stdin", Kind::Text, "Text for its standard input."),
    Param::new(
        "stateful",
        Kind::Any,
        "It tells by its last line whether it changed something: `changed=yes comment='…'`, or by a JSON object. `[{test_name: COMMAND}]` also gives the command for test mode.",
    ),
    Param::new(
        "success_retcodes",
        Kind::List,
        "Exit codes that are a success, besides 0.",
    ),
    Param::new(
        "success_stdout",
        Kind::List,
        "Standard outputs that are a success, whatever the exit code.",
    ),
    Param::new(
        "success_stderr",
        Kind::List,
        "Standard errors that are a success, whatever the exit code.",
    ),
    Param::new("hide_output", Kind::Flag, "Do not show what it printed."),
    Param::new(
        "output_loglevel",
        Kind::Text,
        "Accepted; nothing is logged. `hide_output` hides what it printed.",
    ),
    Param::new(
        "touches",
        Kind::List,
        "Paths, or trees, that it may change: they are kept before and can be put back.",
    ),
    Param::new("use_vt", Kind::Flag, "Accepted."),
    Param::new("bg", Kind::Flag, "Accepted; the state waits for the command."),
    Param::new("root", Kind::Text, "Not supported: running inside another root."),
    Param::new("password", Kind::Text, "Accepted; of use on Windows only."),
    Param::new("python_shell", Kind::Flag, "Accepted; a shell always runs it."),
];

/// The shell of a state: its own, else the host's.
///
/// # Errors
/// [`Stop::Ask`] while the grain is not known.
pub(crate) fn shell(call: &Call<'_>, host: &Host<'_>) -> Result<String, Stop> {
    let guard = &call.chunk.options.guard;
    if let Some(shell) = call.args().text("shell").or_else(|| guard.shell.clone()) {
        return Ok(shell);
    }
    let grain = host.grain("shell")?.map(plain);
    Ok(grain
        .filter(|shell| !shell.is_empty())
        .unwrap_or_else(|| "/bin/sh".to_owned()))
}

/// A text as the command a state runs, with everything its arguments say about how.
///
/// # Errors
/// [`Stop::Failed`] with Salt's text when `env` has no form it may have.
pub(crate) fn command(call: &Call<'_>, host: &Host<'_>, text: &str) -> Result<Command, Stop> {
    let args = call.args();
    let guard = &call.chunk.options.guard;
    if args.text("root").is_some() {
        return Err(Stop::failed(
            "running a command in another root (`root`) is not supported",
        ));
    }
    // The surroundings of the guards hold what `environ.setenv` set, too.
    let mut env = guard.env.clone();
    if let Some(given) = args.any("env") {
        env.extend(environment(given)?);
    }
    if let Some(first) = args.text("prepend_path") {
        let path = env
            .entry("PATH".to_owned())
            .or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        *path = format!("{first}:{path}");
    }
    let timeout = args
        .number("timeout")?
        .and_then(|seconds| u64::try_from(seconds).ok());
    Ok(Command {
        argv: vec![text.to_owned()],
        shell: Some(shell(call, host)?),
        cwd: args.text("cwd").or_else(|| guard.cwd.clone()),
        env,
        runas: args.text("runas").or_else(|| guard.runas.clone()),
        group: args.text("group").or_else(|| guard.group.clone()),
        umask: args.mode("umask")?.or(guard.umask),
        timeout: timeout.or(guard.timeout),
        stdin: args.text("stdin"),
        success_retcodes: args
            .texts("success_retcodes")
            .iter()
            .filter_map(|code| code.parse().ok())
            .collect(),
    })
}

/// Variables from a mapping, or a list of mappings.
pub(crate) fn environment(given: &Json) -> Result<BTreeMap<String, String>, Stop> {
    let malformed = || Stop::failed("Invalidly-formatted 'env' parameter. See documentation.");
    let maps: Vec<&Args> = match given {
        Json::Object(map) => vec![map],
        Json::Array(items) => items
            .iter()
            .map(|item| item.as_object().ok_or_else(malformed))
            .collect::<Result<_, _>>()?,
        _ => return Err(malformed()),
    };
    let text = |value: &Json| {
        if value.is_null() {
            String::new()
        } else {
            plain(value)
        }
    };
    Ok(maps
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .gather())
}

/// The working directory must be there.
///
/// # Errors
/// [`Stop::Failed`] with Salt's text when it is not.
fn check_cwd(host: &Host<'_>, command: &Command) -> Result<(), Stop> {
    let Some(cwd) = &command.cwd else {
        return Ok(());
    };
    let there = crate::paths::clean(cwd)
        .map(|cwd| host.follow(&cwd))
        .transpose()?;
    if matches!(there, Some(proto::Value::Dir { .. })) {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "Desired working directory \"{cwd}\" is not available"
    )))
}

/// The act that runs a state's command, with what it declares about undoing it.
fn act(call: &Call<'_>, command: Command) -> Act {
    let undo = call.chunk.options.undo.as_ref().map(|text| Command {
        argv: vec![text.clone()],
        stdin: None,
        success_retcodes: Vec::new(),
        ..command.clone()
    });
    Act::Run {
        command,
        undo,
        verify: None,
        touches: call.args().texts("touches"),
    }
}

/// Salt's result of a command that was run; `run` is the comment.
fn report(call: &Call<'_>, plan: &Plan, done: &Done<'_>, run: String) -> Report {
    let command = plan.acts.iter().find_map(|act| match act {
        Act::Run { command, .. } => Some(command),
        _ => None,
    });
    let output = done
        .performed
        .iter()
        .rev()
        .find_map(|performed| performed.output.as_ref());
    let (Some(command), Some(output)) = (command, output) else {
        return Report::of(plan, done);
    };
    let changes = told(call, command, output);
    let report = Report {
        result: Some(changes.get("retcode").and_then(Json::as_i64) == Some(0)),
        changes,
        comment: run,
        warnings: plan.warnings.clone(),
    };
    if stateful::wanted(call) {
        stateful::reinterpreted(report)
    } else {
        report
    }
}

/// What a program of a state said of its failure; `None` when it did not fail.
pub(crate) fn failure(done: &Done<'_>) -> Option<String> {
    let output = done.performed.iter().rev().find_map(|one| one.output.as_ref());
    let bad = output.filter(|output| output.code != 0 || output.timed_out);
    match (bad, done.failed) {
        (None, None) => None,
        (Some(output), _) if !output.stderr.is_empty() => Some(output.stderr.clone()),
        (Some(output), _) if !output.stdout.is_empty() => Some(output.stdout.clone()),
        (_, Some(problem)) => Some(problem.text.clone()),
        (Some(output), None) => Some(format!("ended with {}", output.code)),
    }
}

/// `pid`, `retcode`, `stdout` and `stderr` as Salt tells them.
fn told(call: &Call<'_>, command: &Command, output: &Output) -> Args {
    let args = call.args();
    let shown = |text: &str| text.trim_end().to_owned();
    let (mut code, mut stdout, mut stderr) = (output.code, shown(&output.stdout), shown(&output.stderr));
    if output.timed_out {
        let seconds = command.timeout.unwrap_or_default();
        let text = command.argv.first().map_or("", String::as_str);
        stdout = format!("{text} : Timed out after {seconds} seconds");
        stderr.clear();
        code = i32::from(!args.flag("ignore_timeout", false));
    } else if command.success_retcodes.contains(&code)
        || args.texts("success_stdout").contains(&stdout)
        || args.texts("success_stderr").contains(&stderr)
    {
        code = 0;
    }
    if args.flag("hide_output", false) {
        stdout.clear();
        stderr.clear();
    }
    let mut changes = Args::new();
    changes.insert("pid".to_owned(), output.pid.into());
    changes.insert("retcode".to_owned(), code.into());
    changes.insert("stdout".to_owned(), stdout.into());
    changes.insert("stderr".to_owned(), stderr.into());
    changes
}
