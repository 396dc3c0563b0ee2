//! The first tree salt-rs was meant for, unmodified: what Salt makes of it for each machine is what `salt-rs show` shows.
//!
//! The tree lies beside the repository; where it is not, there is nothing to compare with and the test passes.

use std::path::Path;

use harness::conformance::{self, Case, Score};
use harness::os;
use serde_json::{Value, json};

fn read(path: &Path) -> Value {
    serde_json::from_str(&os::read_text(path).unwrap()).unwrap()
}

/// Top file, pillar, highstate and the single sls of one machine, and what Salt says to each.
fn case(tree: &Path, machine: &Value, expected: &Value) -> Case {
    let mut steps = vec![
        json!({ "do": "top" }),
        json!({ "do": "pillar" }),
        json!({ "do": "low" }),
    ];
    let mut wants = vec![
        json!({ "return": expected["top"] }),
        json!({ "return": expected["pillar"] }),
        expected["low"].clone(),
    ];
    for (sls, want) in expected["low_sls"].as_object().unwrap() {
        steps.push(json!({ "do": "low_sls", "sls": sls }));
        wants.push(want.clone());
    }
    let about = json!({ "minion": machine["id"], "grains": machine["grains"], "steps": steps });
    Case::new(tree, about, wants)
}

#[test]
fn it_compiles_for_every_machine_as_in_salt() {
    let Some(tree) = conformance::shared().map(|dir| dir.join("seed-tree")) else {
        return;
    };
    let names = os::names(&tree.join("minions")).unwrap();
    assert!(names.len() > 10, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let expected = read(&tree.join("expected").join(&name));
        let machine = read(&tree.join("minions").join(&name));
        let verdict = case(&tree, &machine, &expected).run().unwrap();
        if verdict.score != Score::Full {
            wrong.push(format!("{name}: {} {}", verdict.score.word(), verdict.why));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
