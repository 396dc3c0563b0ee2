//! `git.latest`: a work tree stands where a remote repository does.

use std::collections::BTreeMap;

use proto::{Act, Address, Checkout, Command, Question, Value};

use super::remote::{Refs, Rev};
use super::update::update;
use crate::file::place;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `git.latest`.
#[derive(Debug)]
pub struct Latest;

static SPEC: Spec = Spec {
    state: "git",
    fun: "latest",
    doc: "Make sure that a directory is a work tree of a repository and stands at a revision of its remote.\n\nThe name is the \
          URL. Local commits and changes are kept, and the state fails, unless `force_reset` is set.",
    params: &[
        Param::required("target", Kind::Text, "Absolute path of the work tree."),
        Param::new(
            "rev",
            Kind::Text,
            "Branch, tag or commit of the remote (default: its HEAD).",
        ),
        Param::new(
            "branch",
            Kind::Text,
            "Name of the local branch; without it the one that is checked out.",
        ),
        Param::new("user", Kind::Text, "Run git as this user."),
        Param::new("remote", Kind::Text, "Name of the remote (default `origin`)."),
        Param::new(
            "depth",
            Kind::Number,
            "Clone so many commits only; `rev` must be a branch or tag.",
        ),
        Param::new(
            "force_reset",
            Kind::Any,
            "Throw away local commits and changes; `remote-changes`: only when the remote has moved.",
        ),
        Param::new(
            "force_clone",
            Kind::Flag,
            "Remove what is in a directory that is no work tree.",
        ),
        Param::new(
            "force_checkout",
            Kind::Flag,
            "Throw away local changes to change branches.",
        ),
        Param::new("force_fetch", Kind::Flag, "Accepted."),
        Param::new(
            "update_head",
            Kind::Flag,
            "Move a work tree that is there (default true).",
        ),
        Param::new("submodules", Kind::Flag, "Check out submodules too."),
        Param::new(
            "identity",
            Kind::List,
            "Private key for ssh, an absolute path on the host.",
        ),
        Param::new("fetch_tags", Kind::Flag, "Accepted."),
        Param::new("sync_tags", Kind::Flag, "Accepted."),
        Param::new("refspec_branch", Kind::Text, "Accepted."),
        Param::new("refspec_tag", Kind::Text, "Accepted."),
        Param::new(
            "https_user",
            Kind::Text,
            "Not supported: a credential helper of the host keeps passwords.",
        ),
        Param::new("https_pass", Kind::Text, "Not supported."),
        Param::new("bare", Kind::Flag, "Not supported."),
        Param::new("mirror", Kind::Flag, "Not supported."),
        Param::new("password", Kind::Text, "Accepted; of use on Windows only."),
        Param::new("output_encoding", Kind::Text, "Accepted."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

/// The arguments, read.
pub(super) struct Wish<'a> {
    pub(super) url: &'a str,
    pub(super) target: String,
    pub(super) rev: String,
    pub(super) branch: Option<String>,
    pub(super) user: String,
    pub(super) remote: String,
    pub(super) reset: Reset,
}

/// `force_reset`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    Never,
    RemoteChanges,
    Always,
}

impl State for Latest {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let mut wish = Wish::read(call)?;
        let ls_remote = wish.git(call, &["ls-remote", "--", wish.url]);
        host.expect([
            Question::Command(ls_remote.clone()),
            Question::Read(Address::Checkout(wish.target.clone())),
            Question::Follow(wish.target.clone()),
        ]);
        let refs = match Refs::read(host, ls_remote)? {
            Some(refs) => refs,
            // An earlier state of the plan may bring git itself.
            None if call.test => return Ok(unknown(&wish)),
            None => return Err(Stop::failed("git is not installed, or cannot be run")),
        };
        let rev = refs.find(&wish.rev, &wish.remote).ok_or_else(|| {
            Stop::Failed(format!(
                "No revision matching '{}' exists in the remote repository",
                wish.rev
            ))
        })?;
        let depth = args
            .number("depth")?
            .and_then(|depth| u32::try_from(depth).ok())
            .unwrap_or(0);
        if depth > 0 && !rev.named {
            return Err(Stop::failed(
                "When 'depth' is used, 'rev' must be set to the name of a branch or tag on the remote repository",
            ));
        }
        let to = Checkout {
            url: wish.url.to_owned(),
            remote: wish.remote.clone(),
            commit: rev.commit.clone(),
            branch: wish
                .branch
                .clone()
                .or_else(|| refs.default_branch().map(str::to_owned)),
            dirty: false,
            user: wish.user.clone(),
            depth,
            force: wish.reset == Reset::Always,
            submodules: args.flag("submodules", false),
            identity: args.texts("identity"),
        };
        match host.read(Address::Checkout(wish.target.clone()))? {
            Value::Checkout(now) => {
                // Who owns the work tree works in it.
                if wish.user.is_empty() {
                    wish.user.clone_from(&now.user);
                }
                update(call, host, &wish, &refs, &rev, now, to)
            }
            _ => clone(call, host, &wish, &refs, &rev, to),
        }
    }
}

