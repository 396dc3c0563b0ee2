//! Going back as seen from the master, on real hosts: conflicts three ways, merging, groups in two phases, hosts that were
//! lost or away, redo, and the record.

use harness::{HostSpec, Lab, Project, Ran};
use serde_json::Value as Json;

const FILES: &[(&str, &str)] = &[
    ("salt/top.sls", "base:\n  '*':\n    - conf\n"),
    (
        "salt/conf/init.sls",
        "/etc/app.conf:\n  file.managed:\n    - source: salt://conf/app.conf\n    - mode: '0644'\n",
    ),
    ("salt/conf/app.conf", "one\ntwo\nthree\nfour\nfive\n"),
    ("pillar/top.sls", "{}\n"),
];

const SECOND: &str = "one\nTWO\nthree\nfour\nfive\n";

/// A project whose second commit changed line two, applied twice.
fn changed(lab: &Lab) -> Project {
    let project = Project::on(lab, FILES);
    project.salt_rs(&["apply", "--no-confirm", "--json"]).expect(0);
    project.write("salt/conf/app.conf", SECOND);
    project.commit("Two is TWO");
    project.salt_rs(&["apply", "--no-confirm", "--json"]).expect(0);
    project
}

fn outcome<'a>(document: &'a Json, host: &str) -> &'a str {
    document["hosts"][host]["outcome"].as_str().unwrap_or_default()
}

fn conf(lab: &Lab, host: &str) -> String {
    lab.host(host).read("/etc/app.conf").unwrap()
}

fn generation(lab: &Lab, host: &str) -> String {
    lab.host(host).check("ls /var/lib/salt-rs/head").unwrap()
}

