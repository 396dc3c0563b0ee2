//! `file.managed`: a regular file with given contents, owner and mode.
//!
//! Templates are rendered before this runs: `sources` and `contents` hold the finished bytes.

use proto::{Act, Address, Args, Command, Digest, Meta, Question, Value};
use serde_json::Value as Json;

use super::place::{self, Above};
use crate::args::plain;
use crate::perms::{Perms, masked, octal};
use crate::source::{self, Found, Trouble};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, text};

/// `file.managed`.
#[derive(Debug)]
pub struct Managed;

pub(super) static SPEC: Spec = Spec {
    state: "file",
    fun: "managed",
    doc: "Manage a file: its contents, owner, group and mode.\n\nThe contents come from `source`, `contents` or \
          `contents_pillar`; with none of them only existence and attributes are managed. What is not given stays as it \
          is; a new file gets mode 0644 and belongs to root. Arguments that are not listed here are variables of the \
          template.",
    params: &[
        Param::new(
            "source",
            Kind::Any,
            "Where the contents come from: `salt://…`, an absolute path on the host, or an http(s) URL. Of a list the first that exists.",
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
        Param::new("skip_verify", Kind::Flag, "Accept a download without a hash."),
        Param::new("keep_source", Kind::Flag, "Accepted; sources are kept by digest."),
        Param::new(
            "contents",
            Kind::Any,
            "The contents themselves, or a list of lines. Every line ends with a newline.",
        ),
        Param::new(
            "contents_pillar",
            Kind::Any,
            "Pillar key that holds the contents; of a list all, one after the other.",
        ),
        Param::new("contents_grains", Kind::Any, "Grain that holds the contents."),
        Param::new(
            "contents_newline",
            Kind::Flag,
            "End `contents` with a newline (default true).",
        ),
        Param::new(
            "contents_delimiter",
            Kind::Text,
            "Separates the levels of `contents_pillar` (default `:`).",
        ),
        Param::new(
            "allow_empty",
            Kind::Flag,
            "Accept empty `contents` (default true).",
        ),
        Param::new(
            "template",
            Kind::Text,
            "Render the source with this engine, `jinja` mostly.",
        ),
        Param::new("context", Kind::Map, "Variables of the template."),
        Param::new(
            "defaults",
            Kind::Map,
            "Variables of the template that `context` overrides.",
        ),
        Param::new("user", Kind::Text, "Owner, by name or number."),
        Param::new("group", Kind::Text, "Group, by name or number."),
        Param::new(
            "mode",
            Kind::Mode,
            "Permission bits as octal digits, or `keep` for those of the source.",
        ),
        Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
        Param::new(
            "dir_mode",
            Kind::Mode,
            "Mode of directories made by `makedirs`; without it `mode` plus x.",
        ),
        Param::new(
            "replace",
            Kind::Flag,
            "Replace the contents of a file that is there (default true).",
        ),
        Param::new(
            "create",
            Kind::Flag,
            "Make the file when it is not there (default true).",
        ),
        Param::new(
            "follow_symlinks",
            Kind::Flag,
            "Manage what a link points to instead of replacing the link (default true).",
        ),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
        Param::new("new_file_diff", Kind::Flag, "Show the diff of a new file too."),
        Param::new(
            "check_cmd",
            Kind::Text,
            "Command run with the path of the new file appended before it goes live; it must succeed.",
        ),
        Param::new(
            "tmp_dir",
            Kind::Text,
            "Accepted; the new file is always checked in the directory it is going to.",
        ),
        Param::new("tmp_ext", Kind::Text, "Accepted."),
        Param::new(
            "backup",
            Kind::Text,
            "Accepted; the old contents are always kept by the journal.",
        ),
        Param::new(
            "encoding",
            Kind::Text,
            "Encoding of `contents`: utf-8 (default), ascii or latin-1.",
        ),
        Param::new("encoding_errors", Kind::Text, "Accepted."),
        Param::new(
            "attrs",
            Kind::Text,
            "Accepted; file attributes (chattr) are not managed.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

/// The bytes a file shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes {
    /// Digest of the bytes.
    pub(super) content: Digest,
    /// Their length.
    pub(super) size: u64,
    /// Where they come from, when not from `contents`.
    pub(super) source: Option<Found>,
}

impl Bytes {
    /// A file of the tree.
    pub(super) fn of_tree(content: Digest, size: u64, text: &str) -> Self {
        Self {
            content,
            size,
            source: Some(Found::of_tree(content, size, text)),
        }
    }
}

/// What shall be at a path, and how it is told.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// The path as the user wrote it, for comments.
    pub(super) given: String,
    /// The path.
    pub(super) name: String,
    /// Owner, group, mode.
    pub(super) perms: Perms,
    /// The contents; `None` leaves those there are, or makes an empty file.
    pub(super) bytes: Option<Bytes>,
    /// Mode of new directories above.
    pub(super) dir_mode: Option<u32>,
    /// Make directories above.
    pub(super) makedirs: bool,
    /// Write through links.
    pub(super) follow: bool,
    /// The directory it goes into, when earlier acts of the same plan make it.
    pub(super) above: Option<Meta>,
}

impl State for Managed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let mode = mode(call)?;
        check_combination(call)?;
        let contents = contents(call, host)?;
        let name = place::name(call, host)?;

        host.expect([Question::Read(Address::Path(name.clone()))]);
        source::expect(call, host);
        let perms = Perms::owner(call, host)?.with_mode(mode);
        let follow = args.flag("follow_symlinks", true);
        let there = if follow {
            place::followed(host, &name)?
        } else {
            place::Place {
                path: name.clone(),
                value: host.path(&name)?,
            }
        };
        let exists = !there.value.is_absent();
        if !args.flag("create", true) && !matches!(there.value, Value::File { .. }) {
            let given = call.name();
            return Ok(Plan::met(format!(
                "File {given} is not present and is not set for creation"
            )));
        }
        if matches!(host_dir(host, &name, there.value)?, Some(())) {
            return Err(Stop::Failed(format!("Specified target {name} is a directory")));
        }
        for (key, what) in [("context", "Context"), ("defaults", "Defaults")] {
            if args.any(key).is_some_and(|value| !value.is_object()) {
                return Err(Stop::Failed(format!("{what} must be formed as a dict")));
            }
        }
        let given = call.name().to_owned();
        let has_source = args.any("source").is_some() || contents.is_some();
        let replace = has_source && args.flag("replace", true);
        if exists && !replace {
            return attributes_only(call, &given, &there, &perms);
        }
        let bytes = match contents {
            Some(text) => Some(Bytes {
                content: host.keep(text.as_slice()),
                size: text.len() as u64,
                source: None,
            }),
            None if has_source => {
                let live = match there.value {
                    Value::File { content, size, .. } => Some((*content, *size)),
                    _ => None,
                };
                let found = source::find(call, host, live).map_err(|why| untold(call, why))?;
                Some(Bytes {
                    content: found.content,
                    size: found.size,
                    source: Some(found),
                })
            }
            None => None,
        };
        let keep = args.text("mode").as_deref() == Some("keep");
        let kept_mode = bytes
            .as_ref()
            .filter(|_| keep)
            .and_then(|bytes| bytes.source.as_ref()?.mode);
        let wish = Wish {
            given,
            name,
            perms: perms.with_mode(mode.or(kept_mode)),
            bytes,
            dir_mode: args.mode("dir_mode")?,
            makedirs: args.flag("makedirs", false),
            follow,
            above: None,
        };
        plan_file(call, host, &wish)
    }
}

