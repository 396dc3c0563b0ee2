//! `file.recurse`: a directory of the tree is on the host.

use std::collections::{BTreeMap, BTreeSet};

use proto::chunk::{SourcedEntry, SourcedKind};
use proto::{Act, Address, Args, Digest, Gather, Meta, Question, Sourced, Value};

use super::clean;
use super::place::{self, Above};
use super::put::{self, Bytes, Wish};
use crate::perms::{Perms, masked};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths, regex};

/// `file.recurse`.
#[derive(Debug)]
pub struct Recurse;

static SPEC: Spec = Spec {
    state: "file",
    fun: "recurse",
    doc: "Make sure that all files of a directory of the tree are on the host.\n\nFiles that are there and not in the tree stay, \
          unless `clean` is set.",
    params: &[
        Param::required(
            "source",
            Kind::List,
            "The directory, as `salt://…`; of a list the first that exists.",
        ),
        Param::new("template", Kind::Text, "Render the files with this engine."),
        Param::new("context", Kind::Map, "Variables of the templates."),
        Param::new(
            "defaults",
            Kind::Map,
            "Variables of the templates that `context` overrides.",
        ),
        Param::new("user", Kind::Text, "Owner, by name or number."),
        Param::new("group", Kind::Text, "Group, by name or number."),
        Param::new("dir_mode", Kind::Mode, "Mode of the directories."),
        Param::new(
            "file_mode",
            Kind::Mode,
            "Mode of the files, or `keep` for those of the tree.",
        ),
        Param::new("sym_mode", Kind::Mode, "Accepted; a link has no mode."),
        Param::new(
            "clean",
            Kind::Flag,
            "Remove what is not in the tree and not managed by a related file state.",
        ),
        Param::new(
            "replace",
            Kind::Flag,
            "Replace the contents of files that are there (default true).",
        ),
        Param::new(
            "include_pat",
            Kind::List,
            "Only what matches: shell patterns on the relative path, or `E@` and a regular expression.",
        ),
        Param::new(
            "exclude_pat",
            Kind::List,
            "Not what matches; `clean` leaves it too.",
        ),
        Param::new("include_empty", Kind::Flag, "Make empty directories too."),
        Param::new("maxdepth", Kind::Number, "How many levels to go down."),
        Param::new("keep_symlinks", Kind::Flag, "Make links of the tree as links."),
        Param::new(
            "force_symlinks",
            Kind::Flag,
            "Replace what is in the way of a link.",
        ),
        Param::new(
            "merge",
            Kind::Flag,
            "Take all directories of the list, the first winning.",
        ),
        Param::new("keep_source", Kind::Flag, "Accepted."),
        Param::new(
            "backup",
            Kind::Text,
            "Accepted; the old contents are always kept by the journal.",
        ),
        Param::new("show_changes", Kind::Flag, "Show diffs (default true)."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

/// Results of the members, as Salt merges them.
#[derive(Default)]
struct Merged {
    acts: Vec<Act>,
    changes: Args,
    would: Args,
    comments: Vec<(String, String)>,
    failures: Vec<(String, String)>,
    would_change: bool,
}

impl Merged {
    fn add(&mut self, path: &str, plan: Result<Plan, Stop>) -> Result<(), Stop> {
        match plan {
            Err(Stop::Failed(why)) => self.failures.push((path.to_owned(), why)),
            Err(stop) => return Err(stop),
            Ok(plan) => {
                let would = plan.would.clone().unwrap_or_else(|| plan.changes.clone());
                if !plan.acts.is_empty() || plan.verdict == Verdict::WouldChange {
                    self.would_change = true;
                    let comment = plan.would_comment.clone().unwrap_or_else(|| plan.comment.clone());
                    self.comments.push((path.to_owned(), comment));
                }
                if !would.is_empty() {
                    self.would.insert(path.to_owned(), would.into());
                }
                if !plan.changes.is_empty() {
                    self.changes.insert(path.to_owned(), plan.changes.into());
                }
                self.acts.extend(plan.acts);
            }
        }
        Ok(())
    }
}

impl State for Recurse {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.contains_key("mode") {
            return Err(Stop::failed(
                "'mode' is not allowed in 'file.recurse'. Please use 'file_mode' and 'dir_mode'.",
            ));
        }
        let given = call.name();
        let members = members(call)?;
        let name = place::name(call, host)?;
        let asked = members.keys().map(|path| paths::join(&name, path));
        host.expect(asked.map(|path| Question::Read(Address::Path(path))));
        host.expect([Question::Follow(name.clone())]);
        if args.flag("clean", false) {
            host.expect([Question::List(name.clone())]);
        }
        let owner = Perms::owner(call, host)?;
        let there = host.follow(&name)?;
        if !matches!(there, Value::Dir { .. } | Value::Absent) {
            return Err(Stop::Failed(format!(
                "The path {given} exists and is not a directory"
            )));
        }
        let dir_perms = owner.with_mode(args.mode("dir_mode")?);
        let mut merged = Merged::default();
        let made = directories(call, host, &name, &members, &dir_perms, &mut merged)?;
        files(call, host, &name, &members, &owner, &made, &mut merged)?;
        let mut removed = Vec::new();
        if args.flag("clean", false) {
            let keep: BTreeSet<String> = members.keys().cloned().gather();
            let entries = host.list(&name)?.unwrap_or_default();
            let mut gone = clean::superfluous(call, &name, entries, keep)?;
            // What a file takes the place of is gone with it.
            let files = members
                .iter()
                .filter(|(_, kind)| !matches!(kind, SourcedKind::Dir));
            gone.retain(|(path, _)| !files.clone().any(|(file, _)| paths::below(path, file).is_some()));
            merged.acts.extend(clean::acts(&name, &gone));
            removed = clean::outermost(&gone)
                .iter()
                .map(|(path, _)| paths::join(given, path))
                .collect();
        }
        Ok(told(given, merged, removed))
    }
}

/// The plan of all members, in Salt's words.
fn told(given: &str, merged: Merged, removed: Vec<String>) -> Plan {
    let block = |(path, text): &(String, String)| format!("\n#### {path} ####\n{text}");
    let failures: Vec<String> = merged.failures.iter().map(block).collect();
    let mut comments: Vec<String> = merged.comments.iter().map(block).collect();
    let mut changes = merged.changes;
    if !removed.is_empty() {
        comments.push(block(&("removed".to_owned(), removed.join("\n"))));
        changes.insert("removed".to_owned(), removed.into());
    }
    if !failures.is_empty() {
        comments.extend(failures.clone());
        return Plan {
            acts: merged.acts,
            changes,
            would: Some(merged.would),
            comment: failures.join("\n").trim().to_owned(),
            would_comment: Some(comments.join("\n").trim().to_owned()),
            verdict: Verdict::Failed,
            ..Plan::default()
        };
    }
    if merged.acts.is_empty() && changes.is_empty() && !merged.would_change {
        return Plan::met(format!("The directory {given} is in the correct state"));
    }
    Plan {
        verdict: if merged.would_change {
            Verdict::WouldChange
        } else {
            Verdict::ByActs
        },
        ..Plan::change(merged.acts, changes, format!("Recursively updated {given}"))
            .or_would(comments.join("\n").trim(), Some(merged.would))
    }
}

/// Makes the directories the members go into. Gives those that are new, with their attributes.
fn directories(
    call: &Call<'_>,
    host: &Host<'_>,
    name: &str,
    members: &BTreeMap<String, &SourcedKind>,
    perms: &Perms,
    merged: &mut Merged,
) -> Result<BTreeMap<String, Meta>, Stop> {
    let given = call.name();
    let mut managed: BTreeSet<&str> = BTreeSet::new();
    let mut all: BTreeSet<&str> = BTreeSet::from([""]);
    for (path, kind) in members {
        let dir = match kind {
            SourcedKind::Dir => path.as_str(),
            _ => path.rfind('/').map_or("", |at| &path[..at]),
        };
        managed.insert(dir);
        all.extend(dir.match_indices('/').map(|(at, _)| &dir[..at]));
        all.insert(dir);
    }
    let at = |dir: &str| {
        if dir.is_empty() {
            name.to_owned()
        } else {
            paths::join(name, dir)
        }
    };
    host.expect(all.iter().map(|dir| Question::Read(Address::Path(at(dir)))));
    let mut made: BTreeMap<String, Meta> = BTreeMap::new();
    for dir in &all {
        let path = at(dir);
        let shown = if dir.is_empty() {
            given.to_owned()
        } else {
            paths::join(given, dir)
        };
        let there = host.path(&path)?;
        let told = managed.contains(dir);
        let plan = match there {
            Value::Absent => {
                let mut acts = Vec::new();
                let parent = match made.get(paths::parent(&path)) {
                    Some(meta) => meta.clone(),
                    None => match place::above(host, &path)? {
                        Above::Dir(meta) => meta,
                        Above::Missing(dirs, meta) => {
                            acts = place::make_dirs(&dirs, perms, &meta, masked(call, 0o777));
                            meta
                        }
                        Above::Blocked(dir) => {
                            return Err(Stop::Failed(format!(
                                "The path {dir} exists and is not a directory"
                            )));
                        }
                    },
                };
                let meta = perms.fresh(Some(&parent), masked(call, 0o777));
                made.insert(path.clone(), meta.clone());
                acts.push(Act::assign(
                    Address::Path(path),
                    Value::Absent,
                    Value::Dir { meta },
                ));
                // Salt makes the directory itself before it begins to count.
                let changes = one(shown.as_str(), one("directory", "new"));
                let real = if dir.is_empty() {
                    Args::new()
                } else {
                    changes.clone()
                };
                let would = format!("The following files will be changed:\n{shown}: directory - new\n");
                Plan::change(acts, real, "").or_would(would, Some(changes))
            }
            Value::Dir { meta } if told => {
                let changes = perms.changes(meta);
                if changes.is_empty() {
                    continue;
                }
                let to = Value::Dir {
                    meta: perms.onto(meta),
                };
                let lines: String = changes
                    .iter()
                    .map(|(key, value)| format!("{shown}: {key} - {}\n", crate::args::plain(value)))
                    .collect();
                let would = one(shown.as_str(), changes.clone());
                let mut real = would.clone();
                real.extend(changes);
                let act = Act::assign(Address::Path(path), there.clone(), to);
                Plan::change(vec![act], real, "").or_would(
                    format!("The following files will be changed:\n{lines}"),
                    Some(would),
                )
            }
            Value::Dir { .. } | Value::Link { .. } => continue,
            other if call.args().flag("clean", false) => {
                let meta = perms.fresh(None, masked(call, 0o777));
                made.insert(path.clone(), meta.clone());
                let act = Act::assign(Address::Path(path), other.clone(), Value::Dir { meta });
                Plan::change(vec![act], one("diff", "Replaced file with a directory"), "")
                    .or_would(format!("Replacing {shown} with a directory"), Some(Args::new()))
            }
            _ => {
                let why = format!("Specified location {shown} exists and is a file");
                merged.failures.push((shown, why));
                continue;
            }
        };
        if told {
            merged.add(&shown, Ok(plan))?;
        } else {
            merged.acts.extend(plan.acts);
        }
    }
    Ok(made)
}

/// The files and links.
fn files(
    call: &Call<'_>,
    host: &Host<'_>,
    name: &str,
    members: &BTreeMap<String, &SourcedKind>,
    owner: &Perms,
    made: &BTreeMap<String, Meta>,
    merged: &mut Merged,
) -> Result<(), Stop> {
    let args = call.args();
    let given = call.name();
    let keep_mode = args.text("file_mode").as_deref() == Some("keep");
    let file_mode = args.mode("file_mode")?;
    let mut asking = false;
    for (path, kind) in members {
        let at = paths::join(name, path);
        let shown = paths::join(given, path);
        let above = made.get(paths::parent(&at)).cloned();
        let plan = match kind {
            SourcedKind::Dir => continue,
            SourcedKind::Broken(why) if call.test => Err(Stop::Failed(why.clone())),
            SourcedKind::Broken(why) => Err(Stop::Failed(format!("Unable to manage file: {why}"))),
            SourcedKind::Link { to } => link(call, host, &at, &shown, to, owner, above),
            SourcedKind::File { content, size, mode } => {
                let there = host.path(&at)?;
                let replace = args.flag("replace", true);
                let bytes = Bytes::of_tree(*content, *size, &shown);
                let wish = Wish {
                    given: shown.clone(),
                    name: at,
                    perms: owner.with_mode(if keep_mode { Some(*mode) } else { file_mode }),
                    bytes: (replace || there.is_absent()).then_some(bytes),
                    dir_mode: None,
                    makedirs: true,
                    follow: true,
                    above,
                };
                if matches!(there, Value::Dir { .. }) && replace && args.flag("clean", false) {
                    Ok(in_place_of(there, &wish, *content, *size))
                } else {
                    put::plan_file(call, host, &wish)
                }
            }
        };
        if plan == Err(Stop::Ask) {
            // Go on, so that what the other members need is asked in the same round.
            asking = true;
            continue;
        }
        merged.add(&shown, plan)?;
    }
    if asking { Err(Stop::Ask) } else { Ok(()) }
}

/// A file in the place of a directory, as `clean` allows.
fn in_place_of(there: &Value, wish: &Wish, content: Digest, size: u64) -> Plan {
    let meta = wish.perms.fresh(None, 0o644);
    let to = Value::File { content, size, meta };
    let act = Act::assign(Address::Path(wish.name.clone()), there.clone(), to);
    let told = one("diff", "Replaced directory with a new file");
    Plan::change(vec![act], told, "").or_would(
        format!("Replacing directory {} with a file", wish.given),
        Some(Args::new()),
    )
}

/// A link of the tree.
fn link(
    call: &Call<'_>,
    host: &Host<'_>,
    at: &str,
    shown: &str,
    target: &str,
    owner: &Perms,
    above: Option<Meta>,
) -> Result<Plan, Stop> {
    let there = host.path(at)?;
    let to = Value::Link {
        to: target.to_owned(),
        meta: owner.with_mode(None).fresh(above.as_ref(), 0o777),
    };
    if there.same(&to) {
        return Ok(Plan::met(format!("Symlink {shown} is present")));
    }
    let fine = matches!(there, Value::Absent | Value::Link { .. });
    if !fine && !call.args().flag("force_symlinks", false) {
        return Err(Stop::Failed(format!(
            "File exists where the symlink {shown} should be"
        )));
    }
    let act = Act::assign(Address::Path(at.to_owned()), there.clone(), to);
    Ok(Plan::change(
        vec![act],
        one("new", shown),
        format!("Created new symlink {shown} -> {target}"),
    )
    .or_would(format!("Symlink {shown} to {target} is set for creation"), None))
}

/// What of the sources is to be on the host, by relative path.
fn members<'a>(call: &Call<'a>) -> Result<BTreeMap<String, &'a SourcedKind>, Stop> {
    let args = call.args();
    let sources = args.texts("source");
    if let Some(odd) = sources.iter().find(|source| !source.starts_with("salt://")) {
        return Err(Stop::Failed(format!(
            "Recurse failed: Invalid source '{odd}' (must be a salt:// URI)"
        )));
    }
    let mut found: Vec<&'a Vec<SourcedEntry>> = Vec::new();
    for source in &sources {
        match call.chunk.sources.get(source) {
            Some(Sourced::Dir(entries)) => found.push(entries),
            Some(Sourced::Broken(why)) => return Err(Stop::Failed(why.clone())),
            _ => {}
        }
    }
    if found.is_empty() {
        return Err(Stop::failed(
            "Recurse failed: none of the specified sources were found",
        ));
    }
    if !args.flag("merge", false) {
        found.truncate(1);
    }
    let (include, exclude) = (args.texts("include_pat"), args.texts("exclude_pat"));
    let depth = args.number("maxdepth")?;
    let mut members = BTreeMap::new();
    for entries in found {
        for entry in entries {
            let deep = entry.path.matches('/').count() as i64;
            if depth.is_some_and(|max| deep > max) || !regex::selected(&entry.path, &include, &exclude)? {
                continue;
            }
            let what = match &entry.what {
                SourcedKind::Dir if !args.flag("include_empty", false) => continue,
                SourcedKind::Link { to } if !args.flag("keep_symlinks", false) => {
                    // Not kept as a link: what it leads to, if that is in the directory too.
                    let dir = entry.path.rfind('/').map_or("", |at| &entry.path[..at]);
                    let target = paths::clean(&format!("/{dir}/{to}")).unwrap_or_default();
                    match entries.iter().find(|other| format!("/{}", other.path) == target) {
                        Some(other) => &other.what,
                        None => continue,
                    }
                }
                what => what,
            };
            members.entry(entry.path.clone()).or_insert(what);
        }
    }
    Ok(members)
}
