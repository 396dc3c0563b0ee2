//! `kill -9` of the master at its calls, with eight hosts: nothing is applied twice, no host is forgotten, and the next command
//! tells what happened.

use std::time::Instant;

use lab::{HostSpec, Lab};

use super::kill::Phase;
use super::sheet::Tally;
use super::{Choice, Torn, torn};
use crate::{Project, os, program};

/// Calls of the master at which it is killed, each at its first, third, … time.
const CALLS: &[&str] = &[
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "sendto",
    "writev",
    "pwrite64",
    "connect",
    "unlink",
];
/// How far each is followed.
const TIMES: &[usize] = &[1, 2, 5, 9, 14, 30];
/// How many hosts.
const HOSTS: usize = 8;

/// The state tree of a point: what it writes is the point's number, and each change is counted on the host.
fn tree(number: usize) -> String {
    format!(
        "/srv/a:\n  file.managed:\n    - contents: '{number}'\n\ncount:\n  cmd.run:\n    - name: 'echo {number} >> /srv/count'\n    \
         - undo: 'true'\n    - onchanges:\n      - file: /srv/a\n"
    )
}

/// Kills the master in one phase at the chosen points.
///
/// # Errors
/// The hosts do not come up.
pub fn sweep(phase: Phase, choice: &Choice) -> Result<Tally, Torn> {
    let began = Instant::now();
    let mut tally = Tally::new("master", &format!("{HOSTS} hosts {}", phase.word()));
    let specs: Vec<_> = (0..HOSTS)
        .map(|number| HostSpec::light(format!("h{number}")))
        .collect();
    let lab = Lab::up(&specs)?;
    let project = Project::on(
        &lab,
        &[("salt/top.sls", "base:\n  '*': [a]\n"), ("salt/a.sls", &tree(0))],
    );
    project.salt_rs(&["apply", "--no-confirm", "--json"]).expect(0);
    let all: Vec<(&str, usize)> = CALLS
        .iter()
        .flat_map(|call| TIMES.iter().map(move |when| (*call, *when)))
        .collect();
    for point in choice.points(all.len()) {
        let (call, when) = all[point];
        let (outcome, wrong) = match one(&lab, &project, phase, point + 1, (call, when)) {
            Ok(found) => found,
            Err(error) => ("broken", vec![error.0]),
        };
        tally.count(outcome);
        let word = phase.word();
        tally.breaches.extend(wrong.into_iter().map(|what| {
            format!("torture master --phase {word} --point {point}\n  at {call} {when}\n  {what}")
        }));
    }
    tally.took = began.elapsed();
    Ok(tally)
}

/// Runs the master under strace, to be killed at a call; whether it was.
fn killed(project: &Project, arguments: &[&str], (call, when): (&str, usize)) -> Result<bool, Torn> {
    let mut command = os::command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={call}")).arg("-e");
    command.arg(format!("inject={call}:signal=KILL:when={when}"));
    command.arg(program::salt_rs_path()).args(arguments);
    let plain = project.command();
    command.current_dir(project.dir()).env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let out = os::output(&mut command, b"").map_err(torn("strace"))?;
    Ok(out.code == 137)
}

fn one(
    lab: &Lab,
    project: &Project,
    phase: Phase,
    number: usize,
    at: (&str, usize),
) -> Result<(&'static str, Vec<String>), Torn> {
    let mut wrong = Vec::new();
    project.write("salt/a.sls", &tree(number));
    project.commit("next");
    let hit = if phase == Phase::There {
        killed(project, &["apply", "--no-confirm"], at)?
    } else {
        let applied = project.salt_rs(&["apply", "--no-confirm", "--json"]);
        if applied.code != 0 {
            return Err(Torn(format!("not applied: {applied}")));
        }
        killed(project, &["rollback", "--no-confirm"], at)?
    };
    // The hosts finish what they were told; whoever asks next learns of it.
    let finished = |host: &lab::Host| {
        let quiet = "flock -n /var/lib/salt-rs/lock true || exit 1";
        os::wait_for(std::time::Duration::from_secs(60), || {
            host.exec(quiet).ok().filter(lab::os::Output::ok).map(drop)
        })
    };
    if lab.hosts().iter().any(|host| finished(host).is_none()) {
        wrong.push("a host is still at work after a minute".to_owned());
    }
    let log = project.salt_rs(&["log", "--json"]);
    if log.code != 0 {
        wrong.push(format!("the log says nothing: {log}"));
    }
    let next = project.salt_rs(&["apply", "--no-confirm", "--json"]);
    if next.code != 0 {
        wrong.push(format!("the next command fails: {next}"));
        return Ok(("broken", wrong));
    }
    let document = next.json();
    let hosts = document["hosts"].as_object().cloned().unwrap_or_default();
    if hosts.len() != HOSTS {
        wrong.push(format!("{} of {HOSTS} hosts are told of", hosts.len()));
    }
    for host in lab.hosts() {
        let name = host.name();
        let told = hosts.get(name).map(|told| told["generation"].to_string());
        let head = host
            .check("ls /var/lib/salt-rs/head | sort -n | tail -n 1")
            .unwrap_or_default();
        if told.as_deref() != Some(head.as_str()) {
            wrong.push(format!(
                "{name} is at generation {head}, the master says {told:?}"
            ));
        }
        let holds = host.read("/srv/a").unwrap_or_default();
        if holds.trim() != number.to_string() {
            wrong.push(format!("{name} holds {holds:?} instead of {number}"));
        }
        // Applied once; once more where a rollback had come between.
        let count = host.read("/srv/count").unwrap_or_default();
        let count = count.lines().filter(|line| *line == number.to_string()).count();
        let most = if phase == Phase::Back { 2 } else { 1 };
        if count == 0 || count > most {
            wrong.push(format!("{name} was changed {count} times"));
        }
    }
    Ok((if hit { "killed, all told" } else { "not met" }, wrong))
}
