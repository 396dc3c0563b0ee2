//! Habits that work today and hurt later: commands without a guard, downloads nobody verifies, files whose service does
//! not take them, servers nobody manages.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use crate::compile::diagnostic::{Diagnostic, Severity};
use crate::compile::graph;
use crate::compile::low::Low;
use crate::compile::place::{Place, Sources};
use crate::compile::python::{self, fnmatch};

/// Arguments that keep a command from running every time.
const GUARDS: [&str; 10] = [
    "unless",
    "onlyif",
    "creates",
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "prereq",
    "stateful",
];

/// Requisites by which a state takes another's change.
const TAKES: [&str; 6] = [
    "watch",
    "watch_any",
    "listen",
    "onchanges",
    "onchanges_any",
    "prereq",
];

/// Functions of `file` that change what a service reads.
const WRITES: [&str; 11] = [
    "managed",
    "append",
    "prepend",
    "replace",
    "line",
    "blockreplace",
    "keyvalue",
    "serialize",
    "comment",
    "uncomment",
    "recurse",
];

/// Directories of programs.
const PROGRAMS: [&str; 6] = [
    "/usr/local/bin/",
    "/usr/local/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/etc/init.d/",
    "/etc/cron.daily/",
];

/// Packages that bring a server, and the units it may go by.
const SERVERS: &[(&str, &[&str])] = &[
    ("apache2", &["apache2"]),
    ("bind9", &["bind9", "named"]),
    ("chrony", &["chrony", "chronyd"]),
    ("containerd", &["containerd"]),
    ("dnsmasq", &["dnsmasq"]),
    ("docker-ce", &["docker"]),
    ("docker.io", &["docker"]),
    ("fail2ban", &["fail2ban"]),
    ("grafana", &["grafana-server"]),
    ("haproxy", &["haproxy"]),
    ("httpd", &["httpd"]),
    ("keepalived", &["keepalived"]),
    ("mariadb-server", &["mariadb", "mysql", "mysqld"]),
    ("memcached", &["memcached"]),
    ("mysql-server", &["mysql", "mysqld"]),
    ("nfs-kernel-server", &["nfs-kernel-server", "nfs-server"]),
    ("nginx", &["nginx"]),
    ("postfix", &["postfix"]),
    ("postgresql", &["postgresql"]),
    ("prometheus", &["prometheus"]),
    ("rabbitmq-server", &["rabbitmq-server"]),
    ("redis", &["redis", "redis-server"]),
    ("redis-server", &["redis-server", "redis"]),
    ("squid", &["squid"]),
    ("varnish", &["varnish"]),
];

/// States that another holds back or sets off, by module and id or name.
pub(super) type Held = HashSet<(String, String)>;

/// What the `onchanges_in`, `prereq_in` and `onfail_in` of some chunks name.
pub(super) fn held(lows: &[Low]) -> Held {
    let mut held = Held::new();
    for low in lows {
        for kind in ["onchanges_in", "prereq_in", "onfail_in"] {
            for one in low.args.get(kind).and_then(Json::as_array).into_iter().flatten() {
                if let Some((module, Json::String(name))) = graph::reference(one) {
                    held.insert((module.to_owned(), name.clone()));
                }
            }
        }
    }
    held
}

fn warning(sources: &Sources, at: Place, code: &'static str, message: String, help: &str) -> Diagnostic {
    let mut problem = sources.error(at, message).coded(code).with_help(help);
    problem.severity = Severity::Warning;
    problem
}

/// What one chunk shows by itself.
pub(super) fn chunk(low: &Low, held: &Held, sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if low.state == "cmd" && matches!(low.fun.as_str(), "run" | "script" | "call") {
        found.extend(unguarded(low, held, sources));
    }
    if low.state == "cmd" && pipes_a_download(&low.name_text()) {
        found.push(warning(
            sources,
            low.place("name"),
            "piped-download",
            format!("`{}` runs what a server says", low.id),
            "fetch it with file.managed and source_hash, then run it",
        ));
    }
    found.extend(unverified(low, sources));
    let name = low.name_text();
    let program = PROGRAMS.iter().any(|dir| name.starts_with(dir));
    if (low.state.as_str(), low.fun.as_str()) == ("file", "managed")
        && program
        && !low.args.contains_key("mode")
        && low.args.get("replace") != Some(&Json::Bool(false))
    {
        found.push(warning(
            sources,
            low.at,
            "no-execute-mode",
            format!("{name} is made without the execute bit"),
            "say `- mode: '0755'`",
        ));
    }
    found
}

