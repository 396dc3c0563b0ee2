//! `git.latest` where there is a work tree already: what moves, and what must not be lost.

use proto::{Act, Args, Checkout, Command, Value};

use super::latest::{Reset, Wish, sentences};
use super::remote::{Refs, Rev};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Plan, Stop};

/// Brings a commit into a repository and tells by its exit status whether another one leads to it.
const FETCH_AND_COMPARE: &str = "git -C \"$1\" fetch -q --no-tags --no-write-fetch-head -- \"$2\" \"$3\" || exit 2; git -C \"$1\" merge-base --is-ancestor \"$4\" \"$3\"";

/// A work tree is there.
pub(super) fn update(
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

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.flat_map(char::to_lowercase))
            .collect()
    })
}
