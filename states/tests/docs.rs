//! docs/states.md is what the registry says. `UPDATE_DOCS=1` writes it anew.

#![expect(clippy::disallowed_methods, reason = "the test writes the page when asked to")]

#[test]
fn docs_states_is_current() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/states.md");
    let want = states::doc::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(page.parent().unwrap()).unwrap();
        std::fs::write(&page, &want).unwrap();
    }
    let have = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        have == want,
        "docs/states.md is stale: UPDATE_DOCS=1 cargo test -p salt-rs-states"
    );
}
