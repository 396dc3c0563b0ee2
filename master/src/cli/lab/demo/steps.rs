//! What the demo does, step by step.

use std::time::Instant;

use serde_json::Value as Json;

use super::stage::Stage;
use crate::cli::apply::Wish;
use crate::cli::lab::check::{self, CHECKS, Spec, Trouble, causes};
use crate::failure::{Failure, Kind};
use crate::report::{Mode, RunResult};
use proto::{Outcome, StateResult};

/// One step: the command as a user types it, and what it does.
pub(super) struct Step {
    pub(super) command: &'static str,
    pub(super) run: fn(&mut Stage<'_>) -> Result<String, Failure>,
}

const fn step(command: &'static str, run: fn(&mut Stage<'_>) -> Result<String, Failure>) -> Step {
    Step { command, run }
}

/// Where HAProxy's configuration comes from.
const HAPROXY: &str = "salt/haproxy/files/haproxy.cfg.jinja";
/// Where Nginx's states are.
const NGINX: &str = "salt/web/config.sls";
/// A source of later packages, and the package from there.
const UPDATE: &str = "
# Updates come from a repository of their own.
nginx-update:
  pkgrepo.managed:
    - name: deb [trusted=yes] file:/srv/lab-repo/next ./
    - file: /etc/apt/sources.list.d/next.list
  pkg.latest:
    - name: nginx
    - require:
      - pkg: packages
      - pkgrepo: nginx-update
";
/// Preparing takes longer than this, in seconds, only when something has to be made.
const COLD: f64 = 5.0;
const CAREFULLY: Wish = Wish {
    failhard: true,
    ..Wish::of(Mode::Apply)
};

/// The whole demo, but for the lab's end.
pub(super) static STEPS: &[Step] = &[
    step("salt-rs lab prepare", prepare),
    step("salt-rs lab up", up),
    step("salt-rs plan", plan),
    step("salt-rs apply", first),
    step("salt-rs apply", again),
    step("salt-rs lab check", check_all),
    step("git commit -am 'HAProxy: shorter timeouts'", good),
    step("salt-rs apply 'haproxy*' --batch 1 --failhard", good_goes_live),
    step("salt-rs rollback --run RUN", good_taken_back),
    step("git commit -am 'HAProxy: balance by load'", unparsable),
    step(
        "salt-rs apply 'haproxy*' --batch 1 --failhard",
        unparsable_is_refused,
    ),
    step("git commit -am 'HAProxy: another health check'", wrong),
    step("salt-rs apply 'haproxy*' --batch 1 --failhard", wrong_is_noticed),
    step("salt-rs rollback --run RUN", wrong_taken_back),
    step("git commit -am 'Nginx: the update'", update),
    step("salt-rs apply 'web*' --batch 1", update_goes_live),
    step("salt-rs rollback --run RUN", update_taken_back),
    step("salt-rs lab check converged path replication", check_again),
];

fn prepare(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let start = Instant::now();
    stage.prepare()?;
    let seconds = start.elapsed().as_secs_f64();
    // Where nothing had to be made there is nothing to measure.
    if seconds > COLD {
        stage.figure("image and packages, from nothing", seconds, 240.0, "s");
    }
    Ok("the hosts' image and every package they may install are in the cache".to_owned())
}

fn up(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let start = Instant::now();
    let hosts = stage.up()?;
    stage.figure("lab up, warm", start.elapsed().as_secs_f64(), 30.0, "s");
    Ok(format!(
        "{hosts} hosts with a network, systemd and sshd of their own"
    ))
}

fn plan(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let run = whole(stage.scene()?.apply("*", None, Wish::of(Mode::Plan))?)?;
    Ok(format!(
        "{} hosts, {} states would change something",
        run.hosts.len(),
        changed(&run)
    ))
}

fn first(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let start = Instant::now();
    let run = whole(stage.scene()?.apply("*", None, Wish::of(Mode::Apply))?)?;
    stage.figure(
        "full converge from nothing",
        start.elapsed().as_secs_f64(),
        360.0,
        "s",
    );
    stage.scene()?.whole().map_err(failure)?;
    Ok(format!(
        "{} states changed something, 0 failed; the site answers",
        changed(&run)
    ))
}

fn again(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let start = Instant::now();
    let run = whole(stage.scene()?.apply("*", None, Wish::of(Mode::Apply))?)?;
    stage.figure(
        "converge of all with nothing to do",
        start.elapsed().as_secs_f64(),
        3.0,
        "s",
    );
    let memory = stage.memory()?;
    stage.figure("memory of the idle lab", memory, 1.5, "GiB");
    match changed(&run) {
        0 => Ok(format!("{} hosts ok, nothing to change", run.count(Outcome::Ok))),
        count => Err(state(format!("{count} states changed something again"))),
    }
}

