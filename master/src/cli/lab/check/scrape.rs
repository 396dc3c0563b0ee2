//! Every host's node_exporter is scraped.

use std::time::Duration;

use lab::http::Request;
use serde_json::{Value as Json, json};

use super::{Finding, Scene, Trouble};

const PORT: u16 = 9090;
const EXPORTER: &str = ":9100/";

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    let monitoring = scene.first("monitoring")?.ip;
    let hosts = scene.hosts().len();
    let request = Request::get("/api/v1/targets?state=active");
    let mut last = (0, Vec::new());
    let waited = scene.until("all exporters to be scraped", Duration::from_secs(40), || {
        let response = scene.ask_at((monitoring, PORT).into(), &request)?;
        let document: Json = serde_json::from_str(&response.body)?;
        last = exporters(&document);
        Ok((last.0 >= hosts && last.1.is_empty()).then_some(()))
    });
    if let Err(Trouble::Interrupted) = waited {
        return Err(Trouble::Interrupted);
    }
    let (up, down) = last;
    let measured = match (&waited, down.as_slice()) {
        (Ok(()), _) => format!("{up} of {hosts} hosts up in Prometheus"),
        (Err(Trouble::Said(cause)), []) => format!("{up} of {hosts} hosts up in Prometheus; {cause}"),
        (_, down) => format!(
            "{up} of {hosts} hosts up in Prometheus; down: {}",
            down.join(", ")
        ),
    };
    Ok(Finding::new(
        waited.is_ok(),
        measured,
        "all of them",
        json!({ "up": up, "hosts": hosts, "down": down }),
    ))
}

/// How many exporters of hosts are up, and those that are not, each with its cause.
fn exporters(document: &Json) -> (usize, Vec<String>) {
    let targets = document["data"]["activeTargets"].as_array();
    let (mut up, mut down) = (0, Vec::new());
    for target in targets.into_iter().flatten() {
        let url = target["scrapeUrl"].as_str().unwrap_or_default();
        if !url.contains(EXPORTER) {
            continue;
        }
        if target["health"] == "up" {
            up += 1;
        } else {
            let cause = target["lastError"].as_str().filter(|cause| !cause.is_empty());
            down.push(format!("{url} ({})", cause.unwrap_or("not scraped yet")));
        }
    }
    (up, down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_exporters_count() {
        let document = json!({ "status": "success", "data": { "activeTargets": [
            { "scrapeUrl": "http://192.168.56.10:9100/metrics", "health": "up", "lastError": "" },
            { "scrapeUrl": "http://192.168.56.11:9100/metrics", "health": "down", "lastError": "refused" },
            { "scrapeUrl": "http://192.168.56.12:9100/metrics", "health": "unknown", "lastError": "" },
            { "scrapeUrl": "http://localhost:9090/metrics", "health": "up", "lastError": "" },
        ] } });
        let down = [
            "http://192.168.56.11:9100/metrics (refused)",
            "http://192.168.56.12:9100/metrics (not scraped yet)",
        ];
        assert_eq!(exporters(&document), (1, down.map(str::to_owned).to_vec()));
        assert_eq!(exporters(&json!({})), (0, Vec::new()));
    }
}
