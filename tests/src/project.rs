//! A scratch project: a git repository with settings, roster, state tree and pillar.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::lab::Lab;
use crate::os;
use crate::program::{self, Ran, salt_rs_in};

/// A project in a directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Project {
    dir: PathBuf,
}

impl Project {
    /// A repository with default settings, an empty roster, and these files, not committed yet.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(files: &[(&str, &str)]) -> Project {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "salt-rs-test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let project = Project {
            dir: std::env::temp_dir().join(name),
        };
        good(os::remove_tree(&project.dir));
        good(os::make_dir(&project.dir.join("salt")));
        good(os::make_dir(&project.dir.join("pillar")));
        project.settings("");
        project.write("roster.yaml", "{}\n");
        project.git(&["init", "-q", "-b", "main"]);
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// A committed project whose roster and ssh settings reach the hosts of a lab.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn on(lab: &Lab, files: &[(&str, &str)]) -> Project {
        let project = Project::new(files);
        project.settings(&lab.ssh_settings());
        project.write("roster.yaml", &lab.roster());
        project.commit("first");
        project
    }

    /// Writes settings whose state directory is inside the project; `more` are further lines.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn settings(&self, more: &str) {
        let common = "tree: { url: ., ref: main, salt: salt, pillar: pillar }\nroster: roster.yaml\nstate_dir: .state\n";
        self.write("salt-rs.yaml", &format!("{common}{more}"));
        self.write(".gitignore", ".state\n");
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes one file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        good(os::write(&self.dir.join(path), text));
    }

    /// Commits everything; the commit's full id.
    ///
    /// # Panics
    /// When git refuses.
    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git here, without settings of the user or the machine; its output without the last line end.
    ///
    /// # Panics
    /// When it ends with another status than 0.
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = os::command("git");
        git.current_dir(&self.dir)
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for (name, value) in [
            ("NAME", "Test"),
            ("EMAIL", "test@example.org"),
            ("DATE", "2026-01-01T00:00:00Z"),
        ] {
            git.env(format!("GIT_AUTHOR_{name}"), value)
                .env(format!("GIT_COMMITTER_{name}"), value);
        }
        good(os::checked(&mut git)).trim_end().to_owned()
    }

    /// `salt-rs` in this project, to be given arguments.
    pub fn command(&self) -> Command {
        salt_rs_in(&self.dir)
    }

    /// Runs `salt-rs` in this project.
    ///
    /// # Panics
    /// When it is not built.
    pub fn salt_rs(&self, args: &[&str]) -> Ran {
        program::run(self.command().args(args))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // What stays behind is in the temporary directory.
        _ = os::remove_tree(&self.dir);
    }
}

fn good<T>(result: Result<T, os::OsError>) -> T {
    result.unwrap_or_else(|err| panic!("{err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_has_the_same_id_every_time() {
        let files = [
            ("salt/top.sls", "base:\n  '*': [web]\n"),
            ("salt/web/init.sls", "{}\n"),
        ];
        let (one, two) = (Project::new(&files), Project::new(&files));
        assert_eq!(one.commit("first"), two.commit("first"));
        one.write("salt/web/init.sls", "{ }\n");
        assert_ne!(one.commit("second"), two.git(&["rev-parse", "HEAD"]));
        assert!(one.git(&["status", "--porcelain"]).is_empty());
    }

    #[test]
    fn it_is_gone_when_dropped() {
        let project = Project::new(&[]);
        let dir = project.dir().to_owned();
        assert!(dir.join(".git").is_dir());
        drop(project);
        assert!(!dir.exists());
    }
}
