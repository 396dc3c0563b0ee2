//! `cmd.*`: commands, with or without a shell.
//!
//! As in Salt 3008 a call from a template runs without a shell unless `python_shell` is true; `cmd.shell` always uses one.

use std::collections::BTreeMap;

use proto::{Command, Gather, Output};
use serde_json::{Value as Json, json};
use states::args::plain;

use super::{Args, Function};
use crate::live::Live;
use crate::live::command::quoted;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "cmd.run",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| said(live, args, Stream::Both, false),
    },
    Function {
        name: "cmd.shell",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| said(live, args, Stream::Both, true),
    },
    Function {
        name: "cmd.run_stdout",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| said(live, args, Stream::Out, false),
    },
    Function {
        name: "cmd.run_stderr",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| said(live, args, Stream::Err, false),
    },
    Function {
        name: "cmd.run_all",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| {
            let both = args.flag("redirect_stderr", false);
            let output = run(live, args, &How { both, shell: false })?;
            Ok(json!({
                "pid": output.pid,
                "retcode": output.code,
                "stdout": output.stdout,
                "stderr": output.stderr,
            }))
        },
    },
    Function {
        name: "cmd.retcode",
        params: "cmd, cwd=None, stdin=None, runas=None",
        run: |live, args| {
            let output = run(live, args, &How::default())?;
            Ok(json!(if good(args, &output) { 0 } else { output.code }))
        },
    },
    Function {
        name: "cmd.has_exec",
        params: "cmd",
        run: |live, args| Ok(json!(which(live, &args.need("cmd")?).is_some())),
    },
    Function {
        name: "cmd.which",
        params: "cmd",
        run: |live, args| Ok(json!(which(live, &args.need("cmd")?))),
    },
];

#[derive(Debug, Default)]
struct How {
    /// Both streams in one, in the order in which they were written.
    both: bool,
    shell: bool,
}

/// Which of a command's streams is wanted.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Both,
    Out,
    Err,
}

/// Whether a command counts as successful.
fn good(args: &Args, output: &Output) -> bool {
    let codes = match args.any("success_retcodes") {
        Some(Json::Array(codes)) => codes.iter().filter_map(Json::as_i64).collect(),
        Some(one) => Vec::from_iter(one.as_i64()),
        None => Vec::new(),
    };
    output.code == 0 || codes.contains(&i64::from(output.code))
}

fn said(live: &mut Live, args: &Args, stream: Stream, shell: bool) -> Result<Json, String> {
    let both = matches!(stream, Stream::Both);
    let output = run(live, args, &How { both, shell })?;
    let text = match stream {
        Stream::Err => output.stderr.clone(),
        _ => output.stdout.clone(),
    };
    if args.flag("raise_err", false) && !good(args, &output) {
        return Err(text);
    }
    let hide = args.flag("hide_output", false);
    Ok(json!(if hide { String::new() } else { text }))
}

fn which(live: &Live, name: &str) -> Option<String> {
    if name.starts_with('/') {
        return live.real(name).is_file().then(|| name.to_owned());
    }
    live.program(name)
}

