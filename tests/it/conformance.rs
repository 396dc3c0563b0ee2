//! Salt's own answers: every case of both conformance corpora, run through the built program.
//!
//! One corpus lies beside the repository (where it is not, only `tests/cases` is run). `CASE=site/` runs only cases
//! whose name contains that.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use harness::conformance::{self, Expected, Verdict};
use harness::os;

/// How all cases went, run once for all tests here.
fn verdicts() -> &'static BTreeMap<String, Verdict> {
    static RUN: LazyLock<BTreeMap<String, Verdict>> = LazyLock::new(|| {
        let mut cases = conformance::cases(&conformance::corpora()).unwrap();
        cases.retain(|name, _| name.contains(&only()));
        conformance::run(&cases)
    });
    &RUN
}

fn only() -> String {
    std::env::var("CASE").unwrap_or_default()
}

#[test]
fn what_held_holds() {
    let verdicts = verdicts();
    let tally = conformance::tally(verdicts);
    writeln!(std::io::stderr(), "{tally}").unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance.expected");
    let expected = Expected::read(&file).unwrap();
    // Without the corpus beside the repository only a part is known.
    let whole = only().is_empty() && conformance::shared().is_some();
    if std::env::var_os("UPDATE_EXPECT").is_some() && whole {
        os::write(&file, expected.rewritten(verdicts)).unwrap();
        return;
    }
    let differences = expected.differences(verdicts, whole);
    assert!(
        differences.is_empty(),
        "{tally}not as {} says (UPDATE_EXPECT=1 rewrites it):\n  {}",
        file.display(),
        differences.join("\n  ")
    );
}

#[test]
fn what_differs_is_little_and_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected = Expected::read(&root.join("conformance.expected")).unwrap();
    let page = os::read_text(&root.join("../docs/from-salt.md")).unwrap();
    let untold: Vec<&str> = expected
        .names()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(untold.is_empty(), "not in docs/from-salt.md: {untold:?}");
    let cases = conformance::cases(&conformance::corpora()).unwrap();
    let differing = expected.names().filter(|name| cases.contains_key(*name)).count();
    assert!(
        differing * 100 <= cases.len() * 3,
        "{differing} of {} cases differ, which is more than 3 %",
        cases.len()
    );
}

#[test]
fn what_was_done_is_undone() {
    // Every case ends with a rollback to the time before it: the sandbox is as it was, or the report says what is not.
    let left = |(name, verdict): (&String, &Verdict)| Some(format!("{name}: {}", verdict.left.as_ref()?));
    let left: Vec<String> = verdicts().iter().filter_map(left).collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
}