/// The plan that makes a wish true, in Salt's words. Also used for the members of `file.recurse`.
///
/// # Errors
/// [`Stop::Ask`] while something is not known; [`Stop::Failed`] when the file cannot be made.
pub(super) fn plan_file(call: &Call<'_>, host: &Host<'_>, wish: &Wish) -> Result<Plan, Stop> {
    let there = if wish.follow {
        place::followed(host, &wish.name)?
    } else {
        place::Place {
            path: wish.name.clone(),
            value: host.path(&wish.name)?,
        }
    };
    let mut plan = match there.value {
        Value::File { meta, .. } => update(call, host, wish, &there, meta),
        Value::Link { .. } if !wish.follow => replace_link(call, host, wish, &there),
        Value::Absent if there.path == wish.name => create(call, host, wish),
        Value::Absent => Err(Stop::Failed(format!(
            "Unable to manage file: [Errno 2] No such file or directory: '{}'",
            there.path
        ))),
        Value::Dir { .. } => Err(Stop::Failed(format!(
            "Specified target {} is a directory",
            wish.name
        ))),
        _ => Err(Stop::Failed(format!(
            "Specified target {} is not a regular file",
            wish.name
        ))),
    }?;
    add_check(call, host, &mut plan)?;
    if !plan.acts.is_empty()
        && let Some(found) = wish.bytes.as_ref().and_then(|bytes| bytes.source.as_ref())
    {
        source::store(call, host, found)?;
    }
    Ok(plan)
}

