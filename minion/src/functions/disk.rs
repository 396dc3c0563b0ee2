//! `disk.*`: mounted file systems.

use serde_json::{Map, Value as Json, json};

use super::Function;
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "disk.usage",
        params: "",
        run: |live, _| {
            let found: Map<String, Json> = mounts(live)
                .into_iter()
                .filter_map(|(device, at, _)| {
                    let usage = usage(live, &device, &at)?;
                    Some((at, usage))
                })
                .collect();
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "disk.percent",
        params: "args=None",
        run: |live, args| {
            let only = args.text("args");
            let found: Map<String, Json> = mounts(live)
                .into_iter()
                .filter_map(|(device, at, _)| {
                    let usage = usage(live, &device, &at)?;
                    Some((at, usage.get("capacity")?.clone()))
                })
                .collect();
            Ok(match only {
                Some(at) => found.get(&at).cloned().unwrap_or_default(),
                None => Json::Object(found),
            })
        },
    },
    Function {
        name: "mount.active",
        params: "",
        run: |live, _| {
            let text = live.text("/proc/self/mounts").unwrap_or_default();
            let mut found = Map::new();
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let [device, at, kind, options, ..] = words.as_slice() {
                    let options: Vec<&str> = options.split(',').collect();
                    found.insert(
                        unescaped(at),
                        json!({"device": unescaped(device), "fstype": kind, "opts": options}),
                    );
                }
            }
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "mount.is_mounted",
        params: "name",
        run: |live, args| {
            let name = args.need("name")?;
            Ok(json!(mounts(live).into_iter().any(|(_, at, _)| at == name)))
        },
    },
];

/// Device, place and type of each mount.
fn mounts(live: &Live) -> Vec<(String, String, String)> {
    let text = live.text("/proc/self/mounts").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((
                unescaped(words.next()?),
                unescaped(words.next()?),
                words.next()?.to_owned(),
            ))
        })
        .collect()
}

/// The kernel writes blanks and the like as three octal digits.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                out.push(code);
                rest = &tail[3..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn usage(live: &Live, device: &str, at: &str) -> Option<Json> {
    let stat = rustix::fs::statvfs(live.real(at)).ok()?;
    let kib = |blocks: u64| blocks * stat.f_frsize / 1024;
    let (all, free, available) = (kib(stat.f_blocks), kib(stat.f_bfree), kib(stat.f_bavail));
    if all == 0 {
        return None;
    }
    let used = all.saturating_sub(free);
    let percent = (used * 100).div_ceil((used + available).max(1));
    Some(json!({
        "filesystem": device,
        "1K-blocks": all.to_string(),
        "used": used.to_string(),
        "available": available.to_string(),
        "capacity": format!("{percent}%"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_read() {
        assert_eq!(unescaped(r"/mnt/a\040b\x"), r"/mnt/a b\x");
    }
}
