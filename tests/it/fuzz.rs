//! Trees that nobody would write, a short while: the same ones every time.

use std::path::Path;

use harness::Project;
use harness::fuzz::{Hunt, hunt};

/// Where the cases come from. Another number is another set of trees.
const SEED: u64 = 1;
/// How many; `make fuzz` goes on for as long as one likes.
const CASES: u64 = 400;

#[test]
fn whatever_a_tree_says_there_is_an_answer_with_a_place() {
    let project = Project::new(&[]);
    let plan = Hunt {
        seed: SEED,
        from: 0,
        runs: CASES,
        until: None,
        out: project.dir().join("fuzz"),
    };
    let (ran, found) = hunt(Path::new(env!("CARGO_BIN_EXE_fuzz")), &plan).unwrap();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(ran, CASES);
}
