//! `kmod.*`: modules of the host's kernel; and `sysctl.*` as far as it lists.

use serde_json::{Map, Value as Json, json};

use super::{Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("available", |oracle, _| Ok(available(oracle)?.into())),
    ("check_available", |oracle, args| {
        let name = args.text("mod")?;
        if loaded(oracle)?.iter().any(|words| words.first() == Some(&name)) {
            return Ok(true.into());
        }
        Ok(available(oracle)?.contains(&name).into())
    }),
    ("is_loaded", |oracle, args| {
        let name = args.text("mod")?.replace('-', "_");
        Ok(loaded(oracle)?
            .iter()
            .any(|words| words.first().is_some_and(|one| one.replace('-', "_") == name))
            .into())
    }),
    ("lsmod", |oracle, _| {
        let modules = loaded(oracle)?.into_iter().map(|words| {
            let at = |place: usize| words.get(place).cloned().unwrap_or_default();
            let users = at(3);
            let users: Vec<&str> = users
                .split(',')
                .filter(|one| !one.is_empty() && *one != "-")
                .collect();
            json!({"module": at(0), "size": at(1), "depcount": at(2), "deps": users})
        });
        Ok(modules.collect())
    }),
    ("mod_list", |oracle, args| {
        let mut names: Vec<String> = if args.flag("only_persist", false) {
            let lines = asked::lines(oracle, "/etc/modules")?;
            lines
                .iter()
                .map(|line| line.trim())
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .filter_map(|line| line.split_whitespace().next())
                .map(str::to_owned)
                .collect()
        } else {
            loaded(oracle)?
                .into_iter()
                .filter_map(|words| words.into_iter().next())
                .collect()
        };
        names.sort();
        names.dedup();
        Ok(names.into())
    }),
];

pub(super) const SYSCTL: &[(&str, Function)] = &[
    ("default_config", |oracle, _| {
        let there = asked::output(oracle, &["test", "-d", "/etc/sysctl.d"])?.code == 0;
        let by_systemd = asked::output(oracle, &["test", "-d", "/run/systemd/system"])?.code == 0;
        Ok(if there && by_systemd {
            "/etc/sysctl.d/99-salt.conf"
        } else {
            "/etc/sysctl.conf"
        }
        .into())
    }),
    ("show", |oracle, args| {
        let file = args.some("config_file").filter(crate::compile::python::truth);
        let text = match &file {
            Some(file) => {
                let path = crate::compile::python::text(file);
                asked::text(oracle, &path)?.ok_or_else(|| format!("Could not open sysctl file {path}"))?
            }
            None => asked::output(oracle, &["sysctl", "-a"])?.stdout,
        };
        let mut found = Map::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['#', ';']))
        {
            let pair = if file.is_some() {
                line.split_once('=')
            } else {
                line.split_once(" = ")
            };
            if let Some((key, value)) = pair {
                found.insert(key.trim().to_owned(), value.trim().into());
            }
        }
        Ok(Json::Object(found))
    }),
];

/// Words of `/proc/modules`: name, size, users, their names.
fn loaded(oracle: &Oracle) -> Result<Vec<Vec<String>>, String> {
    let lines = asked::lines(oracle, "/proc/modules")?;
    Ok(lines
        .iter()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect())
}

fn available(oracle: &Oracle) -> Result<Vec<String>, String> {
    let script = "cd /lib/modules/\"$(uname -r)\" 2>/dev/null && find . -name '*.ko*' -printf '%f\\n'; cat modules.builtin 2>/dev/null";
    let text = asked::shell(oracle, script, &[])?.stdout;
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.rsplit('/').next()?.split(".ko").next())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}
