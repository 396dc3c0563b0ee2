//! `file.copy`: a file or directory of the host is copied.

use proto::{Act, Address, Answer, Args, Meta, Question, Value};

use super::place::{self, Above};
use super::put::with_x;
use crate::perms::{self, Named, Perms, masked, octal};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `file.copy`.
#[derive(Debug)]
pub struct Copy;

static SPEC: Spec = Spec {
    state: "file",
    fun: "copy",
    doc: "Copy a file or directory of the host to another place of it, once.\n\nWhat is already at the place is left alone \
          unless `force` is set, even if it differs: to keep two files the same use `file.managed` with the path as source.",
    params: &[
        Param::required("source", Kind::Text, "Absolute path of what is copied."),
        Param::new("force", Kind::Flag, "Replace what is there, every time."),
        Param::new("makedirs", Kind::Flag, "Make missing directories above it."),
        Param::new("preserve", Kind::Flag, "Take over owner and group too."),
        Param::new("user", Kind::Text, "Owner of the copy (default root)."),
        Param::new("group", Kind::Text, "Group of the copy (default the owner's)."),
        Param::new(
            "mode",
            Kind::Mode,
            "Mode of the copy (default that of the source).",
        ),
        Param::new(
            "dir_mode",
            Kind::Mode,
            "Mode of directories made by `makedirs`; without it `mode` plus x.",
        ),
        Param::new("subdir", Kind::Flag, "Copy into the directory that is there."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Copy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let mut name = place::name(call, host)?;
        let mut given = call.name().to_owned();
        let source = paths::expand(host, &args.text("source").unwrap_or_default())?;
        let missing = || Stop::Failed(format!("Source file \"{source}\" is not present"));
        let from = paths::clean(&source).ok_or_else(missing)?;
        host.expect([
            Question::Follow(from.clone()),
            Question::Read(Address::Path(name.clone())),
        ]);
        let original = host.follow(&from)?;
        let Some(meta) = original.meta() else {
            return Err(missing());
        };
        let perms = perms(call, host, meta)?;
        if args.flag("subdir", false) && matches!(host.follow(&name)?, Value::Dir { .. }) {
            name = paths::join(&name, paths::base(&from));
            given = paths::join(&given, paths::base(&from));
        }
        let there = host.path(&name)?;
        let mut comment = format!("Copied \"{source}\" to \"{given}\"");
        if !there.is_absent() && !args.flag("force", false) {
            return Ok(Plan::met(format!(
                "The target file \"{given}\" exists and will not be overwritten"
            )));
        }
        let would = format!("File \"{source}\" is set to be copied to \"{given}\"");
        let (dirs, parent) = match place::above(host, &name)? {
            Above::Dir(meta) => (Vec::new(), meta),
            Above::Missing(dirs, meta) if args.flag("makedirs", false) => {
                let mode = args.mode("dir_mode")?.or(perms.mode.map(with_x));
                let acts = place::make_dirs(&dirs, &perms.with_mode(mode), &meta, masked(call, 0o777));
                (acts, meta)
            }
            _ if call.test => {
                return Ok(Plan {
                    verdict: Verdict::WouldChange,
                    comment: would,
                    ..Plan::default()
                });
            }
            _ => {
                return Err(Stop::Failed(format!(
                    "The target directory {} is not present",
                    paths::parent(&name)
                )));
            }
        };
        let mut changes = one(given.as_str(), source.as_str());
        changes.extend(told(args, &perms, meta));
        let mut acts = dirs;
        match original {
            Value::File { content, size, .. } => {
                if matches!(there, Value::File { content: old, .. } if old == content) {
                    comment.push_str(" - files are identical but force flag is set");
                }
                let to = Value::File {
                    content: *content,
                    size: *size,
                    meta: perms.fresh(Some(&parent), meta.mode),
                };
                if !there.same(&to) {
                    stored(call, host, &from, original)?;
                    acts.push(Act::assign(Address::Path(name), there.clone(), to));
                }
            }
            Value::Dir { .. } => acts.extend(tree(call, host, &from, &name, there, &perms, meta)?),
            _ => {
                return Err(Stop::Failed(format!(
                    "Failed to copy \"{source}\" to \"{given}\""
                )));
            }
        }
        Ok(Plan {
            acts,
            changes,
            comment,
            would: Some(Args::new()),
            would_comment: Some(would),
            // Salt copies every time it is told to by `force`; that nothing differs does not keep it from saying so.
            verdict: Verdict::WouldChange,
            ..Plan::default()
        })
    }
}

/// Acts for a directory and all below it, links as links.
fn tree(
    call: &Call<'_>,
    host: &Host<'_>,
    from: &str,
    name: &str,
    there: &Value,
    perms: &Perms,
    meta: &Meta,
) -> Result<Vec<Act>, Stop> {
    let top = Value::Dir {
        meta: perms.onto(&bare(meta)),
    };
    let entries = host.list(from)?.unwrap_or_default();
    let files = entries
        .iter()
        .filter(|(_, value)| matches!(value, Value::File { .. }));
    if !call.test {
        host.expect(files.clone().map(|(below, _)| fetch(&paths::join(from, below))));
    }
    let mut acts = place::remove(name, there);
    acts.push(Act::assign(Address::Path(name.to_owned()), Value::Absent, top));
    let owner = perms.with_mode(None);
    for (below, value) in entries {
        stored(call, host, &paths::join(from, below), value)?;
        let mut to = value.clone();
        match &mut to {
            Value::File { meta, .. } | Value::Dir { meta } | Value::Link { meta, .. } => {
                *meta = owner.onto(&bare(meta));
            }
            _ => continue,
        }
        acts.push(Act::assign(
            Address::Path(paths::join(name, below)),
            Value::Absent,
            to,
        ));
    }
    Ok(acts)
}

/// Mode and owner only: labels and times are the new file's own.
fn bare(meta: &Meta) -> Meta {
    Meta {
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
        ..Meta::default()
    }
}

fn fetch(path: &str) -> Question {
    Question::Fetch {
        url: path.to_owned(),
        hash: None,
    }
}

/// Makes sure a file's bytes are in the object store.
fn stored(call: &Call<'_>, host: &Host<'_>, path: &str, value: &Value) -> Result<(), Stop> {
    let Value::File { content, .. } = value else {
        return Ok(());
    };
    // In a plan the file may be one that an earlier state of it makes.
    if call.test {
        return Ok(());
    }
    match host.ask(fetch(path))? {
        Answer::Blob { digest, .. } if digest == content => Ok(()),
        _ => Err(Stop::failed(format!("{path} changed while it was read"))),
    }
}

/// Who shall own the copy, and its mode.
fn perms(call: &Call<'_>, host: &Host<'_>, source: &Meta) -> Result<Perms, Stop> {
    let args = call.args();
    let named = |given: serde_json::Value, id| Some(Named { given, id });
    if args.flag("preserve", false) {
        return Ok(Perms {
            user: named(source.uid.into(), source.uid),
            group: named(source.gid.into(), source.gid),
            mode: Some(source.mode),
        });
    }
    let mut perms = Perms::owner(call, host)?;
    if perms.group.is_none() {
        let gid = match (&perms.user, args.text("user")) {
            (Some(_), Some(user)) if user.parse::<u32>().is_err() => {
                host.user(&user)?.and_then(|account| account.gid).unwrap_or(0)
            }
            _ => 0,
        };
        let shown = if gid == 0 {
            "root".to_owned()
        } else {
            perms::group_name(host, gid)?
        };
        perms.group = named(shown.into(), gid);
    }
    if perms.user.is_none() {
        perms.user = named("root".into(), 0);
    }
    Ok(perms.with_mode(Some(args.mode("mode")?.unwrap_or(source.mode))))
}

/// What Salt tells beside the copy itself: attributes that differ from those of a plain copy by root.
fn told(args: &Args, perms: &Perms, source: &Meta) -> Args {
    if args.flag("preserve", false) {
        return Args::new();
    }
    let mut changes = perms.changes(&Meta {
        mode: source.mode,
        ..Meta::default()
    });
    if let Some(mode) = perms.mode.filter(|mode| *mode != source.mode) {
        changes.insert("mode".to_owned(), octal(mode).into());
    }
    changes
}