/// A file is there: contents and attributes are brought in line.
fn update(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish,
    there: &place::Place<'_>,
    meta: &Meta,
) -> Result<Plan, Stop> {
    let given = &wish.given;
    let Value::File { content, size, .. } = there.value else {
        return Ok(Plan::default());
    };
    let (new, new_size) = wish
        .bytes
        .as_ref()
        .map_or((*content, *size), |bytes| (bytes.content, bytes.size));
    let mut changes = Args::new();
    if new != *content {
        changes.insert("diff".to_owned(), diff(call, host, &there.path, wish)?.into());
    }
    changes.extend(wish.perms.changes(meta));
    let to = Value::File {
        content: new,
        size: new_size,
        meta: wish.perms.onto(meta),
    };
    if changes.is_empty() {
        return Ok(if call.test {
            Plan::met(format!("The file {given} is in the correct state"))
        } else {
            Plan::met(format!("File {given} is in the correct state"))
        });
    }
    let act = Act::assign(Address::Path(there.path.clone()), there.value.clone(), to);
    Ok(
        Plan::change(vec![act], changes, format!("File {given} updated"))
            .or_would(set_to_change(given), None),
    )
}

/// A link is there and is not to be followed: a file takes its place.
fn replace_link(
    call: &Call<'_>,
    host: &Host<'_>,
    wish: &Wish,
    there: &place::Place<'_>,
) -> Result<Plan, Stop> {
    let Some(bytes) = &wish.bytes else {
        return Ok(Plan::met(format!("File {} is in the correct state", wish.given)));
    };
    let meta = wish.perms.fresh(None, masked(call, 0o666));
    let shown = match bytes.source {
        None => diff(call, host, &there.path, wish)?,
        Some(_) => "Replace symbolic link with regular file".to_owned(),
    };
    let to = Value::File {
        content: bytes.content,
        size: bytes.size,
        meta,
    };
    let act = Act::assign(Address::Path(there.path.clone()), there.value.clone(), to);
    let mut changes = Args::new();
    changes.insert("diff".to_owned(), shown.into());
    let updated = format!("File {} updated", wish.given);
    Ok(Plan::change(vec![act], changes, updated).or_would(set_to_change(&wish.given), None))
}

/// Nothing is there.
fn create(call: &Call<'_>, host: &Host<'_>, wish: &Wish) -> Result<Plan, Stop> {
    let given = &wish.given;
    let would = crate::plan::one("newfile", given.as_str());
    let above = match &wish.above {
        Some(meta) => Above::Dir(meta.clone()),
        None => place::above(host, &wish.name)?,
    };
    let (mut acts, parent) = match above {
        Above::Dir(meta) => (Vec::new(), meta),
        Above::Missing(dirs, meta) if wish.makedirs => {
            let mode = wish.dir_mode.or(wish.perms.mode.map(with_x));
            let perms = wish.perms.with_mode(mode);
            (place::make_dirs(&dirs, &perms, &meta, masked(call, 0o777)), meta)
        }
        // Salt's test mode does not look; an earlier state of the run may make the directory.
        _ if call.test => {
            return Ok(Plan {
                verdict: Verdict::WouldChange,
                changes: would,
                comment: set_to_change(given),
                ..Plan::default()
            });
        }
        Above::Missing(..) => return Err(Stop::failed("Parent directory not present")),
        Above::Blocked(dir) => {
            return Err(Stop::Failed(format!(
                "The path '{dir}' already exists and is not a directory"
            )));
        }
    };
    let meta = wish.perms.fresh(Some(&parent), masked(call, 0o666));
    let mut changes = Args::new();
    let mut comment = format!("File {given} updated");
    match &wish.bytes {
        Some(_) if call.args().flag("new_file_diff", false) => {
            changes.insert("diff".to_owned(), diff(call, host, "", wish)?.into());
        }
        Some(_) => {
            changes.insert("diff".to_owned(), "New file".into());
        }
        None => {
            changes.insert("new".to_owned(), format!("file {given} created").into());
            "Empty file".clone_into(&mut comment);
        }
    }
    // Salt tells the mode when it differs from that of the temporary file it starts from: 0600 where a mode was given
    // or a source copied, else what the mask leaves.
    let from_source = wish.bytes.as_ref().is_some_and(|bytes| bytes.source.is_some());
    if (wish.perms.mode.is_some() || from_source) && meta.mode != 0o600 {
        changes.insert("mode".to_owned(), octal(meta.mode).into());
    }
    let born = Meta {
        mode: meta.mode,
        ..Meta::default()
    };
    changes.extend(wish.perms.changes(&born));
    let (content, size) = match &wish.bytes {
        Some(bytes) => (bytes.content, bytes.size),
        None => (host.keep(""), 0),
    };
    let to = Value::File { content, size, meta };
    acts.push(Act::assign(Address::Path(wish.name.clone()), Value::Absent, to));
    Ok(Plan::change(acts, changes, comment).or_would(set_to_change(given), Some(would)))
}

