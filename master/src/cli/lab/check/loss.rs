//! One server of a tier is lost; once the balancers have noticed, no request fails.

use std::time::{Duration, Instant};

use lab::load::Tally;
use serde_json::json;

use super::stats::is_out;
use super::{Finding, Scene, Trouble};

/// How long requests go on with one server less.
const LASTING: Duration = Duration::from_secs(4);

/// A web server is lost.
pub(super) fn web(scene: &Scene) -> Result<Finding, Trouble> {
    loss(scene, "web", "web")
}

/// An application server is lost.
pub(super) fn app(scene: &Scene) -> Result<Finding, Trouble> {
    loss(scene, "was", "app")
}

/// `role` is the hosts' role, `backend` the balancers' name for them.
fn loss(scene: &Scene, role: &str, backend: &str) -> Result<Finding, Trouble> {
    scene.whole()?;
    let lost = scene.first(role)?.name.as_str();
    let running = scene.full_load();
    let start = Instant::now();
    let broken = scene.cut(lost)?;
    scene.until("the balancers to notice", Duration::from_secs(20), || {
        for balancer in scene.role("haproxy") {
            let servers = scene.servers(balancer)?;
            let status = servers.get(backend).and_then(|servers| servers.get(lost));
            if !status.is_some_and(|status| is_out(status)) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    let settled = start.elapsed();
    scene.until("requests with one server less", LASTING * 2, || {
        Ok((start.elapsed() > settled + LASTING).then_some(()))
    })?;
    broken.mend()?;
    // Its return may cost nothing, either.
    scene.whole()?;
    let tally = running.finish();
    let (before, after) = split(&tally, settled);
    let (lost_before, lost_after) = (before.failed(), after.failed());
    let why: Vec<_> = after.causes().keys().cloned().collect();
    let more = why.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
    Ok(Finding::new(
        lost_after == 0,
        format!(
            "{lost} lost: {lost_after} of {} requests failed{more}; noticed after {:.1} s, {lost_before} failed until then",
            after.asked(),
            settled.as_secs_f64(),
        ),
        "0 once noticed",
        json!({
            "lost": lost, "requests": after.asked(), "failed": lost_after, "failed_before_noticed": lost_before,
            "noticed_seconds": super::rounded(settled.as_secs_f64()),
            "p99_ms": super::rounded(after.percentile(0.99).as_secs_f64() * 1000.0),
        }),
    ))
}

/// The requests that were due before a moment, and those due later.
fn split(tally: &Tally, at: Duration) -> (Tally, Tally) {
    let (before, after) = tally
        .samples()
        .iter()
        .cloned()
        .partition(|sample| sample.due < at);
    (Tally::of(before, at), Tally::of(after, Duration::ZERO))
}
