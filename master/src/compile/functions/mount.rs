//! `mount.*`: what is mounted, and what should be; and the table of encrypted devices.

use serde_json::{Map, Value as Json, json};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("active", active),
    ("fstab", |oracle, args| {
        let path = args.text_or("config", "/etc/fstab");
        let mut found = Map::new();
        for words in words(oracle, &path)? {
            if let [device, at, kind, options, rest @ ..] = words.as_slice() {
                let number = |place: usize| rest.get(place).map_or("0", String::as_str);
                let options: Vec<&str> = options.split(',').collect();
                found.insert(
                    unescaped(at),
                    json!({
                        "device": unescaped(device), "fstype": kind, "opts": options,
                        "dump": number(0), "pass": number(1),
                    }),
                );
            }
        }
        Ok(Json::Object(found))
    }),
    ("get_mount_from_path", |oracle, args| {
        let text = asked::must(oracle, &["stat", "-c", "%m", &args.text("path")?])?;
        Ok(text.trim().into())
    }),
    ("swaps", |oracle, _| {
        let mut found = Map::new();
        for line in asked::lines(oracle, "/proc/swaps")?.iter().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [device, kind, size, used, priority, ..] = words.as_slice() {
                found.insert(
                    (*device).to_owned(),
                    json!({"type": kind, "size": size, "used": used, "priority": priority}),
                );
            }
        }
        Ok(Json::Object(found))
    }),
];

pub(super) const CRYPTDEV: &[(&str, Function)] = &[("crypttab", |oracle, args| {
    let path = args.text_or("config", "/etc/crypttab");
    let mut found = Map::new();
    for words in words(oracle, &path)? {
        if let [name, device, rest @ ..] = words.as_slice() {
            let at = |place: usize, default: &'static str| {
                rest.get(place).map_or(default, String::as_str).to_owned()
            };
            found.insert(
                name.clone(),
                json!({"device": device, "password": at(0, "none"), "options": at(1, "")}),
            );
        }
    }
    Ok(Json::Object(found))
})];

/// The words of each line that is no comment.
fn words(oracle: &Oracle, path: &str) -> Result<Vec<Vec<String>>, String> {
    let lines = asked::lines(oracle, path)?;
    Ok(lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect())
}

/// The kernel writes blanks and the like as three octal digits.
fn unescaped(text: &str) -> String {
    let mut out = text.to_owned();
    for (code, c) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        out = out.replace(code, c);
    }
    out
}

fn active(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let extended = args.flag("extended", false);
    let mut found = Map::new();
    for line in asked::lines(oracle, "/proc/self/mountinfo")? {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(dash) = words.iter().position(|word| *word == "-") else {
            continue;
        };
        let ([id, parent, numbers, root, at, options, ..], [kind, device, rest @ ..]) =
            (&words[..dash], &words[dash + 1..])
        else {
            continue;
        };
        let list = |text: &str| text.split(',').map(Json::from).collect::<Vec<_>>();
        let superopts = list(rest.first().unwrap_or(&""));
        let mut opts = list(options);
        let device = unescaped(device);
        let mut shown = Map::new();
        if extended {
            let (major, minor) = numbers.split_once(':').unwrap_or((numbers, ""));
            shown.insert("mountid".to_owned(), (*id).into());
            shown.insert("parentid".to_owned(), (*parent).into());
            shown.insert("major".to_owned(), major.into());
            shown.insert("minor".to_owned(), minor.into());
            shown.insert("root".to_owned(), unescaped(root).into());
        } else {
            // As the kernel's table of mounts tells them: the mount's own first, then the file system's.
            opts.extend(
                superopts
                    .iter()
                    .filter(|one| **one != "rw" && **one != "ro")
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        shown.insert("device".to_owned(), device.clone().into());
        shown.insert("alt_device".to_owned(), device.into());
        shown.insert("fstype".to_owned(), (*kind).into());
        shown.insert("opts".to_owned(), opts.into());
        if extended {
            shown.insert("superopts".to_owned(), superopts.into());
            shown.insert("device_uuid".to_owned(), Json::Null);
            shown.insert("device_label".to_owned(), Json::Null);
        }
        found.insert(unescaped(at), Json::Object(shown));
    }
    Ok(Json::Object(found))
}