/// Only owner, group and mode of what is there are managed (`replace: False`, or nothing to put in).
fn attributes_only(
    call: &Call<'_>,
    given: &str,
    there: &place::Place<'_>,
    perms: &Perms,
) -> Result<Plan, Stop> {
    let Some(meta) = there.value.meta() else {
        return Ok(Plan::default());
    };
    let changes = perms.changes(meta);
    if changes.is_empty() {
        return Ok(Plan::met(if call.test {
            format!("File {given} not updated")
        } else {
            format!("File {given} exists with proper permissions. No changes made.")
        }));
    }
    let mut to = there.value.clone();
    match &mut to {
        Value::File { meta, .. } | Value::Link { meta, .. } | Value::Special { meta, .. } => {
            *meta = perms.onto(meta);
        }
        _ => {}
    }
    let would = match perms.mode.filter(|mode| *mode != meta.mode) {
        Some(mode) => format!(
            "File {given} will be updated with permissions {} from its current state of {}",
            octal(mode),
            octal(meta.mode)
        ),
        None => format!("File {given} not updated"),
    };
    let act = Act::assign(Address::Path(there.path.clone()), there.value.clone(), to);
    Ok(Plan::change(vec![act], changes, "").or_would(would, None))
}

/// Salt's diff between what is at `path` (nothing, when empty) and the wish.
fn diff(call: &Call<'_>, host: &Host<'_>, path: &str, wish: &Wish) -> Result<String, Stop> {
    if !call.args().flag("show_changes", true) {
        return Ok("<show_changes=False>".to_owned());
    }
    let old = if path.is_empty() {
        Vec::new()
    } else {
        host.bytes(path)?.unwrap_or_default().to_vec()
    };
    let new = match &wish.bytes {
        None => Vec::new(),
        Some(bytes) => match (&bytes.source, host.kept(&bytes.content)) {
            (_, Some(kept)) => kept,
            (Some(found), None) => match source::local(&found.text) {
                Some(path) => host.bytes(path)?.unwrap_or_default().to_vec(),
                None => host.object(&bytes.content)?.unwrap_or_default().to_vec(),
            },
            (None, None) => Vec::new(),
        },
    };
    Ok(text::diff_of_bytes(&old, &new))
}

/// `check_cmd` of the state itself: the last act's file is checked before it goes live.
fn add_check(call: &Call<'_>, host: &Host<'_>, plan: &mut Plan) -> Result<(), Stop> {
    // The compiler takes `check_cmd` for one of the options that every state has.
    let given = call
        .args()
        .text("check_cmd")
        .or_else(|| call.chunk.options.check_cmd.first().cloned());
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let writes = plan.changes.contains_key("diff") || plan.changes.contains_key("new");
    if let Some(Act::Assign { check, .. }) = plan.acts.last_mut().filter(|_| writes) {
        *check = Some(Command {
            argv: vec![text],
            shell: Some(crate::cmd::shell(call, host)?),
            ..Command::default()
        });
    }
    Ok(())
}

/// Whether `name` leads to a directory.
fn host_dir(host: &Host<'_>, name: &str, value: &Value) -> Result<Option<()>, Stop> {
    let dir = match value {
        Value::Dir { .. } => true,
        Value::Link { .. } => matches!(host.follow(name)?, Value::Dir { .. }),
        _ => false,
    };
    Ok(dir.then_some(()))
}

fn set_to_change(given: &str) -> String {
    format!(
        "The file {given} is set to be changed\nNote: No changes made, actual changes may\nbe different due to other states."
    )
}

