//! `file.directory`: a directory with given attributes, also of what is in it, and nothing else in it.

use std::collections::BTreeSet;

use proto::{Act, Address, Args, Gather, Meta, Question, Value, arrange};

use super::clean;
use super::place::{self, Above};
use crate::perms::{Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `file.directory`.
#[derive(Debug)]
pub struct Directory;

static SPEC: Spec = Spec {
    state: "file",
    fun: "directory",
    doc: "Make sure that a directory exists and has an owner, group and mode.\n\nWith `recurse` the same goes for what is \
          in it; with `clean` everything in it goes that no required file state manages.",
    params: &[
        Param::new("user", Kind::Text, "Owner, by name or number."),
        Param::new("group", Kind::Text, "Group, by name or number."),
        Param::new("mode", Kind::Mode, "The same as `dir_mode`."),
        Param::new(
            "dir_mode",
            Kind::Mode,
            "Mode of the directory, and of those in it with `recurse: [mode]`.",
        ),
        Param::new(
            "file_mode",
            Kind::Mode,
            "Mode of the files in it with `recurse: [mode]`; without it `dir_mode`.",
        ),
        Param::new("makedirs", Kind::Flag, "Make missing directories above it."),
        Param::new(
            "recurse",
            Kind::List,
            "What is also managed below it: `user`, `group`, `mode`; `ignore_files`, `ignore_dirs` and `silent` restrict it.",
        ),
        Param::new("max_depth", Kind::Number, "How many levels `recurse` goes down."),
        Param::new(
            "clean",
            Kind::Flag,
            "Remove what no file state manages that this one requires, or that requires this one.",
        ),
        Param::new(
            "exclude_pat",
            Kind::List,
            "What `clean` leaves, with the directories above it: shell patterns on the relative path, or `E@` and a regular expression.",
        ),
        Param::new("force", Kind::Flag, "Replace a file or link that is in the way."),
        Param::new("backupname", Kind::Text, "Move a file that is in the way here."),
        Param::new(
            "allow_symlink",
            Kind::Flag,
            "A link to a directory will do (default true).",
        ),
        Param::new(
            "follow_symlinks",
            Kind::Flag,
            "Manage the attributes of what a link leads to. Links below the directory are left alone then.",
        ),
        Param::new(
            "children_only",
            Kind::Flag,
            "Manage what is in the directory, not the directory.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

/// The arguments, read.
struct Wish<'a> {
    given: &'a str,
    name: String,
    dir: Perms,
    file: Perms,
    recurse: Option<BTreeSet<String>>,
    max_depth: Option<i64>,
    follow: bool,
}

impl State for Directory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let wish = Wish::read(call, host)?;
        let there = host.path(&wish.name)?;
        let leads_to = match there {
            Value::Link { .. } => host.follow(&wish.name)?,
            other => other,
        };
        let args = call.args();
        let is_link = matches!(there, Value::Link { .. });
        let in_the_way = matches!(leads_to, Value::File { .. } | Value::Special { .. })
            || (is_link && (!args.flag("allow_symlink", true) || args.flag("force", false)))
            || (is_link && leads_to.is_absent());
        if in_the_way {
            return make_way(call, host, &wish, there);
        }
        if there.is_absent() {
            return create(call, host, &wish, Vec::new(), Value::Absent, Args::new());
        }
        adjust(call, host, &wish, there, leads_to)
    }
}

impl<'a> Wish<'a> {
    fn read(call: &Call<'a>, host: &Host<'_>) -> Result<Self, Stop> {
        let args = call.args();
        let name = place::name(call, host)?;
        let max_depth = args.number("max_depth")?;
        if max_depth.is_some() && args.flag("clean", false) {
            return Err(Stop::failed("Cannot specify both max_depth and clean"));
        }
        let recurse = recurse_set(args)?;
        host.expect([Question::Read(Address::Path(name.clone()))]);
        if recurse.is_some() || args.flag("clean", false) {
            host.expect([Question::List(name.clone())]);
        }
        let owner = Perms::owner(call, host)?;
        let dir_mode = match args.mode("dir_mode")? {
            Some(mode) => Some(mode),
            None => args.mode("mode")?,
        };
        let file_mode = args.mode("file_mode")?.or(dir_mode);
        let given = call.name();
        Ok(Self {
            given: if given.len() > 1 {
                given.trim_end_matches('/')
            } else {
                given
            },
            name,
            dir: owner.with_mode(dir_mode),
            file: owner.with_mode(file_mode),
            recurse,
            max_depth,
            follow: args.flag("follow_symlinks", false),
        })
    }

    /// The attributes `recurse` hands down.
    fn below(&self, perms: &Perms) -> Perms {
        let set = |what: &str| self.recurse.as_ref().is_some_and(|set| set.contains(what));
        Perms {
            user: perms.user.clone().filter(|_| set("user")),
            group: perms.group.clone().filter(|_| set("group")),
            mode: perms.mode.filter(|_| set("mode")),
        }
    }
}

/// Something that is no directory is there.
fn make_way(call: &Call<'_>, host: &Host<'_>, wish: &Wish<'_>, there: &Value) -> Result<Plan, Stop> {
    let args = call.args();
    let given = wish.given;
    let force = args.flag("force", false);
    let is_file = matches!(host.follow(&wish.name)?, Value::File { .. });
    if let Some(backup) = args.text("backupname") {
        let backup = paths::clean(&backup)
            .ok_or_else(|| Stop::Failed(format!("Specified file {backup} is not an absolute path")))?;
        let at_backup = host.path(&backup)?;
        if !at_backup.is_absent() && !force {
            return Err(Stop::Failed(format!(
                "File exists where the backup target {backup} should go"
            )));
        }
        if !matches!(host.follow(paths::parent(&backup))?, Value::Dir { .. }) {
            return Err(Stop::Failed(format!(
                "Unable to move {given} to {backup}: its directory does not exist"
            )));
        }
        let mut acts = place::remove(&backup, at_backup);
        acts.extend(place::rename(host, &wish.name, there, &backup)?);
        let mut plan = create(call, host, wish, acts, Value::Absent, Args::new())?;
        let mut would = Args::new();
        if !at_backup.is_absent() {
            let forced = format!("Existing file at backup path {backup} would be removed");
            would.insert("forced".to_owned(), forced.into());
        }
        would.extend(one("backup", format!("{given} would be renamed to {backup}")));
        would.extend(new_directory(given));
        let comment = format!("{given} would be backed up and replaced with a new directory");
        plan = plan.or_would(comment, Some(would));
        return Ok(plan);
    }
    if !force {
        let what = if is_file { "file" } else { "symlink" };
        return Err(Stop::Failed(format!(
            "Specified location {given} exists and is a {what}"
        )));
    }
    let what = if is_file { "File" } else { "Symlink" };
    let tense = if call.test { "would be" } else { "was" };
    let forced = one("forced", format!("{what} {tense} forcibly replaced"));
    create(call, host, wish, Vec::new(), there.clone(), forced)
}

/// Nothing is there, or `acts` and `expect` say how it is got rid of.
fn create(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    mut acts: Vec<Act>,
    expect: Value,
    mut changes: Args,
) -> Result<Plan, Stop> {
    let given = wish.given;
    changes.extend(new_directory(given));
    let would = format!("The following files will be changed:\n{given}: directory - new\n");
    let parent = match place::above(host, &wish.name)? {
        Above::Dir(meta) => meta,
        Above::Missing(dirs, meta) if call.args().flag("makedirs", false) => {
            acts.extend(place::make_dirs(&dirs, &wish.dir, &meta, masked(call, 0o777)));
            meta
        }
        _ if call.test => {
            return Ok(Plan {
                verdict: Verdict::WouldChange,
                changes,
                comment: would,
                ..Plan::default()
            });
        }
        _ => {
            return Ok(Plan {
                verdict: Verdict::Failed,
                changes,
                comment: format!("No directory to create {given} in"),
                ..Plan::default()
            });
        }
    };
    let to = Value::Dir {
        meta: wish.dir.fresh(Some(&parent), masked(call, 0o777)),
    };
    acts.push(Act::assign(Address::Path(wish.name.clone()), expect, to));
    Ok(Plan::change(acts, changes, "").or_would(would, None))
}

/// The directory is there: attributes, its own and below, and what is too much.
fn adjust(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish<'_>,
    there: &Value,
    leads_to: &Value,
) -> Result<Plan, Stop> {
    let given = wish.given;
    // Per path, as test mode tells; and the last of each attribute, which a real run tells beside them.
    let mut told = Args::new();
    let mut last = Args::new();
    let mut acts = Vec::new();
    let own = if wish.follow { leads_to } else { there };
    let mut own_changes = Args::new();
    if !call.args().flag("children_only", false) {
        let at = if wish.follow {
            paths::real(host, &wish.name)?
        } else {
            wish.name.clone()
        };
        own_changes = set(&wish.dir, &at, own, &mut acts);
        last.extend(own_changes.clone());
    }
    let entries = if wish.recurse.is_some() || call.args().flag("clean", false) {
        host.list(&wish.name)?.unwrap_or_default()
    } else {
        &[]
    };
    if let Some(recurse) = &wish.recurse {
        let (dir, file) = (wish.below(&wish.dir), wish.below(&wish.file));
        for (path, value, is_dir) in walk(entries, wish.max_depth) {
            let ignored = if is_dir { "ignore_dirs" } else { "ignore_files" };
            if recurse.contains(ignored) || (wish.follow && matches!(value, Value::Link { .. })) {
                continue;
            }
            let at = paths::join(&wish.name, path);
            let changes = set(if is_dir { &dir } else { &file }, &at, value, &mut acts);
            if !changes.is_empty() {
                last.extend(changes.clone());
                told.insert(paths::join(given, path), changes.into());
            }
        }
    }
    if !own_changes.is_empty() {
        told.insert(given.to_owned(), own_changes.into());
    }
    let removed = if call.args().flag("clean", false) {
        clean::superfluous(call, &wish.name, entries, BTreeSet::new())?
    } else {
        Vec::new()
    };
    for (path, _) in &removed {
        told.insert(
            paths::join(given, path),
            one("removed", "Removed due to clean").into(),
        );
    }
    if told.is_empty() {
        return Ok(Plan::met(format!(
            "The directory {given} is in the correct state"
        )));
    }
    if let Some(recurse) = wish.recurse.as_ref().filter(|_| !call.test) {
        check_recurse(wish, recurse)?;
    }
    let would = would_change(&told);
    let mut changes = told.clone();
    if wish.recurse.as_ref().is_some_and(|set| set.contains("silent")) {
        changes = one("recursion", "Changes silenced");
    }
    changes.extend(last);
    let mut comment = if call.args().flag("children_only", false) {
        format!("Directory {given}/* updated")
    } else {
        format!("Directory {given} updated")
    };
    if !removed.is_empty() {
        let whole = clean::outermost(&removed);
        let names: Vec<String> = whole.iter().map(|(path, _)| paths::join(given, path)).collect();
        changes.insert("removed".to_owned(), names.into());
        comment = format!("Files cleaned from directory {given}");
        // What goes needs no new attributes.
        let gone: BTreeSet<String> = removed
            .iter()
            .map(|(path, _)| paths::join(&wish.name, path))
            .gather();
        acts.retain(|act| !matches!(act, Act::Assign { at: Address::Path(path), .. } if gone.contains(path)));
        acts.extend(clean::acts(&wish.name, &removed));
    }
    Ok(Plan::change(acts, changes, comment).or_would(would, Some(told)))
}

/// The act that gives `value` at `at` these attributes, and Salt's words for it. A link has no mode.
fn set(perms: &Perms, at: &str, value: &Value, acts: &mut Vec<Act>) -> Args {
    let perms = match value {
        Value::Link { .. } => perms.with_mode(None),
        _ => perms.clone(),
    };
    let Some(meta) = value.meta() else {
        return Args::new();
    };
    let changes = perms.changes(meta);
    if changes.is_empty() {
        return changes;
    }
    let mut to = value.clone();
    match &mut to {
        Value::File { meta, .. }
        | Value::Dir { meta }
        | Value::Link { meta, .. }
        | Value::Special { meta, .. } => {
            *meta = perms.onto(&Meta {
                mtime: None,
                ..meta.clone()
            });
        }
        _ => {}
    }
    acts.push(Act::assign(Address::Path(at.to_owned()), value.clone(), to));
    changes
}

/// Entries in the order of Python's `os.walk`: of each directory first its files, then its directories, then down.
fn walk(entries: &[(String, Value)], max_depth: Option<i64>) -> Vec<(&str, &Value, bool)> {
    let deep = |path: &str| path.matches('/').count() as i64;
    let mut all: Vec<(&str, &Value, bool)> = entries
        .iter()
        .filter(|(path, _)| max_depth.is_none_or(|max| deep(path) < max))
        .map(|(path, value)| (path.as_str(), value, matches!(value, Value::Dir { .. })))
        .collect();
    let parts = |path: &'_ str| path.rfind('/').map_or("", |at| &path[..at]).to_owned();
    arrange(&mut all, &|a, b| {
        let (one, other) = (parts(a.0), parts(b.0));
        one.split('/')
            .cmp(other.split('/'))
            .then((a.2, a.0).cmp(&(b.2, b.0)))
            .is_lt()
    });
    all
}

/// Salt's `recurse`, checked; `None` when it is not given.
fn recurse_set(args: &Args) -> Result<Option<BTreeSet<String>>, Stop> {
    const KINDS: &[&str] = &["user", "group", "mode", "ignore_files", "ignore_dirs", "silent"];
    let Some(given) = args.any("recurse").filter(|given| crate::args::truth(given)) else {
        return Ok(None);
    };
    if !given.is_array() {
        return Err(Stop::failed("\"recurse\" must be formed as a list of strings"));
    }
    let set: BTreeSet<String> = args.texts("recurse").into_iter().gather();
    if set.iter().any(|kind| !KINDS.contains(&kind.as_str())) {
        let kinds: Vec<String> = KINDS.iter().map(|kind| format!("\"{kind}\"")).collect();
        return Err(Stop::Failed(format!(
            "Types for \"recurse\" limited to {}.",
            kinds.join(", ")
        )));
    }
    if set.contains("ignore_files") && set.contains("ignore_dirs") {
        return Err(Stop::failed(
            "Must not specify \"recurse\" options \"ignore_files\" and \"ignore_dirs\" at the same time.",
        ));
    }
    Ok(Some(set))
}

/// `recurse: [user]` needs a user.
fn check_recurse(wish: &Wish<'_>, set: &BTreeSet<String>) -> Result<(), Stop> {
    if set.contains("user") && wish.dir.user.is_none() {
        return Err(Stop::failed(
            "user not specified, but configured as a target for recursive ownership management",
        ));
    }
    if set.contains("group") && wish.dir.group.is_none() {
        return Err(Stop::failed(
            "group not specified, but configured as a target for recursive ownership management",
        ));
    }
    Ok(())
}

fn new_directory(given: &str) -> Args {
    one(given, one("directory", "new"))
}

fn would_change(told: &Args) -> String {
    let mut text = String::from("The following files will be changed:\n");
    for (path, what) in told {
        for (key, value) in what.as_object().into_iter().flatten() {
            text.push_str(&format!("{path}: {key} - {}\n", crate::args::plain(value)));
        }
    }
    text
}
