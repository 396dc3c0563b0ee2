//! Bad input through the front door: each is refused with the place, the way out and the right exit status, and nothing
//! is changed.

use harness::{Project, Ran, os};
use serde_json::Value;

const USAGE: i32 = 64;
const TREE: i32 = 65;
const REFUSED: i32 = 5;

const TOP: (&str, &str) = ("salt/top.sls", "base:\n  '*': [a]\n");

/// What `apply --local` says to a project of one sls.
fn apply(sls: &str) -> (Project, Ran) {
    let project = Project::new(&[TOP, ("salt/a.sls", sls)]);
    // What must not come to be: the sls writes it wherever it is allowed to.
    let ran = project.salt_rs(&["apply", "--local", "--worktree", "--json"]);
    (project, ran)
}

/// The only problem of the contract's document.
fn only(ran: &Ran) -> Value {
    let document = ran.json();
    let errors = document["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{ran}");
    let mut keys: Vec<_> = errors[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let all = [
        "code", "column", "file", "help", "line", "message", "notes", "severity",
    ];
    assert_eq!(keys, all, "{ran}");
    assert_eq!(errors[0]["severity"], "error", "{ran}");
    errors[0].clone()
}

/// Asserts a refusal by the compiler: a part of the message, the place, a part of the help.
#[track_caller]
fn refused(sls: &str, message: &str, place: (u64, u64), help: &str) {
    let mark = "mark:\n  file.managed:\n    - name: @DIR@/mark\n    - contents: x\n\n";
    let (_, ran) = apply(sls);
    let ran = ran.expect(TREE);
    let error = only(&ran);
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    assert!(text("message").contains(message), "{ran}");
    assert_eq!(text("file"), "salt/a.sls", "{ran}");
    assert_eq!(
        (error["line"].as_u64(), error["column"].as_u64()),
        (Some(place.0), Some(place.1)),
        "{ran}"
    );
    assert!(text("help").contains(help), "{ran}");
    assert!(
        ran.stderr
            .contains(&format!("salt/a.sls:{}:{}", place.0, place.1)),
        "{ran}"
    );

    // The same beside a state that could run: it does not.
    let project = Project::new(&[TOP, ("salt/a.sls", sls)]);
    let mark = mark.replace("@DIR@", &project.dir().display().to_string());
    project.write("salt/m.sls", &mark);
    project.write("salt/top.sls", "base:\n  '*': [m, a]\n");
    project.salt_rs(&["apply", "--local", "--worktree"]).expect(TREE);
    project.salt_rs(&["plan", "--local", "--worktree"]).expect(TREE);
    assert!(!project.dir().join("mark").exists());
}

#[test]
fn an_unknown_argument() {
    let sls = "/x:\n  file.append:\n    - makedir: true\n";
    refused(
        sls,
        "'makedir' is an invalid keyword argument for 'file.append'",
        (3, 7),
        "did you mean `makedirs`?",
    );
}

#[test]
fn an_undefined_variable() {
    refused(
        "a:\n  test.nop:\n    - name: {{ nosuch }}\n",
        "Jinja variable 'nosuch' is undefined",
        (3, 16),
        "",
    );
}

#[test]
fn jinja_that_cannot_be_parsed() {
    refused(
        "{% if true %}\na:\n  test.nop: []\n",
        "Jinja syntax error",
        (1, 14),
        "",
    );
}

#[test]
fn yaml_that_cannot_be_parsed() {
    refused(
        "a:\n  test.nop:\n    - name: [x\n",
        "Rendering SLS 'base:a' failed",
        (3, 13),
        "close the bracket",
    );
    refused(
        "a:\n  test.nop: []\na:\n  test.nop: []\n",
        "found conflicting ID 'a'",
        (3, 1),
        "",
    );
}

#[test]
fn a_requisite_to_nothing() {
    let sls = "nginx:\n  test.nop: []\nb:\n  test.nop:\n    - require:\n      - test: ngnix\n";
    refused(
        sls,
        "Referenced state does not exist for requisite [require: (test: ngnix)]",
        (6, 9),
        "did you mean `nginx`?",
    );
}

#[test]
fn a_cycle_is_printed_as_one() {
    let sls = "a:\n  test.nop:\n    - require: [{test: b}]\nb:\n  test.nop:\n    - require: [{test: a}]\n";
    let cycle = "({'SLS': 'a', 'ID': 'b'}, 'require', {'SLS': 'a', 'ID': 'a'}), ({'SLS': 'a', 'ID': 'a'}, 'require', {'SLS': 'a', 'ID': 'b'})";
    refused(sls, cycle, (4, 1), "take one of these requisites out");
}

#[test]
fn an_include_of_nothing() {
    let sls = "include:\n  - mm\na:\n  test.nop: []\n";
    refused(
        sls,
        "Specified SLS mm in saltenv base is not available",
        (2, 5),
        "",
    );
}

#[test]
fn an_sls_there_is_none_of() {
    let project = Project::new(&[TOP, ("salt/web.sls", "w:\n  test.nop: []\n")]);
    for ran in [
        project.salt_rs(&["apply", "--local", "--worktree", "--json", "*", "wbe"]),
        project.salt_rs(&["plan", "--local", "--worktree", "--json", "*", "wbe"]),
        project.salt_rs(&["show", "low", "--worktree", "--json", "--id", "x", "*", "wbe"]),
    ] {
        let error = only(&ran.expect(TREE));
        assert_eq!(error["message"], "No matching sls found for 'wbe' in env 'base'");
        assert_eq!(error["help"], "did you mean `web`?");
    }
}

#[test]
fn an_unknown_state_and_a_missing_source_fail_where_they_stand() {
    // As in Salt these are failures of a state, not of the tree: what does not need them is done.
    let project = Project::new(&[TOP]);
    let dir = project.dir().display().to_string();
    let sls = format!(
        "one:\n  nosuch.present: []\ntwo:\n  file.managed:\n    - name: {dir}/two\n    - source: salt://nosuch\nthree:\n  file.managed:\n    - name: {dir}/three\n    - contents: x\nfour:\n  test.nop:\n    - require: [{{file: two}}]\n"
    );
    project.write("salt/a.sls", &sls);
    let ran = project
        .salt_rs(&["apply", "--local", "--worktree", "--json", "--id", "h"])
        .expect(1);
    let document = ran.json();
    let states = document["hosts"]["h"]["states"].as_array().unwrap().clone();
    let of = |id: &str| states.iter().find(|state| state["id"] == id).unwrap().clone();
    let said = |id: &str| of(id)["comment"].as_str().unwrap().to_owned();
    assert_eq!(of("one")["result"], false);
    assert!(
        said("one").starts_with("State 'nosuch.present' was not found in SLS 'a'"),
        "{ran}"
    );
    assert_eq!(of("two")["result"], false);
    assert!(
        said("two").contains("Source file salt://nosuch not found in saltenv 'base'"),
        "{ran}"
    );
    assert_eq!(of("three")["result"], true);
    assert_eq!(said("four"), "One or more requisite failed: a.two");
    assert!(!project.dir().join("two").exists());
    assert_eq!(os::read_text(&project.dir().join("three")).unwrap(), "x\n");
}

#[test]
fn a_pillar_that_does_not_render() {
    let project = Project::new(&[
        TOP,
        ("salt/a.sls", "a:\n  test.nop: []\n"),
        ("pillar/top.sls", "base:\n  '*': [p, q]\n"),
        ("pillar/p.sls", "x: [\n"),
    ]);
    let ran = project
        .salt_rs(&["apply", "--local", "--worktree", "--json"])
        .expect(TREE);
    let document = ran.json();
    let messages: Vec<_> = document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages[0], "Pillar failed to render with the following messages:",
        "{ran}"
    );
    assert_eq!(document["errors"][1]["file"], "pillar/p.sls", "{ran}");
    assert!(
        messages[2].contains("Specified SLS 'q' in environment 'base'"),
        "{ran}"
    );
}

