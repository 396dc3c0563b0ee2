//! The product's own lab, as a user runs it, in a network namespace of its own: several can be up at once, and the
//! addresses of vagrant/lab.yaml meet nobody.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::os;
use crate::program::{Ran, run, salt_rs_path};

/// The directory of a lab, and the namespace that holds its cable. Dropped, everything goes.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    namespace: Child,
}

impl Stage {
    /// A place for a lab; nothing is up yet.
    ///
    /// # Panics
    /// When the namespace cannot be made.
    pub fn new(name: &str) -> Stage {
        let dir = PathBuf::from(format!("/run/salt-rs-stage-{name}-{}", std::process::id()));
        let mut command = os::command("unshare");
        // It says when the namespace is there, and ends when nobody holds its input any more.
        command.args(["--net", "sh", "-c", "ip link set lo up && echo here && cat"]);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut namespace = spawned.unwrap_or_else(|err| panic!("cannot start unshare: {err}"));
        let mut here = [0; 5];
        let out = namespace.stdout.as_mut();
        let read = out.map(|out| std::io::Read::read_exact(out, &mut here));
        assert!(matches!(read, Some(Ok(()))), "no network namespace");
        Stage { dir, namespace }
    }

    /// The lab's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A program in the namespace.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = os::command("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.namespace.id()))
            .arg("--")
            .arg(program)
            .env("NO_COLOR", "1")
            .env("SALT_RS_LAB_DIR", &self.dir);
        command
    }

    /// `salt-rs` with the lab's settings.
    ///
    /// # Panics
    /// When it is not built.
    pub fn salt_rs(&self, args: &[&str]) -> Ran {
        let mut command = self.command(&salt_rs_path());
        if args.first() != Some(&"lab") {
            command.arg("--config").arg(self.dir.join("salt-rs.yaml"));
        }
        run(command.args(args))
    }

    /// As `salt_rs`, told with its time.
    ///
    /// # Panics
    /// When it ends with another exit status than `code`.
    #[track_caller]
    pub fn timed(&self, code: i32, args: &[&str]) -> Ran {
        let start = Instant::now();
        let ran = self.salt_rs(args);
        let seconds = start.elapsed().as_secs_f64();
        os::say(&format!("{seconds:7.1} s  salt-rs {}", args.join(" ")));
        ran.expect(code)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let down = self.salt_rs(&["lab", "down"]);
        if down.code != 0 {
            os::say(&format!("the lab of a test could not be taken down: {down}"));
        }
        // Its end closes the namespace; how it ends does not matter.
        self.namespace.kill().ok();
        self.namespace.wait().ok();
    }
}
