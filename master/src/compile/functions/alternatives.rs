//! `alternatives.*`: which program stands for a name.

use serde_json::Value as Json;

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("display", |oracle, args| Ok(display(oracle, args)?.into())),
    ("show_current", |oracle, args| {
        let current = current(oracle, &args.text("name")?)?;
        Ok(current.map_or(Json::Bool(false), Json::from))
    }),
    ("show_link", |oracle, args| {
        let name = args.text("name")?;
        for program in PROGRAMS {
            let output = asked::output(oracle, &[program, "--query", &name])?;
            if let Some(link) = output.stdout.lines().find_map(|line| line.strip_prefix("Link: ")) {
                return Ok(link.into());
            }
        }
        Ok(false.into())
    }),
    ("check_exists", |oracle, args| {
        let shown = display(oracle, args)?;
        let path = args.text("path")?;
        Ok(shown
            .lines()
            .any(|line| line.starts_with(&format!("{path} - priority")))
            .into())
    }),
    ("check_installed", |oracle, args| {
        let (name, path) = (args.text("name")?, args.text("path")?);
        Ok((current(oracle, &name)?.as_deref() == Some(path.as_str())).into())
    }),
];

/// The program's names in the two worlds.
const PROGRAMS: [&str; 2] = ["update-alternatives", "alternatives"];

fn display(oracle: &Oracle, args: &mut Args) -> Result<String, String> {
    let name = args.text("name")?;
    for program in PROGRAMS {
        let output = asked::output(oracle, &[program, "--display", &name])?;
        match output.code {
            127 => {}
            0 => return Ok(output.stdout),
            _ => return Ok(output.stderr),
        }
    }
    Err("the host has no program update-alternatives".to_owned())
}

fn current(oracle: &Oracle, name: &str) -> Result<Option<String>, String> {
    let link = format!("/etc/alternatives/{name}");
    let output = asked::output(oracle, &["readlink", &link])?;
    Ok((output.code == 0).then_some(output.stdout))
}
