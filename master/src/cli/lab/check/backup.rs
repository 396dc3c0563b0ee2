//! The database's backup is made, lies on the other machine, and can be restored.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Finding, Scene, Trouble, rounded};

const EXPORT: &str = "/srv/backup";

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    let (database, server) = (scene.first("db")?, scene.first("nfs")?);
    let newest = format!("find {EXPORT} -type f -size +0 -printf '%T@ %s %p\\n' | sort -n | tail -n 1");
    let before = scene.on(&server.name, &newest)?;
    let start = Instant::now();
    scene.on(&database.name, "/usr/local/sbin/backup-database")?;
    let made = start.elapsed();
    // What was written on one machine is seen on the other, soon.
    let file = scene.until("a new file on the server", Duration::from_secs(10), || {
        let now = scene.on(&server.name, &newest)?;
        Ok((now != before && !now.is_empty()).then_some(now))
    })?;
    let mut words = file.split_whitespace().skip(1);
    let size: u64 = words.next().unwrap_or_default().parse().unwrap_or(0);
    let path = words.next().unwrap_or_default().to_owned();
    let start = Instant::now();
    scene.on(&database.name, "/usr/local/sbin/restore-check")?;
    let restored = start.elapsed();
    // Over the protocol itself, where its tools are there.
    let ask = format!(
        "command -v nfs-cat > /dev/null || exit 0; timeout 10 nfs-cat 'nfs://{}{path}?version=4' | head -c 2 | wc -c",
        server.ip
    );
    let over_nfs = scene.on(&database.name, &ask)?.trim() == "2";
    Ok(Finding::new(
        size > 0,
        format!(
            "{path}, {} KiB on {} in {:.1} s, restored and compared in {:.1} s{}",
            size.div_ceil(1024),
            server.name,
            made.as_secs_f64(),
            restored.as_secs_f64(),
            if over_nfs { ", read over NFS" } else { "" },
        ),
        "a new file on the server, restored equal",
        json!({
            "file": path, "bytes": size, "backup_seconds": rounded(made.as_secs_f64()),
            "restore_seconds": rounded(restored.as_secs_f64()), "over_nfs": over_nfs,
        }),
    ))
}
