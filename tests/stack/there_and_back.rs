//! The scene the product exists for: the stack of vagrant/ on eleven hosts, checked on a good line, on a slow one and after
//! a cut, and taken back to what the hosts were before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use harness::{Ran, Stage, os, salt_rs, salt_rs_path};

const LAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vagrant/lab.yaml");
/// Away from the master in the middle of an apply.
const LOST: [&str; 3] = ["web2", "was1", "db2"];

/// What a host is, line by line: every file with its attributes and content, packages, users, groups, units.
const LOOK: &str = r#"
export LC_ALL=C
find / -xdev \( PRUNED \) -prune -o \( -type d -printf 'd %m %U:%G %p\n' -o -type l -printf 'l %U:%G %p -> %l\n' \
  -o ! -type f -printf '%y %m %U:%G %p\n' \)
find / -xdev \( PRUNED \) -prune -o -type f -printf 'f %m %U:%G %p\n'
find / -xdev \( PRUNED \) -prune -o -type f -print0 | xargs -0 -r sha256sum
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Abbrev}\n'
apt-mark showmanual | sed 's/^/manual /'
getent passwd | sed 's/^/user /'
getent group | sed 's/^/group /'
systemctl list-unit-files --no-legend --plain | awk '$2 != "transient" { print "unit", $1, $2 }'
systemctl list-units --type=service,timer,socket,mount --state=active --no-legend --plain | awk '{ print "active", $1 }'
nft list ruleset 2> /dev/null | sed 's/^/firewall /'
"#;

/// What programs write on the way and nobody calls configuration: logs, caches, our own records. And what the threat
/// model names as data that stays.
const NOISE: &[&str] = &[
    "/var/log",
    "/var/cache",
    "/var/lib/apt",
    // Packages are compared by what dpkg says of them; it writes this in another order.
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/available*",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/salt-rs",
    "/var/lib/systemd",
    "/var/lib/private",
    // Copies that ucf makes of its own records.
    "/var/lib/ucf/*.[0-9]",
    // The database's data.
    "/var/lib/mysql",
    "/var/tmp",
    "/etc/*-",
    "/etc/.pwd.lock",
    "/etc/ld.so.cache",
    "/root",
];

#[test]
fn the_stack_on_eleven_hosts_there_and_back() {
    // Packages come from the world outside, the lab has none.
    salt_rs(&["lab", "prepare", "--file", LAB]).expect(0);
    let stage = Stage::new("stack");
    stage.timed(0, &["lab", "up", "--file", LAB]);
    let hosts = hosts(&stage);
    assert_eq!(hosts.len(), 11);
    let before = look(&stage, &hosts);

    stage.timed(2, &["plan"]);
    assert_eq!(
        differences(&before, &look(&stage, &hosts)),
        NOTHING,
        "a plan changed something"
    );
    let first = stage.timed(0, &["apply", "--json"]);
    let first = first.json()["run"].as_str().unwrap().to_owned();
    let again = stage.timed(0, &["apply", "--json"]);
    assert_eq!(changed(&again), NOTHING);

    check(&stage, &[]);

    stage.timed(0, &["lab", "fault", "master", "delay", "50"]);
    check(&stage, &[]);
    stage.timed(0, &["lab", "fault", "master", "heal"]);

    cut_in_the_middle(&stage);
    check(&stage, &[]);

    // The rows of the sample database came by a query that nothing takes back.
    stage.timed(0, &["rollback", "--run", &first, "--past-irreversible"]);
    assert_eq!(
        differences(&before, &look(&stage, &hosts)),
        NOTHING,
        "- before, + after the way back"
    );
    stage.timed(0, &["lab", "down"]);
    assert!(!stage.dir().exists(), "{} is left", stage.dir().display());
}

const NOTHING: Vec<String> = Vec::new();

fn check(stage: &Stage, names: &[&str]) {
    let ran = stage.timed(0, &[&["lab", "check"], names].concat());
    os::say(&ran.stdout);
}

