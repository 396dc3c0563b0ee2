//! The application is replaced under load, one server after the other, and no request is lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::http::Request;
use serde_json::{Value as Json, json};

use super::converged::causes;
use super::tree::with_value;
use super::{Finding, Scene, Trouble, rounded};
use crate::cli::apply::Wish;
use crate::report::Mode;

const PILLAR: &str = "pillar/app.sls";
const CAREFULLY: Wish = Wish {
    failhard: true,
    ..Wish::of(Mode::Apply)
};

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    scene.whole()?;
    let (head, before) = (scene.tree().head()?, releases(scene)?);
    let new = format!("check-{}", &head[..8]);
    let running = scene.full_load();
    let broken = scene.broken("the application's release".to_owned(), || {
        scene.tree().reset(&head)?;
        // One that began late may still be at it; apply waits for nobody, so its refusal is told.
        let run = scene.apply("was*", Some(1), Wish::of(Mode::Apply))?;
        refuse(&causes(&run))
    });
    scene.tree().commit(PILLAR, "Roll the application", |text| {
        with_value(text, "release", &new)
    })?;
    let start = Instant::now();
    let run = scene.apply("was*", Some(1), CAREFULLY)?;
    let there = start.elapsed();
    refuse(&causes(&run))?;
    scene.until("the new release to answer", Duration::from_secs(10), || {
        let seen = releases(scene)?;
        if seen == BTreeSet::from([new.clone()]) {
            Ok(Some(()))
        } else {
            Err(format!("{seen:?} answer").into())
        }
    })?;
    // The way back is a roll, too, and leaves nothing of it.
    refuse(&causes(&scene.rollback(&run.run, Some(1))?))?;
    scene.tree().reset(&head)?;
    broken.forget();
    scene.whole()?;
    let tally = running.finish();
    let after = releases(scene)?;
    if after != before {
        return Err(format!("{after:?} answer after the way back, {before:?} did before").into());
    }
    let causes: Vec<_> = tally.causes().into_keys().collect();
    let more = causes
        .first()
        .map(|cause| format!(" ({cause})"))
        .unwrap_or_default();
    let p99 = tally.percentile(0.99).as_secs_f64() * 1000.0;
    Ok(Finding::new(
        tally.failed() == 0,
        format!(
            "{} of {} requests failed{more} at {:.0}/s, there in {:.1} s and back; p99 {p99:.0} ms",
            tally.failed(),
            tally.asked(),
            tally.rate(),
            there.as_secs_f64(),
        ),
        "0 failed",
        json!({
            "requests": tally.asked(), "failed": tally.failed(), "rate": rounded(tally.rate()),
            "roll_seconds": rounded(there.as_secs_f64()), "p99_ms": rounded(p99), "causes": causes,
        }),
    ))
}

fn refuse(causes: &[String]) -> Result<(), Trouble> {
    match causes {
        [] => Ok(()),
        causes => Err(causes.join("; ").into()),
    }
}

/// The releases that answer behind the balancer, as enough requests in a row see them.
fn releases(scene: &Scene) -> Result<BTreeSet<String>, Trouble> {
    let mut seen = BTreeSet::new();
    for _ in 0..2 * scene.role("was").len() {
        let response = scene.ask(&Request::get("/api/whoami"))?;
        let body: Json = serde_json::from_str(&response.body)?;
        let release = body["release"].as_str();
        seen.insert(
            release
                .ok_or_else(|| format!("/api/whoami has no release: {body}"))?
                .to_owned(),
        );
    }
    Ok(seen)
}
