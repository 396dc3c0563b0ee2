//! Formulas in the style of the public ones, for two systems: the low state is chunk for chunk what real Salt made of
//! them. `tests/formulas.sh` records Salt's answers.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use harness::conformance::{Case, Score};
use harness::os;
use serde_json::{Value as Json, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("formulas")
}

fn read(path: &Path) -> Json {
    let text = os::read_text(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

#[test]
fn compile_as_under_salt() {
    let hosts = os::names(&root().join("grains")).unwrap();
    let mut formulas = os::names(&root()).unwrap();
    formulas.retain(|name| name != "grains");
    let (mut chunks, mut wrong) = (0, String::new());
    for name in &formulas {
        for host in &hosts {
            let dir = root().join(name);
            let want = read(&dir.join("expected").join(host));
            let about = json!({
                "minion": "web1",
                "grains": read(&root().join("grains").join(host)),
                "steps": [{ "do": "low" }],
            });
            chunks += want["chunks"].as_array().map_or(0, Vec::len);
            // A formula that Salt refuses shows nothing here.
            assert!(want["chunks"].is_array(), "{name} for {host}: {want}");
            let verdict = Case::new(&dir, about, vec![want]).run().unwrap();
            if verdict.score != Score::Full {
                writeln!(wrong, "{name} for {host}: {}", verdict.why).unwrap();
            }
        }
    }
    let (many, per) = (formulas.len(), hosts.len());
    writeln!(
        std::io::stderr(),
        "formulas: {many}, each for {per} systems, {chunks} chunks"
    )
    .unwrap();
    assert!(many >= 12 && per >= 2, "{many} formulas for {per} systems");
    assert!(wrong.is_empty(), "{wrong}");
}