impl<'a> Wish<'a> {
    fn read(call: &Call<'a>) -> Result<Self, Stop> {
        let args = call.args();
        for key in ["https_user", "https_pass", "bare", "mirror"] {
            if args.any(key).is_some_and(crate::args::truth) {
                return Err(Stop::Failed(format!("`{key}` of git.latest is not supported")));
            }
        }
        let url = call.name();
        if url.starts_with('-') || url.is_empty() {
            return Err(Stop::Failed(format!("'{url}' is no URL of a repository")));
        }
        let target = args.text("target").unwrap_or_default();
        let target = paths::clean(&target)
            .ok_or_else(|| Stop::Failed(format!("target '{target}' is not an absolute path")))?;
        if let Some(bad) = args.texts("identity").iter().find(|path| !path.starts_with('/')) {
            return Err(Stop::Failed(format!("identity '{bad}' is not an absolute path")));
        }
        let reset = match args.text("force_reset").as_deref() {
            None | Some("False") => Reset::Never,
            Some("True") => Reset::Always,
            Some("remote-changes") => Reset::RemoteChanges,
            Some(_) => {
                return Err(Stop::failed(
                    "'force_reset' must be one of True, False, or 'remote-changes'",
                ));
            }
        };
        Ok(Self {
            url,
            target,
            rev: args.text("rev").unwrap_or_else(|| "HEAD".to_owned()),
            branch: args.text("branch"),
            user: args.text("user").unwrap_or_default(),
            remote: args.text("remote").unwrap_or_else(|| "origin".to_owned()),
            reset,
        })
    }

    /// A git command as the state's user, never asking anything.
    pub(super) fn git(&self, call: &Call<'_>, words: &[&str]) -> Command {
        let mut env = BTreeMap::from([("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned())]);
        let keys: Vec<String> = call
            .args()
            .texts("identity")
            .iter()
            .map(|path| format!("-i '{path}'"))
            .collect();
        if !keys.is_empty() {
            let ssh = format!("ssh -o BatchMode=yes -o IdentitiesOnly=yes {}", keys.join(" "));
            env.insert("GIT_SSH_COMMAND".to_owned(), ssh);
        }
        Command {
            env,
            runas: (!self.user.is_empty()).then(|| self.user.clone()),
            timeout: Some(120),
            ..Command::program(&[&["git"], words].concat())
        }
    }

    pub(super) fn at(&self) -> Address {
        Address::Checkout(self.target.clone())
    }
}

/// What a plan says on a host that has no git yet.
fn unknown(wish: &Wish<'_>) -> Plan {
    Plan {
        verdict: Verdict::WouldChange,
        changes: one("new", format!("{} => {}", wish.url, wish.target)),
        comment: format!("Repository {} would be cloned to {}", wish.url, wish.target),
        ..Plan::default()
    }
}

/// There is no work tree yet.
fn clone(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    refs: &Refs,
    rev: &Rev,
    to: Checkout,
) -> Result<Plan, Stop> {
    let target = &wish.target;
    let arrow = format!("{} => {target}", wish.url);
    let mut changes = one("new", arrow.as_str());
    let mut would = format!("Repository {} would be cloned to {target}", wish.url);
    let mut acts = Vec::new();
    match host.follow(target)? {
        Value::Absent => {}
        Value::Dir { .. } => {
            let empty = host.list(target)?.is_none_or(<[_]>::is_empty);
            if !empty && !call.args().flag("force_clone", false) {
                return Err(Stop::Failed(format!(
                    "Target '{target}' exists, is non-empty and is not a git repository. Set the 'force_clone' option to True to remove this directory's contents and proceed with cloning the remote repository"
                )));
            }
            if !empty {
                would = format!(
                    "Target directory {target} exists. Since force_clone=True, the contents of {target} would be deleted, and {} would be cloned into this directory.",
                    wish.url
                );
                changes.insert("forced clone".to_owned(), true.into());
                for (below, value) in host.list(target)?.unwrap_or_default() {
                    if !below.contains('/') {
                        acts.extend(place::remove(&paths::join(target, below), value));
                    }
                }
            }
        }
        _ => {
            return Err(Stop::Failed(format!(
                "Target '{target}' exists and is a regular file, cannot proceed"
            )));
        }
    }
    let mut comments = vec![format!("{} cloned to {target}", wish.url)];
    if let Some(branch) = &wish.branch
        && refs.default_branch() != Some(branch)
    {
        comments.push(format!(
            "Branch '{branch}' checked out, with {} as a starting point",
            rev.shown
        ));
    }
    let would_changes = changes.clone();
    let mut revision = one("old", serde_json::Value::Null);
    revision.insert("new".to_owned(), rev.commit.clone().into());
    changes.insert("revision".to_owned(), revision.into());
    acts.push(Act::assign(wish.at(), Value::Absent, Value::Checkout(to)));
    Ok(Plan::change(acts, changes, sentences(&comments)).or_would(would, Some(would_changes)))
}

/// Sentences as Salt joins them: the last full stop only where there are several.
pub(super) fn sentences(all: &[String]) -> String {
    let text = all.join(". ");
    if all.len() > 1 { format!("{text}.") } else { text }
}