/// A committed project with two hosts that are never reached.
fn two_hosts() -> Project {
    let project = Project::new(&[TOP, ("salt/a.sls", "a:\n  test.nop: []\n")]);
    project.write("roster.yaml", "web1: 192.0.2.1\nweb2: 192.0.2.2\n");
    project.commit("first");
    project
}

#[test]
fn a_host_there_is_none_of() {
    let error = only(&two_hosts().salt_rs(&["apply", "wbe1", "--json"]).expect(USAGE));
    assert_eq!(error["message"], "no host matches wbe1");
    assert_eq!(error["help"], "did you mean `web1`?");
}

#[test]
fn a_setting_there_is_none_of() {
    let project = two_hosts();
    project.settings("pilar_from_host_grains: true\n");
    let error = only(&project.salt_rs(&["plan", "--json"]).expect(USAGE));
    assert_eq!(
        (error["line"].as_u64(), error["column"].as_u64()),
        (Some(4), Some(1))
    );
    assert!(error["file"].as_str().unwrap().ends_with("salt-rs.yaml"));
    assert_eq!(error["help"], "did you mean `pillar_from_host_grains`?");
}

#[test]
fn a_roster_that_is_wrong() {
    let project = two_hosts();
    project.write("roster.yaml", "web1:\n  hots: 192.0.2.1\n");
    let error = only(&project.salt_rs(&["plan", "--json"]).expect(USAGE));
    assert!(error["file"].as_str().unwrap().ends_with("roster.yaml"));
    assert_eq!(error["line"], 2);
    assert!(
        error["help"].as_str().unwrap().contains("did you mean `host`?"),
        "{error}"
    );
}

