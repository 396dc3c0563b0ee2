//! `hosts.*`: the hosts file of the host.

use serde_json::{Map, Value as Json, json};

use super::{Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("list_hosts", |oracle, _| {
        let all = table(oracle)?.into_iter();
        Ok(Json::Object(
            all.map(|(ip, names)| (ip, json!({ "aliases": names })))
                .collect::<Map<_, _>>(),
        ))
    }),
    ("get_ip", |oracle, args| {
        let name = args.text("host")?;
        let found = table(oracle)?
            .into_iter()
            .find(|(_, names)| names.contains(&name));
        Ok(found.map_or_else(String::new, |(ip, _)| ip).into())
    }),
    ("get_alias", |oracle, args| {
        let wanted = args.text("ip")?;
        let found = table(oracle)?.into_iter().find(|(ip, _)| *ip == wanted);
        Ok(found.map_or_else(Vec::new, |(_, names)| names).into())
    }),
    ("has_pair", |oracle, args| {
        let ip = args.text("ip")?;
        let wanted = match args.required("alias")? {
            Json::Array(names) => names.iter().map(python::text).collect(),
            one => vec![python::text(&one)],
        };
        let found = table(oracle)?.into_iter().find(|(one, _)| *one == ip);
        Ok(found
            .is_some_and(|(_, names)| wanted.iter().all(|name| names.contains(name)))
            .into())
    }),
];

fn table(oracle: &Oracle) -> Result<Vec<(String, Vec<String>)>, String> {
    let own = oracle
        .opts
        .get("hosts.file")
        .and_then(Json::as_str)
        .unwrap_or("/etc/hosts");
    let lines = asked::lines(oracle, own)?;
    Ok(entries(lines.iter().map(String::as_str)))
}

/// Names by address, those of several lines together.
pub(super) fn entries<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(ip) = words.next() else { continue };
        let names = words.map(str::to_owned);
        match all.iter_mut().find(|(one, _)| one == ip) {
            Some((_, known)) => known.extend(names),
            None => all.push((ip.to_owned(), names.collect())),
        }
    }
    all
}
