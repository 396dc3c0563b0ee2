//! `file.symlink`: a symbolic link to a target.

use proto::{Act, Address, Args, Meta, Question, Value};

use super::place::{self, Above};
use crate::perms::{self, Named, Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `file.symlink`.
#[derive(Debug)]
pub struct Symlink;

static SPEC: Spec = Spec {
    state: "file",
    fun: "symlink",
    doc: "Make sure that a path is a symbolic link to a target.\n\nThe target need not exist. Something else at the path is \
          left alone unless `force` or `backupname` says what to do with it.",
    params: &[
        Param::required(
            "target",
            Kind::Text,
            "What the link points to, as it is to stand in it.",
        ),
        Param::new(
            "force",
            Kind::Flag,
            "Replace a file or directory that is in the way.",
        ),
        Param::new(
            "backupname",
            Kind::Text,
            "Move what is in the way here: a path, or a name beside the link.",
        ),
        Param::new("makedirs", Kind::Flag, "Make missing directories above the link."),
        Param::new("user", Kind::Text, "Owner of the link (default root)."),
        Param::new("group", Kind::Text, "Group of the link (default the owner's)."),
        Param::new(
            "mode",
            Kind::Mode,
            "Mode of directories made by `makedirs`; a link has none of its own.",
        ),
        Param::new(
            "inherit_user_and_group",
            Kind::Flag,
            "Keep the owner and group of a link that is there.",
        ),
        Param::new(
            "atomic",
            Kind::Flag,
            "Accepted; links are always replaced in one step.",
        ),
        Param::new("disallow_copy_and_unlink", Kind::Flag, "Accepted."),
        Param::new("follow_symlinks", Kind::Flag, "Accepted."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

/// The link's owner with the names that comments show.
struct Owner {
    perms: Perms,
    user: String,
    group: String,
}

impl State for Symlink {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let given = call.name();
        let name = place::name(call, host)?;
        let target = args.text("target").unwrap_or_default();
        host.expect([
            Question::Read(Address::Path(name.clone())),
            Question::Follow(paths::parent(&name).to_owned()),
        ]);
        let there = host.path(&name)?;
        let owner = owner(call, host, there)?;
        let (dirs, parent, note) = match place::above(host, &name)? {
            Above::Dir(meta) => (Vec::new(), meta, String::new()),
            Above::Missing(dirs, meta) if args.flag("makedirs", false) => {
                let mode = args.mode("mode")?;
                let note = format!("\n{} will be created", paths::parent(&name));
                let acts = place::make_dirs(&dirs, &owner.perms.with_mode(mode), &meta, masked(call, 0o777));
                (acts, meta, note)
            }
            _ => {
                let missing = format!("Directory {} for symlink is not present", paths::parent(&name));
                // An earlier state of the run may make the directory.
                if call.test && there.is_absent() {
                    return Ok(Plan {
                        verdict: Verdict::WouldChange,
                        changes: one("new", given),
                        comment: format!("Symlink {given} to {target} is set for creation\n{missing}"),
                        ..Plan::default()
                    });
                }
                return Err(Stop::Failed(missing));
            }
        };
        let link = Value::Link {
            to: target.clone(),
            meta: owner.perms.fresh(Some(&parent), 0o777),
        };
        let create = |mut acts: Vec<Act>, expect: Value, would: String, changes: Args| {
            acts.push(Act::assign(Address::Path(name.clone()), expect, link.clone()));
            let made = format!("Created new symlink {given} -> {target}");
            Plan::change(acts, one("new", given), made).or_would(format!("{would}{note}"), Some(changes))
        };
        match there {
            Value::Absent => {
                let would = format!("Symlink {given} to {target} is set for creation");
                Ok(create(dirs, Value::Absent, would, one("new", given)))
            }
            Value::Link { to, meta } if normal(to) == normal(&target) => {
                present(call, host, &owner, there, meta)
            }
            Value::Link { .. } => {
                let would = format!("Link {given} target is set to be changed to {target}");
                Ok(create(dirs, there.clone(), would, one("change", given)))
            }
            _ => occupied(call, host, &name, there, &target, &create),
        }
    }
}

/// The link is right; its owner may not be.
fn present(
    call: &Call<'_>,
    host: &Host<'_>,
    owner: &Owner,
    there: &Value,
    meta: &Meta,
) -> Result<Plan, Stop> {
    let given = call.name();
    let Owner { perms, user, group } = owner;
    if perms.changes(meta).is_empty() {
        return Ok(Plan::met(if call.test {
            format!("The symlink {given} is present")
        } else {
            format!("Symlink {given} is present and owned by {user}:{group}")
        }));
    }
    let mut to = there.clone();
    if let Value::Link { meta, .. } = &mut to {
        *meta = perms.onto(meta);
    }
    let now = format!(
        "{}:{}",
        perms::user_name(host, meta.uid)?,
        perms::group_name(host, meta.gid)?
    );
    let would = format!(
        "The symlink {given} is present, but the ownership of the symlink would be changed from {now} to {user}:{group}"
    );
    let name = place::name(call, host)?;
    let act = Act::assign(Address::Path(name), there.clone(), to);
    let comment = format!("Set ownership of symlink {given} to {user}:{group}");
    Ok(
        Plan::change(vec![act], one("ownership", format!("{user}:{group}")), comment)
            .or_would(would, Some(one("ownership", now))),
    )
}

/// Something that is no link is there.
fn occupied(
    call: &Call<'_>,
    host: &Host<'_>,
    name: &str,
    there: &Value,
    target: &str,
    create: &dyn Fn(Vec<Act>, Value, String, Args) -> Plan,
) -> Result<Plan, Stop> {
    let args = call.args();
    let given = call.name();
    let force = args.flag("force", false);
    let would = format!(
        "The file or directory {given} is set for removal to make way for a new symlink targeting {target}"
    );
    if call.test && !force {
        return Err(Stop::Failed(format!(
            "File or directory exists where the symlink {given} should be. Did you mean to use force?"
        )));
    }
    if let Some(backup) = args.text("backupname") {
        let backup = if !backup.contains('/') {
            paths::join(paths::parent(name), &backup)
        } else {
            paths::clean(&backup).ok_or_else(|| {
                Stop::Failed(format!(
                    "Backupname must be an absolute path or a file name: {backup}"
                ))
            })?
        };
        let at_backup = host.path(&backup)?;
        let above = paths::parent(&backup);
        if !matches!(host.follow(above)?, Value::Dir { .. }) {
            return Err(Stop::Failed(format!(
                "Unable to rename {given} to backup {backup} -> : Unable to move '{name}' to '{backup}': [Errno 2] No such file or directory: '{backup}'"
            )));
        }
        if !at_backup.is_absent() && !force {
            return Err(Stop::Failed(format!(
                "Symlink & backup dest exists and Force not set. {given} -> {target} - backup: {backup}"
            )));
        }
        let mut acts = place::remove(&backup, at_backup);
        acts.extend(place::rename(host, name, there, &backup)?);
        return Ok(create(acts, Value::Absent, would, Args::new()));
    }
    if !force {
        let what = match there {
            Value::File { .. } => "File",
            Value::Dir { .. } => "Directory",
            _ => "File system entry",
        };
        return Err(Stop::Failed(format!(
            "{what} exists where the symlink {given} should be"
        )));
    }
    if matches!(there, Value::Dir { .. }) {
        let acts = place::remove(name, there);
        return Ok(create(acts, Value::Absent, would, Args::new()));
    }
    Ok(create(Vec::new(), there.clone(), would, Args::new()))
}

/// The owner asked for, root where none is; the group by default that of the owner.
fn owner(call: &Call<'_>, host: &Host<'_>, there: &Value) -> Result<Owner, Stop> {
    let args = call.args();
    let kept = match there {
        Value::Link { meta, .. } if args.flag("inherit_user_and_group", false) => Some(meta),
        _ => None,
    };
    let mut missing = Vec::new();
    let user = match (args.text("user"), kept) {
        (Some(user), _) => user,
        (None, Some(meta)) => perms::user_name(host, meta.uid)?,
        (None, None) => "root".to_owned(),
    };
    let uid = if user == "root" {
        Some(0)
    } else {
        perms::uid(host, &user)?
    };
    if uid.is_none() {
        missing.push(format!("User {user} does not exist"));
    }
    let (group, gid) = match (args.text("group"), kept) {
        (Some(group), _) => {
            let gid = perms::gid(host, &group)?;
            if gid.is_none() {
                missing.push(format!("Group {group} does not exist"));
            }
            (group, gid)
        }
        (None, Some(meta)) => (perms::group_name(host, meta.gid)?, Some(meta.gid)),
        (None, None) => {
            let gid = if user == "root" {
                0
            } else {
                host.user(&user)?.and_then(|account| account.gid).unwrap_or(0)
            };
            (perms::group_name(host, gid)?, Some(gid))
        }
    };
    match (uid, gid, missing.as_slice()) {
        (Some(uid), Some(gid), []) => {
            let named = |given: &str, id| {
                Some(Named {
                    given: given.into(),
                    id,
                })
            };
            Ok(Owner {
                perms: Perms {
                    user: named(&user, uid),
                    group: named(&group, gid),
                    mode: None,
                },
                user,
                group,
            })
        }
        (_, _, [one]) => Err(Stop::Failed(one.clone())),
        (_, _, several) => Err(Stop::Failed(format!("{}.", several.join(". ")))),
    }
}

/// A target without what does not change its meaning.
fn normal(target: &str) -> String {
    paths::clean(target).unwrap_or_else(|| {
        let text = target.trim_end_matches('/');
        text.strip_prefix("./").unwrap_or(text).to_owned()
    })
}
