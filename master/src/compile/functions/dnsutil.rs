//! `dnsutil.*`: names as the host resolves them; and `aliases.*`, the other table of names.

use core::net::IpAddr;

use serde_json::{Map, Value as Json};

use super::{Args, Function, asked, hosts};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("A", |oracle, args| resolved(oracle, args, "ahostsv4")),
    ("AAAA", |oracle, args| resolved(oracle, args, "ahostsv6")),
    ("check_ip", |_, args| {
        Ok(args.text("ip_addr")?.parse::<IpAddr>().is_ok().into())
    }),
    ("parse_hosts", |oracle, args| {
        let text = match args.some("hosts") {
            Some(text) => crate::compile::python::text(&text),
            None => asked::text(oracle, &args.text_or("hostsfile", "/etc/hosts"))?.unwrap_or_default(),
        };
        let entries = hosts::entries(text.lines());
        Ok(Json::Object(
            entries
                .into_iter()
                .map(|(ip, names)| (ip, names.into()))
                .collect(),
        ))
    }),
];

pub(super) const ALIASES: &[(&str, Function)] = &[
    ("list_aliases", |oracle, _| {
        let all = aliases(oracle)?;
        Ok(Json::Object(
            all.into_iter()
                .map(|(name, to)| (name, to.into()))
                .collect::<Map<_, _>>(),
        ))
    }),
    ("get_target", |oracle, args| {
        let name = args.text("alias")?;
        let found = aliases(oracle)?.into_iter().find(|(one, _)| *one == name);
        Ok(found.map_or_else(String::new, |(_, to)| to).into())
    }),
    ("has_target", |oracle, args| {
        let (name, target) = (args.text("alias")?, args.text("target")?);
        if target.is_empty() {
            return Err("target can not be an empty string".to_owned());
        }
        let found = aliases(oracle)?.into_iter().find(|(one, _)| *one == name);
        Ok(found
            .is_some_and(|(_, to)| to.split(',').any(|one| one.trim() == target))
            .into())
    }),
];

fn aliases(oracle: &Oracle) -> Result<Vec<(String, String)>, String> {
    let lines = asked::lines(oracle, "/etc/aliases")?;
    let lines = lines.iter().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, to)| {
            let to = to.split('#').next().unwrap_or_default();
            (name.trim().to_owned(), to.trim().to_owned())
        })
        .collect())
}

fn resolved(oracle: &Oracle, args: &mut Args, database: &str) -> Result<Json, String> {
    if args.some("nameserver").is_some() {
        return Err(format!(
            "{}: the host's own resolver is asked, no other server",
            args.function()
        ));
    }
    let output = asked::output(oracle, &["getent", database, &args.text("host")?])?;
    let mut found: Vec<Json> = Vec::new();
    for line in output.stdout.lines() {
        let ip = Json::from(line.split_whitespace().next().unwrap_or_default());
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    Ok(found.into())
}
