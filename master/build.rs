//! Builds the static minion and puts it, compressed, beside the master so that `agent.rs` can embed it.
//!
//! The minion is built by a cargo of its own in a target directory of its own, with an environment scrubbed of
//! everything this cargo set, else clippy's wrapper and this profile leak in. `SALT_MINION_BIN` names a ready binary
//! instead.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(
    clippy::disallowed_methods,
    reason = "a build script writes to its own OUT_DIR"
)]
fn main() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=SALT_MINION_BIN");
    let binary = match env::var_os("SALT_MINION_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(&out)?,
    };
    println!("cargo::rerun-if-changed={}", binary.display());
    let bytes = fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&bytes)?;
    let file = out.join("salt-rs-minion.gz");
    fs::write(&file, packed.finish()?)?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=SALT_MINION_GZ={}", file.display());
    println!("cargo::rustc-env=SALT_MINION_SHA256={digest}");
    println!("cargo::rustc-env=SALT_MINION_SIZE={}", bytes.len());
    println!(
        "cargo::rustc-env=SALT_MINION_ARCH={}",
        env::var("CARGO_CFG_TARGET_ARCH")?
    );
    Ok(())
}

/// Builds the minion of this workspace with a static C library and returns where it lies.
#[expect(clippy::disallowed_methods, reason = "a build script calls cargo")]
fn build(out: &Path) -> Result<PathBuf> {
    let workspace = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for watched in ["minion", "states", "proto", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(watched).display());
    }
    let target = out.join("minion-target");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if leaks(&name) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(&workspace);
    cargo.args([
        "rustc",
        "--quiet",
        "--locked",
        "--package",
        "salt-rs-minion",
        "--bin",
        "salt-rs-minion",
    ]);
    cargo.args(["--profile", "minion", "--target-dir"]).arg(&target);
    // The flag reaches the last crate only, which is what links: proc macros stay dynamic.
    cargo.args(["--", "-C", "target-feature=+crt-static"]);
    // Instructions that stand in many places become one function: a twentieth of the agent.
    cargo.args(["-C", "llvm-args=-enable-machine-outliner=always"]);
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("the minion did not build ({status})").into());
    }
    Ok(target.join("minion/salt-rs-minion"))
}

/// Whether this cargo set the variable for us and the inner cargo must not see it.
fn leaks(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let kept = name == "CARGO_HOME"
        || name == "CARGO_MAKEFLAGS"
        || name.starts_with("CARGO_NET")
        || name.starts_with("CARGO_HTTP")
        || name.starts_with("CARGO_REGISTR")
        || name.starts_with("CARGO_SOURCE");
    let ours = name.starts_with("CARGO")
        || name.starts_with("RUSTC")
        || name.starts_with("RUSTFLAGS")
        || name.starts_with("RUSTDOC")
        || name.starts_with("CLIPPY")
        || matches!(
            &*name,
            "TARGET"
                | "PROFILE"
                | "HOST"
                | "OPT_LEVEL"
                | "DEBUG"
                | "NUM_JOBS"
                | "OUT_DIR"
                | "RUST_LIB_BACKTRACE"
        );
    ours && !kept
}
