//! `service.*`: systemd's units, services by their short names.

use std::collections::BTreeSet;

use proto::{Address, Unit, Value};
use serde_json::json;

use super::{Args, Function};
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "service.status",
        params: "name",
        run: |live, args| Ok(json!(unit(live, args)?.active)),
    },
    Function {
        name: "service.enabled",
        params: "name",
        run: |live, args| Ok(json!(enabled(&unit(live, args)?))),
    },
    Function {
        name: "service.disabled",
        params: "name",
        run: |live, args| Ok(json!(!enabled(&unit(live, args)?))),
    },
    Function {
        name: "service.available",
        params: "name",
        run: |live, args| Ok(json!(unit(live, args)?.known)),
    },
    Function {
        name: "service.missing",
        params: "name",
        run: |live, args| Ok(json!(!unit(live, args)?.known)),
    },
    Function {
        name: "service.masked",
        params: "name",
        run: |live, args| Ok(json!(unit(live, args)?.enablement.starts_with("masked"))),
    },
    Function {
        name: "service.get_all",
        params: "",
        run: |live, _| Ok(json!(listed(live, |_| true)?)),
    },
    Function {
        name: "service.get_enabled",
        params: "",
        run: |live, _| Ok(json!(listed(live, |state| state.starts_with("enabled"))?)),
    },
    Function {
        name: "service.get_disabled",
        params: "",
        run: |live, _| Ok(json!(listed(live, |state| state == "disabled")?)),
    },
    Function {
        name: "service.get_running",
        params: "",
        run: |live, _| {
            let argv = [
                "systemctl",
                "list-units",
                "--type=service",
                "--state=running",
                "--plain",
                "--no-legend",
                "--no-pager",
            ];
            let text = live.must(&argv).map_err(|problem| problem.text)?;
            Ok(json!(names(&text, |_| true)))
        },
    },
];

fn enabled(unit: &Unit) -> bool {
    unit.enablement.starts_with("enabled") || matches!(unit.enablement.as_str(), "alias" | "linked")
}

fn unit(live: &mut Live, args: &Args) -> Result<Unit, String> {
    let mut name = args.need("name")?;
    const KINDS: [&str; 8] = [
        ".service", ".socket", ".timer", ".target", ".mount", ".path", ".device", ".slice",
    ];
    if !KINDS.iter().any(|kind| name.ends_with(kind)) {
        name.push_str(".service");
    }
    match live.read(&Address::Unit(name)).map_err(|problem| problem.text)? {
        Value::Unit(unit) => Ok(unit),
        _ => Ok(Unit::default()),
    }
}

fn listed(live: &Live, keep: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, String> {
    let argv = [
        "systemctl",
        "list-unit-files",
        "--type=service",
        "--plain",
        "--no-legend",
        "--no-pager",
    ];
    let text = live.must(&argv).map_err(|problem| problem.text)?;
    Ok(names(&text, keep))
}

fn names(text: &str, keep: impl Fn(&str) -> bool) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            keep(words.next().unwrap_or_default())
                .then(|| name.strip_suffix(".service").unwrap_or(name).to_owned())
        })
        .collect()
}
