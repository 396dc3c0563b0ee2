//! A row written through the primary is read from the replica, and soon.

use std::time::Duration;

use serde_json::json;

use super::{Finding, Scene, Trouble, rounded};

const ROUNDS: usize = 10;
const LIMIT: Duration = Duration::from_secs(1);

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    let mut worst = Duration::ZERO;
    for round in 0..ROUNDS {
        let (written, read, lag) = scene.there_and_back(&format!("replicated {round}"))?;
        if read.from == written.to {
            return Err(format!("{} answered the read itself, no replica did", read.from).into());
        }
        worst = worst.max(lag);
    }
    let mut healthy = true;
    let mut said = Vec::new();
    for replica in scene.role("db").iter().skip(1) {
        let client = "$(command -v mariadb || command -v mysql)";
        let status = scene.on(&replica.name, &format!("{client} -e 'SHOW REPLICA STATUS\\G'"))?;
        let threads = threads(&status);
        healthy &= threads.iter().all(|(_, running)| running == "Yes") && threads.len() == 2;
        let words: Vec<_> = threads
            .iter()
            .map(|(name, running)| format!("{name} {running}"))
            .collect();
        said.push(format!("{} {}", replica.name, words.join(", ")));
    }
    let ms = worst.as_secs_f64() * 1000.0;
    Ok(Finding::new(
        healthy && worst <= LIMIT,
        format!("lag at most {ms:.0} ms in {ROUNDS} rows; {}", said.join("; ")),
        format!("{} ms, both threads running", LIMIT.as_millis()),
        json!({ "lag_ms": rounded(ms), "rows": ROUNDS, "threads_running": healthy }),
    ))
}

/// The replica's two threads and whether they run, from either dialect's status.
fn threads(status: &str) -> Vec<(&'static str, String)> {
    let value = |keys: [&str; 2]| {
        let fields = status.lines().filter_map(|line| line.trim().split_once(": "));
        fields
            .filter(|(key, _)| keys.contains(key))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    };
    let io = value(["Slave_IO_Running", "Replica_IO_Running"]).map(|running| ("IO", running));
    let sql = value(["Slave_SQL_Running", "Replica_SQL_Running"]).map(|running| ("SQL", running));
    io.into_iter().chain(sql).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_are_read() {
        let running = vec![("IO", "Yes".to_owned()), ("SQL", "No".to_owned())];
        for prefix in ["Slave", "Replica"] {
            let text = format!("*** 1. row ***\n   {prefix}_IO_Running: Yes\n  {prefix}_SQL_Running: No\n");
            assert_eq!(threads(&text), running);
        }
        assert!(threads("").is_empty());
    }
}
