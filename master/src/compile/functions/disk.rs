//! `disk.*` and `status.*`, as far as programs of the host tell them.

use serde_json::{Map, Value as Json, json};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("blkid", blkid),
    ("fstype", |oracle, args| {
        let device = args.text("device")?;
        let output = asked::output(oracle, &["lsblk", "-dno", "FSTYPE", &device])?;
        if output.code == 0 && !output.stdout.trim().is_empty() {
            return Ok(output.stdout.trim().into());
        }
        let output = asked::output(oracle, &["findmnt", "-no", "FSTYPE", &device])?;
        Ok(output.stdout.trim().into())
    }),
    ("inodeusage", |oracle, _| {
        let text = asked::must(oracle, &["df", "-iP"])?;
        let mut found = Map::new();
        for words in text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
        {
            if let [device, all, used, free, share, at @ ..] = words.as_slice() {
                found.insert(
                    at.join(" "),
                    json!({"inodes": all, "used": used, "free": free, "use": share, "filesystem": device}),
                );
            }
        }
        Ok(Json::Object(found))
    }),
];

pub(super) const STATUS: &[(&str, Function)] = &[
    ("nproc", |oracle, _| {
        let text = asked::must(oracle, &["nproc"])?;
        Ok(text.trim().parse::<u64>().unwrap_or(1).into())
    }),
    ("diskusage", |oracle, args| {
        let mut found = Map::new();
        let mut paths = args.rest_texts();
        if paths.is_empty() {
            let mounts = asked::lines(oracle, "/proc/self/mounts")?;
            let wanted = mounts.iter().filter(|line| line.starts_with('/'));
            paths = wanted
                .filter_map(|line| line.split(' ').nth(1))
                .map(str::to_owned)
                .collect();
        }
        for path in paths {
            let text = asked::must(oracle, &["stat", "-f", "-c", "%a %b %S", &path])?;
            let words: Vec<u64> = text
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            if let [available, total, size] = words.as_slice() {
                found.insert(
                    path,
                    json!({"available": available * size, "total": total * size}),
                );
            }
        }
        Ok(Json::Object(found))
    }),
];

fn blkid(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let (device, token) = (args.some("device"), args.some("token"));
    let mut argv = vec!["blkid".to_owned()];
    match (device, token) {
        (Some(device), _) => argv.push(crate::compile::python::text(&device)),
        (None, Some(token)) => argv.extend(["-t".to_owned(), crate::compile::python::text(&token)]),
        (None, None) => {}
    }
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let output = asked::output(oracle, &words)?;
    let mut found = Map::new();
    for (device, rest) in output.stdout.lines().filter_map(|line| line.split_once(": ")) {
        let mut shown = Map::new();
        for part in rest.split("\" ") {
            if let Some((key, value)) = part.split_once("=\"") {
                shown.insert(key.trim().to_owned(), value.trim_end_matches('"').into());
            }
        }
        found.insert(device.to_owned(), Json::Object(shown));
    }
    Ok(Json::Object(found))
}