#[test]
fn a_revision_there_is_none_of() {
    let project = two_hosts();
    let error = only(
        &project
            .salt_rs(&["apply", "--rev", "nosuch", "--json"])
            .expect(REFUSED),
    );
    assert!(error["message"].as_str().unwrap().contains("nosuch"), "{error}");
    let project = Project::new(&[TOP]);
    only(
        &project
            .salt_rs(&["show", "top", "--id", "x", "--json"])
            .expect(REFUSED),
    );
}

#[test]
fn wrong_use_of_the_command_line() {
    let project = two_hosts();
    for (words, said) in [
        (
            &["apply", "--batch", "some"][..],
            "--batch takes a number or a percentage, not some",
        ),
        (
            &["apply", "--batch", "0"],
            "--batch takes a number or a percentage, not 0",
        ),
        (&["apply", "--batch", "-1%"], "'-1'"),
        (&["apply", "--worktree", "--rev", "main"], "--rev"),
        (&["apply", "--nosuch"], "--nosuch"),
        (&["aply"], "apply"),
        (&["apply", "-E", "("], "("),
        (&["apply", "-C", "web1 and"], "web1 and"),
        (&["apply", "-L", "web1", "-E", "web1"], "cannot be used with"),
        (&["apply", "web1", "tset=True"], "tset"),
        (&["apply", "--pillar-data", "[1]"], "not a mapping"),
        (
            &["apply", "--id", "x", "--local", "--grains", "nosuch.json"],
            "nosuch.json",
        ),
        (&["show", "lows"], "low"),
        (&["doc", "file.manged"], "file.managed"),
        (&["--config", "nosuch.yaml", "plan"], "nosuch.yaml"),
        (&[], "Usage"),
    ] {
        let ran = project.salt_rs(words);
        assert_eq!(ran.code, USAGE, "{words:?}\n{ran}");
        assert!(ran.stderr.contains(said), "{words:?} says {said}?\n{ran}");
        assert!(!ran.stderr.contains("panicked"), "{ran}");
        assert!(ran.stdout.is_empty(), "{words:?}\n{ran}");
    }
}

#[test]
fn people_see_place_line_and_way_out() {
    let project = Project::new(&[TOP, ("salt/a.sls", "/x:\n  file.append:\n    - makedir: true\n")]);
    let ran = project.salt_rs(&["plan", "--local", "--worktree"]).expect(TREE);
    let want = "error[unknown-argument]: Passed invalid arguments: 'makedir' is an invalid keyword argument for 'file.append'.\n  ┌ salt/a.sls:3:7\n  │     - makedir: true\n  │       ^^^^^^^\n  └ help: did you mean `makedirs`?\n";
    assert_eq!(ran.stderr, want);
    assert_eq!(ran.stdout, "");
}
