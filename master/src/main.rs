//! salt-rs.
fn main() {}
