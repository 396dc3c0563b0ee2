//! salt-rs-minion.
fn main() {}
