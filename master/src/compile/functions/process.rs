//! `ps.*`: processes of the host; and what `cmd.*` knows without running anything.

use serde_json::Value as Json;

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const CMD: &[(&str, Function)] = &[
    ("shells", |oracle, _| {
        let lines = asked::lines(oracle, "/etc/shells")?;
        let shells = lines.iter().filter(|line| line.starts_with('/'));
        Ok(shells.map(|line| Json::from(line.trim())).collect())
    }),
    ("which_bin", |oracle, args| {
        for name in args.texts("cmds") {
            let found = asked::call(oracle, "cmd.which", &[name.into()])?;
            if !found.is_null() {
                return Ok(found);
            }
        }
        Ok(Json::Null)
    }),
];

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("boot_time", |oracle, _| {
        let lines = asked::lines(oracle, "/proc/stat")?;
        let time = lines.iter().find_map(|line| line.strip_prefix("btime "));
        Ok(time
            .and_then(|time| time.parse::<i64>().ok())
            .map_or(Json::Null, Json::from))
    }),
    ("num_cpus", |oracle, _| {
        Ok(asked::must(oracle, &["nproc"])?
            .trim()
            .parse::<u64>()
            .unwrap_or(1)
            .into())
    }),
    ("total_physical_memory", |oracle, _| {
        let lines = asked::lines(oracle, "/proc/meminfo")?;
        let kib = lines.iter().find_map(|line| {
            let rest = line.strip_prefix("MemTotal:")?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        });
        Ok(kib.map_or(Json::Null, |kib| (kib * 1024).into()))
    }),
    ("pgrep", pgrep),
    ("psaux", |oracle, args| {
        let name = args.text("name")?;
        let text = asked::must(oracle, &["ps", "aux"])?;
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains(&name) && !line.contains("salt-rs"))
            .collect();
        let count = format!("{} occurrence(s).", lines.len());
        Ok(serde_json::json!([name, lines, count]))
    }),
];

fn pgrep(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let pattern = args.text("pattern")?;
    let user = args.some("user").map(|user| python::text(&user));
    let mut argv = vec!["pgrep"];
    if args.flag("full", false) {
        argv.push("-f");
    }
    if args.flag("pattern_is_regex", false) {
        argv.push(&pattern);
    } else {
        argv.push("--");
    }
    let literal: String = pattern
        .chars()
        .flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c]))
        .collect();
    if argv.last() == Some(&"--") {
        argv.push(&literal);
    }
    if let Some(user) = &user {
        argv.insert(1, user);
        argv.insert(1, "-u");
    }
    let output = asked::output(oracle, &argv)?;
    let ids: Vec<Json> = output
        .stdout
        .lines()
        .filter_map(|line| line.parse::<u64>().ok())
        .map(Json::from)
        .collect();
    Ok(if ids.is_empty() { Json::Null } else { ids.into() })
}
