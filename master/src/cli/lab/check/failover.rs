//! The floating address moves when the balancer that holds it is lost, and a client notices little of it.

use std::time::Duration;

use lab::http::Request;
use lab::load::Load;
use serde_json::json;

use super::guard::Broken;
use super::{Finding, Scene, Trouble, rounded};

/// The longest a client may be without an answer.
pub(in crate::cli::lab) const LIMIT: Duration = Duration::from_secs(4);
/// How long the other balancer may take to answer before the check gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The cable of the active balancer is cut.
pub(super) fn cut(scene: &Scene) -> Result<Finding, Trouble> {
    failover(scene, |active| scene.cut(active))
}

/// HAProxy on the active balancer is killed and stays dead.
pub(super) fn kill(scene: &Scene) -> Result<Finding, Trouble> {
    failover(scene, |active| {
        // Masked first, so that systemd does not start what is killed: a program that dies again at every start.
        let broken = scene.broken(format!("HAProxy on {active}"), move || {
            scene.on(active, "systemctl unmask --runtime -q haproxy && systemctl reset-failed haproxy; systemctl start haproxy")?;
            Ok(())
        });
        scene.on(
            active,
            "systemctl mask --runtime -q haproxy && systemctl kill -s KILL haproxy",
        )?;
        Ok(broken)
    })
}

/// The active balancer reboots.
pub(super) fn reboot(scene: &Scene) -> Result<Finding, Trouble> {
    failover(scene, |active| Ok(scene.reboot(active)))
}

fn failover<'a>(
    scene: &'a Scene,
    lose: impl FnOnce(&'a str) -> Result<Broken<'a>, Trouble>,
) -> Result<Finding, Trouble> {
    scene.whole()?;
    let active = scene.active()?;
    let load = Load {
        address: scene.site(),
        rate: 20.0,
        connections: 32,
        limit: Duration::from_millis(500),
    };
    let running = load.start(|_| Request::get("/api/whoami"));
    let broken = lose(active)?;
    let heir = scene.until("another balancer to answer", PATIENCE, || {
        Ok(scene.active().ok().filter(|name| *name != active))
    })?;
    broken.mend()?;
    // The way back counts, too.
    scene.whole()?;
    let back = scene.active()?;
    let tally = running.finish();
    let gap = tally.longest_gap();
    Ok(Finding::new(
        gap <= LIMIT,
        format!(
            "{:.1} s without an answer, {active} → {heir} → {back}; {} of {} requests failed",
            gap.as_secs_f64(),
            tally.failed(),
            tally.asked()
        ),
        format!("{:.1} s", LIMIT.as_secs_f64()),
        json!({
            "gap_seconds": rounded(gap.as_secs_f64()), "from": active, "to": heir, "back": back,
            "requests": tally.asked(), "failed": tally.failed(),
        }),
    ))
}
