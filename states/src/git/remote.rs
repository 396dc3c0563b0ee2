//! What a remote repository has: its refs, and the commit that a state's `rev` means there.

use std::collections::BTreeMap;

use proto::Command;

use crate::{Host, Stop};

/// Refs of a remote by name.
#[derive(Debug)]
pub(super) struct Refs(BTreeMap<String, String>);

/// What `rev` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rev {
    /// The commit; a prefix where the state gives one.
    pub(super) commit: String,
    /// Whether it is the tip of a branch, and which.
    pub(super) branch: Option<String>,
    /// It is a branch or tag, so that a shallow clone can fetch it.
    pub(super) named: bool,
    /// How Salt's comments call it.
    pub(super) shown: String,
}

impl Refs {
    /// Asks the remote; `None` where there is no git to ask with.
    ///
    /// # Errors
    /// [`Stop::Ask`] until it has answered; [`Stop::Failed`] with Salt's comment when it does not.
    pub(super) fn read(host: &Host<'_>, command: Command) -> Result<Option<Self>, Stop> {
        let output = match host.command(command.clone()) {
            Ok(output) => output,
            Err(Stop::Failed(_)) => return Ok(None),
            Err(stop) => return Err(stop),
        };
        if output.code == 127 {
            return Ok(None);
        }
        if !output.success(&command) {
            let why = if output.stderr.is_empty() {
                &output.stdout
            } else {
                &output.stderr
            };
            return Err(Stop::Failed(format!("Failed to check remote refs: {why}")));
        }
        let refs = output.stdout.lines().filter_map(|line| {
            let (commit, name) = line.split_once(char::is_whitespace)?;
            Some((name.trim().to_owned(), commit.to_owned()))
        });
        Ok(Some(Self(refs.collect())))
    }

    /// The branch a clone checks out.
    pub(super) fn default_branch(&self) -> Option<&str> {
        let head = self.0.get("HEAD")?;
        let branches = || self.0.iter().filter(|(_, commit)| *commit == head);
        let name = |wanted: &str| branches().any(|(name, _)| name == wanted);
        // Several branches may stand where HEAD does: the usual names first.
        for usual in ["main", "master"] {
            if name(&format!("refs/heads/{usual}")) {
                return Some(usual);
            }
        }
        branches().find_map(|(name, _)| name.strip_prefix("refs/heads/"))
    }

    /// What `rev` is there; `None` when there is no such thing.
    pub(super) fn find(&self, rev: &str, remote: &str) -> Option<Rev> {
        let short = |commit: &str| commit.chars().take(7).collect::<String>();
        if rev == "HEAD" {
            let commit = self.0.get("HEAD")?.clone();
            return Some(Rev {
                shown: format!("remote HEAD ({})", short(&commit)),
                commit,
                branch: None,
                named: false,
            });
        }
        if let Some(commit) = self.0.get(&format!("refs/heads/{rev}")) {
            return Some(Rev {
                commit: commit.clone(),
                branch: Some(rev.to_owned()),
                named: true,
                shown: format!("{remote}/{rev} ({})", short(commit)),
            });
        }
        let tag = self
            .0
            .get(&format!("refs/tags/{rev}^{{}}"))
            .or_else(|| self.0.get(&format!("refs/tags/{rev}")));
        if let Some(commit) = tag {
            return Some(Rev {
                commit: commit.clone(),
                branch: None,
                named: true,
                shown: format!("{rev} ({})", short(commit)),
            });
        }
        let hex = rev.len() <= 40 && rev.len() >= 4 && rev.bytes().all(|c| c.is_ascii_hexdigit());
        hex.then(|| Rev {
            commit: rev.to_lowercase(),
            branch: None,
            named: false,
            shown: short(&rev.to_lowercase()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revs() {
        let a = "a".repeat(40);
        let b = "b".repeat(40);
        let refs = Refs(
            [
                ("HEAD", &a),
                ("refs/heads/dev", &b),
                ("refs/heads/main", &a),
                ("refs/heads/alpha", &a),
                ("refs/tags/v1", &a),
                ("refs/tags/v1^{}", &b),
            ]
            .into_iter()
            .map(|(name, commit)| (name.to_owned(), commit.clone()))
            .collect(),
        );
        assert_eq!(refs.default_branch(), Some("main"));
        let dev = refs.find("dev", "origin").expect("a branch");
        assert_eq!(
            (dev.commit.as_str(), dev.shown.as_str()),
            (b.as_str(), "origin/dev (bbbbbbb)")
        );
        assert_eq!(refs.find("v1", "origin").map(|rev| rev.commit), Some(b));
        assert_eq!(
            refs.find("HEAD", "origin").map(|rev| rev.shown),
            Some("remote HEAD (aaaaaaa)".to_owned())
        );
        assert_eq!(
            refs.find("ABCDEF1", "origin").map(|rev| rev.commit),
            Some("abcdef1".to_owned())
        );
        assert_eq!(refs.find("nosuch", "origin"), None);
    }
}
