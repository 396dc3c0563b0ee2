//! The lab's own repository: commits that a check or the demo makes, and back to where it was.

use std::path::{Path, PathBuf};

use lab::os::{self, OsError};

use super::Trouble;

/// The work tree the lab is converged from. It is the lab's copy: nobody's repository is touched.
#[derive(Debug, Clone)]
pub(in crate::cli::lab) struct Tree {
    dir: PathBuf,
}

impl Tree {
    /// The one in this directory.
    pub(in crate::cli::lab) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The commit it is at.
    pub(in crate::cli::lab) fn head(&self) -> Result<String, Trouble> {
        Ok(self.git(&["rev-parse", "HEAD"])?)
    }

    /// Changes one file and commits that; the commit. `edit` gets its text.
    ///
    /// # Errors
    /// The file is not there, `edit` refuses, or nothing would change.
    pub(in crate::cli::lab) fn commit(
        &self,
        file: &str,
        subject: &str,
        edit: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<String, Trouble> {
        let path = self.dir.join(file);
        let before = os::read_text(&path)?;
        let after = edit(&before).map_err(|cause| format!("{file}: {cause}"))?;
        if before == after {
            return Err(format!("{file} stays as it is").into());
        }
        os::write(&path, after)?;
        self.git(&["commit", "-q", "-m", subject, "--", file])?;
        self.head()
    }

    /// Back to a commit, whatever came later.
    pub(in crate::cli::lab) fn reset(&self, to: &str) -> Result<(), Trouble> {
        self.git(&["reset", "-q", "--hard", to])?;
        Ok(())
    }

    /// Runs git there, as nobody in particular and without anybody's settings.
    fn git(&self, args: &[&str]) -> Result<String, OsError> {
        let mut git = os::command("git");
        git.current_dir(&self.dir)
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "salt-rs lab")
                .env(format!("GIT_{role}_EMAIL"), "lab@localhost");
        }
        Ok(os::checked(&mut git)?.trim_end().to_owned())
    }
}

/// `text` with the value of the first line `key: value` replaced, indentation and all else kept.
///
/// # Errors
/// There is no such line.
pub(in crate::cli::lab) fn with_value(text: &str, key: &str, value: &str) -> Result<String, String> {
    let is_it = |line: &&str| {
        line.trim_start()
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(": "))
    };
    let line = text.lines().find(is_it).ok_or_else(|| format!("no `{key}:`"))?;
    let indent = &line[..line.len() - line.trim_start().len()];
    Ok(text.replacen(line, &format!("{indent}{key}: {value}"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let text = "app:\n  # release: old\n  release: 1.0.0\n  port: 3000\n";
        let wanted = "app:\n  # release: old\n  release: 1.0.1\n  port: 3000\n";
        assert_eq!(with_value(text, "release", "1.0.1").as_deref(), Ok(wanted));
        assert_eq!(with_value(text, "releas", "1"), Err("no `releas:`".to_owned()));
    }

    #[test]
    fn a_change_is_committed_and_taken_back() {
        let scratch = Scratch::new();
        let tree = Tree::new(scratch.path());
        os::write(&scratch.path().join("a.sls"), "one\n").unwrap();
        tree.git(&["init", "-q", "-b", "main"]).unwrap();
        tree.git(&["add", "-A"]).unwrap();
        tree.git(&["commit", "-q", "-m", "first"]).unwrap();
        let first = tree.head().unwrap();
        let second = tree
            .commit("a.sls", "second", |text| Ok(text.replace("one", "two")))
            .unwrap();
        assert_ne!(first, second);
        assert!(tree.commit("a.sls", "third", |text| Ok(text.to_owned())).is_err());
        tree.reset(&first).unwrap();
        assert_eq!(
            (
                tree.head().unwrap(),
                os::read_text(&scratch.path().join("a.sls")).unwrap()
            ),
            (first, "one\n".to_owned())
        );
    }
}