fn unguarded(low: &Low, held: &Held, sources: &Sources) -> Option<Diagnostic> {
    let guarded = GUARDS.iter().any(|guard| low.args.contains_key(*guard));
    let name = low.name_text();
    let other = [&low.id, &name].into_iter().any(|name| {
        held.contains(&("cmd".to_owned(), name.clone())) || held.contains(&("id".to_owned(), name.clone()))
    });
    (!guarded && !other).then(|| {
        warning(
            sources,
            low.at,
            "unguarded-command",
            format!("`{}` runs every time", low.id),
            "add `unless`, `onlyif`, `creates` or `onchanges`",
        )
    })
}

/// Whether a shell text hands a download to an interpreter.
fn pipes_a_download(text: &str) -> bool {
    let fetches = |part: &str| part.contains("curl ") || part.contains("wget ");
    let runs = |part: &str| {
        let skip = |word: &&str| matches!(*word, "sudo" | "env" | "exec") || word.starts_with('-');
        let word = part
            .split_whitespace()
            .find(|word| !skip(word))
            .unwrap_or_default();
        let program = word.rsplit('/').next().unwrap_or_default();
        matches!(program, "sh" | "bash" | "dash" | "zsh" | "perl") || program.starts_with("python")
    };
    let parts: Vec<&str> = text.split('|').collect();
    parts.windows(2).any(|pair| fetches(pair[0]) && runs(pair[1]))
        || (text.contains("$(curl ") || text.contains("$(wget ") || text.contains("<(curl ")) && runs(text)
}

fn unverified(low: &Low, sources: &Sources) -> Option<Diagnostic> {
    if !matches!(
        (low.state.as_str(), low.fun.as_str()),
        ("file", "managed" | "cached") | ("archive", "extracted")
    ) {
        return None;
    }
    let mut remote = Vec::new();
    let mut source = |value: &Json| {
        let text = value
            .as_str()
            .or_else(|| value.as_object()?.keys().next().map(String::as_str));
        let far = |text: &&str| {
            ["http://", "https://", "ftp://"]
                .iter()
                .any(|way| text.starts_with(way))
        };
        remote.extend(text.filter(far).map(str::to_owned));
    };
    match low.args.get("source") {
        Some(Json::Array(list)) => list.iter().for_each(&mut source),
        Some(one) => source(one),
        None => {}
    }
    let first = remote.first()?;
    let unchecked = low.args.get("skip_verify").is_some_and(python::truth);
    if !unchecked && low.args.get("source_hash").is_some_and(python::truth) {
        return None;
    }
    let (at, help) = if unchecked {
        (
            low.place("skip_verify"),
            "give `source_hash` instead of `skip_verify`",
        )
    } else {
        (low.place("source"), "give `source_hash`")
    };
    Some(warning(
        sources,
        at,
        "unverified-download",
        format!("nobody verifies {first}"),
        help,
    ))
}

/// What all chunks of a host show together.
pub(super) fn together(lows: &[Low], sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let files: Vec<&Low> = lows.iter().filter(|low| is_config(low)).collect();
    let takers: Vec<&Low> = lows
        .iter()
        .filter(|low| TAKES.iter().any(|kind| low.args.contains_key(*kind)))
        .collect();
    let running = |low: &&Low| low.state == "service" && low.fun == "running";
    for service in lows.iter().filter(running) {
        for file in &files {
            let near = file.sls == service.sls || service.args.contains_key("require");
            if near
                && let Some(at) = not_watching(service, file)
                && !taken(file, &takers)
            {
                found.push(unwatched(service, file, at, sources));
            }
        }
    }
    let services: Vec<&Low> = lows.iter().filter(|low| low.state == "service").collect();
    found.extend(lows.iter().filter_map(|low| unmanaged(low, &services, sources)));
    found
}

fn is_config(low: &Low) -> bool {
    low.state == "file" && WRITES.contains(&low.fun.as_str()) && low.name_text().starts_with("/etc/")
}

/// Whether a reference means a chunk.
fn means(reference: &Json, low: &Low) -> bool {
    match graph::reference(reference) {
        Some(("sls", Json::String(sls))) => fnmatch(&low.sls, sls) || low.included_from.contains(sls),
        Some((module, Json::String(name))) => {
            (module == "id" || module == low.state)
                && (fnmatch(&low.id, name) || fnmatch(&low.name_text(), name))
        }
        _ => false,
    }
}