fn run(live: &Live, args: &Args, how: &How) -> Result<Output, String> {
    let words = match args.any("cmd") {
        Some(Json::Array(words)) => words.iter().map(plain).collect(),
        Some(text) => vec![plain(text)],
        None => return Err("missing 1 required positional argument: 'cmd'".to_owned()),
    };
    let shell = how.shell || args.flag("python_shell", false) || args.any("__pub_jid").is_some();
    let mut command = Command {
        cwd: args.text("cwd"),
        stdin: args.text("stdin"),
        runas: args.text("runas"),
        group: args.text("group"),
        env: environment(args.any("env")),
        timeout: args
            .number("timeout")
            .and_then(|seconds| u64::try_from(seconds).ok()),
        umask: args
            .text("umask")
            .and_then(|text| u32::from_str_radix(&text, 8).ok()),
        ..Command::default()
    };
    if let Some(first) = args.text("prepend_path") {
        let path = command
            .env
            .get("PATH")
            .map_or(crate::live::command::PATH, String::as_str);
        let path = format!("{first}:{path}");
        command.env.insert("PATH".to_owned(), path);
    }
    if shell {
        let text = match words.as_slice() {
            [text] => text.clone(),
            words => words
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(" "),
        };
        command.shell = Some(args.text("shell").unwrap_or_else(|| "/bin/sh".to_owned()));
        command.argv = vec![if how.both {
            format!("exec 2>&1\n{text}")
        } else {
            text
        }];
    } else {
        let words = match words.as_slice() {
            [text] => split(text)?,
            words => words.to_vec(),
        };
        command.argv = if how.both {
            let head = ["/bin/sh", "-c", "exec 2>&1 \"$@\"", "sh"].map(str::to_owned);
            head.into_iter().chain(words).collect()
        } else {
            words
        };
    }
    if !shell && let Some(program) = command.argv.get(if how.both { 4 } else { 0 }) {
        // Without a shell a program that is not there is an exception; with one the shell complains.
        let elsewhere = program.contains('/') || command.env.contains_key("PATH");
        if !elsewhere && which(live, program).is_none() {
            return Err(format!(
                "Unable to run command: No such file or directory: '{program}'"
            ));
        }
    }
    let mut output = live.run(&command).map_err(|problem| problem.text)?;
    if output.timed_out {
        let text = states::args::plain(args.any("cmd").unwrap_or(&Json::Null));
        output.stdout = format!(
            "{text} : Timed out after {} seconds",
            command.timeout.unwrap_or_default()
        );
        output.code = 1;
    }
    Ok(output)
}

/// A mapping, or a list of mappings.
fn environment(value: Option<&Json>) -> BTreeMap<String, String> {
    let pairs = |value: &Json| -> Vec<(String, String)> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect()
    };
    match value {
        Some(Json::Array(items)) => items.iter().flat_map(pairs).gather(),
        Some(value) => pairs(value).into_iter().gather(),
        None => BTreeMap::new(),
    }
}

/// Splits a text into words as a POSIX shell does, without any expansion.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('"'), '\\') => match chars.next() {
                Some(next) => {
                    let word = word.get_or_insert_default();
                    if !"\"\\$`".contains(next) {
                        word.push('\\');
                    }
                    word.push(next);
                }
                None => return Err("No closing quotation".to_owned()),
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("No escaped character".to_owned()),
            },
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("No closing quotation".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::live::testing;

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(
            split(r#"a  'b c' "d\"e" f\ g ''"#).expect("fine"),
            ["a", "b c", "d\"e", "f g", ""]
        );
        assert!(split("'a").is_err());
    }

    #[test]
    fn commands_run_with_and_without_a_shell() {
        let mut host = testing::here();
        let none = json!({});
        let shell = json!({"python_shell": true, "env": [{"A": 1}, {"B": "x"}]});
        assert_eq!(
            run(&mut host, "cmd.run", json!(["echo 'a | b'"]), none.clone()),
            Ok(json!("a | b"))
        );
        assert_eq!(
            run(
                &mut host,
                "cmd.run",
                json!(["echo $A$B | tr x y; echo e >&2"]),
                shell
            ),
            Ok(json!("1y\ne"))
        );
        assert_eq!(
            run(&mut host, "cmd.shell", json!(["echo a | tr a b"]), none.clone()),
            Ok(json!("b"))
        );
        assert_eq!(
            run(&mut host, "cmd.retcode", json!(["false"]), none.clone()),
            Ok(json!(1))
        );
        let all = run(
            &mut host,
            "cmd.run_all",
            json!([["sh", "-c", "echo o; echo e >&2; exit 4"]]),
            none.clone(),
        )
        .expect("ran");
        assert_eq!(
            (&all["retcode"], &all["stdout"], &all["stderr"]),
            (&json!(4), &json!("o"), &json!("e"))
        );
        assert_eq!(
            run(&mut host, "cmd.has_exec", json!(["sh"]), none.clone()),
            Ok(json!(true))
        );
        assert_eq!(
            run(&mut host, "cmd.which", json!(["no-such-thing"]), none),
            Ok(Json::Null)
        );
    }
}
