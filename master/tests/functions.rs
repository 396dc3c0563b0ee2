//! Execution functions against real Salt's answers: one line of `functions/answers.jsonl` is a call and what Salt said.
//!
//! `functions/ask.py` asks Salt anew. `null` in place of an answer means that Salt raised an exception.

use std::sync::Arc;

use master::compile::{self, Grains, Input, Layout, Options, Roots, Tree, What};
use master::tree::{Memory, Source};
use serde_json::{Map, Value as Json};

#[test]
fn functions_answer_as_salts() {
    let world: Json = serde_json::from_str(include_str!("functions/world.json")).expect("the world");
    let map = |key: &str| world[key].as_object().cloned().expect("a mapping");
    let files = map("files");
    let source: Arc<dyn Source> = Arc::new(Memory::tree(
        files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str().expect("a text"))),
    ));
    let root = |dir: &str| [("base".to_owned(), vec![dir.to_owned()])].into_iter().collect();
    let roots = Roots {
        states: root("salt"),
        pillar: root("pillar"),
    };
    let layout = Arc::new(Layout::of(&*source, &roots).expect("a layout"));
    let tree = Tree { source, layout };
    let options = Arc::new(Options {
        salt: map("options"),
        nodegroups: [("g1".to_owned(), vec!["minion*".to_owned()])]
            .into_iter()
            .collect(),
        ..Options::default()
    });
    let input = Input {
        minion: "minion1",
        grains: Grains::Complete(Arc::new(map("grains"))),
        answers: Arc::default(),
        pillar: None,
        options,
        what: &What::Highstate,
        exclude: &[],
    };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in include_str!("functions/answers.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("a call");
        let function = case["fun"].as_str().expect("a function");
        let args = case["args"].as_array().expect("arguments");
        let kwargs: &Map<String, Json> = case["kwargs"].as_object().expect("keywords");
        let made = compile::call(&tree, &input, function, args, kwargs);
        let found = made.unwrap_or_else(|stop| panic!("{line}: {stop:?}")).value;
        count += 1;
        match (case.get("ok"), found) {
            (Some(wanted), Ok(found)) if *wanted == found => {}
            (None, Err(_)) => {}
            (_, found) => wrong.push(format!("{line}\n  here {found:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 200, "only {count} calls");
}
