//! Git work trees, through the git program, run as the user who owns them: a repository's own configuration may run programs,
//! so root never works in a user's repository.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;

use proto::{Address, Change, Checkout, Command, Fidelity, Performed, PreImage, Problem, Value};

use super::path::{tree, walk, write};
use super::{Live, as_expected, botched, failed, refused};
use crate::meets::meets;
use crate::system::Botched;

/// Seconds a clone or fetch may take.
const PATIENCE: u64 = 1800;

impl Live {
    /// What is checked out at a path; absent where there is no repository.
    pub(crate) fn read_checkout(&mut self, path: &str) -> Result<Value, Problem> {
        let Ok(inside) = std::fs::symlink_metadata(self.real(&format!("{path}/.git"))) else {
            return Ok(Value::Absent);
        };
        let user = self.name_of(inside.uid());
        let ask = |words: &[&str]| self.git(path, &user, words);
        let remotes = ask(&["config", "--get-regexp", "^remote\\..*\\.url$"])?.stdout;
        let remotes: Vec<(&str, &str)> = remotes
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(key, url)| Some((key.strip_prefix("remote.")?.strip_suffix(".url")?, url)))
            .collect();
        let remote = remotes
            .iter()
            .find(|(name, _)| *name == "origin")
            .or(remotes.first());
        let commit = ask(&["rev-parse", "--verify", "-q", "HEAD"])?.stdout;
        let branch = ask(&["symbolic-ref", "-q", "--short", "HEAD"])?;
        let dirty = ask(&["status", "--porcelain", "--untracked-files=no"])?;
        if dirty.code != 0 {
            return Err(refused(format!(
                "cannot read the checkout at {path}: {}",
                dirty.stderr
            )));
        }
        Ok(Value::Checkout(Checkout {
            url: remote.map(|(_, url)| (*url).to_owned()).unwrap_or_default(),
            remote: remote.map(|(name, _)| (*name).to_owned()).unwrap_or_default(),
            commit,
            branch: (branch.code == 0).then_some(branch.stdout),
            dirty: !dirty.stdout.is_empty(),
            user: if inside.uid() == 0 { String::new() } else { user },
            ..Checkout::default()
        }))
    }

    fn name_of(&self, uid: u32) -> String {
        if uid == rustix::process::geteuid().as_raw() {
            return String::new();
        }
        self.passwd_by_uid(uid)
            .map_or_else(|| uid.to_string(), |user| user.name)
    }

    /// One git command in a work tree.
    fn git(&self, path: &str, user: &str, words: &[&str]) -> Result<proto::Output, Problem> {
        self.run(&command(Some(path), user, words))
    }

    fn git_must(&self, path: Option<&str>, user: &str, words: &[&str]) -> Result<(), Problem> {
        self.must_run(&command(path, user, words)).map(drop)
    }

    pub(crate) fn observe_checkout(
        &mut self,
        path: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let was = self.read_checkout(path)?;
        as_expected(&format!("checkout {path}"), &was, expect, to)?;
        if let (Value::Checkout(now), Value::Checkout(wanted)) = (&was, to)
            && now.dirty
            && !wanted.force
        {
            return Err(refused(format!("{path} has local changes; they would be lost")));
        }
        if !was.is_absent() && to.is_absent() {
            self.refuse_untracked(path, &was)?;
        }
        let fidelity = match (&was, to) {
            (Value::Checkout(now), _) if now.dirty => {
                Fidelity::Lost("local changes of tracked files are thrown away".to_owned())
            }
            (Value::Checkout(now), Value::Absent) => Fidelity::Compensated(format!(
                "cloned again from {}; reflog and local branches do not come back",
                now.url
            )),
            _ => Fidelity::Exact,
        };
        Ok(vec![PreImage {
            at: Address::Checkout(path.to_owned()),
            was,
            fidelity,
        }])
    }

    /// A work tree that goes must hold nothing git does not have.
    fn refuse_untracked(&self, path: &str, was: &Value) -> Result<(), Problem> {
        let Value::Checkout(now) = was else { return Ok(()) };
        let said = self.git(path, &now.user, &["status", "--porcelain"])?.stdout;
        match said.lines().next() {
            None => Ok(()),
            Some(first) => Err(refused(format!(
                "{path} is not removed: it holds {} entries that are not in git, such as {}",
                said.lines().count(),
                first.get(3..).unwrap_or(first)
            ))),
        }
    }

    pub(crate) fn assign_checkout(
        &mut self,
        path: &str,
        expect: &Value,
        to: &Value,
    ) -> Result<Performed, Box<Botched>> {
        let was = self.read_checkout(path)?;
        as_expected(&format!("checkout {path}"), &was, expect, to)?;
        let fresh = !self.real(path).exists();
        let done = match (&was, to) {
            _ if meets(to, &was) => Ok(()),
            (Value::Absent, Value::Checkout(wanted)) => self.clone_to(path, wanted),
            (Value::Checkout(now), Value::Checkout(wanted)) => self.move_to(path, now, wanted),
            (Value::Checkout(_), Value::Absent) => self
                .refuse_untracked(path, &was)
                .and_then(|()| self.remove_checkout(path)),
            _ => Err(refused(format!(
                "checkout {path} cannot become {}",
                super::path::told(to)
            ))),
        };
        if done.is_err() && was.is_absent() && fresh && self.real(path).exists() {
            // A clone that failed halfway leaves nothing.
            self.remove_checkout(path)?;
        }
        let after = self.read_checkout(path)?;
        let mut changes = Vec::new();
        if after != was {
            changes.push(Change {
                at: Address::Checkout(path.to_owned()),
                before: was,
                after,
            });
        }
        match done {
            Ok(()) => Ok(Performed {
                changes,
                output: None,
            }),
            Err(why) => Err(botched(why, changes, None)),
        }
    }

    fn clone_to(&mut self, path: &str, wanted: &Checkout) -> Result<(), Problem> {
        if wanted.url.starts_with('-') {
            return Err(refused(format!("{:?} is no repository", wanted.url)));
        }
        let remote = if wanted.remote.is_empty() {
            "origin"
        } else {
            &wanted.remote
        };
        self.make_home_for(path, &wanted.user)?;
        let depth = wanted.depth.to_string();
        let mut words = vec!["clone", "-q", "--no-checkout", "--origin", remote];
        if wanted.depth > 0 {
            words.extend(["--depth", &depth, "--no-single-branch"]);
        }
        words.extend(["--", &wanted.url, path]);
        self.git_must(None, &wanted.user, &words)?;
        self.check_out(path, wanted, remote)
    }

    /// Makes the directory a user clones into, since the user may not be allowed to.
    fn make_home_for(&mut self, path: &str, user: &str) -> Result<(), Problem> {
        let at = Address::Path(path.to_owned());
        if user.is_empty() || !self.read(&at)?.is_absent() {
            return Ok(());
        }
        let person = self
            .passwd_by_name(user)
            .ok_or_else(|| refused(format!("User '{user}' is not available")))?;
        let meta = proto::Meta {
            mode: 0o755,
            uid: person.uid,
            gid: person.gid,
            ..proto::Meta::default()
        };
        self.assign_path(path, &Value::Absent, &Value::Dir { meta }, None, &[])
            .map(drop)
            .map_err(|botched| botched.why)
    }

    fn move_to(&mut self, path: &str, now: &Checkout, wanted: &Checkout) -> Result<(), Problem> {
        if now.dirty && !wanted.force {
            return Err(refused(format!("{path} has local changes; they would be lost")));
        }
        let remote = if wanted.remote.is_empty() {
            "origin"
        } else {
            &wanted.remote
        };
        if wanted.url != now.url || remote != now.remote {
            let known = self
                .git(
                    path,
                    &now.user,
                    &["config", "--get", &format!("remote.{remote}.url")],
                )?
                .code
                == 0;
            let verb = if known { "set-url" } else { "add" };
            self.git_must(
                Some(path),
                &now.user,
                &["remote", verb, "--", remote, &wanted.url],
            )?;
        }
        let has = format!("{}^{{commit}}", wanted.commit);
        let known =
            !wanted.commit.is_empty() && self.git(path, &now.user, &["cat-file", "-e", &has])?.code == 0;
        if !known {
            let depth = format!("--depth={}", wanted.depth);
            let mut words = vec!["fetch", "-q", "--tags", "--force"];
            if wanted.depth > 0 {
                words.push(&depth);
            }
            words.extend(["--", remote]);
            self.git_must(Some(path), &now.user, &words)?;
        }
        self.check_out(path, wanted, remote)
    }

    fn check_out(&mut self, path: &str, wanted: &Checkout, remote: &str) -> Result<(), Problem> {
        let user = &wanted.user;
        let upstream = wanted.branch.as_ref().map(|branch| format!("{remote}/{branch}"));
        let head = format!("{remote}/HEAD");
        let commit = match wanted.commit.as_str() {
            "" => upstream.as_deref().unwrap_or(&head),
            commit => commit,
        };
        if commit.starts_with('-') {
            return Err(refused(format!("{commit:?} is no commit")));
        }
        match &wanted.branch {
            Some(branch) => {
                // The branch is moved to the commit, and follows its namesake where there is one.
                self.git_must(
                    Some(path),
                    user,
                    &["checkout", "-q", "-f", "--no-track", "-B", branch, commit, "--"],
                )?;
                if let Some(upstream) = &upstream {
                    let exists = self.git(
                        path,
                        user,
                        &["rev-parse", "-q", "--verify", &format!("refs/remotes/{upstream}")],
                    )?;
                    if exists.code == 0 {
                        self.git_must(
                            Some(path),
                            user,
                            &["branch", "-q", "--set-upstream-to", upstream, branch],
                        )?;
                    }
                }
            }
            None => self.git_must(
                Some(path),
                user,
                &["checkout", "-q", "-f", "--detach", commit, "--"],
            )?,
        }
        if wanted.submodules {
            self.git_must(
                Some(path),
                user,
                &["submodule", "update", "-q", "--init", "--recursive"],
            )?;
        }
        Ok(())
    }

    /// Removes what a clone or a removal that was cut off left: a tree on its way out, and a repository in which nothing was
    /// checked out yet or of which git can make nothing, so that nobody could say what is there.
    pub(crate) fn sweep_checkout(&mut self, path: &str) {
        if let Ok(Some(place)) = walk::find(&self.root, path, walk::Walk::Write) {
            let staged = write::staged_name(&place.name);
            // What cannot be removed is told when the checkout is looked at, and removed by the next removal there.
            tree::remove(place.dir.as_fd(), &staged, &mut |_, _, _, _| Ok(())).ok();
        }
        let has = |name: &str| std::fs::symlink_metadata(self.real(&format!("{path}/{name}"))).is_ok();
        if has(".git") && (!has(".git/index") || self.read_checkout(path).is_err()) {
            self.remove_checkout(path).ok();
        }
    }

    /// Removes a checkout: out of its place at once, and then entry by entry, so that no half of it can be taken for one.
    fn remove_checkout(&mut self, path: &str) -> Result<(), Problem> {
        let Some(place) = walk::find(&self.root, path, walk::Walk::Write)? else {
            return Ok(());
        };
        let broken = |error: std::io::Error| failed(format!("cannot remove {path}: {error}"));
        let (dir, staged) = (place.dir.as_fd(), write::staged_name(&place.name));
        tree::visit(dir, &place.name, tree::Mounts::Refuse, &mut |_, _, _, _| Ok(())).map_err(broken)?;
        match tree::remove(dir, &staged, &mut |_, _, _, _| Ok(())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
        let name = match rustix::fs::renameat(dir, &place.name, dir, &staged) {
            Ok(()) => &staged,
            Err(Errno::NOENT) => return Ok(()),
            // The lower directory of an overlay stays where it is.
            Err(Errno::XDEV) => &place.name,
            Err(error) => return Err(broken(error.into())),
        };
        tree::remove(dir, name, &mut |_, _, _, _| Ok(())).map_err(broken)
    }
}

