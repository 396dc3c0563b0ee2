//! `apply --batch 1`: one host after the other, in the order of the roster; with `--failhard` none after one that failed.

use harness::{HostSpec, Lab, Project};
use serde_json::Value as Json;

/// Each host notes when it began and ended. `zeta` stands first in the roster; the one the pillar names fails.
const TREE: &[(&str, &str)] = &[
    ("salt/top.sls", "base:\n  '*':\n    - turn\n"),
    (
        "salt/turn.sls",
        "
turn:
  cmd.run:
    - name: date +%s%N > /tmp/began; sleep 0.2; date +%s%N > /tmp/ended
{% if pillar['fails'] == grains['id'] %}
broken:
  test.fail_without_changes: []
{% endif %}
",
    ),
    ("pillar/top.sls", "base:\n  '*':\n    - fails\n"),
    ("pillar/fails.sls", "fails: nobody\n"),
];

const ORDER: [&str; 3] = ["zeta", "alpha", "mid"];

#[test]
fn hosts_have_their_turn_one_after_the_other() {
    let specs: Vec<_> = ORDER.iter().map(|name| HostSpec::light(*name)).collect();
    let lab = Lab::up(&specs).unwrap();
    let project = Project::on(&lab, TREE);

    let ran = project.salt_rs(&["apply", "--batch", "1"]).expect(0);
    let mut last = 0;
    for name in ORDER {
        let time = |file| lab.host(name).read(file).unwrap().trim().parse::<u64>().unwrap();
        let (began, ended) = (time("/tmp/began"), time("/tmp/ended"));
        assert!(last < began, "{name} began before the one before it had ended");
        last = ended;
        assert!(
            ran.stderr.contains(&format!("{name}: changed cmd.run turn")),
            "{ran}"
        );
        lab.host(name).check("rm /tmp/began /tmp/ended").unwrap();
    }

    project.write("pillar/fails.sls", "fails: alpha\n");
    project.commit("one fails");
    let ran = project
        .salt_rs(&["apply", "--batch", "1", "--failhard", "--json"])
        .expect(1);
    let document = ran.json();
    let outcomes = ORDER.map(|name| document["hosts"][name]["outcome"].as_str().unwrap());
    assert_eq!(outcomes, ["changed", "failed", "refused"]);
    let cause = "not run, because alpha failed before it (--failhard)";
    assert_eq!(document["hosts"]["mid"]["error"]["message"], cause);
    assert_eq!(document["summary"]["refused"], 1);
    assert!(
        lab.host("mid").read("/tmp/began").is_err(),
        "it was run all the same"
    );

    // The record says so, too, and nothing is left in doubt about the host that was not run.
    let run = document["run"].as_str().unwrap();
    let shown = project.salt_rs(&["log", "show", run, "--json"]).expect(0).json();
    assert_eq!(shown["hosts"]["mid"]["outcome"], Json::from("refused"));
    let again = project.salt_rs(&["apply", "mid", "--json"]).expect(0).json();
    assert_eq!(again["hosts"]["mid"]["outcome"], "changed");

    // Without the switch the others have their turn, and a host that is away holds nobody up.
    lab.host("zeta").crash().unwrap();
    let ran = project.salt_rs(&["apply", "--batch", "1", "--json"]).expect(1);
    let outcomes = ORDER.map(|name| ran.json()["hosts"][name]["outcome"].as_str().unwrap().to_owned());
    assert_eq!(outcomes, ["unreachable", "failed", "changed"]);
    // With it, nobody begins behind the one that is away.
    let ran = project
        .salt_rs(&["apply", "--batch", "1", "--failhard", "--json"])
        .expect(3);
    let outcomes = ORDER.map(|name| ran.json()["hosts"][name]["outcome"].as_str().unwrap().to_owned());
    assert_eq!(outcomes, ["unreachable", "refused", "refused"]);
}
