//! `status.*`: how the host is doing.

use serde_json::{Map, Value as Json, json};

use super::Function;
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "status.loadavg",
        params: "",
        run: |live, _| {
            let text = live.text("/proc/loadavg").unwrap_or_default();
            let mut loads = text
                .split_whitespace()
                .map(|word| word.parse::<f64>().unwrap_or_default());
            let mut next = || loads.next().unwrap_or_default();
            Ok(json!({"1-min": next(), "5-min": next(), "15-min": next()}))
        },
    },
    Function {
        name: "status.uptime",
        params: "",
        run: |live, _| {
            let text = live.text("/proc/uptime").unwrap_or_default();
            let seconds = text
                .split_whitespace()
                .next()
                .and_then(|word| word.parse::<f64>().ok())
                .unwrap_or_default() as u64;
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
            Ok(json!({"seconds": seconds, "days": days, "time": format!("{hours}:{minutes:02}")}))
        },
    },
    Function {
        name: "status.meminfo",
        params: "",
        run: |live, _| Ok(figures(live, "/proc/meminfo")),
    },
    Function {
        name: "status.cpuinfo",
        params: "",
        run: |live, _| {
            let text = live.text("/proc/cpuinfo").unwrap_or_default();
            let mut found = Map::new();
            for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
                let (key, value) = (key.trim().to_owned(), value.trim());
                let value = match key.as_str() {
                    "flags" | "Features" => value.split_whitespace().map(Json::from).collect(),
                    _ => json!(value),
                };
                found.insert(key, value);
            }
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "status.version",
        params: "",
        run: |live, _| Ok(json!(live.text("/proc/version").unwrap_or_default().trim())),
    },
];

/// Lines `Name: value unit`.
fn figures(live: &Live, path: &str) -> Json {
    let text = live.text(path).unwrap_or_default();
    let found: Map<String, Json> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| {
            let mut words = value.split_whitespace();
            let mut figure = Map::new();
            figure.insert("value".to_owned(), json!(words.next().unwrap_or_default()));
            if let Some(unit) = words.next() {
                figure.insert("unit".to_owned(), json!(unit));
            }
            (key.to_owned(), Json::Object(figure))
        })
        .collect();
    Json::Object(found)
}
