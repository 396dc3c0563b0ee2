//! Links the shipped agent small: without tables for unwinding (`agent.ld`), equal functions once, and with packed
//! relocations.
//!
//! Relocations are packed, which saves a fifteenth, only where the C library it is linked with can unpack them: glibc does
//! since 2.36. A linker that does not know the option ignores it.

use std::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "a build script asks the system it builds on"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=agent.ld");
    println!("cargo::rerun-if-env-changed=OPT_LEVEL");
    // The agent's own profile is the only one that optimises for size alone.
    if std::env::var("OPT_LEVEL").as_deref() != Ok("z") {
        return;
    }
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    println!("cargo::rustc-link-arg-bins=-T{here}/agent.ld");
    // The linker that Rust brings along on this platform keeps functions that came out alike once.
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let version = told
        .map(|told| String::from_utf8_lossy(&told.stdout).into_owned())
        .unwrap_or_default();
    if unpacks(&version) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether `glibc 2.36` or newer.
fn unpacks(version: &str) -> bool {
    let number = version.trim().strip_prefix("glibc ").unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (2, 36)
}
