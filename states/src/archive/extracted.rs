//! `archive.extracted`: what an archive holds is on the host.
//!
//! The archive is unpacked into the object store first; what is missing on the host is then assigned file by file, so that it
//! is planned, kept and taken back like any other file.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Act, Address, Args, Gather, Question, Value};

use super::members::{check_toplevel, members};
use crate::file::place::{self, Above};
use crate::perms::{Perms, masked};
use crate::source;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths};

/// `archive.extracted`.
#[derive(Debug)]
pub struct Extracted;

static SPEC: Spec = Spec {
    state: "archive",
    fun: "extracted",
    doc: "Make sure that what an archive holds is in a directory.\n\nIt is unpacked when something of it is missing; files that \
          are there are brought in line then. `if_missing` saves looking at the archive at all.",
    params: &[
        Param::required(
            "source",
            Kind::Any,
            "The archive: `salt://…`, an absolute path on the host, or a URL. Of a list the first that exists.",
        ),
        Param::new(
            "source_hash",
            Kind::Text,
            "Hash a download must have: `sha256=…`, bare hex, or the URL of a file with hashes.",
        ),
        Param::new(
            "source_hash_name",
            Kind::Text,
            "The name to look for in a file of hashes.",
        ),
        Param::new("source_hash_update", Kind::Flag, "Accepted."),
        Param::new("skip_verify", Kind::Flag, "Accept a download without a hash."),
        Param::new("skip_files_list_verify", Kind::Flag, "Accepted."),
        Param::new(
            "keep_source",
            Kind::Flag,
            "Accepted; downloads are kept by digest.",
        ),
        Param::new("keep", Kind::Flag, "The same as `keep_source`."),
        Param::new(
            "archive_format",
            Kind::Text,
            "`tar` or `zip`; told by the name of the source without it.",
        ),
        Param::new(
            "options",
            Kind::Text,
            "Options of tar: `--strip-components=N` counts, the rest is accepted.",
        ),
        Param::new("tar_options", Kind::Text, "The same as `options`."),
        Param::new(
            "list_options",
            Kind::Text,
            "Accepted; compression is told by the contents.",
        ),
        Param::new("if_missing", Kind::Text, "Do nothing when this path exists."),
        Param::new("user", Kind::Text, "Owner of all that is unpacked."),
        Param::new("group", Kind::Text, "Group of all that is unpacked."),
        Param::new(
            "enforce_toplevel",
            Kind::Flag,
            "Fail unless all of the archive is in one directory (default true).",
        ),
        Param::new(
            "enforce_ownership_on",
            Kind::Text,
            "Manage the owner of this path only.",
        ),
        Param::new(
            "overwrite",
            Kind::Flag,
            "Bring all files in line even when none is missing.",
        ),
        Param::new(
            "force",
            Kind::Flag,
            "Replace what is of another kind: a file where the archive has a directory.",
        ),
        Param::new("clean", Kind::Flag, "Remove what is in the way before unpacking."),
        Param::new(
            "clean_parent",
            Kind::Flag,
            "Remove the whole directory before unpacking.",
        ),
        Param::new(
            "trim_output",
            Kind::Any,
            "List at most so many files in the changes (true is 100).",
        ),
        Param::new(
            "extract_perms",
            Kind::Flag,
            "Accepted; modes are those of the archive.",
        ),
        Param::new("use_cmd_unzip", Kind::Flag, "Accepted."),
        Param::new("password", Kind::Text, "Not supported: an encrypted archive."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Extracted {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let given = call.name();
        let dir =
            paths::clean(given).ok_or_else(|| Stop::Failed(format!("{given} is not an absolute path")))?;
        if let Some(path) = args.text("if_missing") {
            let at = paths::clean(&path)
                .ok_or_else(|| Stop::failed("Value for 'if_missing' is not an absolute path"))?;
            if !host.follow(&at)?.is_absent() {
                return Ok(Plan::met(format!("Path {path} exists")));
            }
        }
        host.expect([Question::Follow(dir.clone())]);
        source::expect(call, host);
        let owner = owner(call, host)?;
        if matches!(host.follow(&dir)?, Value::File { .. } | Value::Special { .. }) {
            return Err(Stop::Failed(format!("{given} exists and is not a directory")));
        }
        let (text, members) = members(call, host)?;
        let shown = format!("{}/", given.trim_end_matches('/'));
        if members.is_empty() {
            return Ok(Plan {
                verdict: Verdict::WouldChange,
                comment: format!("Archive {text} would be extracted to {shown}"),
                ..Plan::default()
            });
        }
        check_toplevel(call, &members, &shown)?;
        let unpacking = Unpacking {
            shown,
            dir,
            source: text,
            members,
            owner,
        };
        unpacking.plan(call, host)
    }
}

/// An archive and where it goes.
struct Unpacking {
    shown: String,
    dir: String,
    source: String,
    members: BTreeMap<String, Value>,
    owner: Perms,
}

impl Unpacking {
    fn at(&self, member: &str) -> String {
        paths::join(&self.dir, member)
    }

    /// What shall be at a member's place.
    fn wanted(&self, value: &Value) -> Value {
        let mut value = value.clone();
        match &mut value {
            Value::File { meta, .. } | Value::Dir { meta } | Value::Link { meta, .. } => {
                *meta = self.owner.onto(meta);
            }
            _ => {}
        }
        value
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let reads = self
            .members
            .keys()
            .map(|member| Question::Read(Address::Path(self.at(member))));
        host.expect(reads);
        let clean = args.flag("clean", false) || args.flag("clean_parent", false);
        let (mut missing, mut odd) = (false, Vec::new());
        for (member, value) in &self.members {
            let there = self.there(host, member)?;
            missing |= there.is_absent();
            if !there.is_absent()
                && kind(&there) != kind(value)
                && !leads_to_dir(host, &self.at(member), &there, value)?
            {
                odd.push(member.clone());
            }
        }
        if !odd.is_empty() && !clean && !args.flag("force", false) {
            let list: Vec<String> = odd.iter().map(|member| format!("- {member}")).collect();
            return Err(Stop::Failed(format!(
                "The below paths (relative to {}) exist, but are the incorrect type (file instead of directory, symlink instead of file, etc.). To proceed with extraction, set 'force' to True. Note that this will remove these paths before extracting.\n\n{}",
                self.shown,
                list.join("\n")
            )));
        }
        let mut changes = Args::new();
        let needed = missing || !odd.is_empty() || args.flag("overwrite", false);
        let mut gone = BTreeSet::new();
        let mut acts = Vec::new();
        if needed && clean {
            acts = self.cleaned(call, host, &mut gone, &mut changes)?;
        }
        let dirs = if needed {
            self.directory(call, host, &gone)?
        } else {
            Vec::new()
        };
        if !dirs.is_empty() {
            changes.insert("directories_created".to_owned(), vec![self.shown.clone()].into());
        }
        acts.extend(dirs);
        let removed = |path: &str| {
            gone.iter()
                .any(|top: &String| path == top || paths::below(path, top).is_some())
        };
        let mut owned = false;
        for (member, value) in &self.members {
            let at = self.at(member);
            let there = if removed(&at) {
                Value::Absent
            } else {
                self.there(host, member)?
            };
            let to = self.wanted(value);
            let (to, chown) = match (needed, &there, &to) {
                // A directory that is there keeps its mode; a link to one is one.
                (_, Value::Dir { meta }, Value::Dir { .. }) => (
                    Value::Dir {
                        meta: self.owner.onto(meta),
                    },
                    true,
                ),
                (_, Value::Link { .. }, Value::Dir { .. }) if !odd.contains(member) => continue,
                (true, ..) => (to, false),
                (false, ..) => match reowned(&self.owner, &there) {
                    Some(to) => (to, true),
                    None => continue,
                },
            };
            if there.same(&to) {
                continue;
            }
            owned |= chown;
            if odd.contains(member) {
                let removed = changes
                    .entry("removed")
                    .or_insert_with(|| Vec::<String>::new().into());
                if let Some(list) = removed.as_array_mut() {
                    list.push(format!("{}{member}", self.shown).into());
                }
            }
            acts.push(Act::assign(Address::Path(at), there, to));
        }
        if owned {
            changes.insert("updated ownership".to_owned(), true.into());
        }
        Ok(self.told(call, acts, changes, missing))
    }

    /// The plan in Salt's words.
    fn told(&self, call: &Call<'_>, acts: Vec<Act>, mut changes: Args, missing: bool) -> Plan {
        const PRESENT: &str = "All files in archive are already present";
        let only_owner = changes.len() == 1 && changes.contains_key("updated ownership") && !missing;
        if acts.is_empty() {
            return Plan::met(PRESENT);
        }
        if only_owner && !call.args().flag("overwrite", false) {
            return Plan::change(acts, changes, PRESENT).or_would(
                format!("{PRESENT}. Ownership would be updated on one or more files/directories."),
                None,
            );
        }
        let mut files: Vec<String> = self.members.keys().cloned().collect();
        let trim = match call.args().any("trim_output") {
            Some(serde_json::Value::Bool(true)) => Some(100),
            Some(value) => value.as_u64().and_then(|n| usize::try_from(n).ok()),
            None => None,
        };
        if let Some(most) = trim {
            files.truncate(most);
        }
        changes.insert("extracted_files".to_owned(), files.into());
        let why = if missing {
            ", due to absence of one or more files/dirs"
        } else {
            ""
        };
        let mut comment = format!("{} extracted to {}{why}", self.source, self.shown);
        if let Some(most) = trim {
            comment.push_str(&format!(". Output was trimmed to {most} number of lines"));
        }
        let after = if call.args().flag("clean", false) {
            ", after cleaning destination path(s)"
        } else {
            ""
        };
        let would = format!(
            "Archive {} would be extracted to {}{after}{why}",
            self.source, self.shown
        );
        Plan::change(acts, changes, comment).or_would(would, Some(Args::new()))
    }

    /// What is at a member's place; below something that is no directory there is nothing.
    fn there(&self, host: &Host<'_>, member: &str) -> Result<Value, Stop> {
        Ok(host.path(&self.at(member))?.clone())
    }

    /// Removes what `clean` and `clean_parent` say.
    fn cleaned(
        &self,
        call: &Call<'_>,
        host: &Host<'_>,
        gone: &mut BTreeSet<String>,
        changes: &mut Args,
    ) -> Result<Vec<Act>, Stop> {
        let mut acts = Vec::new();
        if call.args().flag("clean_parent", false) {
            let there = host.path(&self.dir)?;
            if !there.is_absent() {
                acts.extend(place::remove(&self.dir, there));
                gone.insert(self.dir.clone());
                let text = format!("Directory {} was removed prior to the extraction", self.shown);
                changes.insert("removed".to_owned(), text.into());
            }
            return Ok(acts);
        }
        let tops: BTreeSet<&str> = self
            .members
            .keys()
            .filter_map(|member| member.split('/').next())
            .gather();
        let mut removed = Vec::new();
        for top in tops {
            let at = self.at(top);
            let there = host.path(&at)?;
            if !there.is_absent() {
                acts.extend(place::remove(&at, there));
                removed.push(format!("{}{top}", self.shown));
                gone.insert(at);
            }
        }
        if !removed.is_empty() {
            changes.insert("removed".to_owned(), removed.into());
        }
        Ok(acts)
    }

    /// Makes the directory itself.
    fn directory(&self, call: &Call<'_>, host: &Host<'_>, gone: &BTreeSet<String>) -> Result<Vec<Act>, Stop> {
        let there = matches!(host.follow(&self.dir)?, Value::Dir { .. });
        if there && !gone.contains(&self.dir) {
            return Ok(Vec::new());
        }
        let perms = Perms {
            user: self.owner.user.clone(),
            ..Perms::default()
        };
        let mode = masked(call, 0o777);
        let (mut acts, parent) = match place::above(host, &self.dir)? {
            Above::Dir(meta) => (Vec::new(), meta),
            Above::Missing(dirs, meta) => (place::make_dirs(&dirs, &perms, &meta, mode), meta),
            Above::Blocked(dir) => return Err(Stop::Failed(format!("{dir} exists and is not a directory"))),
        };
        acts.extend(place::make_dirs(
            std::slice::from_ref(&self.dir),
            &perms,
            &parent,
            mode,
        ));
        Ok(acts)
    }
}

/// The same with another owner, where that is not as asked.
fn reowned(owner: &Perms, there: &Value) -> Option<Value> {
    let mut to = there.clone();
    match &mut to {
        Value::File { meta, .. } | Value::Dir { meta } | Value::Link { meta, .. } => {
            if owner.changes(meta).is_empty() {
                return None;
            }
            *meta = owner.onto(meta);
            Some(to)
        }
        _ => None,
    }
}

/// Directory, link or other.
const fn kind(value: &Value) -> u8 {
    match value {
        Value::Dir { .. } => 0,
        Value::Link { .. } => 1,
        _ => 2,
    }
}

/// A link where the archive has a directory will do when it leads to one.
fn leads_to_dir(host: &Host<'_>, at: &str, there: &Value, value: &Value) -> Result<bool, Stop> {
    let may = matches!((there, value), (Value::Link { .. }, Value::Dir { .. }));
    Ok(may && matches!(host.follow(at)?, Value::Dir { .. }))
}

/// Owner and group of everything.
fn owner(call: &Call<'_>, host: &Host<'_>) -> Result<Perms, Stop> {
    match Perms::owner(call, host) {
        Err(Stop::Failed(why)) => {
            let (kind, name) = if why.starts_with("User") {
                ("User", "user")
            } else {
                ("Group", "group")
            };
            let name = call.args().text(name).unwrap_or_default();
            Err(Stop::Failed(format!("{kind} {name} does not exist")))
        }
        other => other,
    }
}
