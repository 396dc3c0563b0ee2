//! `git.latest`: a work tree stands where a remote repository does.

use std::collections::BTreeMap;

use proto::{Act, Address, Args, Checkout, Command, Question, Value};

use super::remote::{Refs, Rev};
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

/// Brings a commit into a repository and tells by its exit status whether another one leads to it.
const FETCH_AND_COMPARE: &str = "git -C \"$1\" fetch -q --no-tags --no-write-fetch-head -- \"$2\" \"$3\" || exit 2; git -C \"$1\" merge-base --is-ancestor \"$4\" \"$3\"";

/// The arguments, read.
struct Wish<'a> {
    url: &'a str,
    target: String,
    rev: String,
    branch: Option<String>,
    user: String,
    remote: String,
    reset: Reset,
}

/// `force_reset`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reset {
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
    fn git(&self, call: &Call<'_>, words: &[&str]) -> Command {
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

    fn at(&self) -> Address {
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

/// A work tree is there.
fn update(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    refs: &Refs,
    rev: &Rev,
    now: &Checkout,
    mut to: Checkout,
) -> Result<Plan, Stop> {
    let target = &wish.target;
    let short = |commit: &str| commit.chars().take(7).collect::<String>();
    to.user.clone_from(&wish.user);
    to.branch = wish.branch.clone().or_else(|| now.branch.clone());
    to.depth = 0;
    let revs_match = now.commit.starts_with(&rev.commit);
    if revs_match {
        to.commit.clone_from(&now.commit);
    }
    let new_branch = to.branch != now.branch;
    if now.dirty && revs_match && wish.reset != Reset::Always {
        return Ok(Plan::met(format!(
            "Repository {target} is up-to-date, but with uncommitted changes. Set 'force_reset' to True to purge uncommitted changes."
        )));
    }
    let new_url = now.url != wish.url || now.remote != wish.remote;
    if !new_url && revs_match && !now.dirty && !new_branch {
        return Ok(Plan::met(format!("Repository {target} is up-to-date")));
    }
    if !revs_match && !call.args().flag("update_head", true) && !new_branch {
        let shown = if wish.rev == "HEAD" {
            capital(&rev.shown)
        } else {
            rev.shown.clone()
        };
        return Ok(Plan::met(format!(
            "{shown} is already present and local HEAD ({}) does not match, but update_head=False. HEAD has not been updated locally.",
            short(&now.commit)
        )));
    }
    // What moves is the branch that is wanted, wherever it stands now; a new one has nothing to lose.
    let base = if new_branch {
        local_branch(call, host, wish, &to)?
    } else {
        Some(now.commit.clone())
    };
    let forward = match &base {
        None => Some(true),
        Some(base) if base.starts_with(&rev.commit) => Some(true),
        Some(base) => is_forward(call, host, wish, base, &rev.commit)?,
    };
    let discards = now.dirty && wish.reset != Reset::RemoteChanges;
    if wish.reset == Reset::Never && (forward == Some(false) || (now.dirty && !new_branch)) {
        return Err(Stop::Failed(not_forward(wish, refs, rev, now)));
    }
    if new_branch && now.dirty && !call.args().flag("force_checkout", false) && wish.reset == Reset::Never {
        return Err(Stop::Failed(format!(
            "Local branch '{}' has uncommitted changes. Set 'force_checkout' to True to discard them and proceed.",
            now.branch.as_deref().unwrap_or("None")
        )));
    }
    to.force = wish.reset != Reset::Never || call.args().flag("force_checkout", false);
    let reset = forward == Some(false) || discards;
    let mut changes = Args::new();
    let (mut did, mut would) = (Vec::new(), Vec::new());
    if new_url {
        did.push(format!(
            "Remote '{}' changed from {} to {}",
            wish.remote, now.url, wish.url
        ));
        would.push(format!(
            "Remote '{}' would be changed from {} to {}",
            wish.remote, now.url, wish.url
        ));
    }
    if new_branch && let Some(branch) = &to.branch {
        did.push(format!(
            "New branch '{branch}' was checked out, with {} as a starting point",
            rev.shown
        ));
        would.push(format!(
            "New branch '{branch}' would be checked out, with {} as a starting point",
            rev.shown
        ));
    }
    if now.dirty {
        did.push("Uncommitted changes were discarded".to_owned());
    }
    if !revs_match {
        let mut revision = one("old", now.commit.as_str());
        revision.insert("new".to_owned(), rev.commit.clone().into());
        changes.insert("revision".to_owned(), revision.into());
    }
    if reset {
        changes.insert("forced update".to_owned(), true.into());
        did.push(format!("Repository was hard-reset to {}", rev.shown));
    } else if !revs_match {
        did.push(format!("Repository was fast-forwarded to {}", rev.shown));
    }
    if !revs_match {
        let action = match forward {
            Some(true) => "fast-forwarded",
            Some(false) => "hard-reset",
            None => "updated",
        };
        would.push(format!(
            "Repository would be {action} from {} to {}",
            short(&now.commit),
            short(&rev.commit)
        ));
    }
    if now.dirty && revs_match {
        would = vec![format!(
            "{target} is up-to-date, but with uncommitted changes. Since 'force_reset' is set to True, these local changes would be reset. To only reset when there are changes in the remote repository, set 'force_reset' to 'remote-changes'."
        )];
    }
    if changes.is_empty() {
        changes = one("new", format!("{} => {}", wish.url, wish.remote));
    }
    let act = Act::assign(wish.at(), Value::Checkout(now.clone()), Value::Checkout(to));
    Ok(Plan::change(vec![act], changes, sentences(&did)).or_would(sentences(&would), None))
}

/// Where the wanted branch stands in the work tree; `None` when it has no such branch.
fn local_branch(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    to: &Checkout,
) -> Result<Option<String>, Stop> {
    let Some(branch) = &to.branch else {
        return Ok(None);
    };
    let name = format!("refs/heads/{branch}^{{commit}}");
    let command = wish.git(call, &["-C", &wish.target, "rev-parse", "--verify", "-q", &name]);
    let output = host.command(command)?;
    Ok((output.code == 0).then(|| output.stdout.trim().to_owned()))
}

/// Whether the work tree's commit leads to the remote's; `None` when the remote's is not there yet.
fn is_forward(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    now: &str,
    remote: &str,
) -> Result<Option<bool>, Stop> {
    let command = wish.git(
        call,
        &["-C", &wish.target, "merge-base", "--is-ancestor", now, remote],
    );
    // 0: it does, 1: it does not, anything else: that commit is not known here.
    match host.command(command)?.code {
        0 => return Ok(Some(true)),
        1 => return Ok(Some(false)),
        _ if call.test || wish.reset != Reset::Never => return Ok(None),
        _ => {}
    }
    // Local commits must not be lost, so the remote's has to be here to be compared with: fetching adds objects only.
    let words = ["sh", &wish.target, wish.url, remote, now];
    let fetch = Command {
        argv: [&["/bin/sh", "-c", FETCH_AND_COMPARE], &words[..]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        timeout: Some(1800),
        ..wish.git(call, &[])
    };
    let output = host.command(fetch)?;
    match output.code {
        0 => Ok(Some(true)),
        1 => Ok(Some(false)),
        _ => Err(Stop::Failed(format!("Fetch failed: {}", output.stderr))),
    }
}

/// Salt's words for local commits or changes that are in the way.
fn not_forward(wish: &Wish<'_>, refs: &Refs, rev: &Rev, now: &Checkout) -> String {
    let short = |commit: &str| commit.chars().take(7).collect::<String>();
    let (pre, post) = (short(&now.commit), short(&rev.commit));
    let from = if now.dirty && pre != post {
        format!("from {pre} to {post}")
    } else {
        format!("to {post}")
    };
    let (why, or, and) = if now.dirty {
        (
            "there are uncommitted changes",
            " (or 'remote-changes')",
            " and discard these changes",
        )
    } else {
        ("this is not a fast-forward merge", "", "")
    };
    let local = now.branch.as_deref().unwrap_or("None");
    let hint = match (&wish.branch, wish.rev.as_str()) {
        (None, "HEAD") => refs.default_branch().filter(|default| *default != local).map(|default| {
            format!(
                " The default remote branch ({default}) differs from the local branch ({local}). This could be caused by changing the default remote branch, or if the local branch was manually changed. Rather than forcing an update, it may be advisable to set the 'branch' argument to '{default}' instead. To ensure that this state follows the '{default}' branch instead of the remote HEAD, set the 'rev' argument to '{default}'."
            )
        }),
        (None, rev) if rev != local => Some(format!(
            " The desired rev ({rev}) differs from the name of the local branch ({local}), if the desired rev is a branch name then a forced update could possibly be avoided by setting the 'branch' argument to '{rev}' instead."
        )),
        _ => None,
    };
    format!(
        "Repository would be updated {from}, but {why}. Set 'force_reset' to True{or} to force this update{and}.{}",
        hint.unwrap_or_default()
    )
}

/// Sentences as Salt joins them: the last full stop only where there are several.
fn sentences(all: &[String]) -> String {
    let text = all.join(". ");
    if all.len() > 1 { format!("{text}.") } else { text }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.flat_map(char::to_lowercase))
            .collect()
    })
}