fn text(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn conflicts_are_shown_three_ways_merged_where_they_do_not_meet_and_redone() {
    let lab = Lab::up(&[HostSpec::systemd("web1")]).unwrap();
    let project = changed(&lab);
    let host = lab.host("web1");
    let none = ["rollback", "--no-confirm"];
    let ask = |more: &[&str]| project.salt_rs(&[&none[..], more].concat());

    // Another line than ours: refused, shown, and merged on demand.
    host.write("/etc/app.conf", "one\nTWO\nthree\nfour\nFIVE by hand\n")
        .unwrap();
    let refused = ask(&["--json"]).expect(5);
    let document = refused.json();
    let conflict = &document["hosts"]["web1"]["conflicts"][0];
    assert!(conflict["address"].as_str().unwrap().contains("/etc/app.conf"));
    for side in ["before", "ours", "theirs"] {
        assert!(conflict[side].is_object(), "{conflict}");
    }
    assert!(conflict["diff"]["ours"].as_str().unwrap().contains("-two\n+TWO"));
    assert!(
        conflict["diff"]["theirs"]
            .as_str()
            .unwrap()
            .contains("-five\n+FIVE by hand")
    );
    let shown = text(&ask(&[]).expect(5));
    for line in [
        "before us",
        "ours",
        "now",
        "what we did:",
        "what somebody did since:",
        "+FIVE by hand",
        "--merge",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let plan = text(&ask(&["--merge", "--plan"]).expect(2));
    assert!(
        plan.contains("-TWO") && plan.contains("+two") && !plan.contains("-FIVE"),
        "{plan}"
    );
    assert_eq!(conf(&lab, "web1"), "one\nTWO\nthree\nfour\nFIVE by hand\n");
    let merged = ask(&["--merge", "--json"]).expect(0).json();
    assert_eq!(conf(&lab, "web1"), "one\ntwo\nthree\nfour\nFIVE by hand\n");

    // A rollback is taken back by its run, and that is what its last line says.
    let run = merged["run"].as_str().unwrap();
    assert!(
        merged["undo"]
            .as_str()
            .unwrap()
            .ends_with(&format!("--run {run}"))
    );
    ask(&["--run", run]).expect(0);
    assert_eq!(conf(&lab, "web1"), "one\nTWO\nthree\nfour\nFIVE by hand\n");

    // The same line: stays a conflict.
    host.write("/etc/app.conf", "one\nmine\nthree\nfour\nfive\n")
        .unwrap();
    ask(&["--merge"]).expect(5);
    host.write("/etc/app.conf", SECOND).unwrap();

    // Back, back, forth, forth.
    ask(&[]).expect(0);
    assert_eq!(conf(&lab, "web1"), "one\ntwo\nthree\nfour\nfive\n");
    ask(&[]).expect(0);
    assert!(host.read("/etc/app.conf").is_err());
    ask(&["--redo"]).expect(0);
    assert_eq!(conf(&lab, "web1"), "one\ntwo\nthree\nfour\nfive\n");
    ask(&["--redo"]).expect(0);
    assert_eq!(conf(&lab, "web1"), SECOND);
}

#[test]
fn a_command_without_undo_is_a_barrier() {
    let lab = Lab::up(&[HostSpec::systemd("web1")]).unwrap();
    let project = Project::on(&lab, FILES);
    project.write(
        "salt/conf/init.sls",
        "touch /root/flag:\n  cmd.run: []\n/etc/app.conf:\n  file.managed:\n    - contents: a\n",
    );
    project.commit("A command");
    project.salt_rs(&["apply", "--no-confirm", "--json"]).expect(0);
    let refused = project.salt_rs(&["rollback", "--no-confirm"]).expect(5);
    let said = text(&refused);
    assert!(
        said.contains("touch /root/flag") && said.contains("--past-irreversible"),
        "{said}"
    );
    assert_eq!(conf(&lab, "web1"), "a\n");
    project
        .salt_rs(&["rollback", "--no-confirm", "--past-irreversible"])
        .expect(0);
    assert!(lab.host("web1").read("/etc/app.conf").is_err());
}

#[test]
fn a_group_goes_back_together_and_who_was_away_goes_back_first() {
    let lab = Lab::up(&[HostSpec::systemd("web1"), HostSpec::systemd("web2")]).unwrap();
    let project = changed(&lab);

    // One conflict stops all, and no lock is left.
    lab.host("web2").write("/etc/app.conf", "by hand\n").unwrap();
    let refused = project
        .salt_rs(&["rollback", "--no-confirm", "--json"])
        .expect(5)
        .json();
    assert_eq!(
        (outcome(&refused, "web1"), outcome(&refused, "web2")),
        ("refused", "refused")
    );
    assert_eq!(
        (conf(&lab, "web1").as_str(), conf(&lab, "web2").as_str()),
        (SECOND, "by hand\n")
    );
    lab.host("web2").write("/etc/app.conf", SECOND).unwrap();

    // Another run's lock does, too.
    let held = lab.host("web2").exec(
        "setsid flock /var/lib/salt-rs/lock sh -c 'echo held > /run/held; exec sleep 600' > /dev/null 2>&1 & \
         until test -e /run/held; do sleep 0.1; done; echo $!",
    );
    let holder = held.unwrap().stdout;
    let busy = project
        .salt_rs(&["rollback", "--no-confirm", "--json"])
        .expect(5)
        .json();
    assert_eq!(
        (outcome(&busy, "web1"), outcome(&busy, "web2")),
        ("refused", "refused")
    );
    assert_eq!(conf(&lab, "web1"), SECOND);
    lab.host("web2")
        .check(&format!(
            "pkill -g {} || kill -- -{}",
            holder.trim(),
            holder.trim()
        ))
        .unwrap();

    // A host that is away stops all, unless it may wait.
    lab.host("web2").power_off().unwrap();
    let away = project
        .salt_rs(&["rollback", "--no-confirm", "--json"])
        .expect(3)
        .json();
    assert_eq!(
        (outcome(&away, "web1"), outcome(&away, "web2")),
        ("refused", "unreachable")
    );
    assert_eq!(conf(&lab, "web1"), SECOND);
    let queued = project
        .salt_rs(&["rollback", "--no-confirm", "--queue-unreachable", "--json"])
        .expect(3)
        .json();
    assert_eq!(
        (outcome(&queued, "web1"), outcome(&queued, "web2")),
        ("rolled_back", "unreachable")
    );
    assert_eq!(conf(&lab, "web1"), "one\ntwo\nthree\nfour\nfive\n");
    let run = queued["run"].as_str().unwrap().to_owned();

    // Still away: said, and nothing else is done with it.
    let still = project.salt_rs(&["apply", "web2", "--no-confirm"]).expect(3);
    assert!(text(&still).contains(&run), "{still}");
    lab.host("web2").start().unwrap();
    assert_eq!(conf(&lab, "web2"), SECOND);
    let plan = project.salt_rs(&["plan", "web2"]).expect(2);
    assert!(
        text(&plan).contains("went back first") && text(&plan).contains(&run),
        "{plan}"
    );
    assert_eq!(conf(&lab, "web2"), "one\ntwo\nthree\nfour\nfive\n");
    assert_eq!(generation(&lab, "web2"), "3");
    // Once.
    let again = project.salt_rs(&["plan", "web2"]).expect(2);
    assert!(!text(&again).contains("went back first"), "{again}");
    let record = project.salt_rs(&["log", "show", &run, "--json"]).expect(0).json();
    assert_eq!(record["hosts"]["web2"]["outcome"], "rolled_back");
}

#[test]
fn a_master_killed_after_its_decision_has_it_done_by_the_next_command() {
    let lab = Lab::up(&[HostSpec::systemd("web1"), HostSpec::systemd("web2")]).unwrap();
    let project = changed(&lab);
    let runs = project.dir().join(".state/runs");
    let count = || {
        std::fs::read_dir(&runs).map_or(0, |all| {
            all.flatten()
                .filter(|entry| entry.file_name().to_string_lossy().ends_with(".jsonl"))
                .count()
        })
    };
    let before = count();
    // The decision is the run file: as soon as it is there the master is gone.
    let mut child = project
        .command()
        .args(["rollback", "--no-confirm"])
        .spawn()
        .unwrap();
    let began = std::time::Instant::now();
    while count() == before && began.elapsed().as_secs() < 60 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(count(), before + 1, "the decision was written down");
    project.salt_rs(&["plan", "web1"]).expect(2);
    for host in ["web1", "web2"] {
        assert_eq!(conf(&lab, host), "one\ntwo\nthree\nfour\nfive\n", "{host}");
        assert_eq!(generation(&lab, host), "3", "{host}: done once");
    }
    let record = project.salt_rs(&["log", "-n", "1", "--json"]).expect(0).json();
    for host in ["web1", "web2"] {
        assert_eq!(record[0]["hosts"][host]["outcome"], "rolled_back", "{record}");
    }
}

#[test]
fn the_record_is_shown_blamed_and_verified_and_a_swapped_journal_is_noticed() {
    let lab = Lab::up(&[HostSpec::systemd("web1")]).unwrap();
    let project = changed(&lab);
    let host = lab.host("web1");
    let verify =
        |code: i32| project.salt_rs(&["log", "verify", "--json"]).expect(code).json()["web1"].clone();

    let log = project.salt_rs(&["log", "--diff"]).expect(0);
    assert!(
        log.stdout.contains("-two\n") && log.stdout.contains("+TWO"),
        "{log}"
    );
    host.check("echo by hand >> /etc/app.conf").unwrap();
    let blame = project
        .salt_rs(&["log", "blame", "web1", "/etc/app.conf", "--json"])
        .expect(0)
        .json();
    let by: Vec<Json> = blame["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["by"].clone())
        .collect();
    assert_eq!(
        by,
        [
            1.into(),
            2.into(),
            1.into(),
            1.into(),
            1.into(),
            Json::from("hand")
        ]
    );
    assert_eq!(blame["runs"][1]["sls"], "conf");
    assert_eq!(
        blame["runs"][1]["commit"].as_str().unwrap().trim(),
        project.git(&["rev-parse", "HEAD"]).trim()
    );
    assert_eq!(blame["attributes"]["mode"]["by"], 1);
    let shown = project
        .salt_rs(&["log", "blame", "web1", "/etc/app.conf"])
        .expect(0);
    assert!(
        shown.stdout.contains("     2 | TWO\n") && shown.stdout.contains("  hand | by hand\n"),
        "{shown}"
    );

    let sound = verify(0);
    assert_eq!(sound["head"], "goes on from what was known");
    assert_eq!(sound["damage"], Json::Array(vec![]));

    // A flipped byte in a kept content is found, and never put anywhere.
    host.write("/etc/app.conf", SECOND).unwrap();
    let object = host
        .check("cd /var/lib/salt-rs/objects && grep -lrx two . | head -n 1")
        .unwrap();
    let path = format!("/var/lib/salt-rs/objects/{}", object.trim());
    let whole = host.read(&path).unwrap();
    host.write(&path, whole.replace("two", "twO")).unwrap();
    let damaged = verify(1);
    assert!(
        damaged["damage"][0].as_str().unwrap().contains("is damaged"),
        "{damaged}"
    );
    let refused = project.salt_rs(&["rollback", "--no-confirm"]).expect(5);
    assert!(text(&refused).contains("cannot come back"), "{refused}");
    assert_eq!(conf(&lab, "web1"), SECOND);
    host.write(&path, whole).unwrap();
    verify(0);

    // A journal put back from a copy is not the one that is known.
    host.check("cp -a /var/lib/salt-rs /root/copy").unwrap();
    project.write("salt/conf/app.conf", "other\n");
    project.commit("Other");
    project.salt_rs(&["apply", "--no-confirm", "--json"]).expect(0);
    host.check("cd /var/lib/salt-rs && rm -rf runs head objects ledger && cp -a /root/copy/. .")
        .unwrap();
    host.check("rm -f /var/lib/salt-rs/epoch").unwrap();
    let swapped = verify(1);
    assert_eq!(swapped["head"], "not the one that was known");
    let refused = project.salt_rs(&["rollback", "--no-confirm"]).expect(5);
    assert!(text(&refused).contains("log accept web1"), "{refused}");
    assert_eq!(conf(&lab, "web1"), "other\n");
    project.salt_rs(&["log", "accept", "web1"]).expect(0);
    verify(0);
    // Known again; what is there now is not what the copy knows, so it is a conflict as any other.
    let conflict = project.salt_rs(&["rollback", "--no-confirm"]).expect(5);
    assert!(text(&conflict).contains("conflict at"), "{conflict}");
}