fn command(path: Option<&str>, user: &str, words: &[&str]) -> Command {
    let mut argv = vec!["git"];
    if let Some(path) = path {
        argv.extend(["-C", path]);
    }
    argv.extend(words);
    let variables = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        ("GIT_OPTIONAL_LOCKS", "0"),
    ];
    Command {
        runas: (!user.is_empty()).then(|| user.to_owned()),
        env: variables
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        timeout: Some(PATIENCE),
        cwd: Some("/".to_owned()),
        ..Command::program(&argv)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Host};
    use super::*;
    use crate::system::System;
    use proto::Act;

    fn sh(host: &Host, text: &str) -> String {
        let command = Command {
            cwd: Some(host.root.display().to_string()),
            env: [
                ("HOME", "/nonexistent"),
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@b"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@b"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
            ..Command::sh(text)
        };
        host.live.must_run(&command).expect("it works")
    }

    fn done(host: &mut Host, act: Act) -> Vec<Change> {
        let acts = [act];
        let before = host.live.observe(&acts).expect("can be kept");
        host.live.perform(&acts, &before).expect("can be done").changes
    }

    #[test]
    fn half_a_checkout_is_swept_and_a_whole_one_stays() {
        let mut host = testing::here();
        sh(
            &host,
            "git init -q -b main up && cd up && echo 1 > f && git add f && git commit -qm 1 && cd .. && \
             git clone -q up whole && git clone -q up gutted && rm gutted/.git/HEAD && git clone -qn up bare && mkdir none",
        );
        for (name, stays) in [
            ("whole", true),
            ("gutted", false),
            ("bare", false),
            ("none", true),
        ] {
            let path = host.root.join(name).display().to_string();
            let wanted = Value::Checkout(Checkout::default());
            let act = Act::assign(Address::Checkout(path.clone()), wanted, Value::Absent);
            host.live.sweep(&[act]);
            assert_eq!(host.root.join(name).exists(), stays, "{name}");
        }
    }

    #[test]
    fn a_clone_moves_and_goes_again() {
        let mut host = testing::here();
        let commits = sh(
            &host,
            "git init -q -b main up && cd up && echo 1 > f && git add f && git commit -qm 1 && git rev-parse HEAD && \
             echo 2 > f && git commit -qam 2 && git rev-parse HEAD",
        );
        let commits: Vec<&str> = commits.lines().collect();
        let path = host.root.join("work").display().to_string();
        let at = Address::Checkout(path.clone());
        let wanted = |commit: &str, branch: Option<&str>| {
            Value::Checkout(Checkout {
                url: host.root.join("up").display().to_string(),
                remote: "origin".to_owned(),
                commit: commit.to_owned(),
                branch: branch.map(str::to_owned),
                ..Checkout::default()
            })
        };
        let (first, second) = (wanted(commits[0], Some("main")), wanted(commits[1], None));
        let made = done(&mut host, Act::assign(at.clone(), Value::Absent, first.clone()));
        assert_eq!(
            std::fs::read_to_string(format!("{path}/f")).expect("there"),
            "1\n"
        );
        assert_eq!(made[0].after, first);
        let moved = done(&mut host, Act::assign(at.clone(), first.clone(), second.clone()));
        assert_eq!(moved[0].after, second);
        host.write("/work/f", "mine\n");
        let dirty = host.live.read(&at).expect("readable");
        let why = host
            .live
            .observe(&[Act::assign(at.clone(), dirty, first.clone())])
            .expect_err("dirty");
        assert!(why.text.contains("local changes"), "{why}");
        host.write("/work/f", "2\n");
        done(&mut host, Act::assign(at.clone(), second, first.clone()));
        host.write("/work/new", "x");
        let why = host
            .live
            .observe(&[Act::assign(at.clone(), first.clone(), Value::Absent)])
            .expect_err("untracked");
        assert!(why.text.contains("new"), "{why}");
        sh(&host, "rm work/new");
        done(&mut host, Act::assign(at, first, Value::Absent));
        assert!(!std::path::Path::new(&path).exists());
    }
}
