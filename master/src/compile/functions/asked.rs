//! What functions ask of the host. Where the answer is not there yet they end with [`PENDING`]: the pass is thrown away.

use proto::question::Call;
use proto::{Address, Answer, Command, Output, Question, Value};
use serde_json::Value as Json;

use crate::compile::oracle::Oracle;

/// What a call says whose answer is not there yet. Nobody reads it: whoever calls looks at what was asked.
pub(super) const PENDING: &str = "the host has not answered yet";

fn answer(oracle: &Oracle, question: Question) -> Result<Answer, String> {
    match oracle.ask(question) {
        None => Err(PENDING.to_owned()),
        Some(Answer::Failed(why)) => Err(why),
        Some(answer) => Ok(answer),
    }
}

/// The text of a file of the host, links followed; `None` where there is no such file.
pub(super) fn text(oracle: &Oracle, path: &str) -> Result<Option<String>, String> {
    match answer(oracle, Question::Bytes(path.to_owned()))? {
        Answer::Bytes(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        _ => Ok(None),
    }
}

/// The lines of a file of the host; a missing one has none.
pub(super) fn lines(oracle: &Oracle, path: &str) -> Result<Vec<String>, String> {
    Ok(text(oracle, path)?
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect())
}

/// What lies at a path of the host, links not followed.
pub(super) fn path(oracle: &Oracle, path: &str) -> Result<Value, String> {
    match answer(oracle, Question::Read(Address::Path(path.to_owned())))? {
        Answer::Value(value) => Ok(value),
        _ => Ok(Value::Absent),
    }
}

/// What a program says that only looks. One that is not there ends with 127.
pub(super) fn output(oracle: &Oracle, argv: &[&str]) -> Result<Output, String> {
    run(oracle, Command::program(argv))
}

/// What a shell script says that only looks; `argv` are its `$1`, `$2` …
pub(super) fn shell(oracle: &Oracle, script: &str, argv: &[&str]) -> Result<Output, String> {
    let mut words = vec!["/bin/sh", "-c", script, "sh"];
    words.extend(argv);
    output(oracle, &words)
}

/// What a command says that only looks.
pub(super) fn run(oracle: &Oracle, mut command: Command) -> Result<Output, String> {
    command.timeout.get_or_insert(60);
    match answer(oracle, Question::Command(command))? {
        Answer::Output(output) => Ok(output),
        _ => Err("the host gave an answer of another kind".to_owned()),
    }
}

/// What a program says that must succeed.
pub(super) fn must(oracle: &Oracle, argv: &[&str]) -> Result<String, String> {
    let output = output(oracle, argv)?;
    match output.code {
        0 => Ok(output.stdout),
        127 => Err(format!("the host has no program {}", argv.first().unwrap_or(&""))),
        code => Err(format!("{} ended with {code}: {}", argv.join(" "), output.stderr)),
    }
}

/// What one of the agent's own functions answers.
pub(super) fn call(oracle: &Oracle, fun: &str, args: &[Json]) -> Result<Json, String> {
    let call = Call {
        fun: fun.to_owned(),
        args: args.iter().map(Json::to_string).collect(),
        kwargs: Default::default(),
    };
    match answer(oracle, Question::Call(call))? {
        Answer::Json(value) => Ok(value),
        Answer::Text(text) => Ok(text.into()),
        _ => Err(format!("'{fun}' {}", crate::compile::oracle::NOT_AVAILABLE)),
    }
}
