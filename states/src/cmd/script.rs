//! `cmd.script`: runs a script from the tree.
//!
//! The script travels on standard input into a temporary file of the user it runs as; nothing of it stays behind.

use proto::{Command, Sourced};

use super::{act, check_cwd, command, report, stateful};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, Verdict, source};

/// `cmd.script`.
#[derive(Debug)]
pub struct Script;

/// Puts the script down, runs it with the arguments, takes it away and hands on how it ended.
const RUNNER: &str = "t=$(mktemp) || exit 1; cat >\"$t\" && chmod 500 \"$t\" && \"$t\" \"$@\" </dev/null; r=$?; rm -f \"$t\"; exit $r";

/// Parameters of `cmd.script` and `cmd.wait_script`.
pub(super) static PARAMS: &[Param] = &[
    Param::new(
        "source",
        Kind::Text,
        "The script: `salt://…` or an absolute path on the host; the name without it.",
    ),
    Param::new(
        "args",
        Kind::Any,
        "Its arguments, as a text split like a shell does, or a list. Without it the words after the first of the name.",
    ),
    Param::new("template", Kind::Text, "Render the script with this engine."),
    Param::new("context", Kind::Map, "Variables of the template."),
    Param::new(
        "defaults",
        Kind::Map,
        "Variables of the template that `context` overrides.",
    ),
    Param::new("cwd", Kind::Text, "Working directory."),
    Param::new(
        "env",
        Kind::Any,
        "Environment variables, as a mapping or a list of mappings.",
    ),
    Param::new("runas", Kind::Text, "Run as this user."),
    Param::new("group", Kind::Text, "Run as this group."),
    Param::new(
        "shell",
        Kind::Text,
        "Accepted; the script's first line names its interpreter.",
    ),
    Param::new("umask", Kind::Mode, "File mode mask, as octal digits."),
    Param::new(
        "timeout",
        Kind::Number,
        "Seconds after which it is ended, with all its children.",
    ),
    Param::new(
        "stateful",
        Kind::Any,
        "It tells by its last line whether it changed something, see `cmd.run`.",
    ),
    Param::new(
        "success_retcodes",
        Kind::List,
        "Exit codes that are a success, besides 0.",
    ),
    Param::new(
        "success_stdout",
        Kind::List,
        "Standard outputs that are a success.",
    ),
    Param::new(
        "success_stderr",
        Kind::List,
        "Standard errors that are a success.",
    ),
    Param::new("hide_output", Kind::Flag, "Do not show what it printed."),
    Param::new("output_loglevel", Kind::Text, "Accepted."),
    Param::new(
        "touches",
        Kind::List,
        "Paths, or trees, that it may change: they are kept before and can be put back.",
    ),
    Param::new("use_vt", Kind::Flag, "Accepted."),
];

static SPEC: Spec = Spec {
    state: "cmd",
    fun: "script",
    doc: "Run a script from the tree, with arguments.\n\nIt runs at every apply; `unless`, `onlyif`, `creates` and \
          `onchanges` say when it need not.",
    params: PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

impl State for Script {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        for key in ["context", "defaults"] {
            if args
                .any(key)
                .is_some_and(|value| crate::args::truth(value) && !value.is_object())
            {
                return Err(Stop::Failed(format!(
                    "Invalidly-formatted '{key}' parameter. Must be formed as a dict."
                )));
            }
        }
        if args.text("stdin").is_some() {
            return Err(Stop::failed(
                "cmd.script takes no `stdin`: the script itself travels there",
            ));
        }
        let base = command(call, host, "")?;
        if call.test {
            return Ok(Plan {
                verdict: Verdict::WouldChange,
                comment: if stateful::wanted(call) {
                    String::new()
                } else {
                    format!("Command '{name}' would have been executed")
                },
                ..Plan::default()
            });
        }
        check_cwd(host, &base)?;
        let from = args.text("source").unwrap_or_else(|| name.to_owned());
        let Some(script) = script(call, host, &from)? else {
            return Ok(uncached(&from));
        };
        let mut argv = ["/bin/sh", "-c", RUNNER, "sh"].map(str::to_owned).to_vec();
        argv.extend(arguments(call)?);
        let command = Command {
            argv,
            shell: None,
            stdin: Some(script),
            ..base
        };
        Ok(Plan {
            acts: vec![act(call, command)],
            ..Plan::default()
        })
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done, format!("Command '{}' run", call.name()))
    }
}

/// The text of the script; `None` when there is none.
pub(crate) fn script(call: &Call<'_>, host: &Host<'_>, from: &str) -> Result<Option<String>, Stop> {
    let bytes = match call.chunk.sources.get(from) {
        Some(Sourced::File { content, .. }) => host.object(content)?,
        Some(Sourced::Broken(why)) => return Err(Stop::Failed(why.clone())),
        Some(_) => None,
        None => match source::local(from) {
            Some(path) => host.bytes(path)?,
            None => None,
        },
    };
    bytes
        .map(|bytes| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| Stop::Failed(format!("{from} is not a script: it is not UTF-8 text")))
        })
        .transpose()
}

/// `args`, or the words after the first of the name.
fn arguments(call: &Call<'_>) -> Result<Vec<String>, Stop> {
    let given = match call.args().any("args") {
        Some(serde_json::Value::Array(_)) => return Ok(call.args().texts("args")),
        Some(value) => crate::args::plain(value),
        None => call
            .name()
            .split_once(' ')
            .map_or("", |(_, rest)| rest)
            .to_owned(),
    };
    stateful::words(&given).ok_or_else(|| Stop::Failed(format!("No closing quotation in {given}")))
}

/// Salt's result when the script cannot be had.
fn uncached(from: &str) -> Plan {
    let mut changes = proto::Args::new();
    changes.insert("pid".to_owned(), 0.into());
    changes.insert("retcode".to_owned(), 1.into());
    changes.insert("stdout".to_owned(), "".into());
    changes.insert("stderr".to_owned(), "".into());
    changes.insert("cache_error".to_owned(), true.into());
    let (path, env) = from.split_once("?saltenv=").unwrap_or((from, "base"));
    Plan {
        verdict: Verdict::Failed,
        changes,
        comment: format!("Unable to cache script {path} from saltenv '{env}'"),
        ..Plan::default()
    }
}
