//! `git.*`: what a repository on the host says.

use serde_json::Value as Json;

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("version", |oracle, args| {
        let text = git(oracle, args, None, &["--version"])?;
        Ok(text.rsplit(' ').next().unwrap_or_default().into())
    }),
    ("current_branch", |oracle, args| {
        let cwd = args.text("cwd")?;
        git(oracle, args, Some(&cwd), &["rev-parse", "--abbrev-ref", "HEAD"]).map(Json::from)
    }),
    ("revision", |oracle, args| {
        let cwd = args.text("cwd")?;
        let rev = args.text_or("rev", "HEAD");
        let mut words = vec!["rev-parse"];
        if args.flag("short", false) {
            words.push("--short");
        }
        words.push(&rev);
        git(oracle, args, Some(&cwd), &words).map(Json::from)
    }),
    ("rev_parse", |oracle, args| {
        let cwd = args.text("cwd")?;
        let rev = args.text_or("rev", "");
        let options = args.text_or("opts", "");
        let mut words = vec!["rev-parse"];
        words.extend(options.split_whitespace());
        words.extend((!rev.is_empty()).then_some(rev.as_str()));
        git(oracle, args, Some(&cwd), &words).map(Json::from)
    }),
    ("list_branches", |oracle, args| {
        let place = if args.flag("remote", false) {
            "refs/remotes/"
        } else {
            "refs/heads/"
        };
        names(oracle, args, place)
    }),
    ("list_tags", |oracle, args| names(oracle, args, "refs/tags/")),
];

fn git(oracle: &Oracle, args: &mut Args, cwd: Option<&str>, words: &[&str]) -> Result<String, String> {
    let command = proto::Command {
        cwd: cwd.map(str::to_owned),
        runas: args.some("user").map(|user| python::text(&user)),
        ..proto::Command::program(&[&["git"], words].concat())
    };
    let output = asked::run(oracle, command)?;
    match output.code {
        0 => Ok(output.stdout.trim().to_owned()),
        127 => Err("the host has no program git".to_owned()),
        _ => Err(format!("git {}: {}", words.join(" "), output.stderr.trim())),
    }
}

fn names(oracle: &Oracle, args: &mut Args, place: &str) -> Result<Json, String> {
    let cwd = args.text("cwd")?;
    let text = git(
        oracle,
        args,
        Some(&cwd),
        &["for-each-ref", "--format=%(refname)", place],
    )?;
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(place)).collect();
    names.sort_unstable();
    Ok(names.into_iter().map(Json::from).collect())
}
