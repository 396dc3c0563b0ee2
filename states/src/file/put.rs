//! Putting a file with given contents and attributes at a path, in the words of `file.managed`. Also used for the members of
//! `file.recurse` and by `file.serialize`.

use proto::{Act, Address, Args, Command, Digest, Meta, Value};

use super::place::{self, Above};
use crate::perms::{Perms, masked, octal};
use crate::source::{self, Found};
use crate::{ArgsExt, Call, Host, Plan, Stop, Verdict, text};

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
    let shown = diff(call, host, &there.path, wish)?;
    let to = Value::File {
        content: bytes.content,
        size: bytes.size,
        meta,
    };
    let act = Act::assign(Address::Path(there.path.clone()), there.value.clone(), to);
    let mut changes = crate::plan::one("diff", shown);
    if let Some(mode) = wish.perms.mode {
        changes.insert("mode".to_owned(), octal(mode).into());
    }
    let updated = format!("File {} updated", wish.given);
    Ok(Plan::change(vec![act], changes, updated).or_would(set_to_change(&wish.given), None))
}

/// Nothing is there.
fn create(call: &Call<'_>, host: &Host<'_>, wish: &Wish) -> Result<Plan, Stop> {
    let given = &wish.given;
    let shows = call.args().flag("new_file_diff", false) && wish.bytes.is_some();
    let would = if shows {
        crate::plan::one("diff", diff(call, host, "", wish)?)
    } else {
        crate::plan::one("newfile", given.as_str())
    };
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
        Above::Blocked(_) if wish.makedirs => {
            return Err(Stop::failed("Unable to manage file: Not a directory"));
        }
        Above::Missing(..) | Above::Blocked(_) => return Err(Stop::failed("Parent directory not present")),
    };
    let meta = wish.perms.fresh(Some(&parent), masked(call, 0o666));
    let mut changes = Args::new();
    let mut comment = format!("File {given} updated");
    match &wish.bytes {
        Some(_) if shows => changes = would.clone(),
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
pub(super) fn attributes_only(
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
