//! Groups and numbers that `user.present` names.

use std::collections::BTreeSet;

use proto::{Address, Args, Question};

use crate::{ArgsExt, Call, Host, Stop, perms};

/// Groups a state names: those that are there and those that are not.
pub(super) struct Groups {
    /// `None` leaves the user's groups as they are.
    pub(super) wanted: Option<BTreeSet<String>>,
    /// Groups that must be there and are not.
    pub(super) missing: Vec<String>,
}

/// The named groups, all asked for in one go.
pub(super) fn groups(call: &Call<'_>, host: &Host<'_>) -> Result<Groups, Stop> {
    let args = call.args();
    let (must, may) = (args.texts("groups"), args.texts("optional_groups"));
    host.expect(
        must.iter()
            .chain(&may)
            .map(|name| Question::Read(Address::Group(name.clone()))),
    );
    let mut wanted = BTreeSet::new();
    let mut missing = Vec::new();
    for name in &must {
        match host.group(name)? {
            Some(_) => _ = wanted.insert(name.clone()),
            None => missing.push(name.clone()),
        }
    }
    if !missing.is_empty() && !call.test {
        return Err(Stop::Failed(format!(
            "The following group(s) are not present: {}",
            missing.join(",")
        )));
    }
    for name in &may {
        if host.group(name)?.is_some() {
            wanted.insert(name.clone());
        }
    }
    // `groups: []` takes the user out of all; without any of the two the groups are left.
    let given = args.any("groups").is_some() || !may.is_empty();
    Ok(Groups {
        wanted: given.then_some(wanted),
        missing,
    })
}

/// The primary group asked for, as number.
pub(super) fn gid(call: &Call<'_>, host: &Host<'_>) -> Result<Option<u32>, Stop> {
    let args = call.args();
    let same_name = args.flag("usergroup", false) || args.flag("gid_from_name", false);
    if same_name && let Some(gid) = perms::gid(host, call.name())? {
        return Ok(Some(gid));
    }
    let Some(group) = args.text("gid").filter(|group| !group.is_empty()) else {
        return Ok(None);
    };
    match perms::gid(host, &group)? {
        Some(gid) => Ok(Some(gid)),
        None if call.test => Ok(None),
        None => Err(Stop::Failed(format!("group '{group}' does not exist"))),
    }
}

pub(super) fn uid(args: &Args) -> Result<Option<u32>, Stop> {
    args.number("uid")?
        .map(|uid| u32::try_from(uid).map_err(|_| Stop::Failed(format!("uid {uid} is out of range"))))
        .transpose()
}
