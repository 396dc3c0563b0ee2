//! Owner, group and mode as the file states take them: names resolved to ids, defaults, and what of them differs.

use proto::{Address, Args, Meta, Question};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Host, Stop};

/// Stands for an account that does not exist yet while a plan is made (an earlier state of the same run makes it).
/// Never reaches a host: without `test` a missing account fails the state.
const NOT_YET: u32 = u32::MAX;

/// An account as written and the id it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    /// As the user wrote it: name or number.
    pub(crate) given: Json,
    /// Its id.
    pub(crate) id: u32,
}

/// The attributes a state asks for; `None` leaves what is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Perms {
    pub(crate) user: Option<Named>,
    pub(crate) group: Option<Named>,
    pub(crate) mode: Option<u32>,
}

/// Which of the two databases an account is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Group,
}

impl Perms {
    /// The questions [`Perms::owner`] will ask, to be asked together with others.
    pub(crate) fn questions(args: &Args) -> Vec<Question> {
        let read = |key: &str, make: fn(String) -> Address| {
            let name = args
                .text(key)
                .filter(|name| number(name).is_none() && !name.is_empty());
            name.map(|name| Question::Read(make(name)))
        };
        [read("user", Address::User), read("group", Address::Group)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Owner and group from `user` and `group` (a user who is not there is an error only outside of test mode, as in
    /// Salt's file states).
    ///
    /// # Errors
    /// [`Stop::Failed`] with Salt's text, trailing blank included, when an account does not exist.
    pub(crate) fn owner(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        host.expect(Self::questions(call.args()));
        let user = named(call, host, "user", Kind::User)?;
        let group = named(call, host, "group", Kind::Group)?;
        let mut missing = String::new();
        if let Some(Err(name)) = &user {
            missing.push_str(&format!("User {name} is not available "));
        }
        if let Some(Err(name)) = &group {
            missing.push_str(&format!("Group {name} is not available"));
        }
        if !missing.is_empty() && !call.test {
            return Err(Stop::Failed(missing));
        }
        let settle = |found: Option<Result<Named, String>>| {
            found.map(|found| {
                found.unwrap_or_else(|name| Named {
                    given: name.into(),
                    id: NOT_YET,
                })
            })
        };
        Ok(Self {
            user: settle(user),
            group: settle(group),
            mode: None,
        })
    }

    /// The same owner with another mode.
    pub(crate) fn with_mode(&self, mode: Option<u32>) -> Self {
        Self { mode, ..self.clone() }
    }

    /// What an existing `meta` becomes.
    pub(crate) fn onto(&self, meta: &Meta) -> Meta {
        Meta {
            mode: self.mode.unwrap_or(meta.mode),
            uid: self.user.as_ref().map_or(meta.uid, |user| user.id),
            gid: self.group.as_ref().map_or(meta.gid, |group| group.id),
            mtime: None,
            xattrs: meta.xattrs.clone(),
        }
    }

    /// Attributes of something new in a directory: root's, the directory's group where it hands it on (setgid).
    pub(crate) fn fresh(&self, parent: Option<&Meta>, default_mode: u32) -> Meta {
        let gid = parent
            .filter(|meta| meta.mode & 0o2000 != 0)
            .map_or(0, |meta| meta.gid);
        self.onto(&Meta {
            mode: default_mode,
            gid,
            ..Meta::default()
        })
    }

    /// Salt's `user`, `group` and `mode` changes that turn `meta` into what is asked.
    pub(crate) fn changes(&self, meta: &Meta) -> Args {
        let mut changes = Args::new();
        if let Some(user) = self.user.as_ref().filter(|user| user.id != meta.uid) {
            changes.insert("user".to_owned(), user.given.clone());
        }
        if let Some(group) = self.group.as_ref().filter(|group| group.id != meta.gid) {
            changes.insert("group".to_owned(), group.given.clone());
        }
        if let Some(mode) = self.mode.filter(|mode| *mode != meta.mode) {
            changes.insert("mode".to_owned(), octal(mode).into());
        }
        changes
    }
}

/// A mode as Salt prints it: at least four octal digits.
pub(crate) fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// What the process mask leaves of `full` (0666 for files, 0777 for directories); the mask is 022 unless the state sets
/// `umask`.
pub(crate) fn masked(call: &Call<'_>, full: u32) -> u32 {
    full & !call.chunk.options.guard.umask.unwrap_or(0o022)
}

/// The id of a user by name or number; `None` when there is no such user.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn uid(host: &Host<'_>, name: &str) -> Result<Option<u32>, Stop> {
    match number(name) {
        Some(id) => Ok(Some(id)),
        None => Ok(host.user(name)?.map(|account| account.uid.unwrap_or(NOT_YET))),
    }
}

/// The id of a group by name or number; `None` when there is no such group.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn gid(host: &Host<'_>, name: &str) -> Result<Option<u32>, Stop> {
    match number(name) {
        Some(id) => Ok(Some(id)),
        None => Ok(host.group(name)?.map(|group| group.gid.unwrap_or(NOT_YET))),
    }
}

fn number(name: &str) -> Option<u32> {
    name.parse().ok()
}

/// The account under `key`: not given, found, or the name that was not found.
fn named(
    call: &Call<'_>,
    host: &Host<'_>,
    key: &str,
    kind: Kind,
) -> Result<Option<Result<Named, String>>, Stop> {
    let Some(given) = call.args().any(key) else {
        return Ok(None);
    };
    let name = plain(given);
    if name.is_empty() {
        return Ok(None);
    }
    let id = match kind {
        Kind::User => uid(host, &name)?,
        Kind::Group => gid(host, &name)?,
    };
    // An account that a plan has already made but that has no number yet counts as missing outside of test mode.
    let id = id.filter(|id| *id != NOT_YET || call.test);
    Ok(Some(id.map_or(Err(name), |id| {
        Ok(Named {
            given: given.clone(),
            id,
        })
    })))
}

/// The name of a user id, or the number where it has none.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn user_name(host: &Host<'_>, id: u32) -> Result<String, Stop> {
    lookup(host, "user.getent", "uid", id)
}

/// The name of a group id, or the number where it has none.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(crate) fn group_name(host: &Host<'_>, id: u32) -> Result<String, Stop> {
    lookup(host, "group.getent", "gid", id)
}

/// The name of the entry that has this number.
fn lookup(host: &Host<'_>, fun: &str, key: &str, id: u32) -> Result<String, Stop> {
    if id == 0 {
        return Ok("root".to_owned());
    }
    let question = Question::Call(proto::question::Call {
        fun: fun.to_owned(),
        args: Vec::new(),
        kwargs: std::collections::BTreeMap::new(),
    });
    let entries = match host.ask(question)? {
        proto::Answer::Json(Json::Array(entries)) => entries.as_slice(),
        _ => &[],
    };
    let found = entries
        .iter()
        .find(|entry| entry.get(key).and_then(Json::as_u64) == Some(id.into()));
    let name = found.and_then(|entry| entry.get("name")?.as_str());
    Ok(name.map_or_else(|| id.to_string(), str::to_owned))
}