/// Three hosts lose the line while all of them are at work; healed, the next apply knows what they did and has nothing
/// left to do after it.
fn cut_in_the_middle(stage: &Stage) {
    let slow = "\nbusy:\n  cmd.run:\n    - name: touch /run/busy; sleep 8; echo done > /etc/busy\n    - creates: /etc/busy\n    - undo: rm /etc/busy\n    - order: first\n";
    let file = stage.dir().join("tree/salt/base/init.sls");
    let text = os::read_text(&file).unwrap();
    os::write(&file, text + slow).unwrap();
    git(stage, &["commit", "-qam", "Something slow first"]);

    let mut apply = stage.command(&salt_rs_path());
    apply.args(["--config"]).arg(stage.dir().join("salt-rs.yaml"));
    // With a window the master would wait for the lost hosts to take it back.
    apply.args(["apply", "--no-confirm", "--timeout", "15", "--json", "--verbose"]);
    let mut child = apply
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut waiting: BTreeSet<_> = LOST.into();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !waiting.is_empty() {
        let line = lines
            .next()
            .expect("apply ended before its hosts were at work")
            .unwrap();
        waiting.retain(|host| line != format!("{host}: converging"));
    }
    // Where they have begun: what runs there goes on without the line.
    for host in LOST {
        let begun = || {
            stage
                .salt_rs(&["lab", "ssh", host, "--", "test -e /run/busy"])
                .code
                == 0
        };
        os::wait_for(Duration::from_secs(20), || begun().then_some(())).expect(host);
        stage.timed(0, &["lab", "fault", host, "cut"]);
    }
    std::thread::spawn(move || lines.count());
    let out = child.wait_with_output().unwrap();
    let ran = Ran {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::new(),
    }
    .expect(3);
    for host in LOST {
        assert_eq!(ran.json()["hosts"][host]["outcome"], "unknown", "{host}");
        stage.timed(0, &["lab", "fault", host, "heal"]);
    }
    stage.timed(0, &["apply"]);
    git(stage, &["revert", "--no-edit", "HEAD"]);
    stage.timed(0, &["apply"]);
}

fn git(stage: &Stage, args: &[&str]) {
    let mut git = os::command("git");
    git.current_dir(stage.dir().join("tree")).args(args);
    os::checked(&mut git).unwrap();
}

fn hosts(stage: &Stage) -> Vec<String> {
    let status = stage.salt_rs(&["lab", "status", "--json"]).expect(0).json();
    status["hosts"].as_object().unwrap().keys().cloned().collect()
}

/// Per host, what it is.
fn look(stage: &Stage, hosts: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let pruned: Vec<_> = NOISE.iter().map(|path| format!("-path '{path}'")).collect();
    let script = LOOK.replace("PRUNED", &pruned.join(" -o "));
    std::thread::scope(|scope| {
        let one = |host: &String| {
            let (host, script) = (host.clone(), script.clone());
            scope.spawn(move || {
                let ran = stage.salt_rs(&["lab", "ssh", &host, "--", &script]);
                let lines = ran.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>();
                assert!(lines.len() > 1000, "{host} says little: {ran}");
                (host, lines)
            })
        };
        let threads: Vec<_> = hosts.iter().map(one).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn differences(
    before: &BTreeMap<String, BTreeSet<String>>,
    after: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (host, old) in before {
        let new = &after[host];
        found.extend(old.difference(new).map(|line| format!("{host}: - {line}")));
        found.extend(new.difference(old).map(|line| format!("{host}: + {line}")));
    }
    found
}

/// Per host and state, what changed.
fn changed(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let mut all = Vec::new();
    for (host, result) in document["hosts"].as_object().unwrap() {
        for state in result["states"].as_array().unwrap() {
            if !state["changes"].as_object().unwrap().is_empty() {
                all.push(format!(
                    "{host}: {}.{} {}",
                    state["state"], state["fun"], state["id"]
                ));
            }
        }
    }
    all
}
