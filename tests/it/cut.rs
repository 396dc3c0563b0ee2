//! The line is cut in the middle of a run: the run goes on without it, and the next contact brings its result.

use std::process::Stdio;
use std::time::Duration;

use harness::{HostSpec, Lab, Project, os};

const TREE: &[(&str, &str)] = &[
    ("salt/top.sls", "base:\n  '*':\n    - slow\n"),
    (
        "salt/slow.sls",
        "
/srv/first:
  file.managed:
    - contents: first

wait for the test:
  cmd.run:
    - name: 'until [ -e /srv/go ]; do sleep 0.1; done; echo went > /srv/went'
    - creates: /srv/went
    - require:
      - file: /srv/first

/srv/last:
  file.managed:
    - contents: last
    - require:
      - cmd: wait for the test
",
    ),
];

#[test]
fn a_run_does_not_need_the_line_it_came_over() {
    let lab = Lab::up(&[HostSpec::light("web1")]).unwrap();
    let host = lab.host("web1");
    let project = Project::on(&lab, TREE);
    let soon = Duration::from_secs(60);

    let apply = project
        .command()
        // Without a window nobody waits for the host to be back.
        .args(["apply", "--json", "--timeout", "12", "--no-confirm"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    os::wait_for(soon, || host.read("/srv/first").ok()).expect("the run never began");
    host.cut().unwrap();
    let ended = apply.wait_with_output().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["hosts"]["web1"]["outcome"], "unknown");
    let run = document["run"].as_str().unwrap().to_owned();

    // The host is alone now, and comes to the end of its run all the same.
    host.write("/srv/go", "").unwrap();
    os::wait_for(soon, || host.read("/srv/last").ok()).expect("the run stopped with its line");
    host.heal().unwrap();

    // The next contact, whatever it is about, learns what became of the run.
    project
        .salt_rs(&["call", "web1", "test.ping", "--json"])
        .expect(0);
    let log = project.salt_rs(&["log", "show", &run, "--json"]).expect(0).json();
    assert_eq!(log["hosts"]["web1"]["outcome"], "changed");
    assert_eq!(log["hosts"]["web1"]["states"].as_array().unwrap().len(), 3);
    let next = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(next.json()["hosts"]["web1"]["outcome"], "ok");
}

#[test]
fn a_second_run_is_refused_while_one_is_going_on() {
    let lab = Lab::up(&[HostSpec::light("web1")]).unwrap();
    let host = lab.host("web1");
    let project = Project::on(&lab, TREE);
    let apply = project
        .command()
        .args(["apply", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    os::wait_for(Duration::from_secs(60), || host.read("/srv/first").ok()).expect("the run never began");
    let second = project.salt_rs(&["apply", "--json"]).expect(5);
    let error = second.json()["hosts"]["web1"]["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(error.contains("another run holds the host"), "{error}");
    host.write("/srv/go", "").unwrap();
    let first = apply.wait_with_output().unwrap();
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
}
