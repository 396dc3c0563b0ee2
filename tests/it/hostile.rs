//! Hosts that cannot do what is asked: each ends with a clear text, the contract's exit code, and nothing half-done.

use std::time::Duration;

use harness::{HostSpec, Lab, Project, Ran, os};
use serde_json::Value as Json;

const FILE: (&str, &str) = (
    "salt/one.sls",
    "/srv/one:\n  file.managed:\n    - contents: one\n",
);

fn host(ran: &Ran, name: &str) -> Json {
    ran.json()["hosts"][name].clone()
}

fn error(ran: &Ran, name: &str) -> String {
    let host = host(ran, name);
    format!(
        "{} {}",
        host["error"]["message"].as_str().unwrap(),
        host["error"]["help"].as_str().unwrap_or_default()
    )
}

/// The comment of the only state that failed.
fn failed(ran: &Ran, name: &str) -> String {
    let host = host(ran, name);
    let states = host["states"].as_array().unwrap();
    let mut failed = states
        .iter()
        .filter(|state| state["result"] == false && state["state_ran"] != false);
    let comment = failed.next().expect("a failed state")["comment"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(failed.next().is_none());
    comment
}

#[test]
fn hosts_that_cannot_be_trusted_or_reached() {
    let lab = Lab::up(&[HostSpec::light("up"), HostSpec::light("down")]).unwrap();
    let project = Project::on(&lab, &[FILE]);
    let untouched = || assert!(lab.host("up").read("/srv/one").is_err(), "something was done");

    lab.host("down").cut().unwrap();
    let ran = project.salt_rs(&["apply", "down", "one", "--json"]).expect(3);
    assert_eq!(host(&ran, "down")["outcome"], "unreachable");
    assert!(
        error(&ran, "down").contains("cannot reach down"),
        "{}",
        error(&ran, "down")
    );

    // One dead host does not keep the others from converging; it decides the exit code all the same.
    let ran = project.salt_rs(&["apply", "*", "one", "--json"]).expect(3);
    assert_eq!(host(&ran, "up")["outcome"], "changed");
    project.salt_rs(&["rollback", "up", "--json"]).expect(0);
    untouched();

    let key = lab.private_key();
    project.write("empty", "");
    project.settings(&format!(
        "ssh: {{ user: root, key: {}, known_hosts: empty }}\n",
        key.display()
    ));
    let ran = project.salt_rs(&["apply", "up", "one", "--json"]).expect(5);
    assert_eq!(host(&ran, "up")["outcome"], "refused");
    assert!(
        error(&ran, "up").contains("salt-rs hosts scan"),
        "{}",
        error(&ran, "up")
    );
    untouched();

    let known = os::read_text(&lab.known_hosts()).unwrap();
    let (up, down) = (lab.host("up").ip(), lab.host("down").ip());
    let swapped = known.replace(&up, "@").replace(&down, &up).replace('@', &down);
    project.write("swapped", &swapped);
    project.settings(&format!(
        "ssh: {{ user: root, key: {}, known_hosts: swapped }}\n",
        key.display()
    ));
    let ran = project.salt_rs(&["apply", "up", "one", "--json"]).expect(5);
    assert!(
        error(&ran, "up").contains("is pinned at"),
        "{}",
        error(&ran, "up")
    );
    untouched();

    let wrong = project.dir().join("wrong");
    os::run(
        "ssh-keygen",
        &[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-f",
            &wrong.display().to_string(),
        ],
    )
    .unwrap();
    project.settings(&lab.ssh_settings());
    project.write(
        "roster.yaml",
        &format!("up: {{ host: {up}, priv: {} }}\n", wrong.display()),
    );
    let ran = project.salt_rs(&["apply", "up", "one", "--json"]).expect(3);
    assert!(
        error(&ran, "up").contains("log in to up as root"),
        "{}",
        error(&ran, "up")
    );
    untouched();
}

#[test]
fn a_full_disk_changes_nothing_and_says_so() {
    let lab = Lab::up(&[HostSpec::light("web1").disk(64)]).unwrap();
    let web1 = lab.host("web1");
    let tree = [(
        "salt/big.sls",
        "/srv/big:\n  file.managed:\n    - source: salt://big\n",
    )];
    let project = Project::on(&lab, &tree);
    project.write("salt/big", &"some text that takes room\n".repeat(100_000));
    project.commit("big");
    // The agent goes there while there is room.
    project.salt_rs(&["hosts", "check", "--json"]).expect(0);
    web1.write("/srv/big", "old\n").unwrap();
    web1.fill("/srv").unwrap();
    let ran = project.salt_rs(&["apply", "web1", "big", "--json"]);
    assert!(matches!(ran.code, 1 | 5), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    assert!(said.contains("space") || said.contains("room"), "{said}");
    assert_eq!(web1.read("/srv/big").unwrap(), "old\n");
    web1.unfill("/srv").unwrap();
    project.salt_rs(&["apply", "web1", "big", "--json"]).expect(0);
    project.salt_rs(&["rollback", "--json"]).expect(0);
    assert_eq!(web1.read("/srv/big").unwrap(), "old\n");
}

#[test]
fn services_that_do_not_start_and_locks_that_are_held() {
    let lab = Lab::up(&[HostSpec::systemd("web1")]).unwrap();
    let web1 = lab.host("web1");
    let tree = [
        (
            "salt/bad.sls",
            "
/etc/systemd/system/bad.service:
  file.managed:
    - contents: |
        [Service]
        ExecStart=/bin/false
        Type=oneshot

bad:
  service.running:
    - require:
      - file: /etc/systemd/system/bad.service

/srv/after:
  file.managed:
    - contents: after
    - require:
      - service: bad
",
        ),
        ("salt/tool.sls", "lab-tool:\n  pkg.installed: []\n"),
    ];
    let project = Project::on(&lab, &tree);
    let ran = project.salt_rs(&["apply", "web1", "bad", "--json"]).expect(1);
    assert_eq!(host(&ran, "web1")["outcome"], "failed");
    assert!(failed(&ran, "web1").contains("bad"), "{}", failed(&ran, "web1"));
    assert!(
        web1.read("/srv/after").is_err(),
        "what required the service was run"
    );
    project.salt_rs(&["rollback", "--json"]).expect(0);
    assert!(web1.read("/etc/systemd/system/bad.service").is_err());

    // A package that is being configured holds dpkg's lock; it is waited for, never broken.
    web1.check("apt-get -q update").unwrap();
    web1.check(
        "systemd-run --quiet --unit=slow env DEBIAN_FRONTEND=noninteractive apt-get -qy install lab-slow",
    )
    .unwrap();
    let configuring = || {
        web1.exec("pgrep -f lab-slow.postinst")
            .ok()
            .filter(|out| out.ok())
    };
    os::wait_for(Duration::from_secs(30), configuring).expect("apt never came to configuring");
    let apply = project
        .command()
        .args(["apply", "web1", "tool", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    os::wait_for(Duration::from_secs(30), || {
        web1.exec("pgrep -f lab-tool").ok().filter(|out| out.ok())
    })
    .expect("apt was not called");
    web1.write("/run/lab-go", "").unwrap();
    assert_eq!(apply.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(web1.check("lab-tool").unwrap(), "2.0");
}
