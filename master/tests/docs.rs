//! docs/salt-modules.md is what the registries say. `UPDATE_DOCS=1` writes it anew.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "the test writes the page when asked to"
)]

use std::fs;
use std::path::Path;

const HEAD: &str = "\
# Salt's modules

What Salt has and whether it is here, made from the registries of salt-rs; [coming from Salt](from-salt.md) says how to
read it. *Partly* names the arguments that are missing; *no* gives the reason, or what to do instead. The arguments of
everything that is here are in [states](states.md) and in `salt-rs doc`.

## State functions

";

#[test]
fn salt_modules_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/salt-modules.md");
    let want = format!("{HEAD}{}", states::salt::markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &want).expect("the page is written");
    }
    let have = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        have == want,
        "docs/salt-modules.md is stale: UPDATE_DOCS=1 cargo test -p salt-rs --test docs"
    );
}
