//! The built programs, run as a user runs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::os::{self, Output};

/// What `salt-rs` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit status, see the contract of the command line.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// The document on standard output.
    ///
    /// # Panics
    /// When it is not one JSON document; the message shows what it was.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| panic!("not JSON ({err}):\n{self}"))
    }

    /// Asserts the exit status, showing all output when it is another one.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert!(self.code == code, "exit status {code} expected:\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit status {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

impl From<Output> for Ran {
    fn from(out: Output) -> Self {
        Ran {
            code: out.code,
            stdout: out.stdout,
            stderr: out.stderr,
        }
    }
}

/// The built `salt-rs`: `$SALT_RS`, else the one beside this test program.
///
/// # Panics
/// When there is none.
pub fn salt_rs_path() -> PathBuf {
    built("SALT_RS", "salt-rs")
}

/// The built agent: `$SALT_RS_MINION`, else the one beside this test program. A dynamic one; the static agent is inside
/// `salt-rs`.
///
/// # Panics
/// When there is none.
pub fn minion_path() -> PathBuf {
    built("SALT_RS_MINION", "salt-rs-minion")
}

fn built(setting: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(setting) {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().unwrap_or_default();
    // target/<profile>/deps/it-… for a test, target/<profile>/bench for a program.
    let places = own.ancestors().skip(1).take(2);
    let found = places.map(|place| place.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no `{name}` near {}: `cargo build` comes first", own.display()))
}

/// The static agent built as it is shipped, but with its symbols. Built by the first who asks, in a target directory of
/// its own beside that of this program.
///
/// # Panics
/// When it does not compile.
pub fn static_agent() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let own = std::env::current_exe().unwrap_or_default();
        let profiles = own.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
        let target = profiles.unwrap_or(Path::new("target")).join("agent");
        let mut build = os::command(&cargo);
        build
            .current_dir(root)
            .args(["rustc", "--locked", "--quiet", "-j2"]);
        build.args([
            "-p",
            "salt-rs-minion",
            "--bin",
            "salt-rs-minion",
            "--profile",
            "minion",
        ]);
        build
            .args(["--config", "profile.minion.strip=false", "--target-dir"])
            .arg(&target);
        build.args(["--", "-C", "target-feature=+crt-static"]);
        // As master/build.rs builds the one that travels.
        build.args(["-C", "llvm-args=-enable-machine-outliner=always"]);
        // Flags meant for the outer build would reach its procedural macros too.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            build.env_remove(name);
        }
        os::checked(&mut build).unwrap_or_else(|err| panic!("{err}"));
        target.join("minion/salt-rs-minion")
    })
}

/// `salt-rs` with a clean environment (no colours, no home, no settings of the user) in a directory.
pub fn salt_rs_in(dir: &Path) -> Command {
    let mut command = os::command(&salt_rs_path().display().to_string());
    command.current_dir(dir).env_clear();
    for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", dir)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1")
        .env("TERM", "dumb");
    command
}

/// Runs `salt-rs` with these arguments in the current directory.
///
/// # Panics
/// When it is not built or cannot be started.
pub fn salt_rs(args: &[&str]) -> Ran {
    run(salt_rs_in(Path::new(".")).args(args))
}

/// Runs a prepared command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Ran {
    os::output(command, b"")
        .unwrap_or_else(|err| panic!("{err}"))
        .into()
}