fn check_all(stage: &mut Stage<'_>) -> Result<String, Failure> {
    checks(stage, &CHECKS.iter().collect::<Vec<_>>())
}

fn check_again(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let some = ["converged", "path", "replication"];
    checks(
        stage,
        &CHECKS
            .iter()
            .filter(|check| some.contains(&check.name))
            .collect::<Vec<_>>(),
    )
}

fn checks(stage: &mut Stage<'_>, specs: &[&Spec]) -> Result<String, Failure> {
    let done = check::all(specs, stage.scene()?, |done| stage.say(&stage.told_check(done)))?;
    for one in &done {
        if let (true, Ok(finding)) = (one.name.starts_with("failover"), &one.finding) {
            let gap = finding
                .figures
                .get("gap_seconds")
                .and_then(Json::as_f64)
                .unwrap_or_default();
            let name = match one.name {
                "failover-cut" => "without an answer: the balancer's cable cut",
                "failover-kill" => "without an answer: its HAProxy killed",
                _ => "without an answer: it reboots",
            };
            stage.figure(name, gap, check::FAILOVER.as_secs_f64(), "s");
        }
    }
    let failed: Vec<_> = done
        .iter()
        .filter(|one| !one.holds())
        .map(|one| one.name)
        .collect();
    match failed.as_slice() {
        [] => Ok(format!("{} checks, all ok", done.len())),
        failed => Err(state(format!("failed: {}", failed.join(", ")))),
    }
}

fn good(stage: &mut Stage<'_>) -> Result<String, Failure> {
    commit(
        stage,
        HAPROXY,
        "HAProxy: shorter timeouts",
        "timeout http-keep-alive 10s",
        "timeout http-keep-alive 5s",
    )
}

fn good_goes_live(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let run = whole(balancers(stage)?)?;
    stage.scene()?.whole().map_err(failure)?;
    Ok(format!(
        "checked by HAProxy itself, live on {}, one after the other",
        hosts(&run, Outcome::Changed)
    ))
}

fn good_taken_back(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let start = Instant::now();
    let run = roll_back(stage)?;
    stage.figure(
        "rollback of a configuration on 2 hosts",
        start.elapsed().as_secs_f64(),
        5.0,
        "s",
    );
    Ok(format!("as it was on {}", hosts(&run, Outcome::RolledBack)))
}

fn unparsable(stage: &mut Stage<'_>) -> Result<String, Failure> {
    commit(
        stage,
        HAPROXY,
        "HAProxy: balance by load",
        "balance roundrobin",
        "balance leastcon",
    )
}

fn unparsable_is_refused(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let scene = stage.scene()?;
    let file = "sha256sum /etc/haproxy/haproxy.cfg; systemctl show -p MainPID -p NRestarts haproxy";
    let look = |stage: &Stage<'_>| -> Result<Vec<String>, Failure> {
        let scene = stage.scene()?;
        let balancers = scene.role("haproxy");
        balancers
            .iter()
            .map(|host| scene.on(&host.name, file).map_err(failure))
            .collect()
    };
    let before = look(stage)?;
    let run = scene.apply("haproxy*", Some(1), CAREFULLY)?;
    let failed = failed(&run).ok_or_else(|| state("HAProxy took a configuration that it cannot parse"))?;
    let said = failed.1.comment.lines().find(|line| line.contains("ALERT"));
    let said = said.unwrap_or(&failed.1.comment).trim().to_owned();
    let (first, second) = (failed.0.to_owned(), hosts(&run, Outcome::Refused));
    if look(stage)? != before {
        return Err(state("a refused configuration changed something"));
    }
    undo_commit(stage)?;
    Ok(format!(
        "refused on {first}, nothing changed; {second} not run. HAProxy: {said}"
    ))
}

fn wrong(stage: &mut Stage<'_>) -> Result<String, Failure> {
    commit(
        stage,
        HAPROXY,
        "HAProxy: another health check",
        "uri /nginx-health ",
        "uri /health-of-nginx ",
    )
}

fn wrong_is_noticed(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let scene = stage.scene()?;
    let run = scene.apply("haproxy*", Some(1), CAREFULLY)?;
    let failed = failed(&run).ok_or_else(|| state("nobody noticed a balancer without servers"))?;
    let said = failed.1.changes.get("stdout").and_then(Json::as_str);
    let said = said
        .unwrap_or(&failed.1.comment)
        .lines()
        .next()
        .unwrap_or_default();
    let text = format!(
        "valid, live on {} alone, and noticed there: {} ({said}); {} not run",
        failed.0,
        failed.1.id,
        hosts(&run, Outcome::Refused)
    );
    let heir = scene
        .until(
            "the other balancer to answer",
            std::time::Duration::from_secs(20),
            || Ok(scene.active().ok().filter(|name| *name != failed.0)),
        )
        .map_err(failure)?;
    let text = format!("{text}; the site answers through {heir}");
    remember(stage, &run);
    Ok(text)
}

