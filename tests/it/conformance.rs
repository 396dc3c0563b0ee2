//! Salt's own answers: every case of the conformance corpus, run through the built program.
//!
//! The corpus lies beside the repository; where it is not, there is nothing to compare with and the test passes.
//! `CASE=site/` runs only cases whose name contains that.

use std::io::Write;
use std::path::Path;

use harness::conformance::{self, Expected};
use harness::os;

#[test]
fn what_held_holds() {
    let Some(shared) = conformance::shared() else {
        return;
    };
    let corpus = shared.join("conformance/cases");
    let only = std::env::var("CASE").unwrap_or_default();
    let mut names = conformance::names(&corpus).unwrap();
    assert!(names.len() > 100, "the corpus has {} cases only", names.len());
    names.retain(|name| name.contains(&only));
    let verdicts = conformance::run(&corpus, &names);
    let tally = conformance::tally(&verdicts);
    writeln!(std::io::stderr(), "{tally}").unwrap();

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance.expected");
    let expected = Expected::read(&file).unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() && only.is_empty() {
        os::write(&file, expected.rewritten(&verdicts)).unwrap();
        return;
    }
    let differences = expected.differences(&verdicts, only.is_empty());
    assert!(
        differences.is_empty(),
        "{tally}not as {} says (UPDATE_EXPECT=1 rewrites it):\n  {}",
        file.display(),
        differences.join("\n  ")
    );
}