fn refers(low: &Low, kind: &str, to: &Low) -> Option<usize> {
    let all = low.args.get(kind)?.as_array()?;
    all.iter().position(|reference| means(reference, to))
}

/// Whether some state takes the changes of a file.
fn taken(file: &Low, takers: &[&Low]) -> bool {
    let by = |low: &Low| TAKES.iter().any(|kind| refers(low, kind, file).is_some());
    let tells = ["watch_in", "listen_in", "onchanges_in"];
    tells.iter().any(|kind| file.args.contains_key(*kind)) || takers.iter().any(|low| by(low))
}

fn unwatched(service: &Low, file: &Low, at: Place, sources: &Sources) -> Diagnostic {
    let (name, path) = (service.name_text(), file.name_text());
    let note = sources.note(service.at, format!("the service `{name}` is here"));
    warning(
        sources,
        at,
        "service-not-watching",
        format!("nothing reloads the service `{name}` when {path} changes"),
        &format!(
            "write `- watch:` and below it `  - file: {}` at the service",
            file.id
        ),
    )
    .with_note(note)
}

/// Where a service could take a file of its own and does not.
fn not_watching(service: &Low, file: &Low) -> Option<Place> {
    let (name, path) = (service.name_text(), file.name_text());
    if let Some(index) = refers(service, "require", file) {
        return Some(service.reference("require", index));
    }
    let own = |part: &str| {
        part == name
            || part
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
    };
    (file.sls == service.sls && !name.is_empty() && path.split('/').any(own)).then_some(file.at)
}

fn unmanaged(low: &Low, services: &[&Low], sources: &Sources) -> Option<Diagnostic> {
    if low.state != "pkg" || !matches!(low.fun.as_str(), "installed" | "latest") {
        return None;
    }
    let listed = low.args.get("pkgs").and_then(Json::as_array);
    let names: Vec<String> = match listed {
        Some(list) => list
            .iter()
            .filter_map(|one| match one {
                Json::String(name) => Some(name.clone()),
                Json::Object(map) => map.keys().next().cloned(),
                _ => None,
            })
            .collect(),
        None => vec![low.name_text()],
    };
    let (package, units) = SERVERS.iter().find(|(package, units)| {
        let managed = |one: &Low| {
            let unit = one.name_text();
            units.contains(&unit.trim_end_matches(".service"))
        };
        names.iter().any(|name| name == package) && !services.iter().any(|one| managed(one))
    })?;
    let at = if listed.is_some() {
        low.place("pkgs")
    } else {
        low.at
    };
    Some(warning(
        sources,
        at,
        "unmanaged-service",
        format!("{package} is installed and nothing manages its service"),
        &format!(
            "declare `service.running` with `name: {}` and `enable: true`",
            units[0]
        ),
    ))
}

/// One id in the sls of two roles.
pub(super) fn clashes(lows: &[Low], sources: &Sources) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, &Low> = HashMap::new();
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    let mut found = Vec::new();
    for low in lows {
        if !seen.insert((&low.id, &low.sls)) {
            continue;
        }
        let role = |low: &Low| low.sls.split('.').next().unwrap_or_default().to_owned();
        match first.get(low.id.as_str()) {
            None => {
                first.insert(&low.id, low);
            }
            Some(one) if role(one) != role(low) => {
                let message = format!(
                    "`{}` is declared by the roles {} and {}",
                    low.id, one.sls, low.sls
                );
                let help = "give one another id and keep the path or package in `name`";
                let note = sources.note(one.at, format!("`{}` is declared here too", one.id));
                found.push(warning(sources, low.at, "role-clash", message, help).with_note(note));
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_that_are_run_are_seen() {
        for bad in [
            "curl -fsSL https://x | sh",
            "wget -qO- https://x | sudo -E bash -",
            "bash -c \"$(curl -fsSL https://x)\"",
            "curl https://x | python3 - --yes",
        ] {
            assert!(pipes_a_download(bad), "{bad}");
        }
        for good in [
            "curl https://x | jq .",
            "echo x | sh",
            "curl https://x -o /tmp/x",
            "cat x | sha256sum",
        ] {
            assert!(!pipes_a_download(good), "{good}");
        }
    }
}