fn wrong_taken_back(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let run = roll_back(stage)?;
    stage.scene()?.whole().map_err(failure)?;
    Ok(format!(
        "as it was on {}; it has its servers and the floating address again",
        hosts(&run, Outcome::RolledBack)
    ))
}

fn update(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let subject = "Nginx: the update";
    let id = stage
        .scene()?
        .tree()
        .commit(NGINX, subject, |text| Ok(format!("{text}{UPDATE}")));
    Ok(format!(
        "{} {NGINX}: a repository with a later nginx",
        short(&id.map_err(failure)?)
    ))
}

fn update_goes_live(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let scene = stage.scene()?;
    let before = versions(stage)?;
    let load = scene.full_load();
    let run = whole(scene.apply("web*", Some(1), Wish::of(Mode::Apply))?)?;
    scene.whole().map_err(failure)?;
    let tally = load.finish();
    let after = versions(stage)?;
    if before == after {
        return Err(state(format!("nginx is at {after:?} still")));
    }
    let text = format!(
        "{} → {} on {}; {} of {} requests failed meanwhile",
        before.join(", "),
        after.join(", "),
        hosts(&run, Outcome::Changed),
        tally.failed(),
        tally.asked()
    );
    remember(stage, &run);
    Ok(text)
}

fn update_taken_back(stage: &mut Stage<'_>) -> Result<String, Failure> {
    let run = roll_back(stage)?;
    stage.scene()?.whole().map_err(failure)?;
    Ok(format!(
        "{} again on {}",
        versions(stage)?.join(", "),
        hosts(&run, Outcome::RolledBack)
    ))
}

/// Versions of nginx on the web servers, each once.
fn versions(stage: &Stage<'_>) -> Result<Vec<String>, Failure> {
    let scene = stage.scene()?;
    let mut versions = Vec::new();
    for host in scene.role("web") {
        let version = scene
            .on(&host.name, "dpkg-query -W -f '${Version}' nginx")
            .map_err(failure)?;
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    Ok(versions)
}

/// Commits one replacement.
fn commit(stage: &Stage<'_>, file: &str, subject: &str, from: &str, to: &str) -> Result<String, Failure> {
    let edit = |text: &str| {
        let found = text.contains(from);
        found
            .then(|| text.replacen(from, to, 1))
            .ok_or_else(|| format!("no `{from}` in it"))
    };
    let id = stage
        .scene()?
        .tree()
        .commit(file, subject, edit)
        .map_err(failure)?;
    Ok(format!(
        "{}: `{}` becomes `{}`",
        short(&id),
        from.trim(),
        to.trim()
    ))
}

/// Applies to the balancers, one after the other, and remembers the run.
fn balancers(stage: &mut Stage<'_>) -> Result<RunResult, Failure> {
    let run = stage.scene()?.apply("haproxy*", Some(1), CAREFULLY)?;
    remember(stage, &run);
    Ok(run)
}

/// The run is to be taken back later.
fn remember(stage: &mut Stage<'_>, run: &RunResult) {
    stage.run = run.run.clone();
}

/// Takes the last run back, and the commit it was of.
fn roll_back(stage: &mut Stage<'_>) -> Result<RunResult, Failure> {
    let run = whole(stage.scene()?.rollback(&stage.run, None)?)?;
    undo_commit(stage)?;
    Ok(run)
}

/// The tree as it was before its last commit.
fn undo_commit(stage: &Stage<'_>) -> Result<(), Failure> {
    stage.scene()?.tree().reset("HEAD~1").map_err(failure)
}

/// The run, where every host ended well.
fn whole(run: RunResult) -> Result<RunResult, Failure> {
    match causes(&run).as_slice() {
        [] => Ok(run),
        causes => Err(state(causes.join("; "))),
    }
}

/// The first state that failed, and its host.
fn failed(run: &RunResult) -> Option<(&str, &StateResult)> {
    let states = run
        .hosts
        .iter()
        .flat_map(|host| host.states.iter().map(|state| (host.host.as_str(), state)));
    states
        .into_iter()
        .find(|(_, state)| state.result == Some(false) && state.state_ran)
}

/// How many states changed something, or would.
fn changed(run: &RunResult) -> usize {
    let states = run.hosts.iter().flat_map(|host| &host.states);
    states
        .filter(|state| !state.changes.is_empty() || state.result.is_none())
        .count()
}

/// The hosts that ended so.
fn hosts(run: &RunResult, outcome: Outcome) -> String {
    let hosts = run.hosts.iter().filter(|host| host.outcome == outcome);
    hosts
        .map(|host| host.host.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn state(cause: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::State, cause)
}

fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Said(cause) => state(cause),
        Trouble::Interrupted => Failure::new(Kind::Interrupted, "interrupted"),
    }
}