/// Salt's mode of directories made on the way to a file: every digit that is not 0 also gets x.
pub(super) fn with_x(mode: u32) -> u32 {
    [0o700, 0o070, 0o007]
        .into_iter()
        .filter(|part| mode & part != 0)
        .fold(mode & 0o777, |mode, part| mode | (part & 0o111))
}

/// The mode; `keep` is none here.
fn mode(call: &Call<'_>) -> Result<Option<u32>, Stop> {
    let args = call.args();
    let keep = args.text("mode").as_deref() == Some("keep");
    let has_contents = ["contents", "contents_pillar", "contents_grains"]
        .iter()
        .any(|key| args.any(key).is_some());
    if keep && has_contents {
        return Err(Stop::failed(
            "Mode preservation cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        ));
    }
    args.mode("mode")
}

fn check_combination(call: &Call<'_>) -> Result<(), Stop> {
    let args = call.args();
    let given = ["contents", "contents_pillar", "contents_grains"]
        .iter()
        .filter(|key| args.any(key).is_some())
        .count();
    if args.any("source").is_some_and(crate::args::truth) && given > 0 {
        return Err(Stop::failed(
            "'source' cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        ));
    }
    if given > 1 {
        return Err(Stop::failed(
            "Only one of 'contents', 'contents_pillar', and 'contents_grains' is permitted",
        ));
    }
    Ok(())
}

/// The bytes of `contents` (into which the master has put a pillar's), every line ended by a newline.
fn contents(call: &Call<'_>, host: &Host<'_>) -> Result<Option<Vec<u8>>, Stop> {
    let args = call.args();
    // The compiler replaces the key by its value; what is left is a key that the pillar does not have.
    for (key, kind) in [("contents_pillar", "Pillar"), ("contents_grains", "Grain")] {
        let Some(missing) = args.texts(key).into_iter().next() else {
            continue;
        };
        if key == "contents_grains"
            && let Some(value) = host.grain(&missing)?
        {
            return Ok(Some(lines(call, value)?));
        }
        return Err(Stop::Failed(format!("{kind} {missing} does not exist")));
    }
    args.any("contents").map(|value| lines(call, value)).transpose()
}

fn lines(call: &Call<'_>, value: &Json) -> Result<Vec<u8>, Stop> {
    let args = call.args();
    if !args.flag("allow_empty", true) && !crate::args::truth(value) {
        return Err(Stop::failed(
            "'contents' value would result in empty contents. Set allow_empty to True to allow the managed file to be empty.",
        ));
    }
    let parts = match value {
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(_) => {
            return Err(Stop::failed(
                "Contents specified by contents/contents_pillar/contents_grains is not a string or list of strings, and is not binary data. SLS is likely malformed.",
            ));
        }
        other => vec![plain(other)],
    };
    let mut out = String::new();
    for line in parts.iter().flat_map(|part| text::splitlines(part)) {
        out.push_str(line);
        out.push('\n');
    }
    if !args.flag("contents_newline", true) {
        out.truncate(out.trim_end_matches('\n').trim_end_matches('\r').len());
    }
    encode(&out, args.text("encoding").as_deref())
}

fn encode(text: &str, encoding: Option<&str>) -> Result<Vec<u8>, Stop> {
    let name = encoding.unwrap_or("utf-8").to_ascii_lowercase().replace('_', "-");
    let limit = match name.as_str() {
        "utf-8" | "utf8" => return Ok(text.as_bytes().to_vec()),
        "ascii" | "us-ascii" => 0x7f,
        "latin-1" | "latin1" | "iso-8859-1" => 0xff,
        _ => {
            return Err(Stop::Failed(format!(
                "Unable to manage file: unknown encoding: {name}"
            )));
        }
    };
    text.chars()
        .map(|c| {
            u8::try_from(u32::from(c))
                .ok()
                .filter(|byte| u32::from(*byte) <= limit)
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| {
            Stop::Failed(format!(
                "Unable to manage file: the contents cannot be encoded as {name}"
            ))
        })
}

/// A source that is not there, in Salt's words.
fn untold(call: &Call<'_>, why: Trouble) -> Stop {
    match why {
        Trouble::Stop(stop) => stop,
        Trouble::Said(text) if call.test => Stop::Failed(text),
        Trouble::Said(text) => Stop::Failed(format!("Unable to manage file: {text}")),
        Trouble::None => Stop::failed("Unable to manage file: none of the specified sources were found"),
    }
}
