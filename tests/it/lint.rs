//! `salt-rs lint`: every directory `tests/trees/lint-*` is a tree, `expected.txt` in it what is said of it.
//! `UPDATE_EXPECT=1` rewrites those files.

use std::path::Path;

use harness::{Project, os};
use serde_json::json;

/// Every file below a directory, by its path from there.
fn files(dir: &Path, prefix: &str, into: &mut Vec<(String, String)>) {
    for name in os::names(dir).unwrap() {
        let (path, shown) = (dir.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            files(&path, &format!("{shown}/"), into);
        } else if shown != "expected.txt" {
            into.push((shown, os::read_text(&path).unwrap()));
        }
    }
}

fn project(dir: &Path) -> Project {
    let mut found = Vec::new();
    files(dir, "", &mut found);
    let found: Vec<_> = found
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    Project::new(&found)
}

#[test]
fn every_tree_is_told_all_its_problems() {
    let trees = Path::new(env!("CARGO_MANIFEST_DIR")).join("trees");
    let names = os::names(&trees).unwrap();
    let mut wrong = Vec::new();
    for name in names.iter().filter(|name| name.starts_with("lint-")) {
        let dir = trees.join(name);
        let ran = project(&dir).salt_rs(&["lint"]);
        let got = format!("exit status {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        let file = dir.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            os::write(&file, &got).unwrap();
        } else if os::read_text(&file).unwrap_or_default() != got {
            wrong.push(format!("{name}:\n{got}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as expected.txt says:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_tree_needs_no_settings_and_errors_come_as_one_document() {
    let project = Project::new(&[("tree/salt/a.sls", "a:\n  test.nopp: []\n")]);
    let document = project.salt_rs(&["lint", "tree", "--json"]).expect(65).json();
    let error = &document["errors"][0];
    assert_eq!(
        (&error["file"], &error["line"], &error["column"]),
        (&"salt/a.sls".into(), &1.into(), &1.into())
    );
    assert_eq!(error["help"], "did you mean `test.nop`?");
    assert_eq!(
        (&document["warnings"], &document["unknown"]),
        (&json!([]), &json!([]))
    );
    project.salt_rs(&["lint", "nosuch"]).expect(64);
}

#[test]
fn a_function_of_salts_that_is_not_here_comes_with_the_way_out() {
    let project = Project::new(&[("tree/salt/a.sls", "a:\n  docker_container.running: []\n")]);
    let document = project.salt_rs(&["lint", "tree", "--json"]).expect(65).json();
    let help = document["errors"][0]["help"].as_str().expect("a help");
    assert!(
        help.starts_with("salt-rs has no `docker_container.running`: ") && help.contains("cmd.run"),
        "{help}"
    );
}

#[test]
fn warnings_can_be_denied_explained_and_shown_as_sarif() {
    let project = Project::new(&[("tree/salt/a.sls", "a:\n  cmd.run:\n    - name: date\n")]);
    let code = "unguarded-command";
    project.salt_rs(&["lint", "tree"]).expect(0);
    project
        .salt_rs(&["lint", "tree", "--deny", "warnings"])
        .expect(65);
    project.salt_rs(&["lint", "tree", "--deny", code]).expect(65);
    project
        .salt_rs(&["lint", "tree", "--deny", "octal-mode"])
        .expect(0);
    let ran = project
        .salt_rs(&["lint", "tree", "--deny", "octal-mod"])
        .expect(64);
    assert!(ran.stderr.contains("did you mean `octal-mode`?"), "{ran}");

    let warning = &project.salt_rs(&["lint", "tree", "--json"]).expect(0).json()["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["severity"]),
        (&code.into(), &"warning".into())
    );

    let sarif = project.salt_rs(&["lint", "tree", "--sarif"]).expect(0).json();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&code.into(), &"warning".into())
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "salt/a.sls");
    assert_eq!(place["region"]["startLine"], 1);
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][index]["id"], code);

    let page = project.salt_rs(&["lint", "--explain", code]).expect(0).stdout;
    assert!(page.starts_with(code) && page.contains("bad:"), "{page}");
    let all = project.salt_rs(&["lint", "--explain"]).expect(0).stdout;
    assert!(all.lines().any(|line| line.starts_with(code)), "{all}");
}
